"""Expected improvement and its logarithm."""

import numpy as np
import pytest
from scipy.stats import norm

from trialwright.searchers.gp.acquisition import log_ei, log_feasible, log_h


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
