"""The listings of the documents that Trialwright is to match run by a changed import, on its own Ray executor."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks import documents
from trialwright import tune
from trialwright.errors import PolicyError

FOLDER = Path(__file__).parents[2] / "examples" / "documents"
SHARED = ("budget", "doc000_model", "images", "maze")  # modules that listings import
LISTINGS = sorted(path for path in FOLDER.glob("doc*.py") if path.stem not in SHARED)
DEPENDENT = FOLDER / "doc002_listing_5_15_sample_from.py"

for needed in ("bayes_opt", "hyperopt", "matplotlib", "pandas", "sklearn", "torch"):
    pytest.importorskip(needed)


def steps(names):
    return [trial.last_result["training_iteration"] for trial in names["analysis"].trials]


CHECKS = {
    "doc000_step_05_run": lambda names: [len(table) for table in names["dfs"].values()] == [10],
    "doc000_step_07_asha": lambda names: max(map(len, names["dfs"].values())) == 10,
    "doc000_step_09_hyperopt": lambda names: set(names["best_result"].config) == {"lr", "momentum"},
    "doc001_experiment": lambda names: {trial.config["momentum"] for trial in names["trials"]} == {0.2, 0.4, 0.6},
    "doc001_experiment_json": lambda names: len(names["trials"]) == 3,
    "doc002_listing_5_01_random_search_on_ray": lambda names: len(names["results"]) == 4,
    "doc002_listing_5_04_random_search": lambda names: len(names["analysis"].trials) == 1,
    "doc002_listing_5_07_bayesopt": lambda names: names["analysis"].best_result["training_iteration"] == 1,
    "doc002_listing_5_09_hyperband": lambda names: len(steps(names)) == 10 and max(steps(names)) == 30,
    "doc002_listing_5_10_callback": lambda names: names["best"].last_result["step"] == 29,
    "doc002_listing_5_12_resume": lambda names: names["earlier"].results == names["analysis"].results,
    "doc002_listing_5_13_stop_dict": lambda names: steps(names) == [10],
    "doc002_listing_5_14_stop_function": lambda names: steps(names) == [1],
    "doc002_listing_5_15_sample_from": lambda names: steps(names) == [30],
    "doc002_listing_5_18_keras": lambda names: min(steps(names)) > 1,
    "doc002_listing_5_19_hyperopt": lambda names: names["analysis"].trials[0].config == names["initial_params"][0],
    "doc002_listing_resources": lambda names: len(names["analysis"].trials) == 10,
    "doc003_tune_script": lambda names: len(names["analysis"].trials) == 4,
    "doc004_pytorch": lambda names: len(names["results"]) == 4 and names["best_result"].metrics["accuracy"] > 0,
}


@pytest.fixture(scope="module", autouse=True)
def one_ray():
    """One Ray, which every run joins; its workers find what the listings import."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(FOLDER))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("KERAS_BACKEND", "torch")
        patch.syspath_prepend(FOLDER)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        yield
        ray.shutdown()
        for name in SHARED:
            sys.modules.pop(name, None)


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """Runs a listing with its small budget; returns its names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("MPLBACKEND", "Agg")

    def run(path):
        monkeypatch.setattr(sys, "argv", [str(path), "--smoke"])
        return runpy.run_path(str(path), run_name="__main__")

    return run


@pytest.mark.slow
@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
@pytest.mark.timeout(600)  # on a busy machine Ray's workers, which are "nice", import Keras for more than a minute
@pytest.mark.filterwarnings("ignore::UserWarning:keras")  # of input_shape, which is Keras's older way
def test_a_listing_runs_and_prints_its_result(path, listing, capsys):
    if "keras" in path.stem:
        pytest.importorskip("keras")
    names = listing(path)
    assert capsys.readouterr().out.strip()
    assert CHECKS[path.stem](names)


@pytest.mark.parametrize("path", [*LISTINGS, FOLDER / "doc000_model.py"], ids=lambda path: path.stem)
def test_a_listing_names_trialwright_only_where_it_imports(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "trialwright" in line]
    assert [line for line in lines if not line.startswith("from trialwright")] == []


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_the_pages_have_a_line_for_each_listing(path):
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(0)  # to measure takes as long as it takes
def test_the_page_has_the_wall_times_of_just_these_listings(request):
    if request.config.getoption("--write-table"):
        documents.write(documents.parser().parse_args([]))
    rows = re.findall(r"^\| `(doc\w+)` \| (.*?) \|", documents.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == [path.stem for path in LISTINGS] == documents.listings()
    assert [ours for _, ours in rows if not re.fullmatch(r"\d+\.\d s", ours)] == []


def test_times_are_written_in_place_of_those_that_the_page_has():
    page = documents.PAGE.read_text(encoding="utf-8")
    rows = [documents.Row("doc9", documents.Timing(1.25), documents.Timing(None, "gone"), None)]
    again = documents.written(page, rows, 3)
    assert "medians of 3 runs.\n\n| listing |" in again
    assert "| `doc9` | 1.2 s | no longer runs: `gone` |  |" in again
    assert "`doc004_pytorch` |" not in again
    assert again.partition("Measured ")[0] == page.partition("Measured ")[0]
    assert again.endswith(page[-500:])


def test_listing_5_15_as_it_was_printed_fails_and_names_alpha(listing, tmp_path):
    printed = tmp_path / "printed.py"
    printed.write_text(DEPENDENT.read_text(encoding="utf-8").replace("config.weight *", "config.alpha *"))
    with pytest.raises(PolicyError, match="alpha"):
        listing(printed)


# The same on the other side of the import -----------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Runs a space on Trialwright and on Ray Tune; returns the two lists of results."""
    peer = pytest.importorskip("ray.tune")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    # Not what is compared, and errors here: Ray Tune warns of its own deprecated parts.
    monkeypatch.setattr("warnings.showwarning", lambda *_, **__: None)

    def run(make_space, make_searcher, **keywords):
        found = []
        for side, place in ((tune, "ours"), (peer, "theirs")):
            config = side.TuneConfig(
                search_alg=make_searcher(side), metric="score", mode="max", reuse_actors=True, **keywords
            )
            run_config = side.RunConfig(storage_path=str(tmp_path / place), verbose=0)
            tuner = side.Tuner(_score, param_space=make_space(side), tune_config=config, run_config=run_config)
            found.append(list(tuner.fit()))
        return found

    return run


