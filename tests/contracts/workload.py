"""What every workload must keep. To test another one, subclass ``WorkloadContract`` and say how it is made."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.driving import simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import Metric
from trialwright.schedulers import PBT
from trialwright.searchers import Perturb, Random
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.workloads import State, Workload

STEPS_MAX = 10_000  # a training that is not over by then never will be


class WorkloadContract:
    """The promises. ``metric`` is one that each step reports."""

    metric = "loss"

    def make(self) -> Any:
        """The workload. Its ``space`` says what it can be run on."""
        raise NotImplementedError

    def configs(self) -> list[dict[str, Any]]:
        return Space(self.make().space).sample(3, Streams(0)("configs"))

    @staticmethod
    def play(
        workload: Workload, config: dict[str, Any], state: State, steps: int = STEPS_MAX
    ) -> Iterator[tuple[State, dict[str, Metric], float]]:
        for _ in range(steps):
            done = workload.step(config, state)
            if done is None:
                return
            yield done
            state = done[0]

    def reports(self, workload: Workload, config: dict[str, Any], state: State, steps: int = STEPS_MAX) -> str:
        """As a string, in which NaN is equal to itself."""
        return str([(metrics, seconds) for _, metrics, seconds in self.play(workload, config, state, steps)])

    def test_a_training_comes_to_its_end_and_stays_there(self):
        workload = self.make()
        for config in self.configs():
            states = [state for state, _, _ in self.play(workload, config, workload.start(config, 0))]
            assert len(states) < STEPS_MAX
            assert workload.step(config, states[-1]) is workload.step(config, states[-1]) is None

    def test_each_step_reports_the_same_metrics_and_takes_finite_seconds(self):
        workload = self.make()
        for config in self.configs():
            steps = [*self.play(workload, config, workload.start(config, 0))]
            assert {frozenset(metrics) for _, metrics, _ in steps} == {frozenset(steps[0][1])}
            assert self.metric in steps[0][1]
            assert all(0 <= seconds < math.inf for _, _, seconds in steps)
            assert all(type(value) in (int, float, str, bool) for _, metrics, _ in steps for value in metrics.values())

    def test_the_same_seed_gives_the_same_training(self):
        for config in self.configs():
            one, other = (self.reports(made, config, made.start(config, 7)) for made in (self.make(), self.make()))
            assert one == other

    @pytest.mark.parametrize("saved_after", [0, 1, 3])
    def test_a_saved_state_stays_as_it_was_whatever_resumes_from_it(self, saved_after):
        workload, (config, another, _) = self.make(), self.configs()
        begin = workload.start(config, 0)
        state = [begin, *(state for state, _, _ in self.play(workload, config, begin, saved_after))][-1]
        first = self.reports(workload, config, state)
        self.reports(workload, another, state)
        assert self.reports(workload, config, state) == first

    def test_a_configuration_may_change_between_steps(self):
        workload, (config, another, _) = self.make(), self.configs()
        *_, (state, _, _) = self.play(workload, config, workload.start(config, 0), 2)
        assert all(seconds >= 0 for _, _, seconds in self.play(workload, another, state))

    def test_a_population_can_be_trained_on_it(self):
        workload = self.make()
        simulation = simulate(
            workload, PBT(interval=3), Simulated(workers=4), searcher=Perturb(Random()), space=Space(workload.space),
            samples=6, metrics=(self.metric,), check=False,
        )  # fmt: skip
        assert {trial.outcome.kind for trial in simulation.experiment.trials.values() if trial.outcome} == {"completed"}
