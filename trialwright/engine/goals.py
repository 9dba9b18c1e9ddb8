"""Outcome constraints, as users write them: ``"memory <= 8e9"``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, cast

from trialwright.messages import Boundary

_CONSTRAINT = re.compile(r"\s*(?P<metric>\S.*?)\s*(?P<op><=|>=)\s*(?P<bound>\S+)\s*")


def outcome_constraints(given: object) -> tuple[Boundary, ...]:
    """Read constraints such as ``"memory <= 8e9"``, which the reports of the best trial must meet.

    Raises:
        TypeError: it is not a list of strings.
        ValueError: a string is not a constraint.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise TypeError(f"outcome_constraints must be a list of strings like 'memory <= 8e9', not {given!r}")
    return tuple(map(_constraint, given))


def _constraint(text: object) -> Boundary:
    found = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
    try:
        bound = float(found["bound"]) if found else math.nan
    except ValueError:
        bound = math.nan
    if found is None or not math.isfinite(bound):
        raise ValueError(f"outcome constraint {text!r} must be 'metric <= number' or 'metric >= number'")
    return Boundary(found["metric"], cast(Literal[">=", "<="], found["op"]), bound)
