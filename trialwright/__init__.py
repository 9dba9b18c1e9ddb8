"""Trialwright tunes anything you can call.

Names are imported when they are first used. So a worker process imports little before it knows what it will run, and
only pure Python: it must not import numeric libraries whose threads a fork would break.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialwright import space
    from trialwright.ask_tell import AskTell
    from trialwright.callbacks import Callback
    from trialwright.engine.engine import Engine
    from trialwright.executors import Local, Processes, Simulated
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
    "Processes",
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

_MODULES = {  # where each name is
    "ask_tell": ("AskTell",),
    "callbacks": ("Callback",),
    "engine.engine": ("Engine",),
    "executors": ("Local", "Processes", "Simulated"),
    "loading": ("load",),
    "reporting": ("TrialStopped", "context", "get_checkpoint", "report"),
    "results": ("Result", "TrialResult"),
    "schedulers": ("ASHA", "FIFO", "PBT", "HyperBand"),
    "searchers": ("Grid", "Perturb", "Random", "Sobol"),
    "stopping": ("Stopper",),
    "storage.inbox": ("enqueue", "stop"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name, or the module ``space``."""
    if name == "space":
        return import_module("trialwright.space")
    if name not in _HOMES:
        raise AttributeError(f"module 'trialwright' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"trialwright.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
