"""The old name of ``trialwright.tune.search.optuna``."""

from trialwright.tune.search.optuna import OptunaSearch

__all__ = ["OptunaSearch"]
