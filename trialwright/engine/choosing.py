"""scheduler="auto": the choice is made before the run, from what is known then; a sentence gives the reason.

Workloads and generators are known to report steps, and so is an objective whose stop dict limits the steps; of a
function this cannot be known before it runs. The length of a training is known only from a stop dict. The first rule
that holds decides.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

from trialwright.executors import Workload
from trialwright.messages import EVERY_REPORT, Until
from trialwright.schedulers import ASHA, FIFO, MOASHA, Scheduler

AUTO = "auto"
ETA = 3
FEW = ETA**2
"""With fewer trials, too few reach the second rung to be compared there."""
SLOTS_FEW = 2
"""With so few slots, the rule that stops trials would let the first trials run to the end."""
STEPS_USUAL = 100
"""The last rung is at most here if the length of a training is not known; trials may go on after it."""


class Facts(NamedTuple):
    """What the choice depends on.

    Args:
        objectives: how many there are.
        planned: trials; infinite for unlimited.
        slots: how many trials may run at a time, if that is limited.
        reports: the objective is known to report steps.
        steps: of a training, if they are known.
    """

    objectives: int
    planned: float
    slots: int | None
    reports: bool
    steps: float | None

    @classmethod
    def of(cls, objective: object, until: Until, objectives: int, planned: float, slots: int | None) -> Facts:
        """Look at the objective, and at the boundaries of the stop rule."""
        told = [each for each in until if each not in EVERY_REPORT]  # a stop function is asked at every report
        limits = [each.value for each in told if each.metric == "step" and each.op == ">="]
        is_generator = inspect.isgeneratorfunction(objective) or inspect.isasyncgenfunction(objective)
        reports = bool(limits) or is_generator or isinstance(objective, Workload)
        return cls(objectives, planned, slots, reports, min(limits, default=None))


def choose(facts: Facts) -> tuple[Scheduler, str]:
    """Return a scheduler, and the reason for it."""
    make, why = next((make, why) for holds, make, why in _RULES if holds(facts))
    scheduler = make(facts)
    return scheduler, f"{type(scheduler).__name__}: {why.format(**facts._asdict())}"


def _fifo(_: Facts) -> Scheduler:
    return FIFO()


def _asha(facts: Facts, *, promote: bool = False) -> Scheduler:
    # If the length is not known, trials that reach the last rung may be far from their end: they are not stopped there.
    known = facts.steps is not None
    return ASHA(facts.steps or STEPS_USUAL, reduction_factor=ETA, promote=promote, stop_last_trials=known)


def _moasha(facts: Facts) -> Scheduler:
    return MOASHA(facts.steps or STEPS_USUAL, reduction_factor=ETA, stop_last_trials=facts.steps is not None)


_RULES: tuple[tuple[Callable[[Facts], bool], Callable[[Facts], Scheduler], str], ...] = (
    (lambda it: it.objectives == 0, _fifo, "there is no metric to compare trials by"),
    (
        lambda it: not it.reports,
        _fifo,
        "it is not known before it runs whether a function reports steps; stop={{'step': n}} would tell",
    ),
    (
        lambda it: it.steps is not None and it.steps < ETA,
        _fifo,
        "{steps:g} steps are too few to end earlier",
    ),
    (lambda it: it.planned < FEW, _fifo, "{planned} trials are too few to be compared at rungs"),
    (lambda it: it.objectives > 1, _moasha, "trials report steps, and there are {objectives} objectives"),
    (
        lambda it: it.slots is not None and it.slots <= SLOTS_FEW,
        lambda it: _asha(it, promote=True),
        "trials report steps, and on few slots ({slots}) it is better to pause and promote than to stop",
    ),
    (lambda _: True, _asha, "trials report steps, and bad trials are stopped early; none is paused"),
)
