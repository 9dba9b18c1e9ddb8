"""The old name of ``trialwright.tune.search``: code from before 2022 imports from here."""

from trialwright.tune.search import (
    BasicVariantGenerator,
    BayesOptSearch,
    ConcurrencyLimiter,
    HyperOptSearch,
    OptunaSearch,
    Repeater,
    Searcher,
    TuneBOHB,
    create_searcher,
)

__all__ = [
    "BasicVariantGenerator",
    "BayesOptSearch",
    "ConcurrencyLimiter",
    "HyperOptSearch",
    "OptunaSearch",
    "Repeater",
    "Searcher",
    "TuneBOHB",
    "create_searcher",
]
