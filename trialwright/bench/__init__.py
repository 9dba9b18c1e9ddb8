"""Comparisons of schedulers and of searchers, as a paper needs them: ranks, intervals, tests, a picture.

Schedulers run on learning curves, in virtual time; searchers on functions. What is done is kept in a directory, so that
a comparison that was interrupted continues.
"""

from trialwright.bench.compare import compare_schedulers, compare_searchers
from trialwright.bench.comparison import Comparison
from trialwright.bench.curves import Curves
from trialwright.bench.functions import Function

__all__ = ["Comparison", "Curves", "Function", "compare_schedulers", "compare_searchers"]
