"""Schedulers under Ray Tune's names."""

from __future__ import annotations

import inspect

from trialwright.errors import nearest
from trialwright.tune.schedulers.population import PB2, PopulationBasedTraining, PopulationBasedTrainingReplay
from trialwright.tune.schedulers.resource_changing_scheduler import ResourceChangingScheduler
from trialwright.tune.schedulers.rules import (
    ASHAScheduler,
    AsyncHyperBandScheduler,
    HyperBandForBOHB,
    HyperBandScheduler,
    MedianStoppingRule,
)
from trialwright.tune.schedulers.trial_scheduler import FIFOScheduler, TrialScheduler

SCHEDULER_IMPORT: dict[str, type[TrialScheduler]] = {
    "fifo": FIFOScheduler,
    "async_hyperband": AsyncHyperBandScheduler,
    "asynchyperband": AsyncHyperBandScheduler,
    "asha": AsyncHyperBandScheduler,
    "median_stopping_rule": MedianStoppingRule,
    "medianstopping": MedianStoppingRule,
    "hyperband": HyperBandScheduler,
    "hb_bohb": HyperBandForBOHB,
    "pbt": PopulationBasedTraining,
    "pbt_replay": PopulationBasedTrainingReplay,
    "pb2": PB2,
    "resource_changing": ResourceChangingScheduler,
}


def create_scheduler(scheduler: str, **kwargs: object) -> TrialScheduler:
    """Make a scheduler by its name.

    Args:
        scheduler: "fifo", "asha", "hyperband", "pbt", or another name of Ray Tune's.
        kwargs: what it takes.

    Raises:
        ValueError: there is none of this name, or it does not take one of these; the nearest is named.
    """
    found = SCHEDULER_IMPORT.get(scheduler.lower())
    if found is None:
        raise ValueError(f"scheduler={scheduler!r} is not known{nearest(scheduler.lower(), SCHEDULER_IMPORT)}")
    known = inspect.signature(found).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        for name in kwargs.keys() - known.keys():
            raise ValueError(f"{found.__name__} takes no {name!r}{nearest(name, known)}")
    return found(**kwargs)


__all__ = [
    "PB2",
    "ASHAScheduler",
    "AsyncHyperBandScheduler",
    "FIFOScheduler",
    "HyperBandForBOHB",
    "HyperBandScheduler",
    "MedianStoppingRule",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "ResourceChangingScheduler",
    "TrialScheduler",
    "create_scheduler",
]
