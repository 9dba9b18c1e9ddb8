"""Expected improvement of the hypervolume."""

import numpy as np
import pytest

from trialwright.searchers.gp.multi_objective import FAR, boxes_of, drawn, log_ehvi, log_improvement, reference_of
from trialwright.searchers.pareto import hypervolume


def front(objectives, n=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, objectives))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_boxes_fill_exactly_what_is_not_dominated(objectives):
    values = front(objectives)
    reference = reference_of(values)
    boxes = boxes_of(values, reference)
    floor = np.full(objectives, -5.0)
    volume = np.prod(boxes.upper - np.where(boxes.lower == FAR, floor, boxes.lower), axis=1).sum()
    assert volume == pytest.approx(np.prod(reference - floor) - hypervolume(values, reference))


@pytest.mark.parametrize("objectives", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_it_is_the_mean_gain_of_draws(objectives):
    values = front(objectives)
    reference = reference_of(values)
    mean, sd = np.full((1, objectives), -0.8), np.full((1, objectives), 0.6)
    draws = mean + sd * np.random.default_rng(1).normal(size=(20_000, objectives))
    before = hypervolume(values, reference)
    gains = [hypervolume(np.vstack([values, draw]), reference) - before for draw in draws[:4000]]
    expected = np.exp(log_ehvi(boxes_of(values, reference), mean, sd)[0][0])
    assert expected == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / np.sqrt(len(gains)))


@pytest.mark.parametrize("objectives", [2, 3])
def test_its_gradients_are_those_of_finite_differences(objectives):
    generator = np.random.default_rng(2)
    boxes = boxes_of(front(objectives), np.full(objectives, 2.0))
    mean, sd = generator.normal(size=(15, objectives)) * 2, np.exp(generator.normal(size=(15, objectives)))
    check_gradients(lambda mean, sd: log_ehvi(boxes, mean, sd), mean, sd)


def test_gradients_of_scalars_are_those_of_finite_differences():
    generator = np.random.default_rng(3)
    scalar = drawn(front(5), generator)
    mean, sd = generator.normal(size=(15, 5)), np.exp(generator.normal(size=(15, 5)))
    check_gradients(lambda mean, sd: log_improvement(scalar, 0.5, mean, sd), mean, sd, rtol=1e-4)


def check_gradients(function, mean, sd, rtol=1e-5):
    _, d_mean, d_sd = function(mean, sd)
    for o in range(mean.shape[1]):
        step = np.eye(mean.shape[1])[o] * 1e-6
        assert np.allclose(
            d_mean[:, o], (function(mean + step, sd)[0] - function(mean - step, sd)[0]) / 2e-6, rtol, 1e-6
        )
        assert np.allclose(d_sd[:, o], (function(mean, sd + step)[0] - function(mean, sd - step)[0]) / 2e-6, rtol, 1e-6)


def test_a_row_far_behind_the_front_still_has_a_slope():
    boxes = boxes_of(front(2), np.full(2, 2.0))
    value, d_mean, _ = log_ehvi(boxes, np.full((1, 2), 60.0), np.full((1, 2), 0.5))
    assert np.isfinite(value).all()
    assert np.all(d_mean < 0)
