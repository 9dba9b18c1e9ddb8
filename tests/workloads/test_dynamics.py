"""Training dynamics: a schedule of settings reaches what no constant setting does."""

import pytest

from tests.contracts.workload import WorkloadContract
from trialwright.workloads import DriftingQuadratic, JaderbergToy, NoisyDescent


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
