"""Optuna's distributions as domains of ours."""

from __future__ import annotations

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from trialwright.space import choice, lograndint, loguniform, ordinal, qrandint, quniform, randint, uniform
from trialwright.space.domains import Domain


def domain_of(distribution: BaseDistribution) -> Domain:
    """Return the domain with the values of a distribution.

    Steps that do not start at a multiple of their width (1.5, 3.5, 5.5) become an ``ordinal``.

    Raises:
        ValueError: there is no such domain; the message says why.
        TypeError: the distribution is of an unknown kind.
    """
    if isinstance(distribution, CategoricalDistribution):
        return choice(list(distribution.choices))
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"an Optuna distribution of an unknown kind: {distribution!r}")
    if isinstance(distribution, IntDistribution):
        return _of_integers(distribution.low, distribution.high, distribution.step, log=distribution.log)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is None:
        return loguniform(low, high) if distribution.log else uniform(low, high)
    return quniform(low, high, step) if _is_multiple(low, step) else _steps(low, high, step)


def _of_integers(low: int, high: int, step: int, *, log: bool) -> Domain:
    if step == 1:
        return (lograndint if log else randint)(low, high + 1)
    return qrandint(low, high, step) if low % step == 0 else ordinal([*range(low, high + 1, step)])


def _steps(low: float, high: float, step: float) -> Domain:
    return ordinal([low + place * step for place in range(round((high - low) / step) + 1)])


def _is_multiple(low: float, step: float) -> bool:
    return abs(low / step - round(low / step)) < 1e-9


def joined(known: BaseDistribution | None, given: BaseDistribution) -> BaseDistribution:
    """Return a distribution with the values of both: a program may ask for another range in each trial.

    Raises:
        ValueError: they are of different kinds.
    """
    if known is None or known == given:
        return given
    check_distribution_compatibility(known, given)
    if isinstance(known, IntDistribution) and isinstance(given, IntDistribution):
        step = known.step if known.step == given.step and _is_multiple(given.low - known.low, known.step) else 1
        low, high = min(known.low, given.low), max(known.high, given.high)
        return IntDistribution(low, high, log=given.log, step=step)
    if isinstance(known, FloatDistribution) and isinstance(given, FloatDistribution):
        is_same = known.step == given.step and _is_multiple(given.low - known.low, known.step or 1.0)
        step_or_none = known.step if is_same else None
        return FloatDistribution(min(known.low, given.low), max(known.high, given.high), given.log, step_or_none)
    return given
