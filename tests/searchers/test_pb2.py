"""PB2: variations that a model of gains chooses; and that model, against finite differences and its formulas."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.searcher import SPACES, SearcherContract, answered, news
from trialwright import Engine, Simulated
from trialwright.history import History, HistoryLog
from trialwright.messages import Request, at_step
from trialwright.schedulers import PBT
from trialwright.searchers import PB2, TPE, Perturb, Problem, Random
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Model, Prior, loss
from trialwright.searchers.pb2 import Drifting, UpperBound, fitted, wide
from trialwright.space import Space, choice, loguniform, randint, uniform
from trialwright.workloads import DriftingQuadratic


class TestPB2(SearcherContract):
    def make(self):
        return PB2(starts=2)


WISH = Request(2, kind="explore", tags={"donor": 0}, donor={}, attempt=2)


def lived(space, gain, *, seed=0, members=6, rounds=4):
    """A population whose members gain, in each step, what their config says."""
    searcher, log = Random(), HistoryLog()
    searcher.setup(Problem(space))
    for trial, suggestion in enumerate(answered(searcher, History(), news(0, members), seed)):
        config = suggestion.config
        log.born(trial, config, {})
        log.launched(trial, at_step(5))
        for step in range(5, 5 * rounds + 1, 5):
            costs = [(100.0 - at * gain(space.resolve(config)),) for at in range(step - 4, step + 1)]
            log.seen(trial, step - 4, costs)
            log.extended(trial, at_step(step + 5))
    return log


def explored(space, log, *, seed=0, wish=WISH, **arguments):
    """What a member is to go on with, as a clone of the first."""
    searcher, history = PB2(**arguments), log.until(len(log))
    searcher.setup(Problem(space))
    donor = history.record(0).config
    request = Request(wish.trial, kind="explore", tags=wish.tags, donor=donor, attempt=wish.attempt)
    return space.resolve(answered(searcher, history, [request], seed)[0].config)


@settings(max_examples=25)
@given(st.sampled_from(sorted(SPACES)), st.integers(1, 4))
def test_a_variation_is_a_valid_config_of_the_space(name, rounds):
    space = SPACES[name]
    log = lived(space, lambda config: float(len(str(config)) % 7), rounds=rounds)
    assert space.validate(explored(space, log, starts=2)) == []


def test_settings_are_chosen_where_members_gain_most():
    space = Space({"x": uniform(0, 1), "lr": loguniform(1e-5, 1e-1)})
    found = [
        explored(space, lived(space, lambda config: -((config["x"] - 0.3) ** 2), seed=seed, members=12), seed=seed)["x"]
        for seed in range(5)
    ]
    assert np.median(np.abs(np.array(found) - 0.3)) < 0.1


def test_a_category_is_chosen_by_what_its_members_gain():
    space = Space({"kind": choice(["bad", "good", "worse", "middling"]), "x": uniform(0, 1)})
    worth = {"bad": 1.0, "good": 4.0, "worse": 0.0, "middling": 2.0}
    log = lived(space, lambda config: worth[config["kind"]], members=16)
    assert explored(space, log)["kind"] == "good"


def test_bounds_say_what_varies_and_how_far():
    space = Space({"lr": loguniform(1e-5, 1e-1), "n": randint(1, 9), "model": {"width": 8}, "rest": uniform(0, 1)})
    log = lived(space, lambda config: config["n"])
    bounds = {"lr": (1e-3, 1e-2), "n": (2, 4), "model/width": (16, 32)}
    config = explored(space, log, bounds=bounds)
    assert 1e-3 <= config["lr"] <= 1e-2
    assert (type(config["n"]), config["n"] in {2, 3, 4}) == (int, True)
    assert type(config["model"]["width"]) is int
    assert 16 <= config["model"]["width"] <= 32
    assert config["rest"] == log.until(len(log)).record(0).config["rest"]
    searcher = PB2(bounds={"lr": (1e-3, 1e-2)})
    searcher.setup(Problem(space))
    assert searcher._part.logarithmic == {"lr"}, "as the space's own domain"


def test_bounds_of_what_not_every_config_has_are_refused():
    space = Space({"lr": loguniform(1e-5, 1), "model": choice([{"depth": randint(1, 4)}, "dummy"])})
    for path in ("lrr", "model/depth", "lr/x"):
        with pytest.raises(ValueError, match=f"not every config of the space has {path!r}"):
            PB2(bounds={path: (0.1, 0.2)}).setup(Problem(space))
    with pytest.raises(ValueError, match="it must be two numbers"):
        PB2(bounds={"lr": (0.1,)}).setup(Problem(space))


def test_members_that_are_cloned_at_the_same_moment_try_different_settings():
    space = Space({"x": uniform(0, 1)})
    log = lived(space, lambda config: config["x"] * (1 - config["x"]), members=4)
    wishes = [Request(trial, kind="explore", tags={"donor": 0}, attempt=2) for trial in (1, 2, 3)]
    assert len({explored(space, log, wish=wish)["x"] for wish in wishes}) == 3


def test_the_same_history_gives_the_same_variation_whatever_was_asked_before():
    space = Space({"x": uniform(0, 1), "kind": choice(["a", "b"])})
    log = lived(space, lambda config: config["x"])
    live, fresh = PB2(), PB2()
    live.setup(Problem(space))
    for seen in (3, 11, 20):
        answered(live, log.until(seen), [Request(1, kind="explore", tags={"donor": 0}, donor={"x": 0.5, "kind": "a"})])
    fresh.setup(Problem(space))
    request = Request(1, kind="explore", tags={"donor": 0}, donor={"x": 0.5, "kind": "a"}, attempt=3)
    assert answered(live, log.until(len(log)), [request]) == answered(fresh, log.until(len(log)), [request])


def test_before_enough_is_known_settings_are_drawn():
    space, log = Space({"x": uniform(0, 1)}), HistoryLog()
    log.born(0, {"x": 0.5}, {})
    wishes = [Request(trial, kind="explore", tags={"donor": 0}, attempt=1) for trial in range(1, 30)]
    found = [explored(space, log, wish=wish)["x"] for wish in wishes]
    assert (min(found) < 0.1, max(found) > 0.9) == (True, True)


def test_new_requests_go_to_the_base_and_the_function_has_the_last_word():
    space = Space({"x": uniform(0, 1)})
    log = lived(space, lambda config: config["x"])
    assert explored(space, log, function=lambda config: {"x": 0.125}) == {"x": 0.125}
    searcher, base = PB2(TPE()), TPE()
    for each in (searcher, base):
        each.setup(Problem(space))
    assert answered(searcher, History(), news(0, 3)) == answered(base, History(), news(0, 3))


def test_it_wants_one_objective():
    with pytest.raises(ValueError, match="needs a metric"):
        PB2().setup(Problem(Space({"x": uniform(0, 1)}), objectives=0))
    with pytest.raises(ValueError, match="2 objectives"):
        PB2().setup(Problem(Space({"x": uniform(0, 1)}), objectives=2))


def followed(searcher, seed, *, synchronous=False, **keywords):
    """The run of a population of four, which follows what is best."""
    drift = DriftingQuadratic()
    told = {"storage": None, "seed": seed, "verbose": 0, "num_samples": 4, "executor": Simulated(workers=4), **keywords}
    scheduler = PBT(interval=10, synchronous=synchronous)
    return Engine(drift, drift.space, metric="score", mode="max", scheduler=scheduler, searcher=searcher, **told).run()


@pytest.mark.slow
def test_with_four_members_it_beats_a_random_explore():
    makers = (PB2, lambda: Perturb(Random(), resample_probability=1.0), lambda: Perturb(Random()))
    bandit, *others = [[followed(make(), seed).best_metrics["score"] for seed in range(10)] for make in makers]
    for other in others:
        assert sum(one > two for one, two in zip(bandit, other, strict=True)) >= 8, "by chance: p = 0.05"


def test_members_may_be_compared_together_on_fewer_slots():
    result = followed(PB2(starts=2), 0, synchronous=True, executor=Simulated(workers=2))
    assert {trial.outcome for trial in result} == {"completed"}
    assert sum(trial.attempts for trial in result) > 4


def test_a_resumed_run_needs_neither_part(tmp_path):
    result = followed(PB2(bounds={"h": (0.0, 2.0)}, starts=2), 3, storage=tmp_path)
    again = Engine.resume(result.path, DriftingQuadratic(), verbose=0).run()
    assert json.dumps([trial.config for trial in again]) == json.dumps([trial.config for trial in result])


SPACE = Space({"x": uniform(0, 1), "kind": choice(["a", "b"]), "y": uniform(0, 1)})
FEATURES = Features(SPACE)
GROUPS = np.r_[FEATURES.groups, 3, 4]
PRIOR = Prior(4, has_steps=True)


def rows(n, seed=0):
    generator = np.random.default_rng(seed)
    units = SPACE.snap(generator.random((n, 3)))
    context = np.c_[generator.random(n), generator.integers(0, 20, n)]
    return np.c_[FEATURES.of(units, np.ones(units.shape, np.bool_)), context]


def some_theta(seed):
    return np.random.default_rng(seed).normal([-0.2, 0.1, 0.5, 0.0, 2.0, -1.0, 0.0, -4.0], 0.3)


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_of_the_loss_is_that_of_finite_differences(seed):
    data, y, theta = Drifting(rows(20, seed), GROUPS, has_steps=True), rows(20, seed + 9)[:, 0], some_theta(seed)
    steps = np.eye(len(theta)) * 1e-6
    numeric = [(loss(theta + s, data, y, PRIOR)[0] - loss(theta - s, data, y, PRIOR)[0]) / 2e-6 for s in steps]
    assert np.allclose(loss(theta, data, y, PRIOR)[1], numeric, rtol=1e-5, atol=1e-5)


def test_what_was_seen_long_ago_says_less():
    epsilon, theta = 0.2, some_theta(1)
    theta[4] = math.log(-2 / math.log(1 - epsilon))
    data = Drifting(rows(5), GROUPS, has_steps=True)
    times = np.array([[0.0], [1.0], [7.0]])
    apart = np.abs(times - times.T)
    scaled = np.c_[np.zeros((3, 3)), times / math.exp(theta[4])]
    assert np.allclose(data.over_steps(scaled, scaled)[0], (1 - epsilon) ** (apart / 2))


@pytest.mark.parametrize("count", [0, 3])
def test_the_gradient_of_the_bound_is_that_of_finite_differences(count):
    data = Drifting(rows(15), GROUPS, has_steps=True)
    model = Model.of(some_theta(3), data, rows(15, 9)[:, 0])
    score = UpperBound(FEATURES, model, rows(count, 5), np.array([0.4, 21.0]), 0.8)
    units, active = np.random.default_rng(2).uniform(0.1, 0.9, (6, 3)), np.ones((6, 3), np.bool_)
    value, gradient = score.steep(units, active)
    assert np.allclose(value, score.value(units, active))
    for j in (0, 2):
        step = np.eye(3)[j] * 1e-6
        numeric = (score.value(units + step, active) - score.value(units - step, active)) / 2e-6
        assert np.allclose(gradient[:, j], numeric, rtol=1e-4, atol=1e-5)


def test_what_is_pending_leaves_the_mean_and_makes_the_bound_lower_there():
    known, pending = rows(15), rows(1, 5)
    model = Model.of(some_theta(3), Drifting(known, GROUPS, has_steps=True), known[:, 0])
    units, active = SPACE.encode([SPACE.decode(np.random.default_rng(5).random((1, 3)))[0]])
    alone, wide_none = UpperBound(FEATURES, model, pending[:0], pending[0, -2:], 1.0), np.empty((0, 6))
    there = np.c_[FEATURES.of(units, active), pending[:, -2:]]
    hallucinated = UpperBound(FEATURES, model, there, pending[0, -2:], 1.0)
    means = [UpperBound(FEATURES, model, each, pending[0, -2:], 0.0) for each in (wide_none, there)]
    assert means[0].value(units, active) == means[1].value(units, active)
    assert hallucinated.value(units, active) < alone.value(units, active) - 0.1


def test_a_fit_finds_how_fast_things_change():
    generator = np.random.default_rng(0)
    known = np.c_[np.zeros((80, 4)), generator.random((80, 1)), np.repeat(np.arange(20.0), 4)]
    still, fast = (fitted(known, GROUPS, y).theta for y in (known[:, 4], np.sin(2 * known[:, 5])))
    assert fast[4] < still[4] - 0.5


def test_the_bound_widens_slowly():
    assert [wide(n) for n in (1, 2)] == [0.0, 0.0]
    assert wide(50) == pytest.approx(math.sqrt(0.2 * math.log(20)))
