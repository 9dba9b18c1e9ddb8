"""The front door for users of Ray Tune: the same names, a thin layer over ``trialist.Engine``.

``from ray import tune`` becomes ``from trialist import tune``; ``ray.tune.x`` becomes ``trialist.tune.x``. What is not
taken is refused by name, with what to use instead.
"""

from trialist.tune import logger, paths, schedulers, search, stopper, suggest, track, trainable
from trialist.tune.analysis import ExperimentAnalysis
from trialist.tune.callback import Callback
from trialist.tune.checkpoint import Checkpoint
from trialist.tune.config import CheckpointConfig, FailureConfig, ResumeConfig, RunConfig, SyncConfig, TuneConfig
from trialist.tune.error import TuneError
from trialist.tune.experiment import Experiment
from trialist.tune.registry import register_env, register_trainable
from trialist.tune.reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter
from trialist.tune.resources import PlacementGroupFactory
from trialist.tune.result_grid import Result, ResultGrid
from trialist.tune.run import run, run_experiments
from trialist.tune.schedulers import create_scheduler
from trialist.tune.search import create_searcher
from trialist.tune.session import (
    TuneContext,
    get_checkpoint,
    get_context,
    get_trial_dir,
    get_trial_id,
    get_trial_name,
    get_trial_resources,
    report,
)
from trialist.tune.spaces import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from trialist.tune.stopper import Stopper
from trialist.tune.trainable import Trainable, with_parameters, with_resources
from trialist.tune.tuner import Tuner

__all__ = [
    "CLIReporter",
    "Callback",
    "Checkpoint",
    "CheckpointConfig",
    "Experiment",
    "ExperimentAnalysis",
    "FailureConfig",
    "JupyterNotebookReporter",
    "PlacementGroupFactory",
    "ProgressReporter",
    "Result",
    "ResultGrid",
    "ResumeConfig",
    "RunConfig",
    "Stopper",
    "SyncConfig",
    "Trainable",
    "TuneConfig",
    "TuneContext",
    "TuneError",
    "Tuner",
    "choice",
    "create_scheduler",
    "create_searcher",
    "get_checkpoint",
    "get_context",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "grid_search",
    "logger",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "register_env",
    "register_trainable",
    "report",
    "run",
    "run_experiments",
    "sample_from",
    "schedulers",
    "search",
    "stopper",
    "suggest",
    "track",
    "trainable",
    "uniform",
    "with_parameters",
    "with_resources",
]

paths.install()
