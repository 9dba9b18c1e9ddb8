"""Our searchers in a study of Optuna's: Optuna's own tests for samplers, and ours."""

import pickle
import runpy
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna")
shipped = pytest.importorskip("optuna.testing.pytest_samplers", reason="Optuna 5 ships its tests for samplers")

# ruff: noqa: E402 - after the checks that these are there
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from trialwright import AskTell
from trialwright.integrations.optuna_sampler import TrialwrightSampler
from trialwright.space import choice, loguniform, uniform


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class Shipped(shipped.BasicSamplerTestCase, shipped.MultiObjectiveSamplerTestCase):
    name = ""

    @pytest.fixture
    def sampler(self):
        return lambda: TrialwrightSampler(self.name, seed=0)


@pytest.mark.slow
class TestGP(Shipped, shipped.RelativeSamplerTestCase):
    name = "gp"


class TestTPE(Shipped, shipped.RelativeSamplerTestCase):
    name = "tpe"


@pytest.mark.slow
class TestNSGA2(Shipped, shipped.RelativeSamplerTestCase):
    name = "nsga2"


@pytest.mark.filterwarnings("ignore:searcher='cmaes'.*at random")
class TestCMAES(Shipped):
    name = "cmaes"


def studied(sampler, objective, trials, **options):
    study = optuna.create_study(sampler=sampler, **options)
    study.optimize(objective, n_trials=trials)
    return study


def bowl(trial):
    return (trial.suggest_float("x", -5, 5) - 1) ** 2 + (trial.suggest_float("y", -5, 5) + 2) ** 2


PLANE = {"x": FloatDistribution(-5, 5), "y": FloatDistribution(-5, 5)}


@pytest.mark.parametrize("searcher", ["gp", "tpe", "cmaes", "nsga2", "sobol"])
def test_a_study_gets_the_suggestions_of_ask_and_tell_for_the_same_seed(searcher):
    loop = AskTell({"x": uniform(-5, 5), "y": uniform(-5, 5)}, searcher=searcher, seed=3)
    for _ in range(12):
        trial = loop.ask()
        loop.tell(trial, (trial.config["x"] - 1) ** 2 + (trial.config["y"] + 2) ** 2)
    study = studied(TrialwrightSampler(searcher, seed=3, search_space=PLANE), bowl, 12)
    assert [trial.params for trial in study.trials] == [trial.config for trial in loop.trials]


def test_a_sampler_that_starts_in_the_middle_goes_on_as_the_first_would():
    whole, halves = (optuna.create_study(sampler=TrialwrightSampler("tpe", seed=1)) for _ in range(2))
    whole.optimize(bowl, n_trials=20)
    halves.optimize(bowl, n_trials=10)
    halves.sampler = TrialwrightSampler("tpe", seed=1)
    halves.optimize(bowl, n_trials=10)
    assert [trial.params for trial in halves.trials] == [trial.params for trial in whole.trials]


def branches(trial):
    if trial.suggest_categorical("model", ["svm", "forest", "none"]) == "svm":
        return abs(trial.suggest_float("C", 1e-3, 1e3, log=True) - 3)
    if trial.params["model"] == "forest":
        return 50.0 + trial.suggest_int("depth", 2, 20)
    return 100.0


def test_parameters_that_exist_for_some_values_of_another_are_searched_by_the_model():
    sampler = TrialwrightSampler("tpe", seed=0)
    study = studied(sampler, branches, 60)
    assert {*study.sampler.infer_relative_search_space(study, study.trials[-1])} == {"model", "C", "depth"}
    assert [trial.params["model"] for trial in study.trials[-15:]].count("svm") > 10
    known = choice([{"value": "svm", "C": loguniform(1e-3, 1e3)}, {"value": "forest", "depth": 0}, "none"])
    assert repr(sampler._history.space.space.definition["model"]).startswith(repr(known)[:60])


def test_values_of_pruned_trials_are_learnt_from():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        for step in range(3):
            trial.report(abs(x - 0.3) + 1 / (step + 1), step)
        if x > 0.5:
            raise optuna.TrialPruned
        return abs(x - 0.3)

    sampler = TrialwrightSampler("tpe", seed=0)
    study = studied(sampler, objective, 15)
    records = {record.id: record for record in sampler._history._log.until(10**6).trials}
    pruned = next(trial for trial in study.trials if trial.state is TrialState.PRUNED)
    assert records[pruned.number].steps == [1, 2, 3]
    assert records[pruned.number].outcome.kind == "stopped"


def test_what_runs_elsewhere_is_pending():
    study = optuna.create_study(sampler=TrialwrightSampler("gp", seed=0, search_space=PLANE))
    study.optimize(bowl, n_trials=8)
    first, second = (study.ask(PLANE) for _ in range(2))
    distance = sum(abs(first.params[name] - second.params[name]) for name in PLANE)
    assert distance > 0.05, "the second is not the suggestion that the first one got"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_parameter_that_a_user_fixes_is_known_as_it_was():
    sampler = TrialwrightSampler("tpe", seed=0, search_space=PLANE)
    study = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler({"y": 0.5}, sampler))
    first, second, third = (study.ask() for _ in range(3))
    x = first.suggest_float("x", -5, 5)
    second.suggest_float("x", -5, 5)  # now the first is known by what was suggested to it
    assert sampler._history._log.until(10**6).trials[0].config["y"] != 0.5
    study.tell(first, first.suggest_float("y", -5, 5))
    third.suggest_float("x", -5, 5)
    assert sampler._history._log.until(10**6).trials[0].config == {"x": x, "y": 0.5}


