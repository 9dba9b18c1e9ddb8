"""Descents in lock-step."""

import numpy as np
from scipy.optimize import rosen, rosen_der

from trialwright.searchers.gp.optimise import descend


def bowl(x, rows):
    scale = 10.0 ** np.arange(x.shape[1])
    return ((x - 0.3) ** 2 * scale).sum(1), 2 * (x - 0.3) * scale


def valley(x, rows):
    return np.array([rosen(row) for row in x]), np.array([rosen_der(row) for row in x])


def test_all_starts_reach_the_bottom_of_a_long_bowl():
    starts = np.random.default_rng(0).random((6, 4))
    x, f = descend(bowl, starts, np.zeros(4), np.ones(4), rounds=100, tolerance=1e-12)
    assert np.allclose(x, 0.3, atol=1e-3)
    assert np.all(f < 1e-6)


def test_a_bound_holds_what_would_go_beyond():
    lower = np.array([0.0, 0.5, 0.0])
    x, _ = descend(bowl, np.full((1, 3), 0.9), lower, np.array([0.2, 1.0, 1.0]), rounds=100, tolerance=1e-12)
    assert np.allclose(x, [[0.2, 0.5, 0.3]], atol=1e-4)


def test_coordinates_whose_bounds_meet_stay():
    starts = np.random.default_rng(1).random((3, 2))
    x, _ = descend(bowl, starts, np.c_[starts[:, :1], np.zeros(3)], np.c_[starts[:, :1], np.ones(3)], rounds=50)
    assert np.array_equal(x[:, 0], starts[:, 0])
    assert np.allclose(x[:, 1], 0.3, atol=1e-2)


def test_a_bent_valley_is_followed():
    starts = np.random.default_rng(2).uniform(-1, 1, (4, 3))
    _, f = descend(valley, starts, np.full(3, -2.0), np.full(3, 2.0), rounds=200, tolerance=1e-12)
    assert np.median(f) < 1e-3


def test_starts_do_not_disturb_each_other():
    starts = np.random.default_rng(3).uniform(-1, 1, (5, 3))
    together, _ = descend(valley, starts, np.full(3, -2.0), np.full(3, 2.0), rounds=40)
    alone = [descend(valley, start[None], np.full(3, -2.0), np.full(3, 2.0), rounds=40)[0][0] for start in starts]
    assert np.allclose(together, alone)


def test_it_never_ends_higher_than_it_began():
    def rough(x, rows):
        return np.sin(50 * x).sum(1), 50 * np.cos(50 * x)

    starts = np.random.default_rng(4).random((20, 2))
    _, f = descend(rough, starts, np.zeros(2), np.ones(2), rounds=30)
    assert np.all(f <= rough(starts, None)[0])


def test_each_round_evaluates_once_what_is_not_done():
    calls = []

    def counted(x, rows):
        calls.append(len(x))
        return bowl(x, rows)

    descend(counted, np.random.default_rng(5).random((8, 3)), np.zeros(3), np.ones(3), rounds=25, tolerance=1e-6)
    assert len(calls) <= 26
    assert calls[0] == 8
    assert sorted(calls, reverse=True) == calls


def test_an_infinite_start_stays_where_it_is():
    def cliff(x, rows):
        return np.where(x[:, 0] > 0.5, np.inf, x[:, 0]), np.ones_like(x)

    x, f = descend(cliff, np.array([[0.9], [0.4]]), np.zeros(1), np.ones(1), rounds=20)
    assert x[0, 0] == 0.9
    assert np.isinf(f[0])
    assert f[1] < 1e-3
