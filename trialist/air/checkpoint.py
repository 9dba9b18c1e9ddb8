"""``ray.air.checkpoint``."""

from trialist.tune.checkpoint import Checkpoint

__all__ = ["Checkpoint"]
