"""``ray.air`` as far as trials use it: the same names as in ``trialwright.tune``."""

from trialwright.tune import session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.config import CheckpointConfig, FailureConfig, RunConfig
from trialwright.tune.result_grid import Result

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]
