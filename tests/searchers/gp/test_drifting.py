"""A Gaussian process whose function changes with time, against finite differences and against its formulas."""

import math

import numpy as np
import pytest

from trialwright.searchers.gp.drifting import Drifting, UpperBound, fitted, wide
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Model, Prior, loss
from trialwright.space import Space, choice, uniform

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
