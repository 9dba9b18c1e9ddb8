"""``ray.air.config``: the settings of a run, which are those of ``trialwright.tune``."""

from trialwright.tune.settings import CheckpointConfig, FailureConfig, RunConfig

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig"]
