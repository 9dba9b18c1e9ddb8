"""Expected improvement and its logarithm, on a value and under noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tests.searchers.gp.test_searcher import SQUARE, Run, bowl
from trialwright.messages import Outcome
from trialwright.searchers import Problem
from trialwright.searchers.gp.acquisition import outlook
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.improvement import log_ei, log_feasible, log_h, noisy_improvement
from trialwright.searchers.gp.model import Data, Model
from trialwright.searchers.gp.surrogate import Surrogate
from trialwright.searchers.observations import Observations

ALL = np.arange(30)


def test_the_logarithm_of_expected_improvement_is_what_it_says():
    z = np.linspace(-5, 30, 200)
    assert np.allclose(log_h(z)[0], np.log(norm.pdf(z) + z * norm.cdf(z)), rtol=1e-8)


@pytest.mark.parametrize("z", [-10.0, -37.0, -1e3, -1e5, -1e8, -1e12])
def test_far_in_the_tail_it_is_that_of_the_asymptotic_series(z):
    value, derivative = log_h(np.array([z]))
    series = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-z) + np.log1p(-3 / z**2 + 15 / z**4 - 105 / z**6)
    assert value[0] == pytest.approx(series, rel=1e-5)
    assert derivative[0] == pytest.approx(-z, rel=0.03)


def test_the_derivative_has_no_jump_anywhere():
    z = np.concatenate([-np.geomspace(1e6, 1e-3, 4000), np.linspace(0, 5, 100)])
    value, derivative = log_h(z)
    assert np.all(np.diff(value) > 0)
    assert np.all(np.diff(derivative) < 0)


@pytest.mark.parametrize("function", [lambda mean, sd: log_ei(np.array([0.3, -0.2]), mean, sd), log_feasible])
def test_gradients_are_those_of_finite_differences(function):
    generator = np.random.default_rng(0)
    mean, sd = generator.normal(size=(40, 2)) * 3, np.exp(generator.normal(size=40))
    _, d_mean, d_sd = function(mean, sd)
    numeric_sd = (function(mean, sd + 1e-6)[0] - function(mean, sd - 1e-6)[0]) / 2e-6
    assert np.allclose(d_sd, numeric_sd, rtol=1e-5, atol=1e-7)
    for fantasy in range(2):
        step = np.eye(2)[fantasy] * 1e-6
        numeric = (function(mean + step, sd)[0] - function(mean - step, sd)[0]) / 2e-6
        assert np.allclose(d_mean[:, fantasy], numeric, rtol=1e-5, atol=1e-7)


def test_fantasies_are_averaged_before_the_logarithm():
    mean, sd, best = np.array([[0.0, 1.0]]), np.array([0.5]), np.array([0.2, 0.4])
    single = [log_ei(best[[k]], mean[:, [k]], sd)[0][0] for k in range(2)]
    assert log_ei(best, mean, sd)[0][0] == pytest.approx(np.log(np.mean(np.exp(single))))


def test_the_probability_of_what_is_surely_allowed_is_one():
    assert log_feasible(np.array([[-50.0]]), np.array([1.0]))[0][0] == pytest.approx(0)


def modelled(noise, seed=0):
    generator = np.random.default_rng(seed)
    features = Features(SQUARE).of(generator.random((30, 2)), np.ones((30, 2), bool))
    y = generator.standard_normal(30) + 2 * np.sum((features - 0.4) ** 2, axis=1)
    return Model.of(np.log([1.0, 1.5, 1.0, noise]), Data(features, Features(SQUARE).groups), y)


def rows(count, seed=1):
    return np.random.default_rng(seed).random((count, 2))


def asked(wide, utility, features):
    posterior = wide.at(features)
    value, ((d_mean, d_sd),) = utility([posterior.moments])
    return value, posterior.pull_back(d_mean, d_sd)


def test_its_gradient_agrees_with_differences():
    wide, utility = noisy_improvement(modelled(0.3), ALL, np.random.default_rng(0))
    features = rows(20)
    _, gradient = asked(wide, utility, features)
    for j in range(features.shape[1]):
        step = np.zeros(features.shape[1])
        step[j] = 1e-5
        higher, lower = (asked(wide, utility, features + sign * step)[0] for sign in (1, -1))
        assert gradient[:, j] == pytest.approx((higher - lower) / 2e-5, rel=1e-4, abs=1e-5)


def test_its_value_is_the_mean_improvement_over_joint_draws():
    model, features = modelled(0.3), rows(200)
    wide, utility = noisy_improvement(model, ALL, np.random.default_rng(0))
    value, _ = asked(wide, utility, features)
    together = np.concatenate([model.rows, model.data.scaled(model.theta, features)])
    cross = model.signal * model.data.kernel(model.theta, together, model.rows)[0]
    prior = model.signal * model.data.kernel(model.theta, together, together)[0]
    covariance = prior - cross @ np.linalg.solve(cross[:30] + model.noise * np.eye(30), cross.T)
    root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(covariance)))
    draws = cross @ model.weights[:, 0] + np.random.default_rng(2).standard_normal((10_000, len(root))) @ root.T
    gain = np.maximum(draws[:, :30].min(axis=1)[:, None] - draws[:, 30:], 0.0).mean(axis=0)
    large = gain > 0.02
    assert large.sum() > 5
    assert value[large] == pytest.approx(np.log(gain[large]), abs=0.3)


def test_what_was_tried_and_is_known_well_is_worth_less_than_what_is_not_known():
    model = modelled(0.3)
    wide, utility = noisy_improvement(model, ALL, np.random.default_rng(0))
    best = int(np.argmin(model.smoothed()[:, 0]))
    many = np.repeat(model.data.features[[best]], 200, axis=0)
    often = model.extended(many, np.r_[model.y, np.full((200, 1), model.smoothed()[best, 0])])
    at_best = model.data.features[[best]]
    once, _ = asked(wide, utility, at_best)
    again, _ = asked(*noisy_improvement(often, np.arange(230), np.random.default_rng(0)), at_best)
    assert again[0] < once[0]


def test_without_noise_improvement_is_measured_by_the_best_value_seen():
    view = outlook([modelled(1e-4)], np.ones(30, bool))
    assert view.worth(1, np.random.default_rng(0))[0] is view.models
    view = outlook([modelled(0.3)], np.ones(30, bool))
    assert view.worth(1, np.random.default_rng(0))[0][0].y.shape[1] > 1


def test_only_rows_that_meet_the_constraints_may_be_the_best():
    objective, constraint = modelled(0.3), modelled(1e-4, seed=5)
    view = outlook([objective, constraint], np.ones(30, bool))
    models, utility = view.worth(1, np.random.default_rng(0))
    allowed = np.flatnonzero(view.values[:, 1] <= 0)
    wide, gain = noisy_improvement(objective, allowed, np.random.default_rng(0))
    assert np.array_equal(models[0].weights, wide.weights)
    features = rows(10)
    moments = [model.at(features).moments for model in models]
    assert np.all(utility(moments)[0] <= gain(moments[:1])[0] + 1e-12)


def test_from_twenty_observations_on_a_fit_finds_the_noise():
    run, generator = Run(SQUARE), np.random.default_rng(0)
    run.drive(lambda config: bowl(config) + 0.5 * generator.standard_normal(), 40)
    known = Observations(Problem(SQUARE))
    known.update(run.log.until(len(run.log)))
    surrogate = Surrogate(Problem(SQUARE), Features(SQUARE), None)
    seen = surrogate.observed(known)
    assert surrogate.models(seen, surrogate.fitted(seen, 40, None))[0].is_noisy


@pytest.mark.parametrize("batch", [1, 8])
def test_under_noise_no_place_is_tried_again_and_again(batch):
    run, generator = Run(SQUARE), np.random.default_rng(0)
    run.drive(lambda config: bowl(config) + 0.3 * generator.standard_normal(), 48, batch)
    units = np.array([[config["x"], config["y"]] for config in run.configs])[24:]
    apart = np.sqrt(np.mean((units[:, None] - units) ** 2, axis=2)) + np.eye(len(units))
    assert np.mean(apart.min(axis=1) < 0.015) < 0.4


def test_a_standard_error_is_as_wide_in_the_model_as_the_warp_makes_it_there():
    run = Run(SQUARE)
    for x in np.linspace(0, 1, 12):
        trial = len(run.configs)
        run.log.born(trial, {"x": float(x), "y": 0.5}, {})
        run.configs.append({})
        run.log.seen(trial, 1, [(float(np.exp(4 * x)),)], sems=[(0.01,)] if trial % 2 else [(0.0,)])
        run.log.ended(trial, Outcome("completed"))
    known = Observations(Problem(SQUARE))
    known.update(run.log.until(len(run.log)))
    seen = Surrogate(Problem(SQUARE), Features(SQUARE), None).observed(known)
    values = np.exp(4 * np.linspace(0, 1, 12))
    slope = np.gradient(seen.outputs[:, 0], values)
    assert seen.noises[1::2, 0] == pytest.approx((0.01 * slope[1::2]) ** 2)
    assert not seen.noises[::2].any()


def test_what_is_known_to_be_noisy_moves_a_model_less():
    features = Features(SQUARE).of(rows(20), np.ones((20, 2), bool))
    y, known = np.zeros(20), np.zeros(20)
    y[3] = 5.0
    theta = np.log([1.0, 1.0, 1.0, 1e-3])
    without = Model.of(theta, Data(features, Features(SQUARE).groups), y)
    known[3] = 100.0
    loose = Model.of(theta, Data(features, Features(SQUARE).groups, known=known), y)
    assert abs(loose.smoothed()[3, 0]) < 0.3
    assert without.smoothed()[3, 0] > 4
    more = np.random.default_rng(5).random((3, features.shape[1]))
    grown = loose.extended(more, np.zeros((23, 1)))
    assert grown.noises[:20] == pytest.approx(loose.noises)
    assert grown.noises[20:] == pytest.approx(loose.noise)
