"""The front door for users of Ray Tune: the same names, a thin layer over ``trialwright.Engine``.

``from ray import tune`` becomes ``from trialwright import tune``; ``ray.tune.x`` becomes ``trialwright.tune.x``. What
is not taken is refused by name, with what to use instead.
"""

from trialwright.tune import callbacks as logger
from trialwright.tune import paths, schedulers, search, stopper, trainable
from trialwright.tune import search as suggest
from trialwright.tune import session as track
from trialwright.tune.callbacks import Callback
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.error import TuneError
from trialwright.tune.experiments import Experiment
from trialwright.tune.registry import register_env, register_trainable
from trialwright.tune.reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter
from trialwright.tune.resources import PlacementGroupFactory
from trialwright.tune.results import ExperimentAnalysis, Result, ResultGrid
from trialwright.tune.run import run, run_experiments
from trialwright.tune.schedulers import create_scheduler
from trialwright.tune.search import create_searcher
from trialwright.tune.session import (
    TuneContext,
    get_checkpoint,
    get_context,
    get_trial_dir,
    get_trial_id,
    get_trial_name,
    get_trial_resources,
    report,
)
from trialwright.tune.settings import CheckpointConfig, FailureConfig, ResumeConfig, RunConfig, SyncConfig, TuneConfig
from trialwright.tune.spaces import (
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
from trialwright.tune.stopper import Stopper
from trialwright.tune.trainable import Trainable, with_parameters, with_resources
from trialwright.tune.tuner import Tuner

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
