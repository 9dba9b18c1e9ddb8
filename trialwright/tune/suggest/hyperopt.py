"""The old name of ``trialwright.tune.search.hyperopt``."""

from trialwright.tune.search.hyperopt import HyperOptSearch

__all__ = ["HyperOptSearch"]
