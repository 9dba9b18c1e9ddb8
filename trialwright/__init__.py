"""Trialwright tunes anything you can call."""

from importlib.metadata import version as _version

from trialwright import space
from trialwright.ask_tell import AskTell
from trialwright.callbacks import Callback
from trialwright.engine.engine import Engine
from trialwright.executors import Local, Simulated
from trialwright.loading import load
from trialwright.reporting import TrialStopped, context, get_checkpoint, report
from trialwright.results import Result, TrialResult
from trialwright.schedulers import ASHA, FIFO, PBT, HyperBand
from trialwright.searchers import Grid, Perturb, Random, Sobol
from trialwright.stopping import Stopper
from trialwright.storage.inbox import enqueue, stop

__version__ = _version("trialwright")

__all__ = [
    "ASHA",
    "FIFO",
    "PBT",
    "AskTell",
    "Callback",
    "Engine",
    "Grid",
    "HyperBand",
    "Local",
    "Perturb",
    "Random",
    "Result",
    "Simulated",
    "Sobol",
    "Stopper",
    "TrialResult",
    "TrialStopped",
    "context",
    "enqueue",
    "get_checkpoint",
    "load",
    "report",
    "space",
    "stop",
]
