"""``ray.train`` as far as trials use it: the same names as in ``trialist.tune``."""

from trialist.tune.checkpoint import Checkpoint
from trialist.tune.config import CheckpointConfig, FailureConfig, RunConfig, SyncConfig
from trialist.tune.result_grid import Result
from trialist.tune.session import TuneContext as TrainContext
from trialist.tune.session import get_checkpoint, get_context, report

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
