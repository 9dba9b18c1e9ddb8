"""Searchers of other libraries, callbacks for training, and trackers: one file each, imported only when it is used."""

from trialwright.integrations.adapter import Adapter, Library
from trialwright.integrations.adapters import ADAPTERS
from trialwright.integrations.ax import Ax
from trialwright.integrations.bayesopt import BayesOpt
from trialwright.integrations.botorch import BoTorch
from trialwright.integrations.flaml import CFO, BlendSearch
from trialwright.integrations.hebo import HEBO
from trialwright.integrations.hpbandster import HpBandSter
from trialwright.integrations.hyperopt import HyperOpt
from trialwright.integrations.in_environment import InEnvironment
from trialwright.integrations.nevergrad import Nevergrad
from trialwright.integrations.optuna import Optuna
from trialwright.integrations.skopt import SkOpt
from trialwright.integrations.smac import SMAC
from trialwright.integrations.zoopt import ZOOpt

__all__ = [
    "ADAPTERS",
    "CFO",
    "HEBO",
    "SMAC",
    "Adapter",
    "Ax",
    "BayesOpt",
    "BlendSearch",
    "BoTorch",
    "HpBandSter",
    "HyperOpt",
    "InEnvironment",
    "Library",
    "Nevergrad",
    "Optuna",
    "SkOpt",
    "ZOOpt",
]
