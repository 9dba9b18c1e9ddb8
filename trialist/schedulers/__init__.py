"""Schedulers: how far to let each trial go. One file an algorithm."""

from trialist.schedulers.asha import ASHA, AsyncHyperBand
from trialist.schedulers.base import Scheduler, TrialView
from trialist.schedulers.fifo import FIFO
from trialist.schedulers.hyperband import HyperBand
from trialist.schedulers.median import MedianStopping
from trialist.schedulers.moasha import MOASHA
from trialist.schedulers.pasha import PASHA
from trialist.schedulers.pbt import PBT
from trialist.schedulers.pbt_replay import PBTReplay
from trialist.schedulers.resizing import EvenShare, ResourceChanging, Room, TopJob

__all__ = [
    "ASHA",
    "FIFO",
    "MOASHA",
    "PASHA",
    "PBT",
    "AsyncHyperBand",
    "EvenShare",
    "HyperBand",
    "MedianStopping",
    "PBTReplay",
    "ResourceChanging",
    "Room",
    "Scheduler",
    "TopJob",
    "TrialView",
]
