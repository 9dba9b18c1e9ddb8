"""A study of Optuna's as a result."""

import pytest

optuna = pytest.importorskip("optuna")

from trialwright import load_study  # noqa: E402 - after the check that Optuna is there


@pytest.fixture(scope="module")
def study():
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        if trial.suggest_categorical("model", ["svm", "tree"]) == "svm":
            loss = abs(trial.suggest_float("C", 1e-3, 1e3, log=True) - 3)
        else:
            loss = 20 + trial.suggest_int("depth", 1, 8)
        if trial.number == 5:
            raise ArithmeticError
        for step in range(3):
            trial.report(loss + 1 / (step + 1), step)
        if trial.number == 7:
            raise optuna.TrialPruned
        return loss

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0), study_name="known")
    study.optimize(objective, n_trials=40, catch=ArithmeticError)
    return study


def test_its_trials_are_those_of_the_study(study):
    result = load_study(study, metric="loss")
    assert (result.name, result.metric, result.mode, len(result)) == ("known", "loss", "min", 40)
    assert result.best_metrics["loss"] == study.best_value
    assert result.best_trial.id == study.best_trial.number
    assert [result[number].outcome for number in (5, 7, 8)] == ["failed", "stopped", "completed"]
    assert [*result[7].reports] == [1, 2, 3]
    assert result[8].history[-1]["loss"] == study.trials[8].value
    assert {trial.config["model"]["value"] for trial in result} == {"svm", "tree"}


def test_it_has_importance_plots_a_table_and_a_model(study):
    pytest.importorskip("matplotlib")
    result = load_study(study)
    assert {each.parameter for each in result.importance()} >= {"model/value", "model/C"}
    for name in ("optimization_history", "learning_curves", "parallel_coordinates", "slices", "timeline"):
        getattr(result.plot, name)()
    assert len(result.dataframe()) == 40
    assert len(result.predict([result.best_config]).mean) == 1


def test_the_best_trial_is_that_of_the_study_whatever_was_reported_on_the_way():
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        x = trial.suggest_float("x", 1, 2)
        trial.report(x - 1, 0)  # better than what it ends with
        if trial.number == 3:
            trial.report(-9.0, 1)
            raise optuna.TrialPruned
        return x

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=8)
    result = load_study(study, metric="loss")
    assert result.best_trial.id == study.best_trial.number
    assert result.best_trial.best[0] == result.best_metrics["loss"] == study.best_value


def test_each_of_several_values_keeps_its_direction():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), trial.params["x"]), n_trials=12)
    result = load_study(study, metric=["loss", "gain"])
    assert result.objectives == (("loss", "min"), ("gain", "max"))
    assert len(result.pareto_front()) == 12
    with pytest.raises(ValueError, match="must have 2 names"):
        load_study(study, metric="loss")


def test_a_study_without_trials_is_an_empty_result():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    assert len(load_study(optuna.create_study())) == 0
