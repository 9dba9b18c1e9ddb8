"""``ray.tune.execution``, as far as users import from it."""
