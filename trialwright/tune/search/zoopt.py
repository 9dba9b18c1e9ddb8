"""ZOOpt, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import ZOOpt
from trialwright.space import choice, quniform, randint
from trialwright.tune.search.library import LibrarySearcher


class ZOOptSearch(LibrarySearcher):
    """ZOOpt's sequential RACOS (``pip install zoopt``). There are no branches.

    Args:
        algo: "asracos" or "sracos", which are the same.
        budget: how many trials it plans with; the run's ``num_samples`` by default.
        dim_dict: a dict of ZOOpt's own tuples, ``(ValueType.CONTINUOUS, [low, high], precision)``,
            ``(ValueType.DISCRETE, [low, high], has_order)``, or ``(ValueType.GRID, values)``, which counts instead of
            ``param_space``; this may then hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part.
        parallel_num: how many trials at a time, if it is more than 1.
        kwargs: refused: ZOOpt would not read them.

    Raises:
        ValueError: there is no such algorithm, or a tuple is none of ZOOpt's.
        TypeError: there is another argument.
    """

    library = ZOOpt

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        algo: str = "asracos",
        budget: int | None = None,
        dim_dict: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        parallel_num: int = 1,
        **kwargs: Any,  # noqa: ANN401 - refused
    ) -> None:
        if algo.lower() not in ("asracos", "sracos"):
            raise ValueError(f"algo={algo!r} is not known: it is 'asracos' or 'sracos'")
        if kwargs:
            raise TypeError(f"ZOOptSearch has no {min(kwargs)}=")
        own = {name: _domain(name, each) for name, each in (dim_dict or {}).items()}
        super().__init__(metric, mode, points_to_evaluate, own, budget=budget)
        self.max_concurrent = parallel_num if parallel_num > 1 else 0


def _domain(name: str, given: object) -> object:
    """Return the domain of a tuple of ZOOpt's; another object is one of ours, or a constant."""
    if not isinstance(given, tuple):
        return given
    match given:
        case (1, [low, high], precision):
            return quniform(low, high, precision)
        case (0, [low, high], True):
            return randint(low, high + 1)
        case (0, [low, high], False):
            return choice(range(low, high + 1))
        case (2, values):
            return choice(values)
    raise ValueError(f"dim_dict: {name!r} is {given!r}, which is no dimension of ZOOpt's")
