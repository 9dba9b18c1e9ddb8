"""What only HEBO has: global generators that it draws from, its options, its design spaces, Ray Tune's name."""

import numpy as np
import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, QUIET, ask, cost, live
from trialwright import Engine, space, tune
from trialwright.history import History, HistoryLog
from trialwright.integrations import HEBO
from trialwright.messages import Outcome, Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune.search.hebo import HEBOSearch

pytest.importorskip("hebo")
FAST = {"n_initial_points": 4, "generations": 3}
MIXED = {
    "lr": space.loguniform(1e-5, 1),
    "layers": space.randint(1, 9),
    "units": space.lograndint(8, 1024),
    "share": space.quniform(0, 0.5, 0.1),
    "noise": space.randn(0, 2),
    "kind": space.choice(["a", "b", None]),
    "grid": space.grid_search([1, 2]),
    "same": space.choice(["only"]),
}


def test_a_parameter_in_a_branch_is_named():
    with pytest.raises(ValueError, match=r"model\[0\]/depth.*smac"):
        HEBO().setup(Problem(Space(BRANCHES)))


def test_the_same_seed_gives_the_same_run_and_global_generators_stay_as_they_were():
    import torch

    def loss(config):
        return config["layers"] - np.log10(config["lr"])

    np.random.seed(7)
    before = np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist(), torch.get_num_threads()
    first, _ = live(HEBO(**FAST), 7, what=MIXED, pending=1, cost=loss)
    after = np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist(), torch.get_num_threads()
    assert after == before
    np.random.seed(8)
    torch.manual_seed(8)
    assert live(HEBO(**FAST), 7, what=MIXED, pending=1, cost=loss)[0] == first
    assert live(HEBO(**FAST), 7, what=MIXED, pending=1, cost=loss, seed=1)[0] != first
    assert [config["grid"] for config in first] == [1, 2, 1, 2, 1, 2, 1]
    assert all(Space(MIXED).validate(config) == [] for config in first)


def test_the_model_finds_better_values_than_the_first_points():
    configs, _ = live(HEBO(**FAST | {"generations": 10}), 9)
    assert min(map(cost, configs[4:])) < min(map(cost, configs[:4]))


def test_what_was_tried_or_runs_is_not_proposed_again():
    searcher = HEBO(**FAST)
    configs, history = live(searcher, 6, what={"n": space.randint(0, 30)}, cost=lambda config: config["n"])
    answers = searcher.suggest(history, [Request(number, sample=number) for number in (6, 7)], Streams(0))
    proposed = [answer.config["n"] for answer in answers]
    assert len({*proposed, *(config["n"] for config in configs)}) == len({config["n"] for config in configs}) + 2


def test_failures_and_equal_costs_are_survived():
    log = HistoryLog()
    for number, outcome in enumerate(["completed", "failed", "completed", "completed", "failed"]):
        log.born(number, {"x": float(number), "y": 0.0}, {})
        log.seen(number, 1, [(float("nan") if number == 3 else 1.0,)])
        log.ended(number, Outcome(outcome))
    searcher = HEBO(**FAST)
    searcher.setup(Problem(Space(PLANE)))
    assert abs(ask(searcher, log.until(len(log)), 5)["x"]) <= 5


def test_an_option_that_cannot_be_honoured_is_refused():
    for options, text in (({"scramble_seed": 3}, "give seed"), ({"kappa": 2}, "no option 'kappa'")):
        with pytest.raises(ValueError, match=text):
            HEBO(options=options).setup(Problem(Space(PLANE)))


def test_a_run_with_two_trials_at_a_time_begins_with_the_points():
    def objective(config):
        if config["y"] < -4:
            raise ValueError("y")
        return {"loss": cost(config)}

    searcher = HEBO(**FAST, points=[{"x": 1.0, "y": -4.5}, {"x": -1.0}], options={"model_name": "rf"})
    result = Engine(
        objective, PLANE, searcher=searcher, num_samples=8, seed=0, **QUIET | {"max_concurrent_trials": 2}
    ).run()
    assert [trial.config["x"] for trial in result][:2] == [1.0, -1.0]
    assert (len(result), result[0].outcome) == (8, "failed")


def test_ray_tunes_name_takes_a_design_space():
    from hebo.design_space.design_space import DesignSpace

    own = DesignSpace().parse(
        [
            {"name": "x", "type": "num", "lb": -1.0, "ub": 1.0},
            {"name": "in/lr", "type": "pow", "lb": 1e-4, "ub": 1.0},
            {"name": "in/units", "type": "pow_int", "lb": 8, "ub": 64},
            {"name": "n", "type": "int", "lb": 1, "ub": 2},
            {"name": "step", "type": "step_int", "lb": 4, "ub": 12, "step": 4},
            {"name": "power", "type": "int_exponent", "lb": 32, "ub": 128, "base": 2},
            {"name": "kind", "type": "cat", "categories": ["a", "b"]},
            {"name": "on", "type": "bool"},
        ]
    )
    point = {"x": 0.5, "in": {"lr": 0.1, "units": 64}, "n": 2, "step": 12, "power": 128, "kind": "b", "on": True}
    search = HEBOSearch(own, "loss", "min", [point], random_state_seed=3, rand_sample=2, model_name="rf")
    adapter = search.adapter("min")
    assert (adapter.seed, adapter.n_initial_points, adapter.options) == (3, 2, {"model_name": "rf"})
    adapter.setup(Problem(Space({"epochs": 3})))
    assert ask(adapter, History(), 0) == {**point, "epochs": 3}
    assert ask(adapter, History(), 1).keys() == {*point, "epochs"}
    for wrong, text in ((3, "DesignSpace"), ([{"name": "x", "type": "nun"}], "did you mean 'num'")):
        with pytest.raises((TypeError, ValueError), match=text):
            HEBO(space=wrong).setup(Problem(Space({})))


def test_ray_tunes_name_tunes(tmp_path):
    search = HEBOSearch(points_to_evaluate=[{"x": 1.0, "y": 0.0}], evaluated_rewards=[-5.0], max_concurrent=1)
    tuner = tune.Tuner(
        lambda config: {"score": -((config["x"] - 0.3) ** 2)},
        param_space=PLANE,
        tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=search, num_samples=3),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0, executor="local"),
    )
    assert len(tuner.fit()) == 3
    assert search.adapter("max").earlier == [({"x": 1.0, "y": 0.0}, (5.0,))]
