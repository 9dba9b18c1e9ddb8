"""Schedulers: how far to let each trial go. One file an algorithm."""

from trialist.schedulers.asha import ASHA
from trialist.schedulers.base import Scheduler, TrialView
from trialist.schedulers.fifo import FIFO
from trialist.schedulers.hyperband import HyperBand
from trialist.schedulers.pbt import PBT

__all__ = ["ASHA", "FIFO", "PBT", "HyperBand", "Scheduler", "TrialView"]
