"""What importance and plots read of a result: they are below ``trialwright.results``, which calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trialwright.core.trial import Period
from trialwright.errors import nearest
from trialwright.messages import Boundary

if TYPE_CHECKING:
    from trialwright.searchers.gp.recommend import Predicted

Mode = Literal["min", "max"]


class AnyTrial(Protocol):
    """One trial, as ``trialwright.TrialResult``."""

    @property
    def id(self) -> int: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def metrics(self) -> dict[str, Any]: ...
    @property
    def best(self) -> tuple[float, int] | None: ...
    @property
    def started(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...
    @property
    def worker(self) -> str: ...
    @property
    def periods(self) -> tuple[Period, ...]: ...
    @property
    def history(self) -> list[dict[str, Any]]: ...


class AnyResult(Protocol):
    """A result, as ``trialwright.Result``."""

    @property
    def name(self) -> str: ...
    @property
    def metric(self) -> str | None: ...
    @property
    def objectives(self) -> tuple[tuple[str, Mode], ...]: ...
    @property
    def constraints(self) -> tuple[Boundary, ...]: ...
    @property
    def logarithmic(self) -> frozenset[str]: ...
    def best(self) -> AnyTrial: ...
    def predict(self, configs: Sequence[Mapping[str, Any]], metric: str | None = None) -> Predicted: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[AnyTrial]: ...


def metric_of(result: AnyResult, metric: str | None) -> str:
    """Return the metric that is meant: this one, or the run's first.

    Raises:
        ValueError: neither the call nor the run names one.
    """
    chosen = metric or result.metric
    if chosen is None:
        raise ValueError("the run has no metric: give metric=...")
    return chosen


def check_reported(result: AnyResult, metric: str) -> None:
    """Refuse a metric that no trial has reported, where others have been.

    Raises:
        ValueError: with the nearest name.
    """
    known = {name for trial in result for name in trial.metrics}
    if known and metric not in known:
        raise ValueError(f"no trial has reported {metric!r}{nearest(metric, known)}")