def test_constraints_of_a_function_are_met_by_the_later_trials():
    sampler = TrialwrightSampler("gp", seed=0, constraints_func=lambda trial: (1.0 - trial.params["x"],))
    study = studied(sampler, lambda trial: trial.suggest_float("x", -5, 5) ** 2, 25)
    later = [trial.params["x"] for trial in study.trials[-8:]]
    assert sum(x >= 0.9 for x in later) >= 6
    assert min(abs(x - 1) for x in later) < 0.2


def test_constraints_that_the_objective_sets_are_known():
    def objective(trial):
        x = trial.suggest_float("x", -5, 5)
        trial.set_constraint("x", 1.0 - x)
        return x**2

    study = studied(TrialwrightSampler("gp", seed=0), objective, 25)
    assert sum(trial.params["x"] >= 0.9 for trial in study.trials[-8:]) >= 6


def test_a_constraint_that_is_nan_is_an_error_that_names_the_trial():
    sampler = TrialwrightSampler("tpe", constraints_func=lambda trial: [float("nan")])
    with pytest.raises(ValueError, match="trial 0"):
        studied(sampler, bowl, 1)


def test_each_of_several_objectives_has_its_own_direction():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return abs(x - 0.3), -abs(x - 0.4)

    study = studied(TrialwrightSampler("gp", seed=0), objective, 25, directions=["minimize", "maximize"])
    assert sum(0.2 < trial.params["x"] < 0.5 for trial in study.trials[-8:]) >= 6


def test_a_study_that_maximises_gets_its_suggestions_near_the_maximum():
    study = studied(TrialwrightSampler("gp", seed=0), lambda trial: -bowl(trial), 25, direction="maximize")
    assert study.best_value > -0.2


def test_parameters_that_a_searcher_cannot_search_are_random_and_that_is_said_once():
    def objective(trial):
        return abs(trial.suggest_float("x", 0, 1) - 0.3) + trial.suggest_categorical("c", [0.0, 1.0])

    with pytest.warns(UserWarning, match="Drawn at random: c") as warned:
        study = studied(TrialwrightSampler("cmaes", seed=0), objective, 60)
    assert len([each for each in warned if "at random" in str(each.message)]) == 1
    assert {trial.params["c"] for trial in study.trials} == {0.0, 1.0}
    late = [abs(trial.params["x"] - 0.3) for trial in study.trials[-20:]]
    assert sorted(late)[10] < 0.15


def test_a_grid_which_ends_is_refused():
    with pytest.raises(ValueError, match="GridSampler"):
        TrialwrightSampler("grid")


def test_a_study_of_earlier_trials_is_learnt_from_at_once():
    study = optuna.create_study(sampler=TrialwrightSampler("gp", seed=0))
    for x in range(-5, 6):
        params = {"x": float(x), "y": -2.0 + x / 10}
        value = (x - 1) ** 2 + (params["y"] + 2) ** 2
        study.add_trial(create_trial(params=params, distributions=PLANE, value=value))
    study.optimize(bowl, n_trials=6)
    assert study.best_value < 0.5


def test_a_trial_that_fails_before_all_parameters_are_known_does_not_change_the_space():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if trial.number % 3 == 2:
            raise ArithmeticError
        return x + trial.suggest_int("n", 1, 3)

    sampler = TrialwrightSampler("tpe", seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=12, catch=ArithmeticError)
    assert not sampler._history.space.optional


def test_a_parameter_that_nothing_explains_is_optional():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return x + (trial.suggest_float("more", 0, 1) if trial.number % 3 == 0 else 0.5)

    sampler = TrialwrightSampler("tpe", seed=0)
    studied(sampler, objective, 12)
    assert sampler._history.space.optional == {"more"}


def test_steps_that_begin_between_multiples_are_kept():
    space = {
        "n": IntDistribution(1, 9, step=4),
        "f": FloatDistribution(0.5, 2.5, step=1),
        "c": CategoricalDistribution([1]),
    }
    study = optuna.create_study(sampler=TrialwrightSampler("sobol", seed=0, search_space=space))
    for _ in range(8):
        study.tell(study.ask(space), 0.0)
    assert {trial.params["n"] for trial in study.trials} == {1, 5, 9}
    assert {trial.params["f"] for trial in study.trials} == {0.5, 1.5, 2.5}


def test_a_pickled_sampler_gives_the_same_suggestions():
    sampler = TrialwrightSampler("tpe", seed=4)
    study = studied(sampler, bowl, 12)
    copied = pickle.loads(pickle.dumps(sampler))
    trial = study.ask()
    again = copied.sample_relative(study, study.trials[-1], copied.infer_relative_search_space(study, study.trials[-1]))
    assert {name: trial.suggest_float(name, -5, 5) for name in PLANE} == again


def test_threads_share_a_sampler():
    study = optuna.create_study(sampler=TrialwrightSampler("tpe", seed=0))
    study.optimize(bowl, n_trials=20, n_jobs=2)
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 20


def test_the_package_for_optunahub_has_the_sampler_and_what_the_registry_asks_for():
    folder = Path(__file__).parents[2] / "integrations" / "optunahub" / "samplers" / "trialwright"
    assert runpy.run_path(str(folder / "__init__.py"))["TrialwrightSampler"] is TrialwrightSampler
    front = (folder / "README.md").read_text(encoding="utf-8").split("---")[1]
    names = [line.split(":")[0] for line in front.strip().splitlines()]
    assert names == ["author", "title", "description", "tags", "optuna_versions", "license"]
    assert (folder / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
