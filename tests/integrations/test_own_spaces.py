"""Spaces in the libraries' own languages."""

import json

import pytest

from tests.integrations.test_adapter import PLANE, QUIET, ask, live
from trialwright import Engine, space
from trialwright.history import History
from trialwright.integrations import BayesOpt, HyperOpt, Optuna
from trialwright.messages import Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams


def test_hyperopt_searches_a_dict_of_hp_expressions():
    hp = pytest.importorskip("hyperopt").hp
    own = {"lr": hp.loguniform("lr", -10, -1), "momentum": hp.uniform("momentum", 0.1, 0.9), "epochs": 3}

    def objective(config):
        return {"loss": (config["momentum"] - 0.5) ** 2 + config["lr"] * config["epochs"]}

    searcher = HyperOpt(space=own, n_initial_points=6)
    result = Engine(objective, {}, num_samples=20, searcher=searcher, seed=0, **QUIET).run()
    assert all(trial.config.keys() == {"lr", "momentum", "epochs"} for trial in result)
    assert all(0.1 <= trial.config["momentum"] <= 0.9 for trial in result)


def conditional(hp):
    return {
        "activation": hp.choice("act", [{"name": "relu", "mult": hp.uniform("mult", 1, 2)}, {"name": "tanh"}]),
        "width": hp.quniform("width", 0, 20, 1),
        "layers": hp.choice("layers", [1, 2, 3]),
        "pair": [hp.randint("first", 5), "constant"],
        "steps": 100,
    }


def test_hyperopts_branches_and_the_history_continue_in_a_fresh_instance():
    hp = pytest.importorskip("hyperopt").hp

    def cost(config):
        return config["width"] + config["activation"].get("mult", 5)

    searcher = HyperOpt(space=conditional(hp), n_initial_points=5)
    configs, history = live(searcher, 15, what={}, pending=2, cost=cost)
    assert {config["activation"]["name"] for config in configs} == {"relu", "tanh"}
    assert all(("mult" in config["activation"]) == (config["activation"]["name"] == "relu") for config in configs)
    assert json.loads(json.dumps(configs)) == configs, "plain data"
    fresh = HyperOpt(space=conditional(hp), n_initial_points=5)
    fresh.setup(Problem(Space({})))
    assert ask(fresh, history, 15) == ask(searcher, history, 15)


def test_hyperopts_points_have_values_not_numbers_of_options():
    hp = pytest.importorskip("hyperopt").hp
    point = {
        "activation": {"name": "relu", "mult": 1.5},
        "width": 3.0,
        "layers": 2,
        "pair": [4, "constant"],
        "steps": 100,
    }
    configs, _ = live(HyperOpt(space=conditional(hp), points=[point]), 2, what={}, cost=lambda config: 0.0)
    assert configs[0] == point
    for wrong, text in (
        ({**point, "layers": 9}, "layers.*9"),
        ({"width": 3.0}, "missing"),
        ({**point, "odd": 1}, "odd"),
    ):
        with pytest.raises(ValueError, match=text):
            HyperOpt(space=conditional(hp), points=[wrong]).setup(Problem(Space({})))


def test_optuna_searches_a_dict_of_distributions():
    kinds = pytest.importorskip("optuna").distributions
    own = {
        "lr": kinds.FloatDistribution(1e-4, 1e-1, log=True),
        "model": {"units": kinds.IntDistribution(8, 64, step=8), "kind": kinds.CategoricalDistribution(["a", "b"])},
    }

    def cost(config):
        return config["lr"] * config["model"]["units"]

    searcher = Optuna(space=own, points=[{"model": {"units": 16}}])
    configs, history = live(searcher, 14, what={"epochs": 2}, pending=1, cost=cost)
    assert configs[0]["model"]["units"] == 16
    assert all(config["model"]["units"] % 8 == 0 and config["epochs"] == 2 for config in configs)
    fresh = Optuna(space=own)
    fresh.setup(Problem(Space({"epochs": 2})))
    assert ask(fresh, history, 14) == ask(searcher, history, 14)


def test_optuna_searches_what_a_function_asks_a_trial_for():
    pytest.importorskip("optuna")

    def define(trial):
        if trial.suggest_categorical("kind", ["tree", "svm"]) == "tree":
            trial.suggest_int("depth", 1, 9)
        else:
            trial.suggest_float("C", 1e-3, 1e3, log=True)
        return {"epochs": 4}

    def cost(config):
        return config.get("depth", 20)

    searcher = Optuna(space=define, points=[{"kind": "tree", "depth": 3}])
    configs, history = live(searcher, 16, what={}, cost=cost)
    assert configs[0] == {"kind": "tree", "depth": 3, "epochs": 4}
    assert all(("depth" in config) == (config["kind"] == "tree") for config in configs)
    fresh = Optuna(space=define)
    fresh.setup(Problem(Space({})))
    assert ask(fresh, history, 16) == ask(searcher, history, 16)


