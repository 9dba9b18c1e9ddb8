"""The old name of ``trialist.tune.search.optuna``."""

from trialist.tune.search.optuna import OptunaSearch

__all__ = ["OptunaSearch"]
