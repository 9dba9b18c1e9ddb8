"""The old name of ``trialist.tune.search.hyperopt``."""

from trialist.tune.search.hyperopt import HyperOptSearch

__all__ = ["HyperOptSearch"]
