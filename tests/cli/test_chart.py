"""A chart of characters has each point in its place."""

import math

from trialwright.cli.chart import Series, chart


def test_the_ends_of_both_axes_are_at_the_edges():
    lines = chart([Series("a", [1, 2, 3], [0.0, 1.0, 2.0])], width=25, height=3)
    assert lines == [
        "2 │                     ●",
        "1 │          ●",
        "0 │●",
        "  └──────────────────────",
        "   1                    3",
        "● a",
    ]


def test_the_first_series_stands_in_front_and_what_is_not_finite_is_left_out():
    lines = chart([Series("a", [1, 2], [1.0, math.nan]), Series("b", [1, 2], [1.0, 1.0])], width=20, height=3)
    points = "".join(lines[:3])
    assert (points.count("●"), points.count("○")) == (1, 1)


def test_without_a_finite_value_that_is_said():
    assert chart([Series("a", [1], [math.inf])]) == ["nothing to draw: there are no finite values"]
