"""A tree of fANOVA: its boxes fill the cube, and its effects are those of its staircase."""

from __future__ import annotations

import numpy as np
import pytest

from trialwright.importance.forest import BINS_MAX, LEAF_MIN, Binned, Leaves, grow

RNG = np.random.default_rng


def test_the_leaves_fill_the_cube_without_overlap():
    x = RNG(0).random((300, 3))
    leaves = grow(Binned.of(x), x[:, 0] + np.sin(9 * x[:, 1]), RNG(1))
    assert np.prod(leaves.high - leaves.low, axis=1).sum() == pytest.approx(1.0)
    for point in RNG(2).random((50, 3)):
        assert ((leaves.low <= point) & (point < leaves.high)).all(axis=1).sum() == 1


def test_a_leaf_has_the_mean_of_its_trials_and_predicts_it():
    x, y = np.repeat([[0.1], [0.9]], 5, axis=0), np.repeat([2.0, 6.0], 5)
    leaves = grow(Binned.of(x), y, RNG(0))
    assert sorted(zip(leaves.low[:, 0], leaves.high[:, 0], leaves.value, strict=True)) == [(0, 0.5, 2), (0.5, 1, 6)]
    assert leaves.at(Binned.of(x)).tolist() == y.tolist()


def test_no_leaf_has_fewer_trials_than_it_must():
    x = RNG(0).random((100, 2))
    leaves = grow(Binned.of(x), RNG(1).random(100), RNG(2))
    inside = (leaves.low[:, None] < x) & (x <= leaves.high[:, None])
    assert inside.all(axis=2).sum(axis=1).min() >= LEAF_MIN


def test_the_effects_of_a_known_staircase_are_exact():
    # 0 for x < 0.5; above it 1 for y < 0.5 and 3 else: the mean is 1, the variance (2 * 1 + 0 + 4) / 4 = 1.5
    low = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]])
    high = np.array([[0.5, 1.0], [1.0, 0.5], [1.0, 1.0]])
    effects = Leaves(low, high, np.array([0.0, 1.0, 3.0])).effects()
    assert effects.tolist() == pytest.approx([1 / 1.5, 0.25 / 1.5])


def test_a_tree_of_one_leaf_has_no_effects():
    leaves = grow(Binned.of(RNG(0).random((2, 3))), np.array([1.0, 2.0]), RNG(0))
    assert leaves.effects().tolist() == [0, 0, 0]


def test_values_are_binned_by_their_number_and_equal_values_stay_together():
    many, few = RNG(0).random(5000), np.repeat([0.0, 0.2, 1.0], [4000, 500, 500])
    points = Binned.of(np.column_stack([many, few]))
    assert len(np.unique(points.bins[:, 0])) == BINS_MAX
    assert np.bincount(points.bins[:, 0]).max() < 5000 / BINS_MAX * 1.1
    assert np.bincount(points.bins[:, 1]).tolist() == [4000, 500, 500]
    assert points.edges[1, :4].tolist() == pytest.approx([0, 0.1, 0.6, 1])
