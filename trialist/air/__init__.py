"""``ray.air`` as far as trials use it: the same names as in ``trialist.tune``."""

from trialist.air import session
from trialist.tune.checkpoint import Checkpoint
from trialist.tune.config import CheckpointConfig, FailureConfig, RunConfig
from trialist.tune.result_grid import Result

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]
