"""The old name of ``trialist.tune.search.bayesopt``."""

from trialist.tune.search.bayesopt import BayesOptSearch

__all__ = ["BayesOptSearch"]
