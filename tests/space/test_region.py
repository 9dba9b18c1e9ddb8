"""Constraints that few draws meet."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trialwright import AskTell, Engine, space
from trialwright.space import Space, region
from trialwright.space.constraints import Constraints
from trialwright.space.region import pulled

SEARCHERS = ["random", "sobol", "lhs", "tpe", "gp", "cmaes", "nsga2", "dehb"]


def units(count):
    return {f"x{number}": space.uniform(0, 1) for number in range(count)}


def ordered(count):
    return [f"x{number} <= x{number + 1}" for number in range(count - 1)]


def rng(seed=0):
    return np.random.default_rng(seed)


RARE = {
    "ordered": Space(units(8), ordered(8)),
    "a chain": Space(units(6), [" <= ".join(units(6))]),
    "a sum": Space(units(8), [" + ".join(units(8)) + " <= 1"]),
    "a function": Space(units(6), [lambda config: [*config.values()] == sorted(config.values())]),
    "functions one after another": Space(units(2), [lambda c: c["x0"] < 0.01, lambda c: c["x1"] < 0.01]),
    "integers that sum to something": Space({name: space.randint(0, 200) for name in "abcd"}, ["a + b + c + d == 200"]),
    "options": Space(
        {name: space.choice([*"vwxyz"]) for name in "abcdef"}, ["a == 'v'", "b == a and c == b", "d == c"]
    ),
    "logarithms": Space({n: space.loguniform(1e-6, 1) for n in "abcd"}, ["a < b < c < d", "d < 1e-4"]),
    "one or the other": Space(units(3), ["x0 + x1 + x2 < 0.05 or x0 + x1 + x2 > 2.95"]),
    "a branch": Space(
        {"m": space.choice(["none", {"a": space.uniform(0, 1), "b": space.uniform(0, 1)}]), **units(2)},
        ["m.a < 0.01 and m.b < 0.01", "x0 + x1 < 0.01"],
    ),
    "beliefs": Space({n: space.uniform(0, 1).prior(0.9, 0.2) for n in "abc"}, ["a + b + c < 0.3"]),
}


@pytest.mark.parametrize("name", RARE)
def test_what_one_in_a_thousand_draws_meets_is_sampled(name):
    configs = RARE[name].sample(12, rng())
    assert all(map(RARE[name].satisfies, configs))
    assert len({str(config) for config in configs}) > 6
    assert configs == RARE[name].sample(12, rng())


def test_a_walk_covers_the_region_evenly():
    configs = Space(units(6), ordered(6)).sample(150, rng())
    means = np.mean([[*config.values()] for config in configs], axis=0)
    assert np.abs(means - np.arange(1, 7) / 7).max() < 0.1


def test_a_grid_point_is_kept_where_few_draws_meet_the_constraints():
    what = Space({"g": space.grid_search([1, 2, 3]), **units(3)}, ["x0 + x1 + x2 <= g / 50"])
    configs = what.sample(9, rng(), grid=range(9))
    assert [config["g"] for config in configs] == [1, 2, 3] * 3
    assert all(map(what.satisfies, configs))


def test_a_grid_point_where_nothing_is_allowed_gives_way_to_another():
    what = Space({"g": space.grid_search([1, 5]), "x": space.uniform(0, 2)}, ["x > g"])
    assert [config["g"] for config in what.sample(4, rng(), grid=range(4))] == [1, 1, 1, 1]


def test_given_values_are_kept_where_few_completions_are_allowed():
    what = Space(units(8), ordered(8))
    config = what.complete({"x2": 0.5, "x3": 0.51}, rng())
    assert (config["x2"], config["x3"]) == (0.5, 0.51)
    assert what.satisfies(config)


def test_values_of_functions_count_and_differ():
    what = Space({"s": space.sample_from(lambda: random.random()), "x": 1}, ["s < 0.02"])
    configs = what.sample(3, rng())
    assert all(map(what.satisfies, configs))
    assert len({config["s"] for config in configs}) > 1


def test_what_is_impossible_is_refused_with_its_name(monkeypatch):
    monkeypatch.setattr(region, "SEARCHED", 5_000)
    calls = []
    what = Space({"x": space.uniform(0, 1)}, ["x > 2"])
    with pytest.raises(ValueError, match="no config was found .* constraint 'x > 2' rejected most"):
        what.sample(1, rng())
    with pytest.raises(ValueError, match="no config was found"):
        Space({"x": space.uniform(0, 1)}, [lambda config: calls.append(1) or False]).sample(1, rng())
    assert len(calls) < 20_000


@pytest.mark.parametrize(
    ("expression", "near", "far"),
    [
        ("a <= 1", {"a": 2}, {"a": 3}),
        ("a == 1 and b == 1", {"a": 1, "b": 9}, {"a": 3, "b": 1}),
        ("a == 9 or b == 1", {"a": 0, "b": 2}, {"a": 0, "b": 3}),
        ("0 < a < 1", {"a": 5}, {"a": -1}),
        ("b != 1", {"b": 2}, {"b": 1}),
    ],
)
def test_a_string_says_how_far_a_config_is_off(expression, near, far):
    excess = Constraints([expression]).excess
    assert excess(near) < excess(far) <= 1
    assert (excess(near) == 0) == (Constraints([expression]).violated(near) is None)


def test_a_later_part_may_rely_on_an_earlier_one():
    assert Constraints(["a > 0 and 1 / a < 2"]).excess({"a": 0}) > 0
    assert Constraints(["a > 0", "1 / a < 2"]).excess({"a": 0}) >= 1


def test_rows_are_pulled_until_they_are_allowed():
    rows = pulled(np.array([[0.9], [0.2]]), np.array([[0.1], [0.1]]), lambda rows: rows[:, 0] < 0.5)
    assert rows[:, 0].tolist() == pytest.approx([0.3, 0.2])


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("name", ["ordered", "a function"])
def test_every_searcher_keeps_them(searcher, name):
    study = AskTell(RARE[name], searcher=searcher, seed=0)
    for _ in range(12):
        study.tell(trial := study.ask(), sum(trial.config.values()))
    assert all(RARE[name].satisfies(trial.config) for trial in study.trials)
    assert len({str(trial.config) for trial in study.trials}) == 12


@pytest.mark.parametrize("searcher", ["tpe", pytest.param("gp", marks=pytest.mark.slow)])
def test_models_learn_inside_the_region(searcher):
    study = AskTell(RARE["ordered"], searcher=searcher, seed=0)
    for _ in range(22):
        study.tell(trial := study.ask(), sum(value**2 for value in trial.config.values()))
    losses = [trial.metrics["value"] for trial in study.trials]
    assert np.mean(losses[16:]) < 0.6 * np.mean(losses[:6])


def test_a_run_does_not_end_for_want_of_luck_nor_does_its_resume(tmp_path):
    def objective(config):
        return config["x0"]

    what = Space(units(6), ordered(6))
    keywords = {
        "metric": "loss",
        "executor": "local",
        "verbose": 0,
        "searcher": "random",
        "storage": tmp_path,
        "seed": 1,
    }
    run = Engine(objective, what, num_samples=15, **keywords).run()
    again = Engine.resume(run.path, objective, num_samples=25, executor="local", verbose=0).run()
    assert [trial.outcome for trial in again] == ["completed"] * 25


def test_points_that_cannot_be_completed_are_refused_at_the_start():
    what = Space(units(2), ["x0 < x1 - 0.6"])
    with pytest.raises(ValueError, match=r"\{'x0': 0.5\} cannot be completed"):
        Engine(lambda config: 1.0, what, points_to_evaluate=[{"x0": 0.5}], executor="local", storage=None).run()
