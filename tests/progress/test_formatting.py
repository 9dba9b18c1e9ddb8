"""Numbers, time spans and configurations as strings."""

import math

import pytest

from trialwright.progress import duration, number, settings
from trialwright.progress.formatting import CONFIG_LENGTH, cut, rough, several


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.000012, "12 us"), (0.5, "500.0 ms"), (12.34, "12.3 s"), (60, "1 min 00 s"), (7380, "2 h 03 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (89, "1 min"), (3599, "1 h 00 min"), (90000, "25 h 00 min")]
)
def test_rough_durations(seconds, text):
    assert rough(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (123456, "123,456"), (1e-7, "1e-07"), (math.nan, "nan"), (math.inf, "inf")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_long_configs_are_cut():
    assert len(settings({f"parameter_{i}": i for i in range(100)})) == CONFIG_LENGTH


@pytest.mark.parametrize(("length", "text"), [(9, "a string"), (6, "a s..."), (3, "..."), (1, "."), (0, "")])
def test_a_string_is_cut_to_any_length(length, text):
    assert cut("a string", length) == text


def test_one_of_something_is_singular():
    assert [several(count, "trial") for count in (0, 1, 2000)] == ["0 trials", "1 trial", "2,000 trials"]
