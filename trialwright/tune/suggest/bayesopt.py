"""The old name of ``trialwright.tune.search.bayesopt``."""

from trialwright.tune.search.bayesopt import BayesOptSearch

__all__ = ["BayesOptSearch"]
