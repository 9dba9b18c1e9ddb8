"""``ray.tune.execution.placement_groups``."""

from trialwright.tune.resources import PlacementGroupFactory, resource_dict_to_pg_factory

__all__ = ["PlacementGroupFactory", "resource_dict_to_pg_factory"]
