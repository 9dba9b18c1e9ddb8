"""Trialist tunes anything you can call."""

from trialist import space
from trialist.ask_tell import AskTell
from trialist.callbacks import Callback
from trialist.engine.engine import Engine
from trialist.executors import Local, Simulated
from trialist.loading import load
from trialist.reporting import TrialStopped, context, get_checkpoint, report
from trialist.results import Result, TrialResult
from trialist.schedulers import ASHA, FIFO, PBT, HyperBand
from trialist.searchers import Grid, Perturb, Random, Sobol
from trialist.stopping import Stopper
from trialist.storage.inbox import enqueue, stop

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
