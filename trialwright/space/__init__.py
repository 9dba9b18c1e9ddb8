"""What may vary: domains, conditional branches, constraints, and the way to the unit cube and back.

>>> from trialwright import space
>>> what = space.Space({"lr": space.loguniform(1e-4, 1e-1), "layers": space.randint(1, 5)})
>>> what.dimension
2
"""

from trialwright.space.compiling import Condition, Parameter
from trialwright.space.constraints import Constraint
from trialwright.space.domains import Category, Continuous, Domain, Normal, Numeric, Stepped
from trialwright.space.functions import Derived
from trialwright.space.make import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from trialwright.space.space import Space
from trialwright.space.values import Config

__all__ = [
    "Category",
    "Condition",
    "Config",
    "Constraint",
    "Continuous",
    "Derived",
    "Domain",
    "Normal",
    "Numeric",
    "Parameter",
    "Space",
    "Stepped",
    "choice",
    "grid_search",
    "lograndint",
    "loguniform",
    "ordinal",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "sample_from",
    "uniform",
]
