"""Resources: what a trial needs and a machine has, in the user's amounts and in the ledger's units.

A *unit* is 1/10,000 of what the user counts in (CPUs, GPUs, bytes). Amounts are floored to units once, where they
enter, so that three thirds fit on a device and no sum ever drifts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from trialwright.errors import nearest

UNIT = 10_000

Units: TypeAlias = dict[str, int]
Request: TypeAlias = tuple[Units, ...]  # bundles: each is placed on one machine; today a request has one
Amounts: TypeAlias = dict[str, float]

KNOWN = ("cpu", "gpu", "memory")  # others are the user's own: a machine has those that its executor was given
_MEANT = {"cpus": "cpu", "gpus": "gpu", "num_cpus": "cpu", "num_gpus": "gpu", "mem": "memory", "ram": "memory"}


def to_units(resources: Mapping[str, float]) -> Units:
    """Floor amounts to units; zeros are left out.

    Raises:
        ValueError: a name is a misspelling of one of ours; an amount is negative, not finite, under one unit, or more
            than one GPU but not a whole number.
        TypeError: an amount is not a number.
    """
    return {name: units for name, amount in resources.items() if (units := _floor(name, amount))}


def to_request(resources: Mapping[str, float]) -> Request:
    """Return the request of a trial that needs these amounts on one machine.

    Raises:
        ValueError, TypeError: as ``to_units``.
    """
    return (to_units(resources),)


def to_amounts(units: Units) -> Amounts:
    """Return the amounts of these units, in what the user counts in."""
    return {name: count / UNIT for name, count in units.items()}


def total(request: Request) -> Units:
    """Return what all bundles of a request ask for together."""
    if len(request) == 1:
        return request[0]
    names = dict.fromkeys(name for bundle in request for name in bundle)
    return {name: sum(bundle.get(name, 0) for bundle in request) for name in names}


def describe(request: Request) -> str:
    """Write a request as a user would: ``{'cpu': 4, 'gpu': 0.5}``, or a list of such bundles."""
    bundles = [
        {name: int(amount) if amount == int(amount) else amount for name, amount in to_amounts(units).items()}
        for units in request
    ]
    return str(bundles[0] if len(bundles) == 1 else bundles)


def has_units(amount: float) -> int:
    """Floor what a machine has; 0.57 * 10,000 is 5,699.999...: the user wrote 5,700."""
    return math.floor(round(amount * UNIT, 3))


def _floor(name: str, amount: float) -> int:
    _check_name(name)
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise TypeError(f"resource {name!r} must be a number, not {amount!r}")
    if not math.isfinite(amount) or amount < 0:
        raise ValueError(f"resource {name!r} must be finite and not negative, not {amount!r}")
    units = has_units(amount)
    if amount > 0 and units == 0:
        raise ValueError(f"resource {name!r} = {amount!r} is less than the smallest share, 0.0001")
    if name == "gpu" and units > UNIT and units % UNIT:
        raise ValueError(f"resource 'gpu' = {amount!r}: more than one GPU must be a whole number of GPUs")
    return units


def _check_name(name: str) -> None:
    """Refuse misspelled names such as "cpus": as a custom resource, no machine would have it, and the trial would wait
    without end."""
    meant = _MEANT.get(name.lower()) or (name.lower() if name.lower() in KNOWN else None)
    if meant is not None and meant != name:
        raise ValueError(f"resource {name!r} is not known{nearest(meant, KNOWN)}")
