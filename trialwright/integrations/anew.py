"""Searchers of other libraries whose model is made anew for every question, from what is known of all trials.

So nothing depends on the order in which trials ended, and a resumed run goes on exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from trialwright.history import Values
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm


class Known:
    """What is known of all trials. A subclass says how a question is answered from it."""

    def __init__(self) -> None:
        self.seen: dict[int, Assignment] = {}
        self.costs: dict[int, float | None] = {}  # of what has ended; None where it failed

    def add(self, trial: int, assignment: Assignment) -> None:
        self.seen[trial] = assignment

    def tell(self, trial: int, values: Values | None) -> None:
        self.costs[trial] = None if values is None else values[0]

    @property
    def finite(self) -> list[float]:
        """The costs of the trials that ended well."""
        return [cost for cost in self.costs.values() if cost is not None]

    @property
    def pending(self) -> list[Assignment]:
        """What is being tried."""
        return [assignment for trial, assignment in sorted(self.seen.items()) if trial not in self.costs]

    def ended(self) -> list[tuple[Assignment, float]]:
        """Return what was tried, with its cost. A failed trial counts as the worst of the others."""
        worst = max(self.finite, default=0.0)
        return [
            (assignment, worst if cost is None else cost)
            for trial, assignment in sorted(self.seen.items())
            if (cost := self.costs.get(trial, worst)) is None or trial in self.costs
        ]


def flat_axes(form: Form, name: str) -> list[Axis]:
    """Return the axes of a space without branches.

    Raises:
        ValueError: a parameter depends on another; the message names both.
    """
    axes = cast(SpaceForm, form).axes
    for axis in axes:
        if axis.condition is not None:
            raise ValueError(
                f"{name} has no branches, and {axis.name!r} exists only in one of {axis.condition.parent!r}: "
                "use searcher='hyperopt', 'optuna', or 'smac'"
            )
    return axes


def check_options(name: str, options: Mapping[str, Any], refused: Mapping[str, str], known: Sequence[str]) -> None:
    """Refuse options that the library does not have, or that cannot be honoured here.

    Raises:
        ValueError: there is one; the message says what to use instead.
    """
    for option in options:
        if option in refused:
            raise ValueError(f"{name}(options={{{option!r}: ...}}) is not supported: {refused[option]}")
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; there are {', '.join(sorted({*known} - {*refused}))}")
