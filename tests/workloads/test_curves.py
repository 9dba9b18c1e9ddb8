"""Closed-form curves."""

import numpy as np
import pytest

from tests.contracts.workload import WorkloadContract
from trialwright.streams import Streams
from trialwright.workloads import CrossingCurves


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