def _score(config):
    return {"score": float(config["x"]), "nested": {"deep": 1}}


def tried(results):
    return sorted(tuple(sorted(result.config.items())) for result in results)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_ray_tune_tries_the_same_grid_and_its_results_have_the_same_names_and_types(both):
    ours, theirs = both(
        lambda side: {"x": side.grid_search([1.0, 2.0]), "y": side.grid_search(["a", "b"])},
        lambda side: None,
        num_samples=2,
    )
    assert tried(ours) == tried(theirs)
    assert len(ours) == 8
    types = [{name: type(value) for name, value in side[0].metrics.items()} for side in (ours, theirs)]
    del types[1]["checkpoint_dir_name"]  # says nothing where there is no checkpoint
    assert types[0] == {**types[1], "experiment_id": str}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_ray_tune_tries_the_same_points_to_evaluate(both):
    points = [{"x": 0.25, "y": "b"}, {"x": 0.75, "y": "a"}]
    ours, theirs = both(
        lambda side: {"x": side.uniform(0, 1), "y": side.choice(["a", "b"])},
        lambda side: side.search.BasicVariantGenerator(points_to_evaluate=points),
        num_samples=2,
    )
    assert tried(ours) == tried(theirs)
    assert tried(ours) == sorted(tuple(sorted(point.items())) for point in points)
