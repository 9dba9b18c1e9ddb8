"""Optuna's distributions as domains of ours, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from trialwright.space import (
    Category,
    Continuous,
    Stepped,
    choice,
    lograndint,
    loguniform,
    ordinal,
    qrandint,
    quniform,
    randint,
    uniform,
)
from trialwright.space.compiling import holds_domain
from trialwright.space.domains import DEEPEST_SD, Domain, Normal

Choice = None | bool | int | float | str


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


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return the distribution with the values of a domain.

    Numbers that are normally distributed become even ones over their range, and options that are no numbers, strings or
    None become their descriptions, because Optuna has no others.

    Raises:
        TypeError: the domain has no values of its own (``sample_from``).
    """
    if isinstance(domain, Continuous):
        return FloatDistribution(domain.lower, domain.upper, log=domain.log)
    if isinstance(domain, Stepped) and domain.grain.integer:
        step = 1 if domain.log else int(domain.grain.q)
        return IntDistribution(int(domain.lower), int(domain.upper), log=domain.log, step=step)
    if isinstance(domain, Stepped):
        return FloatDistribution(
            domain.lower, domain.upper, log=domain.log, step=None if domain.log else domain.grain.q
        )
    if isinstance(domain, Normal):
        return FloatDistribution(domain.mean - DEEPEST_SD * domain.sd, domain.mean + DEEPEST_SD * domain.sd)
    if isinstance(domain, Category):
        return CategoricalDistribution(labels(domain))
    raise TypeError(f"{domain!r} has no distribution: its values are computed")


def labels(domain: Category) -> list[Choice]:
    """Return what Optuna calls the options of a choice, each once: an option that is a dict, by its constants."""
    told = [_label(option) for option in domain.options]
    is_unique = len({(type(each), each) for each in told}) == len(told)
    return told if is_unique else [f"{place}: {each}" for place, each in enumerate(told)]


def _label(option: object) -> Choice:
    if option is None or isinstance(option, bool | int | float | str):
        return option
    if isinstance(option, Mapping):
        constants = {name: value for name, value in option.items() if not holds_domain(value)}
        only = next(iter(constants.values())) if len(constants) == 1 else None
        return only if isinstance(only, str) else json.dumps(constants, default=str)
    return str(option)


def single(distribution: BaseDistribution) -> object:
    """Return the only value of a distribution."""
    choices = getattr(distribution, "choices", None)
    return choices[0] if choices else distribution.low  # type: ignore[attr-defined]
