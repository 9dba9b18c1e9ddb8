"""``ray.train`` as far as trials use it: the same names as in ``trialwright.tune``."""

from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.results import Result
from trialwright.tune.session import TuneContext as TrainContext
from trialwright.tune.session import get_checkpoint, get_context, report
from trialwright.tune.settings import CheckpointConfig, FailureConfig, RunConfig, SyncConfig

__all__ = [
    "Checkpoint",
    "CheckpointConfig",
    "FailureConfig",
    "Result",
    "RunConfig",
    "SyncConfig",
    "TrainContext",
    "get_checkpoint",
    "get_context",
    "report",
]
