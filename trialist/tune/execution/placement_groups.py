"""``ray.tune.execution.placement_groups``."""

from trialist.tune.resources import PlacementGroupFactory

__all__ = ["PlacementGroupFactory"]
