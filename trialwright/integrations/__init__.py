"""Searchers of other libraries, callbacks for training, and trackers: one file each, imported only when it is used."""

from trialwright.integrations.adapter import Adapter, Library
from trialwright.integrations.bayesopt import BayesOpt
from trialwright.integrations.hyperopt import HyperOpt
from trialwright.integrations.optuna import Optuna

__all__ = ["Adapter", "BayesOpt", "HyperOpt", "Library", "Optuna"]
