"""Trialwright tunes anything you can call.

Names are imported when they are first used. So a worker process imports little before it knows what it will run, and
only pure Python: it must not import numeric libraries whose threads a fork would break.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

    from trialwright import space
    from trialwright.ask_tell import AskTell
    from trialwright.callbacks import Callback
    from trialwright.engine.engine import Engine
    from trialwright.executors import Delays, Executor, Faults, Local, OnRay, Processes, Simulated, Workload
    from trialwright.importance import Importance
    from trialwright.integrations import (
        CFO,
        HEBO,
        SMAC,
        Ax,
        BayesOpt,
        BlendSearch,
        BoTorch,
        HpBandSter,
        HyperOpt,
        InEnvironment,
        Nevergrad,
        Optuna,
        SkOpt,
        ZOOpt,
    )
    from trialwright.integrations.optuna_sampler import TrialwrightSampler
    from trialwright.integrations.ray_search import TrialwrightSearch
    from trialwright.integrations.sklearn import SearchCV
    from trialwright.loading import load
    from trialwright.loggers import FileLogger
    from trialwright.reporting import TrialStopped, context, get_checkpoint, report
    from trialwright.results import Result
    from trialwright.schedulers import (
        ASHA,
        FIFO,
        MOASHA,
        PASHA,
        PBT,
        AsyncHyperBand,
        EvenShare,
        FreezeThaw,
        HyperBand,
        MedianStopping,
        PBTReplay,
        ResourceChanging,
        Room,
        Scheduler,
        TopJob,
        TrialView,
    )
    from trialwright.searchers import (
        CMAES,
        DEHB,
        GP,
        NSGA2,
        PB2,
        TPE,
        Auto,
        Batched,
        Grid,
        Halton,
        HyperTune,
        LatinHypercube,
        Perturb,
        PriorBand,
        Problem,
        Race,
        Random,
        Repeat,
        Schedule,
        Searcher,
        Sobol,
    )
    from trialwright.space import Space
    from trialwright.stopping import AnyOf, Called, RunPlateau, Stopper, StopRule, Thresholds, TrialPlateau
    from trialwright.storage.comments import comment, comments
    from trialwright.storage.inbox import add_samples, enqueue, pause, stop, unpause
    from trialwright.study import load_study
    from trialwright.trial_result import TrialResult

__all__ = [
    "ASHA",
    "CFO",
    "CMAES",
    "DEHB",
    "FIFO",
    "GP",
    "HEBO",
    "MOASHA",
    "NSGA2",
    "PASHA",
    "PB2",
    "PBT",
    "SMAC",
    "TPE",
    "AnyOf",
    "AskTell",
    "AsyncHyperBand",
    "Auto",
    "Ax",
    "Batched",
    "BayesOpt",
    "BlendSearch",
    "BoTorch",
    "Callback",
    "Called",
    "Delays",
    "Engine",
    "EvenShare",
    "Executor",
    "Faults",
    "FileLogger",
    "FreezeThaw",
    "Grid",
    "Halton",
    "HpBandSter",
    "HyperBand",
    "HyperOpt",
    "HyperTune",
    "Importance",
    "InEnvironment",
    "LatinHypercube",
    "Local",
    "MedianStopping",
    "Nevergrad",
    "OnRay",
    "Optuna",
    "PBTReplay",
    "Perturb",
    "PriorBand",
    "Problem",
    "Processes",
    "Race",
    "Random",
    "Repeat",
    "ResourceChanging",
    "Result",
    "Room",
    "RunPlateau",
    "Schedule",
    "Scheduler",
    "SearchCV",
    "Searcher",
    "Simulated",
    "SkOpt",
    "Sobol",
    "Space",
    "StopRule",
    "Stopper",
    "Thresholds",
    "TopJob",
    "TrialPlateau",
    "TrialResult",
    "TrialStopped",
    "TrialView",
    "TrialwrightSampler",
    "TrialwrightSearch",
    "Workload",
    "ZOOpt",
    "add_samples",
    "comment",
    "comments",
    "context",
    "enqueue",
    "get_checkpoint",
    "load",
    "load_study",
    "pause",
    "report",
    "space",
    "stop",
    "unpause",
]

_MODULES = {  # where each name is
    "ask_tell": ("AskTell",),
    "callbacks": ("Callback",),
    "engine.engine": ("Engine",),
    "executors": ("Delays", "Executor", "Faults", "Local", "OnRay", "Processes", "Simulated", "Workload"),
    "integrations": (
        "CFO",
        "HEBO",
        "SMAC",
        "Ax",
        "BayesOpt",
        "BlendSearch",
        "BoTorch",
        "HpBandSter",
        "HyperOpt",
        "InEnvironment",
        "Nevergrad",
        "Optuna",
        "SkOpt",
        "ZOOpt",
    ),
    "importance": ("Importance",),
    "integrations.optuna_sampler": ("TrialwrightSampler",),
    "integrations.ray_search": ("TrialwrightSearch",),
    "integrations.sklearn": ("SearchCV",),
    "loading": ("load",),
    "study": ("load_study",),
    "loggers": ("FileLogger",),
    "reporting": ("TrialStopped", "context", "get_checkpoint", "report"),
    "results": ("Result",),
    "trial_result": ("TrialResult",),
    "schedulers": (
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
    ),
    "searchers": (
        "CMAES",
        "DEHB",
        "GP",
        "NSGA2",
        "PB2",
        "TPE",
        "Auto",
        "Batched",
        "Grid",
        "Halton",
        "HyperTune",
        "LatinHypercube",
        "Perturb",
        "PriorBand",
        "Problem",
        "Race",
        "Random",
        "Repeat",
        "Schedule",
        "Searcher",
        "Sobol",
    ),
    "space": ("Space",),
    "stopping": ("AnyOf", "Called", "RunPlateau", "Stopper", "StopRule", "Thresholds", "TrialPlateau"),
    "storage.comments": ("comment", "comments"),
    "storage.inbox": ("add_samples", "enqueue", "pause", "stop", "unpause"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take any misspelt name for an object

    def __getattr__(name: str) -> object:
        """Import a public name, or the module ``space``; ``__version__`` is that of the installed distribution."""
        if name == "space":
            return import_module("trialwright.space")
        if name == "__version__":  # not above: the other interpreter of InEnvironment has no such distribution
            return import_module("importlib.metadata").version("trialwright")
        if name not in _HOMES:
            raise AttributeError(f"module 'trialwright' has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"trialwright.{_HOMES[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
