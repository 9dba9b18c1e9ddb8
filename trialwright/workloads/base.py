"""What a workload is: a training that is computed instead of run, for ``Simulated``."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from trialwright.messages import Metric

State: TypeAlias = Any  # whatever a workload makes of it; only the workload looks inside
Step: TypeAlias = "tuple[State, dict[str, Metric], float]"  # the new state, what is reported, the seconds it took


@runtime_checkable
class Workload(Protocol):
    """A training that is computed instead of run.

    Its state is a value: saving it, and starting several trainings from what was saved, is left to the caller.
    So schedulers that pause, promote, and clone can be studied, and a configuration may change between two steps.
    """

    def start(self, config: dict[str, Any], seed: int) -> State:
        """Return the state before the first step. All that is random comes from ``seed``."""

    def step(self, config: dict[str, Any], state: State) -> Step | None:
        """Do one step: return the new state, what is reported, and how many seconds it took at speed 1; None when the
        training is over.

        The old state must stay as it was: it may be a checkpoint. What is raised here ends the trial, as ``Failed``.
        """