def test_optunas_space_that_is_none_is_refused():
    pytest.importorskip("optuna")
    for wrong in ({"x": (0, 1)}, [("suggest_float", "x")]):
        with pytest.raises(TypeError, match="Optuna's space"):
            Optuna(space=wrong).setup(Problem(Space({})))
    with pytest.raises(ValueError, match="odd"):
        Optuna(space=lambda trial: {"x": trial.suggest_float("x", 0, 1)}, points=[{"odd": 1}]).setup(Problem(Space({})))


def test_bayesopt_searches_a_dict_of_bounds():
    pytest.importorskip("bayes_opt")
    searcher = BayesOpt(space={"width": (0, 20), "model/height": (-100, 100)}, random_search_steps=5)
    configs, _ = live(searcher, 9, what={"steps": 3}, cost=lambda config: config["width"])
    assert all(-100 <= config["model"]["height"] <= 100 and config["steps"] == 3 for config in configs)
    with pytest.raises(ValueError, match="'width'"):
        BayesOpt(space={"width": 3}).setup(Problem(Space({})))


# What only one of them has -------------------------------------------------------------------------------------------


def test_bayesopt_ends_the_search_where_the_same_is_proposed_too_often():
    pytest.importorskip("bayes_opt")
    searcher = BayesOpt(space={"x": (0, 1)}, random_search_steps=3, precision=0, patience=4, skip_duplicate=True)
    searcher.setup(Problem(Space({})))
    configs = []
    for number in range(20):
        configs += searcher.suggest(History(), [Request(number, sample=number)], Streams(0))
    assert len({round(answer.config["x"]) for answer in configs}) == len(configs) == 2


@pytest.mark.parametrize("kind", ["ei", "poi"])
def test_bayesopt_has_other_acquisitions(kind):
    pytest.importorskip("bayes_opt")
    configs, _ = live(BayesOpt(kind=kind, random_search_steps=5), 8)
    assert len(configs) == 8
    with pytest.raises(ValueError, match="kind"):
        BayesOpt(kind="magic").setup(Problem(Space(PLANE)))


def test_bayesopts_kappa_decays():
    pytest.importorskip("bayes_opt")
    slow, _ = live(BayesOpt(random_search_steps=5, kappa=5.0), 9)
    fast, _ = live(BayesOpt(random_search_steps=5, kappa=5.0, kappa_decay=0.1, kappa_decay_delay=1), 9)
    assert slow[:7] == fast[:7]
    assert slow[7:] != fast[7:]


def test_optuna_keeps_its_study_in_a_storage_and_a_resumed_run_finds_its_trials_there(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = f"sqlite:///{tmp_path}/study.db"
    searcher = Optuna(storage=storage, mode="max")
    _, history = live(searcher, 6)
    fresh = Optuna(storage=storage, mode="max")
    fresh.setup(Problem(Space(PLANE)))
    ask(fresh, history, 6)
    study = optuna.load_study(study_name="optuna", storage=storage)
    assert len(study.trials) == 7
    values = [record.values[-1][0] for record in history.trials]
    assert [trial.value for trial in study.trials[:6]] == [-value for value in values], "as they were reported"


def test_optuna_searches_for_several_objectives():
    pytest.importorskip("optuna")

    def objective(config):
        return {"loss": config["x"] ** 2, "gain": config["x"]}

    searcher = Optuna(mode=["min", "max"])
    keywords = {**QUIET, "metric": ["loss", "gain"], "mode": ["min", "max"]}
    assert (
        len(Engine(objective, {"x": space.uniform(-1, 1)}, num_samples=14, searcher=searcher, **keywords).run()) == 14
    )


def test_optunas_other_samplers_can_be_had():
    optuna = pytest.importorskip("optuna")
    searcher = Optuna(sampler=optuna.samplers.RandomSampler(seed=1))
    assert not searcher.exact_resume
    assert live(searcher, 4)[0] == live(Optuna(sampler=optuna.samplers.RandomSampler(seed=1)), 4)[0]


def test_optuna_that_was_given_one_objective_refuses_two():
    pytest.importorskip("optuna")
    searcher = Optuna()
    with pytest.raises(ValueError, match="each of the 2 metrics"):
        live(searcher, 1, cost=lambda config: 0.0)
        searcher._library.add(5, {"x": 1.0, "y": 1.0})
        searcher._library.tell(5, (1.0, 2.0))
