"""``ray.air.config``: the settings of a run, which are those of ``trialist.tune``."""

from trialist.tune.config import CheckpointConfig, FailureConfig, RunConfig

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig"]
