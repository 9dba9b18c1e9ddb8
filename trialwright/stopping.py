"""Stop rules: when a trial ends, regardless of its scheduler.

``stop={"accuracy": 0.95}`` ends a trial that reports at least that; ``{"loss": ("<=", 0.1)}`` one that reports at most
that; with several, the first that is met ends it. A function ``stop(trial_id, metrics) -> bool`` or a ``Stopper`` is
asked at every report. ``TrialPlateau`` and ``RunPlateau`` are such stoppers.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, TypeAlias, runtime_checkable

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


class TrialPlateau:
    """A ``Stopper`` that ends a trial whose metric has stopped changing.

    Args:
        metric: the name of the metric.
        std: the metric has stopped changing when the standard deviation of its last values is below this. One of them
            that is not a finite number counts as a change.
        window: how many values are the last ones.
        grace_period: how many reports a trial makes at least.
        threshold: end only trials whose metric is at least this good.
        mode: which direction is good, "min" or "max"; used with ``threshold``.

    Raises:
        ValueError: the window is empty, or there is a threshold without a mode.
    """

    def __init__(
        self,
        metric: str,
        *,
        std: float = 0.01,
        window: int = 4,
        grace_period: int = 4,
        threshold: float | None = None,
        mode: Literal["min", "max"] | None = None,
    ) -> None:
        if window < 1:
            raise ValueError(f"the window must have at least 1 value, not {window!r}")
        if threshold is not None and mode not in ("min", "max"):
            raise ValueError(f"a threshold needs a mode, 'min' or 'max', not {mode!r}")
        self.metric, self._std, self._window, self._grace_period = metric, std, window, grace_period
        self._threshold, self._mode = threshold, mode
        self._reports: Counter[object] = Counter()  # by trial
        self._last: defaultdict[object, deque[float]] = defaultdict(lambda: deque(maxlen=window))

    def __call__(self, trial_id: object, metrics: Mapping[str, object]) -> bool:
        """Tell whether this report ends its trial."""
        value, last = _number(metrics.get(self.metric)), self._last[trial_id]
        last.append(value)
        self._reports[trial_id] += 1
        if self._reports[trial_id] < self._grace_period or len(last) < self._window:
            return False
        return self._is_good(value) and _deviation(last) < self._std

    def stop_all(self) -> bool:
        """Return False: this is about single trials."""
        return False

    def _is_good(self, value: float) -> bool:
        if self._threshold is None:
            return True
        return value <= self._threshold if self._mode == "min" else value >= self._threshold


class RunPlateau:
    """A ``Stopper`` that ends the run when its best values are nearly equal.

    Args:
        metric: the name of the metric.
        mode: which values are best, "min" or "max".
        std: they are nearly equal when their standard deviation is at most this.
        top: how many best values are compared, of all trials together. NaN and infinities are none of them.
        patience: how many reports in a row must leave them nearly equal.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        metric: str,
        mode: Literal["min", "max"] = "min",
        *,
        std: float = 0.001,
        top: int = 10,
        patience: int = 0,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        if top <= 1 or top != int(top):
            raise ValueError(f"top must be an integer greater than 1, not {top!r}")
        if patience < 0 or patience != int(patience):
            raise ValueError(f"patience must be an integer that is not negative, not {patience!r}")
        if not std > 0:
            raise ValueError(f"std must be greater than 0, not {std!r}")
        self.metric, self._std, self._top, self._patience = metric, std, top, patience
        self._sign = 1.0 if mode == "min" else -1.0
        self._best: list[float] = []
        self._in_a_row = 0

    def __call__(self, trial_id: object, metrics: Mapping[str, object]) -> bool:
        """Tell whether the run should end, and so this trial."""
        cost = self._sign * _number(metrics.get(self.metric))
        if math.isfinite(cost):
            self._best = sorted([*self._best, cost])[: self._top]
        self._in_a_row = self._in_a_row + 1 if self.has_plateaued() else 0
        return self.stop_all()

    def has_plateaued(self) -> bool:
        """Tell whether the best values are nearly equal."""
        return len(self._best) == self._top and _deviation(self._best) <= self._std

    def stop_all(self) -> bool:
        """Tell whether they have been so for long enough."""
        return self.has_plateaued() and self._in_a_row >= self._patience


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _deviation(values: Collection[float]) -> float:
    return statistics.pstdev(values) if all(map(math.isfinite, values)) else math.inf


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
