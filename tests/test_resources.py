"""Amounts as users write them, and the units that the ledger counts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.resources import to_request, to_units


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        (1, 10_000),
        (0.57, 5_700),  # 0.57 * 10,000 is 5,699.999...
        (0.29, 2_900),
        (1 / 3, 3_333),
        (2 / 3, 6_666),
        (0.18, 1_800),
        (0.0001, 1),
        (0.00019, 1),
        (1.1, 11_000),
        (3.2e10, 320_000_000_000_000),
    ],
)
def test_amounts_are_floored_to_ten_thousandths(amount, units):
    assert to_units({"cpu": amount}) == {"cpu": units}


@given(st.integers(1, 10**9))
def test_every_amount_that_is_written_with_four_decimals_is_kept_exactly(units):
    assert to_units({"cpu": float(f"{units // 10_000}.{units % 10_000:04}")}) == {"cpu": units}


def test_zeros_are_omitted():
    assert to_units({"cpu": 1, "gpu": 0, "memory": 0.0}) == {"cpu": 10_000}


@pytest.mark.parametrize("amount", [-1, -0.5, math.nan, math.inf, -math.inf, 0.00009, 1e-300])
def test_a_bad_amount_is_refused_with_its_name_and_value(amount):
    with pytest.raises(ValueError, match=rf"'tpu'.*{amount!r}".replace("+", r"\+")):
        to_units({"cpu": 1, "tpu": amount})


@pytest.mark.parametrize("amount", [True, False, "1", None, 1j])
def test_what_is_no_number_is_refused_with_its_name_and_value(amount):
    with pytest.raises(TypeError) as caught:
        to_units({"tpu": amount})
    assert "'tpu'" in str(caught.value)
    assert repr(amount) in str(caught.value)


@pytest.mark.parametrize("amount", [1.5, 2.0001])
def test_more_than_one_gpu_must_be_a_whole_number_of_them(amount):
    with pytest.raises(ValueError, match=f"'gpu' = {amount}: more than one GPU must be a whole number"):
        to_units({"gpu": amount})


def test_one_and_a_half_cpus_are_fine():
    assert to_units({"cpu": 1.5}) == {"cpu": 15_000}


def test_a_request_is_one_bundle_of_units():
    assert to_request({"cpu": 2, "gpu": 0.5, "memory": 0}) == ({"cpu": 20_000, "gpu": 5_000},)
