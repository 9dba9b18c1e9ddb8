"""Searchers by Ray Tune's names. ``searcher.to_engine`` makes of each what the engine asks."""

from __future__ import annotations

import inspect
from typing import Any

from trialwright.errors import nearest
from trialwright.tune.paths import instead_of
from trialwright.tune.search.ax import AxSearch
from trialwright.tune.search.basic_variant import BasicVariantGenerator
from trialwright.tune.search.bayesopt import BayesOptSearch
from trialwright.tune.search.bohb import TuneBOHB
from trialwright.tune.search.flaml import CFO, BlendSearch
from trialwright.tune.search.hebo import HEBOSearch
from trialwright.tune.search.hyperopt import HyperOptSearch
from trialwright.tune.search.nevergrad import NevergradSearch
from trialwright.tune.search.optuna import OptunaSearch
from trialwright.tune.search.searcher import Searcher
from trialwright.tune.search.skopt import SkOptSearch
from trialwright.tune.search.wrappers import ConcurrencyLimiter, Repeater
from trialwright.tune.search.zoopt import ZOOptSearch
from trialwright.tune.spaces import grid_search

__all__ = [
    "CFO",
    "AxSearch",
    "BasicVariantGenerator",
    "BayesOptSearch",
    "BlendSearch",
    "ConcurrencyLimiter",
    "HEBOSearch",
    "HyperOptSearch",
    "NevergradSearch",
    "OptunaSearch",
    "Repeater",
    "Searcher",
    "SkOptSearch",
    "TuneBOHB",
    "ZOOptSearch",
    "create_searcher",
    "grid_search",
]

SEARCHERS: dict[str, type] = {
    "random": BasicVariantGenerator,
    "variant_generator": BasicVariantGenerator,
    "ax": AxSearch,
    "bayesopt": BayesOptSearch,
    "blendsearch": BlendSearch,
    "bohb": TuneBOHB,
    "cfo": CFO,
    "hebo": HEBOSearch,
    "hyperopt": HyperOptSearch,
    "nevergrad": NevergradSearch,
    "optuna": OptunaSearch,
    "skopt": SkOptSearch,
    "zoopt": ZOOptSearch,
}


def create_searcher(search_alg: str, **kwargs: Any) -> Any:  # noqa: ANN401 - the names decide
    """Make a searcher by its name.

    Args:
        search_alg: "random", or the name of a library, such as "hyperopt".
        kwargs: what its class takes. ``metric`` and ``mode`` may be given to any, so that names can be swapped.

    Raises:
        ValueError: there is none of this name; the text says what to use instead.
        TypeError: the class takes no such argument.
    """
    name = search_alg.lower()
    if name not in SEARCHERS:
        instead = instead_of(f"tune.search.{name}")
        hint = f": {instead}" if instead else nearest(name, SEARCHERS)
        raise ValueError(f"search_alg={search_alg!r} is not known{hint}")
    taken = {*inspect.signature(SEARCHERS[name]).parameters}
    spare = {"metric", "mode"} - taken
    return SEARCHERS[name](**{key: value for key, value in kwargs.items() if key not in spare})
