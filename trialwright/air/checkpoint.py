"""``ray.air.checkpoint``."""

from trialwright.tune.checkpoint import Checkpoint

__all__ = ["Checkpoint"]
