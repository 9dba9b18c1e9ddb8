"""A run as a study of Optuna's."""

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

# ruff: noqa: E402 - after the check that Optuna is there
from trialwright import Engine, earlier, load, report, space
from trialwright.integrations.optuna_distributions import distribution_of, domain_of
from trialwright.space import Space

WHAT = {
    "lr": space.loguniform(1e-5, 1.0),
    "model": space.choice(
        [{"kind": "svm", "C": space.quniform(0, 10, 0.5)}, {"kind": "tree", "depth": space.randint(1, 9)}, None]
    ),
    "noise": space.randn(0, 1),
    "seed": 7,
}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def run(objective, path=None, **options):
    settings = {"metric": "loss", "num_samples": 9, "executor": "local", "storage": path, "verbose": 0, "seed": 0}
    return Engine(objective, WHAT, **{**settings, **options}).run()


def curve(config):
    if config["lr"] > 0.5:
        raise ArithmeticError("too fast")
    for step in range(1, 5):
        report({"loss": config["lr"] + 1 / step})


def test_a_run_becomes_a_study_with_the_same_trials(tmp_path):
    result = run(curve, tmp_path / "runs", searcher="sobol", scheduler="median")
    result.to_optuna(f"sqlite:///{tmp_path}/study.db")
    again = optuna.load_study(study_name=result.path.name, storage=f"sqlite:///{tmp_path}/study.db")
    assert len(again.trials) == 9
    for mine, theirs in zip(result, again.trials, strict=True):
        assert theirs.params["lr"] == pytest.approx(mine.config["lr"])
        assert theirs.user_attrs["trial"] == mine.id
        assert theirs.state.name == {"completed": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL"}[mine.outcome]
        assert theirs.intermediate_values == {step: row["loss"] for step, row in mine.reports.items()}
        model = mine.config["model"]
        assert theirs.params["model"] == (model and model["kind"])
        assert theirs.params.get("model/C") == (model or {}).get("C")
    assert again.best_value == pytest.approx(result.best_metrics["loss"])
    assert again.best_trial.user_attrs["trial"] == result.best_trial.id


def test_a_loaded_run_can_be_exported_too(tmp_path):
    result = run(curve, tmp_path, searcher="sobol")
    assert len(load(result.path).to_optuna().trials) == 9


def test_several_objectives_keep_their_directions():
    result = run(lambda config: {"loss": config["lr"], "speed": 1.0}, metric=["loss", "speed"], mode=["min", "max"])
    study = result.to_optuna()
    assert [each.name for each in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.trials[0].values == [result[0].metrics["loss"], 1.0]


def test_optunas_importances_and_ours_can_be_asked_of_the_same_trials():
    result = run(lambda config: {"loss": config["lr"]}, num_samples=40, searcher="random")
    study = result.to_optuna()
    params = ["lr", "noise"]
    theirs = optuna.importance.get_param_importances(study, params=params)
    assert max(theirs, key=theirs.get) == "lr"


def test_a_run_without_a_metric_is_refused():
    result = Engine(lambda config: {"x": 1}, WHAT, num_samples=1, executor="local", storage=None, verbose=0).run()
    with pytest.raises(ValueError, match="no metric"):
        result.to_optuna()


def test_an_export_can_be_read_as_earlier_results():
    result = run(lambda config: {"loss": config["lr"]}, searcher="random")
    known = earlier.from_optuna(result.to_optuna())
    assert [metrics["value"] for _, metrics in known] == [trial.metrics["loss"] for trial in result]


@pytest.mark.parametrize(
    "domain",
    [
        space.uniform(-1, 2),
        space.loguniform(1e-3, 2),
        space.quniform(-1, 2, 0.5),
        space.randint(-3, 9),
        space.qrandint(2, 8, 2),
        space.lograndint(1, 9),
        space.choice(["a", 1, True, None, 2.5]),
    ],
    ids=repr,
)
def test_a_domain_comes_back_from_its_distribution(domain):
    again = domain_of(distribution_of(domain))
    [theirs], [mine] = (
        [[config["x"] for config in Space({"x": each}).sample(50, np.random.default_rng(0))]]
        for each in (again, domain)
    )
    assert theirs == mine


def test_options_that_optuna_has_no_word_for_are_described():
    described = distribution_of(
        space.choice([(1, 2), {"a": 1, "b": 2}, {"kind": "svm", "C": space.uniform(0, 1)}])
    ).choices
    assert described == ("(1, 2)", '{"a": 1, "b": 2}', "svm")
    assert distribution_of(space.choice([{"kind": "a", "x": space.uniform(0, 1)}, "a"])).choices == ("0: a", "1: a")


def test_what_is_computed_has_no_distribution():
    with pytest.raises(TypeError, match="its values are computed"):
        distribution_of(space.sample_from(lambda config: 1))
