"""Stop rules: when a trial ends, regardless of its scheduler.

``stop={"accuracy": 0.95}`` ends a trial that reports at least that; ``{"loss": ("<=", 0.1)}`` one that reports at most
that; with several, the first that is met ends it. A function ``stop(trial_id, metrics) -> bool`` or a ``Stopper`` is
asked at every report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias, runtime_checkable

from trialwright.errors import import_instead
from trialwright.messages import EVERY_REPORT, Boundary, Config, Metric, Report, Until

StopFunction: TypeAlias = Callable[[int, dict[str, Metric]], bool]


@runtime_checkable
class Stopper(Protocol):
    """A stop rule of yours that has a state."""

    def __call__(self, trial_id: int, metrics: dict[str, Metric]) -> bool:
        """Tell whether this report ends its trial."""

    def stop_all(self) -> bool:
        """Tell whether the whole run should end; asked after each call."""


Stop: TypeAlias = "Mapping[str, float | tuple[str, float]] | StopFunction | Stopper | StopRule | Sequence[Stop] | None"


@runtime_checkable
class StopRule(Protocol):
    """A stop rule as the experiment calls it. It is made from the user's ``stop``; give an object of your own if the
    rule needs the config.

    The report and the config must not be changed. When a run is resumed, the rule is asked again about every earlier
    report, in the same order, to restore its state; these answers are not used.
    """

    @property
    def boundaries(self) -> Until:
        """Where the worker must wait for a decision."""

    def reason(self, trial: int, report: Report, config: Config) -> str | None:
        """Return why this report ends its trial, or None."""

    def stop_all(self) -> str | None:
        """Return why the whole run ends, or None."""


@dataclass(frozen=True)
class Thresholds:
    """A stop dict. The worker tests its boundaries, so that other reports need no answer."""

    boundaries: Until

    def reason(self, trial: int, report: Report, config: Config) -> str | None:
        """Name the first boundary that is met."""
        met = next((boundary for boundary in self.boundaries if boundary.met(report.metrics)), None)
        return f"{met.metric} {met.op} {met.value:g}" if met else None

    def stop_all(self) -> str | None:
        """Return None: thresholds concern single trials."""
        return None


@dataclass(frozen=True)
class Called:
    """A stop function or Stopper: every report waits for it."""

    function: StopFunction
    boundaries: Until = EVERY_REPORT

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric that it uses, if it has a ``metric`` attribute."""
        named = getattr(self.function, "metric", None)
        return (named,) if isinstance(named, str) else ()

    def reason(self, trial: int, report: Report, config: Config) -> str | None:
        """Ask it."""
        return f"stop rule {_name(self.function)}" if self.function(trial, dict(report.metrics)) else None

    def stop_all(self) -> str | None:
        """Ask it, if it is a Stopper."""
        if isinstance(self.function, Stopper) and self.function.stop_all():
            return f"stop rule {_name(self.function)}"
        return None


@dataclass(frozen=True)
class AnyOf:
    """Several rules: all are asked, and the first one with a reason ends the trial."""

    rules: tuple[StopRule, ...]

    @cached_property
    def boundaries(self) -> Until:
        """The boundaries of all."""
        return tuple(dict.fromkeys(boundary for rule in self.rules for boundary in rule.boundaries))

    def reason(self, trial: int, report: Report, config: Config) -> str | None:
        """Return the first reason."""
        # A list, not a generator: rules with a state must see every report.
        return next(filter(None, [rule.reason(trial, report, config) for rule in self.rules]), None)

    def stop_all(self) -> str | None:
        """Return the first reason."""
        return next(filter(None, [rule.stop_all() for rule in self.rules]), None)


def stop_rule(stop: Stop) -> StopRule:
    """Turn what a user may give as ``stop`` into one rule.

    Raises:
        ValueError: a threshold that is not finite, or an operator that is neither ``">="`` nor ``"<="``.
        TypeError: something that is not a stop rule.
    """
    if stop is None:
        return AnyOf(())
    if isinstance(stop, StopRule):
        return stop
    if isinstance(stop, Mapping):
        return Thresholds(tuple(_boundary(metric, value) for metric, value in stop.items()))
    if import_instead(stop):
        raise TypeError(f"stop must not be {stop!r}{import_instead(stop)}")
    if callable(stop):
        return Called(stop)
    if isinstance(stop, list | tuple):
        return AnyOf(tuple(map(stop_rule, stop)))
    raise TypeError(f"stop must be a dict, a function, a Stopper, or a list of these, not {stop!r}")


def metrics_of(rule: StopRule) -> tuple[str, ...]:
    """Return the metrics that a rule names: those of its boundaries, and its ``metrics`` if it has such an
    attribute."""
    inner = [metric for each in getattr(rule, "rules", ()) for metric in metrics_of(each)]
    return (*(boundary.metric for boundary in rule.boundaries), *getattr(rule, "metrics", ()), *inner)


def _boundary(metric: str, threshold: float | tuple[str, float]) -> Boundary:
    op, value = threshold if isinstance(threshold, tuple) else (">=", threshold)
    if op not in (">=", "<="):
        raise ValueError(f"stop[{metric!r}]: the operator must be '>=' or '<=', not {op!r}")
    if type(value) not in (int, float) or math.isnan(value):
        raise ValueError(f"stop[{metric!r}] must be a number, not {value!r}")
    return Boundary(metric, ">=" if op == ">=" else "<=", value)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))
