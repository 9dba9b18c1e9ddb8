"""The Gaussian process and its kernel, against finite differences and against itself made in another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from trialwright.searchers.gp.backends import Numpy
from trialwright.searchers.gp.model import Data, Model, Prior, fit, loss, matern32, squared_distances

GROUPS = np.array([0, 1, 2, 2])  # column 2 is a category of two options
PRIOR = Prior(3)


@given(st.integers(0, 10**6))
def test_distances_by_a_product_are_those_by_differences(seed):
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(7, 3)) * 10, generator.normal(size=(5, 3))
    assert np.allclose(squared_distances(a, b, Numpy()), cdist(a, b, "sqeuclidean"), atol=1e-10)


def test_a_row_is_at_no_distance_below_zero_from_itself():
    a = np.random.default_rng(0).normal(size=(50, 4)) * 1e3
    assert np.all(squared_distances(a, a, Numpy()) >= 0)


def test_the_slope_is_the_derivative_of_the_kernel():
    squared = np.linspace(1e-3, 9, 50)
    up, down = matern32(squared + 1e-6, Numpy())[0], matern32(squared - 1e-6, Numpy())[0]
    assert np.allclose(matern32(squared.copy(), Numpy())[1], (up - down) / 2e-6, rtol=1e-5)


def test_the_kernel_is_one_at_no_distance_and_has_a_finite_slope_there():
    value, slope = matern32(np.zeros(1), Numpy())
    assert value[0] == 1.0
    assert slope[0] == -1.5


def data(n=25, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.random((n, 4))
    y = np.sin(4 * features).sum(1) + 0.1 * generator.normal(size=n)
    return features, (y - y.mean()) / y.std()


def some_theta(seed):
    return np.random.default_rng(seed).normal([-0.2, 0.1, 0.5, 0.0, -4.0], 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_the_loss_is_that_of_finite_differences(seed):
    features, y = data(seed=seed)
    theta = some_theta(seed)
    gradient = loss(theta, Data(features, GROUPS), y, PRIOR)[1]
    steps = np.eye(5) * 1e-6
    numeric = [
        (
            loss(theta + step, Data(features, GROUPS), y, PRIOR)[0]
            - loss(theta - step, Data(features, GROUPS), y, PRIOR)[0]
        )
        / 2e-6
        for step in steps
    ]
    assert np.allclose(gradient, numeric, rtol=1e-6, atol=1e-6)


def test_the_loss_is_the_likelihood_of_a_normal_and_the_priors():
    features, y = data()
    theta = some_theta(1)
    model = Model.of(theta, Data(features, GROUPS), y)
    full = model.lower @ model.lower.T
    z = (theta - PRIOR.mean) / PRIOR.sd
    expected = 0.5 * y @ np.linalg.solve(full, y) + 0.5 * np.linalg.slogdet(full)[1] + 0.5 * z @ z
    assert loss(theta, Data(features, GROUPS), y, PRIOR)[0] == pytest.approx(expected)


def test_a_fit_finds_a_flat_place_or_a_bound():
    features, y = data(40)
    theta = fit(Data(features, GROUPS), y, PRIOR, PRIOR.mean[None])
    low, high = PRIOR.bounds
    gradient = loss(theta, Data(features, GROUPS), y, PRIOR)[1]
    inside = (theta > low + 1e-9) & (theta < high - 1e-9)
    assert np.all(np.abs(gradient[inside]) < 1.0)
    assert loss(theta, Data(features, GROUPS), y, PRIOR)[0] < loss(PRIOR.mean, Data(features, GROUPS), y, PRIOR)[0]


def test_a_fit_tells_what_matters_from_what_does_not():
    features = np.random.default_rng(0).random((60, 4))
    y = np.sin(8 * features[:, 0])
    theta = fit(Data(features, GROUPS), (y - y.mean()) / y.std(), PRIOR, PRIOR.mean[None])
    assert theta[0] < theta[1] - 1
    assert theta[0] < theta[2] - 1


def test_rows_that_are_appended_make_the_model_that_all_rows_make():
    features, y = data(30)
    theta, new = some_theta(2), np.random.default_rng(5).random((6, 4))
    whole = Model.of(theta, Data(features, GROUPS), y).at(new)
    grown = Model.of(theta, Data(features[:24], GROUPS), y[:24]).extended(features[24:], y[:, None]).at(new)
    assert np.allclose(whole.mean, grown.mean)
    assert np.allclose(whole.sd, grown.sd)


def test_a_model_without_noise_passes_through_its_observations():
    features, y = data(20)
    theta = np.array([-0.5, -0.5, -0.5, 0.0, np.log(1e-6)])
    posterior = Model.of(theta, Data(features, GROUPS), y).at(features)
    assert np.allclose(posterior.mean[:, 0], y, atol=1e-3)
    assert np.all(posterior.sd < 0.01)


def test_far_away_a_model_knows_nothing():
    features, y = data(20)
    model = Model.of(np.array([-1.0, -1, -1, 0.3, -4]), Data(features, GROUPS), y)
    posterior = model.at(features[:1] + 50)
    assert posterior.mean[0, 0] == pytest.approx(0)
    assert posterior.sd[0] == pytest.approx(np.sqrt(model.signal))


def test_gradients_are_pulled_back_through_mean_and_deviation():
    features, y = data(20)
    model = Model.of(some_theta(3), Data(features, GROUPS), np.stack([y, -y], axis=1))
    rows, generator = np.random.default_rng(7).random((5, 4)), np.random.default_rng(8)
    d_mean, d_sd = generator.normal(size=(5, 2)), generator.normal(size=5)

    def total(at):
        posterior = model.at(at)
        return (posterior.mean * d_mean).sum(1) + posterior.sd * d_sd

    numeric = [(total(rows + step) - total(rows - step)) / 2e-6 for step in np.eye(4) * 1e-6]
    assert np.allclose(model.at(rows).pull_back(d_mean, d_sd), np.stack(numeric, axis=1), rtol=1e-5, atol=1e-6)


def test_rows_that_are_all_the_same_do_not_break_it():
    features, y = np.full((30, 4), 0.5), np.zeros(30)
    theta = fit(Data(features, GROUPS), y, PRIOR, PRIOR.mean[None])
    posterior = Model.of(theta, Data(features, GROUPS), y).at(features)
    assert np.isfinite(theta).all()
    assert np.isfinite(posterior.mean).all()
    assert np.isfinite(posterior.sd).all()
