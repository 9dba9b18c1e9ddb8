"""Learning curves in closed form, and training dynamics for population based training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.workload import WorkloadContract
from trialwright.streams import Streams
from trialwright.workloads import CrossingCurves, DriftingQuadratic, JaderbergToy, NoisyDescent


class TestContract(WorkloadContract):
    def make(self):
        return CrossingCurves(steps=27)


class TestContractWithNoise(WorkloadContract):
    def make(self):
        return CrossingCurves(steps=27, noise=0.1)


def losses(curves: CrossingCurves, count: int = 200):
    quality, pace = Streams(1)("curves").random((2, count, 1))
    return curves.loss(quality, pace, np.arange(1.0, curves.steps + 1)), quality[:, 0]


def test_without_crossing_the_order_is_the_same_at_every_step():
    found, quality = losses(CrossingCurves(crossing=0.0))
    assert (np.argsort(found, axis=0) == np.argsort(quality)[:, None]).all()


def test_with_crossing_the_best_after_a_step_is_not_the_best_in_the_end():
    found, _ = losses(CrossingCurves(crossing=0.6))
    assert found[:, 0].argmin() != found[:, -1].argmin()


def test_a_loss_falls_from_one_towards_the_quality_it_has():
    found, quality = losses(CrossingCurves(steps=1000))
    assert (np.diff(found, axis=1) < 0).all()
    assert (found < 1).all()
    assert (found[:, -1] > 0.02 + 0.5 * quality**2).all()


def test_a_trial_reports_the_formula():
    curves = CrossingCurves(steps=3)
    config = {"quality": 0.25, "pace": 0.5}
    state, found = curves.start(config, 0), []
    while (done := curves.step(config, state)) is not None:
        state = done[0]
        found.append(done[1]["loss"])
    assert found == [curves.loss(0.25, 0.5, step) for step in (1.0, 2.0, 3.0)]


def test_noise_is_that_of_the_trials_seed():
    curves, config = CrossingCurves(noise=0.1), {"quality": 0.5, "pace": 0.5}
    loss = [curves.step(config, curves.start(config, seed))[1]["loss"] for seed in (1, 1, 2)]
    assert loss[0] == loss[1] != loss[2]
    drawn = [curves.step(config, curves.start(config, seed))[1]["loss"] for seed in range(500)]
    assert np.std(drawn) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("arguments", [{"crossing": -0.1}, {"crossing": 1.1}, {"noise": -1.0}])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match=r"must .* not"):
        CrossingCurves(**arguments)


class TestContractToy(WorkloadContract):
    metric = "score"

    def make(self):
        return JaderbergToy(steps=30)


class TestContractDrift(WorkloadContract):
    metric = "score"

    def make(self):
        return DriftingQuadratic(steps=30)


class TestContractDescent(WorkloadContract):
    metric = "score"

    def make(self):
        return NoisyDescent(steps=30)


def last(workload, schedule):
    """The last score, where the schedule says the configuration of each step."""
    state = workload.start(schedule(0), 0)
    for step in range(workload.steps):
        state, metrics, _ = workload.step(schedule(step), state)
    return metrics["score"]


def test_the_toy_is_the_papers():
    toy = JaderbergToy()
    constant = [last(toy, lambda _, axis=axis: {"axis": axis}) for axis in (0, 1)]
    both = last(toy, lambda step: {"axis": step % 2})
    assert constant == pytest.approx([1.2 - 0.9**2 - (0.9 * 0.98**200) ** 2] * 2)
    assert both == pytest.approx(1.2 - 2 * (0.9 * 0.98**100) ** 2)
    assert both > 3 * max(constant)


def test_what_drifts_is_followed_by_a_schedule_and_not_by_a_constant():
    drift = DriftingQuadratic()
    assert last(drift, lambda step: {"h": 0.01 * step}) == pytest.approx(200)
    constant = {h: last(drift, lambda _, h=h: {"h": h}) for h in (0.0, 0.5, 0.995, 1.0, 1.5, 2.0)}
    assert max(constant, key=constant.__getitem__) == 0.995
    assert constant[0.995] == pytest.approx(200 - 66.665)


def test_a_rate_that_falls_ends_lower_than_any_constant_rate():
    descent = NoisyDescent(steps=99)
    assert last(descent, lambda step: {"lr": 1 / (step + 2)}) == pytest.approx(2)  # L = 1 / (steps + 1)
    assert max(last(descent, lambda _, lr=lr: {"lr": lr}) for lr in (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)) < 1.8


def test_a_high_rate_is_ahead_first_and_behind_later():
    high, low = {"lr": 0.3}, {"lr": 0.03}
    early, late = NoisyDescent(steps=5), NoisyDescent(steps=99)
    assert last(early, lambda _: high) > last(early, lambda _: low)
    assert last(late, lambda _: high) < last(late, lambda _: low)
