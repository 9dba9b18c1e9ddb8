"""Kernels and distances."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from trialwright.searchers.gp.backends import Numpy
from trialwright.searchers.gp.kernels import matern32, squared_distances


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
