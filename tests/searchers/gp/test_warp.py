"""Output warps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trialwright.searchers.gp.warp import clipped, signed, warped

VALUES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e300, 1e300))


@given(VALUES)
def test_order_is_kept_and_everything_is_finite(y):
    z = warped(y)
    assert np.isfinite(z).all()
    order = np.argsort(y, kind="stable")
    assert np.all(np.diff(z[order]) >= -1e-9)


@pytest.mark.parametrize("scale", [1e-250, 1e-9, 1.0, 1e9, 1e250])
def test_scale_does_not_matter(scale):
    y = np.random.default_rng(0).normal(size=50)
    assert np.allclose(warped(y * scale), warped(y), atol=1e-6)


def test_an_outlier_to_the_bad_side_leaves_the_good_ones_apart():
    y = np.r_[np.linspace(0, 1, 20), 1e9]
    assert np.ptp(warped(y)[:20]) > 0.5


@pytest.mark.parametrize("diverged", [1e12, 1e14, 1e20, 3e38, 1e300])
@pytest.mark.parametrize("good", [np.linspace(0.1, 0.5, 20), np.r_[np.full(12, 0.5), np.linspace(0.1, 0.4, 8)]])
def test_a_diverged_value_of_any_size_leaves_the_good_ones_as_far_apart_as_a_moderate_one(good, diverged):
    moderate = warped(np.r_[good, 1e4])
    assert np.allclose(warped(np.r_[good, diverged]), moderate, atol=0.1)
    assert np.ptp(moderate[:20]) > 0.5


def test_values_that_have_not_diverged_are_left_as_they_are():
    y = np.random.default_rng(0).lognormal(0.0, 2.0, 50)
    assert np.array_equal(clipped(y), y)


def test_equal_values_say_nothing():
    assert np.array_equal(warped(np.full(5, 3.0)), np.zeros(5))


@pytest.mark.parametrize("diverged", [1e12, 1e20, 3e38, 1e300])
def test_a_constraint_that_has_diverged_once_leaves_the_others_as_they_are(diverged):
    c = np.linspace(-1.0, 1.0, 20)
    assert np.allclose(signed(np.r_[c, diverged])[:20], signed(np.r_[c, 10.0])[:20])


@given(VALUES)
def test_a_constraint_keeps_its_sign(c):
    z = signed(c)
    assert np.isfinite(z).all()
    assert np.all((z <= 0) == (c <= 0))
