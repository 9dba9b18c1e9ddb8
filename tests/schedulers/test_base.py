"""FIFO."""

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import Launch
from trialwright.schedulers import FIFO


class TestFIFO(SchedulerContract):
    def make(self):
        return FIFO()

    def test_a_nan_never_survives_a_rung(self):
        """There are no rungs, and no verdicts."""
        assert self.recorded().of("on_report") == []


def test_trials_start_in_order_and_run_to_their_own_end():
    simulation = simulate(Curve(steps=5), FIFO(), Simulated(workers=2), samples=6)
    assert [launch.trial for launch in simulation.commands(Launch)] == list(range(6))
    assert {trial.step for trial in simulation.experiment.trials.values()} == {5}
    assert simulation.experiment.outcomes == {"completed": 6}
