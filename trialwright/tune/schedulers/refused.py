"""Schedulers of Ray Tune that the engine does not have: they say so when they are made, and what to use instead."""

from __future__ import annotations

from trialwright.tune.schedulers.trial_scheduler import TrialScheduler


class _Refused(TrialScheduler):
    """Says that it is not there."""

    _instead = ""

    def __init__(self, *arguments: object, **keywords: object) -> None:
        raise ValueError(f"{type(self).__name__} is not in Trialwright: {self._instead}")

    def __init_subclass__(cls, *, instead: str = "", **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        cls._instead = instead or cls._instead


class PB2(_Refused, instead="use PopulationBasedTraining"):
    """Not in Trialwright."""
