"""Searchers of other libraries, callbacks for training, and trackers: one file each, imported only when it is used."""

from trialwright.integrations.adapter import Adapter, Library
from trialwright.integrations.adapters import ADAPTERS
from trialwright.integrations.bayesopt import BayesOpt
from trialwright.integrations.flaml import CFO, BlendSearch
from trialwright.integrations.hpbandster import HpBandSter
from trialwright.integrations.hyperopt import HyperOpt
from trialwright.integrations.in_environment import InEnvironment
from trialwright.integrations.nevergrad import Nevergrad
from trialwright.integrations.optuna import Optuna
from trialwright.integrations.skopt import SkOpt
from trialwright.integrations.zoopt import ZOOpt

__all__ = [
    "ADAPTERS",
    "CFO",
    "Adapter",
    "BayesOpt",
    "BlendSearch",
    "HpBandSter",
    "HyperOpt",
    "InEnvironment",
    "Library",
    "Nevergrad",
    "Optuna",
    "SkOpt",
    "ZOOpt",
]
