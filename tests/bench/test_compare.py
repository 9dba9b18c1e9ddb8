"""Schedulers and searchers are compared: the same however the runs are made, and continued where it was interrupted."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench.small import Corner, Mine, small
from trialwright import FIFO, PBT, bench, space
from trialwright.bench.methods import METHODS
from trialwright.bench.runs import budget_s, run

HILL = (lambda config: (config["x"] - 0.3) ** 2, {"x": space.uniform(0, 1)})


def compare(**changes):
    given = {"methods": {"mine": Mine(), "random": "random"}, "tasks": [small(), small("other", seed=1)], "seeds": 2}
    return bench.compare_schedulers(**{**given, "budget": 4, "workers": (1, 2), **changes})


def test_schedulers_are_compared_on_equal_orders_of_the_same_curves():
    found = compare(methods={"every": FIFO(), "random": "random", "mine": Mine})
    assert found.regrets[2]["every"].shape == (2, 2, 40)
    assert np.array_equal(found.regrets[2]["every"], found.regrets[2]["random"])
    assert not np.array_equal(found.regrets[2]["every"], found.regrets[2]["mine"])
    assert found.against == "every"


def test_a_regret_is_that_of_the_best_loss_so_far_in_virtual_time():
    task = small()
    losses = run(task, METHODS["random"], 2, seed=1, budget=4)
    assert budget_s(task, 2, 4) == 18
    assert compare(tasks=[task]).regrets[2]["random"][0, 1] == pytest.approx(task.regret(losses), rel=1e-5)


def test_a_method_may_have_a_searcher_of_its_own():
    found = compare(methods={"pair": (Mine(), "tpe"), "random": "random"}, tasks=[small()], workers=[1], seeds=1)
    assert found.regrets[1]["pair"][0, 0, -1] >= 0


def test_an_interrupted_comparison_continues_with_what_is_missing(tmp_path):
    whole, said = compare(), []
    compare(seeds=1, directory=tmp_path)
    file = tmp_path / "traces.jsonl"
    file.write_text(file.read_text()[:-20])  # as a kill leaves it
    found = compare(directory=tmp_path, progress=lambda done, count, which: said.append((done, count)))
    assert said[-1] == (9, 9)  # of 16: one of the first 8 was lost
    assert all(np.array_equal(found.regrets[2][name], whole.regrets[2][name]) for name in ("mine", "random"))
    compare(directory=tmp_path, progress=lambda *_: pytest.fail("all of it is known"))


def test_a_directory_refuses_other_settings_and_names_them(tmp_path):
    compare(directory=tmp_path)
    with pytest.raises(ValueError) as refused:
        compare(directory=tmp_path, budget=5, methods={"mine": Mine(reduction_factor=2), "random": "random"})
    assert "budget was 4, and is now 5" in str(refused.value)
    assert "methods mine was Mine(" in str(refused.value)
    assert "methods random" not in str(refused.value)
    with pytest.raises(ValueError, match="kind was schedulers, and is now searchers"):
        bench.compare_searchers(["random", "tpe"], directory=tmp_path)


def test_a_directory_refuses_a_method_whose_code_has_changed(tmp_path, monkeypatch):
    compare(directory=tmp_path)
    known = json.loads((tmp_path / "settings.json").read_text())
    known["methods"]["mine"] = known["methods"]["mine"][:-8] + "00000000"
    (tmp_path / "settings.json").write_text(json.dumps(known))
    with pytest.raises(ValueError, match="methods mine was Mine.*code 00000000"):
        compare(directory=tmp_path)


def test_a_comparison_may_grow(tmp_path):
    compare(directory=tmp_path, workers=[1])
    found = compare(directory=tmp_path, methods={"mine": Mine(), "random": "random", "median": "median"}, seeds=3)
    assert found.regrets[1]["median"].shape == (2, 3, 40)


@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path):
    found = compare(processes=2, workers=[2], directory=tmp_path)
    assert np.array_equal(found.regrets[2]["mine"], compare(workers=[2]).regrets[2]["mine"])


def test_an_error_says_in_which_run_and_what_was_done_is_kept(tmp_path):
    class Broken(Mine):
        def on_report(self, trial, report):
            raise ArithmeticError("a bug of the user's")

    with pytest.raises(Exception, match="a bug of the user's") as failed:
        compare(methods={"random": "random", "broken": Broken()}, directory=tmp_path)
    assert failed.value.__notes__ == ["in the run broken, 1, small, 0, 0.0; what was done before is kept"]
    assert len((tmp_path / "traces.jsonl").read_text().splitlines()) == 1


def test_searchers_are_compared_on_users_functions():
    found = bench.compare_searchers(
        {"corner": Corner(), "near": Corner(0.31), "tpe": "tpe"},
        tasks={"hill": HILL}, seeds=2, evaluations=12, workers=(1, 3), against="tpe",
    )  # fmt: skip
    assert found.regrets[3]["tpe"].shape == (1, 2, 12)
    assert min(each.min() for of in found.regrets.values() for each in of.values()) == 0  # the best of all runs
    assert found.regrets[1]["corner"][0, 0].tolist() == [found.regrets[1]["corner"][0, 0, 0]] * 12


def test_values_that_are_not_finite_are_no_results():
    def gap(config):
        return float("nan") if config["x"] < 0.9 else config["x"]

    found = bench.compare_searchers(["random", "sobol"], tasks={"gap": (gap, HILL[1])}, seeds=1, evaluations=40)
    assert np.isinf(found.regrets[1]["random"][0, 0, 0])
    assert np.isfinite(found.regrets[1]["random"][0, 0, -1])
    assert found.table()


def test_a_comparison_of_searchers_continues_too(tmp_path):
    keywords = {"tasks": {"hill": HILL}, "evaluations": 10, "directory": tmp_path}
    first = bench.compare_searchers(["random", "tpe"], seeds=1, **keywords)
    again = bench.compare_searchers(["random", "tpe"], seeds=1, **keywords, progress=lambda *_: pytest.fail("known"))
    assert again.table() == first.table()
    with pytest.raises(ValueError, match="evaluations was 10, and is now 11"):
        bench.compare_searchers(["random", "tpe"], **{**keywords, "evaluations": 11})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"methods": {"mine": Mine(), "hyperbnd": "hyperbnd"}}, "did you mean 'hyperband'"),
        ({"methods": {"mine": Mine()}}, "two methods at least"),
        ({"methods": {"mine": Mine(), "pbt": PBT()}}, "PBT changes configurations"),
        ({"tasks": ["crosing-curves"]}, "did you mean 'crossing-curves'"),
        ({"tasks": []}, "one at least"),
        ({"tasks": [small(), small()]}, "two tasks are named small"),
        ({"against": "mein"}, "did you mean 'mine'"),
        ({"workers": [2, 2]}, "different numbers"),
        ({"seeds": 0}, "seeds must be at least 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        compare(**changes)


def test_what_is_no_method_or_task_is_refused():
    with pytest.raises(TypeError, match="a method must be a name"):
        compare(methods={"mine": Mine(), "none": 3})
    with pytest.raises(TypeError, match="is no searcher: it has no setup, suggest"):
        bench.compare_searchers({"a": object(), "b": "random"})
    with pytest.raises(TypeError, match="must be a name, a path, a workload, or Curves"):
        compare(tasks=[3])


def test_what_was_found_is_a_table_a_picture_and_data(tmp_path):
    found = compare()
    assert "| mine |" in found.table() == str(found) == found._repr_markdown_()
    assert "**2 workers**" in found.table()
    assert found.pairwise().startswith("| tasks with less regret than, 100%, 1 worker | mine | random |")
    rows = found.dataframe()
    assert len(rows) == 2 * 2 * 2 * 2 * 3
    assert set(rows.columns) == {"workers", "task", "method", "seed", "moment", "regret"}
    written = found.save(tmp_path / "out")
    assert [path.name for path in written] == ["table.md", "comparison.json", "regret.png"]
    assert written[2].read_bytes().startswith(b"\x89PNG")
    [line, *_] = json.loads(Path(written[1]).read_text())["lines"]
    assert line.keys() >= {"method", "regret", "regret_low", "regret_high", "rank", "wins", "losses", "p"}
