"""GP: Bayesian optimisation with a Gaussian process, in NumPy and SciPy."""

from trialwright.searchers.gp.searcher import GP

__all__ = ["GP"]
