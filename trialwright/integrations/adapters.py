"""The adapters by the names that ``Engine(searcher=...)`` has for them."""

from trialwright.integrations.adapter import Adapter
from trialwright.integrations.ax import Ax
from trialwright.integrations.bayesopt import BayesOpt
from trialwright.integrations.botorch import BoTorch
from trialwright.integrations.flaml import CFO, BlendSearch
from trialwright.integrations.hebo import HEBO
from trialwright.integrations.hpbandster import HpBandSter
from trialwright.integrations.hyperopt import HyperOpt
from trialwright.integrations.nevergrad import Nevergrad
from trialwright.integrations.optuna import Optuna
from trialwright.integrations.skopt import SkOpt
from trialwright.integrations.smac import SMAC
from trialwright.integrations.zoopt import ZOOpt

ADAPTERS: dict[str, type[Adapter]] = {
    "ax": Ax,
    "bayesopt": BayesOpt,
    "blendsearch": BlendSearch,
    "botorch": BoTorch,
    "cfo": CFO,
    "hebo": HEBO,
    "hpbandster": HpBandSter,
    "hyperopt": HyperOpt,
    "nevergrad": Nevergrad,
    "optuna": Optuna,
    "skopt": SkOpt,
    "smac": SMAC,
    "zoopt": ZOOpt,
}
