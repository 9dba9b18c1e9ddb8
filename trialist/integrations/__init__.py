"""Other people's libraries. One file each, and a library is imported only when it is used."""

from trialist.integrations.adapter import Adapter, Library
from trialist.integrations.bayesopt import BayesOpt
from trialist.integrations.hyperopt import HyperOpt
from trialist.integrations.optuna import Optuna

__all__ = ["Adapter", "BayesOpt", "HyperOpt", "Library", "Optuna"]
