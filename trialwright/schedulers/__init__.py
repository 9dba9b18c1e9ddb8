"""Schedulers: how long each trial runs. One file an algorithm."""

from trialwright.schedulers.asha import ASHA, AsyncHyperBand
from trialwright.schedulers.base import FIFO, Scheduler, TrialView
from trialwright.schedulers.freeze_thaw import FreezeThaw
from trialwright.schedulers.hyperband import HyperBand
from trialwright.schedulers.median import MedianStopping
from trialwright.schedulers.moasha import MOASHA
from trialwright.schedulers.pasha import PASHA
from trialwright.schedulers.pbt import PBT, PBTReplay
from trialwright.schedulers.resizing import EvenShare, ResourceChanging, Room, TopJob

__all__ = [
    "ASHA",
    "FIFO",
    "MOASHA",
    "PASHA",
    "PBT",
    "AsyncHyperBand",
    "EvenShare",
    "FreezeThaw",
    "HyperBand",
    "MedianStopping",
    "PBTReplay",
    "ResourceChanging",
    "Room",
    "Scheduler",
    "TopJob",
    "TrialView",
]
