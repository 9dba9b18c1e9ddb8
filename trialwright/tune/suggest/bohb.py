"""The old name of ``trialwright.tune.search.bohb``."""

from trialwright.tune.search.bohb import TuneBOHB

__all__ = ["TuneBOHB"]
