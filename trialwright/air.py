"""``ray.air`` as far as trials use it: the same names as in ``trialwright.tune``."""

from trialwright.tune import session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.results import Result
from trialwright.tune.settings import CheckpointConfig, FailureConfig, RunConfig

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]
