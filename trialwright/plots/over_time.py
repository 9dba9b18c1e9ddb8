"""Plots over trials, steps or seconds: history, learning curves, rung survival, hypervolume, timeline."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

from trialwright.core.trial import Period
from trialwright.errors import nearest
from trialwright.plots.drawing import Backend, show
from trialwright.plots.history import history
from trialwright.plots.outcomes import Costs, costs_of
from trialwright.plots.picture import Axis, Dots, Line, Panel, Picture, Spans
from trialwright.plots.source import DOTS_MAX, PLACES_MAX, Run, fewer, notes, read, scored, spread
from trialwright.result_protocol import AnyResult, AnyTrial, metric_of
from trialwright.searchers.pareto import hypervolume, undominated
from trialwright.space.values import Floats, is_finite

CURVES_MAX = 200
BEST_CURVES = 20  # of these, if not all are drawn
STANDING = "trials that came so far"
VOLUMES_MAX = (0, 0, 500, 100)  # by objectives: the volume of more takes longer
LANES_NAMED = 40


def learning_curves(
    result: Run,
    metric: str | None = None,
    *,
    x: str = "step",
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw what each trial reported, one line a trial. Of more than 200 trials, 200 are drawn: the best 20, and others
    that are evenly spread over the run.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        x: over what: "step", "time_s" (seconds), or any metric.
        ax: where to draw, with matplotlib; a new figure if it is not given.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there is no metric, or no trial has reported it; or no such backend; or ``ax`` is given to plotly.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(curves_picture(result, metric_of(result, metric), x), ax, backend)


def curves_picture(result: AnyResult, metric: str, x: str) -> Picture:
    """Return the lines of at most CURVES_MAX trials."""
    trials = [*result]
    drawn = _some(result, trials, metric)
    curves = [_curve(trial, metric, x) for trial in drawn]
    lines = tuple(line for line in curves if len(line.x))
    if not lines:
        raise ValueError(_why_no_curve(drawn, metric, x))
    note = fewer(len(drawn), len(trials))
    panel = Panel(
        Axis(x), Axis(metric), lines, note=f"{note}, the best {BEST_CURVES} too" if note else "", legend=False
    )
    return Picture((panel,))


def _some(result: AnyResult, trials: list[AnyTrial], metric: str) -> list[AnyTrial]:
    """Return all trials, or the best and some others; those that have not reported the metric at last come last."""
    if len(trials) <= CURVES_MAX:
        return trials
    there = [trial for trial in trials if is_finite(trial.metrics.get(metric))] or trials
    places = {*spread(len(there), CURVES_MAX - BEST_CURVES).tolist()}
    if mode := dict(result.objectives).get(metric):
        sign = -1.0 if mode == "max" else 1.0
        values = [sign * float(trial.metrics.get(metric, math.inf)) for trial in there]
        places |= {*np.argsort(values, kind="stable")[:BEST_CURVES].tolist()}
    return [there[place] for place in sorted(places)]


def _why_no_curve(trials: list[AnyTrial], metric: str, x: str) -> str:
    known = {name for trial in trials for row in trial.history for name in row}
    for name in (metric, x):
        if known and name not in known:
            return f"no trial has reported {name!r}{nearest(name, known)}"
    return f"there is nothing to draw: no trial has reported {metric!r} and {x!r} together"


def _curve(trial: AnyTrial, metric: str, x: str) -> Line:
    rows = [(row[x], row[metric]) for row in trial.history if is_finite(row.get(x)) and is_finite(row.get(metric))]
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)[spread(len(rows), PLACES_MAX)]
    return Line(points[:, 0], points[:, 1], f"trial {trial.id}")


def optimization_history(
    result: Run,
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw what trials came to, in the order in which they ended, and the best so far.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    result = read(result)
    return show(history_picture(result, metric_of(result, metric)), ax, backend)


def history_picture(result: AnyResult, metric: str) -> Picture:
    """Return dots for the trials, and a staircase for the best."""
    known, found = scored(result, metric), history(result, metric)
    values, places = np.array(found.values), spread(len(found.trials), DOTS_MAX)
    labels = tuple(f"trial {found.trials[place]}" for place in places)
    marks: list[Dots | Line] = [Dots(places.astype(np.float64) + 1, values[places], labels, "trials")]
    if found.best:
        marks.append(_staircase(np.array(found.best)))
    note = notes(fewer(len(places), len(values)), known.note)
    return Picture((Panel(Axis("trials ended"), Axis(metric), tuple(marks), note=note),))


def _staircase(best: Floats) -> Line:
    """Return the best so far without places where nothing changes."""
    changes = np.flatnonzero(np.diff(best, prepend=np.nan) != 0)
    places = np.unique([*changes, len(best) - 1])
    return Line(places + 1.0, best[places], "best so far", step="after", is_best=True)


def rung_survival(
    result: Run,
    *,
    x: str = "step",
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw how many trials came how far: a staircase that falls at each rung of ASHA or HyperBand.

    Args:
        result: of a run.
        x: how far: "step", "time_s" (seconds), or any metric that only grows.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    return show(survival_picture(read(result), x), ax, backend)


def survival_picture(result: AnyResult, x: str) -> Picture:
    """Return how many trials have come how far, by the last ``x`` that each reported."""
    known = scored(result, x)
    reached = sorted(known.values.tolist())
    places = np.unique(known.values)
    places = places[spread(len(places), PLACES_MAX)]
    counts = [len(reached), *(len(reached) - bisect_left(reached, place) for place in places)]
    line = Line(np.array([0.0, *places]), np.array(counts, dtype=np.float64), step="before")
    note = f"{known.missing:,} trials have reported nothing" if known.missing else ""
    return Picture((Panel(Axis(x), Axis(STANDING), (line,), note=note, y_range=(0.0, None), legend=False),))


def hypervolume_history(
    result: Run,
    reference: Sequence[float] | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw how the hypervolume of the Pareto front grows with the trials that have ended.

    Args:
        result: of a run with several objectives.
        reference: a value for each objective; the volume is between the front and this point. By default, the worst
            value of each objective among the trials that meet the outcome constraints.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: the run has one objective, or the reference has another number of values.
        ImportError: the backend is not installed.
    """
    return show(hypervolume_picture(read(result), reference), ax, backend)


def hypervolume_picture(result: AnyResult, reference: Sequence[float] | None) -> Picture:
    """Return the volume at some hundred numbers of trials."""
    known = costs_of(result, [name for name, _ in result.objectives])
    if reference is not None and len(reference) != len(known.metrics):
        raise ValueError(f"reference needs {len(known.metrics)} values, one for each objective, not {len(reference)}")
    corner = known.signs * np.array(reference) if reference is not None else None
    places, volumes = _volumes(known, corner)
    line = Line(places, volumes, "hypervolume", step="after", is_best=True)
    note = notes(fewer(len(places), len(known.trials), "numbers of trials"), known.note)
    return Picture((Panel(Axis("trials ended"), Axis("hypervolume"), (line,), note=note, legend=False),))


def _volumes(known: Costs, corner: Floats | None) -> tuple[Floats, Floats]:
    order = sorted(range(len(known.trials)), key=lambda row: (known.trials[row].ended or 0.0, known.trials[row].id))
    costs = np.where(known.feasible[:, None], known.costs, np.inf)[order]
    if corner is None:
        corner = known.costs[known.feasible].max(axis=0)
    places = spread(len(order), VOLUMES_MAX[min(costs.shape[1], 3)]) + 1
    front, volumes, begin = np.empty((0, costs.shape[1])), np.zeros(len(places)), 0
    for number, place in enumerate(places):
        new = costs[begin:place]
        known_front, front = front, _front(np.vstack([front, new[np.all(new < corner, axis=1)]]))
        same = len(front) == len(known_front) and np.array_equal(front, known_front)
        volumes[number] = volumes[number - 1] if same and number else hypervolume(front, corner)
        begin = place
    return places.astype(np.float64), volumes


def _front(costs: Floats) -> Floats:
    return costs[undominated(costs)] if len(costs) else costs


def timeline(
    result: Run,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw when trials ran, a lane for each slot, coloured by how they ended: gaps are idle slots. Each attempt
    is a bar: a trial that was paused or retried has several.

    Args:
        result: of a run.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: no trial has started; or no such backend.
        ImportError: the backend is not installed.
    """
    return show(timeline_picture(read(result)), ax, backend)


def timeline_picture(result: AnyResult) -> Picture:
    """Return the bars of at most DOTS_MAX attempts."""
    bars = sorted(((period, trial) for trial in result for period in trial.periods), key=lambda bar: bar[0].started)
    if not bars:
        raise ValueError("there is nothing to draw: no trial has started")
    now = max(period.started if period.ended is None else period.ended for period, _ in bars)
    lanes, names = _lanes([period for period, _ in bars], now)
    drawn = spread(len(bars), DOTS_MAX).tolist()
    kinds: dict[str, list[int]] = {kind: [] for kind in ("completed", "stopped", "failed", "lost", "paused")}
    for place in drawn:
        period = bars[place][0]
        kinds.setdefault("not ended" if period.ended is None else period.how, []).append(place)
    marks = tuple(_spans(kind, [(*bars[row], lanes[row]) for row in rows], now) for kind, rows in kinds.items() if rows)
    axis = Axis("slot", names=names if len(names) <= LANES_NAMED else None)
    note = fewer(len(drawn), len(bars), "attempts")
    return Picture((Panel(Axis("seconds of the run"), axis, marks, note=note),))


def _spans(kind: str, bars: list[tuple[Period, AnyTrial, int]], now: float) -> Spans:
    begin = np.array([period.started for period, _, _ in bars])
    end = np.array([now if period.ended is None else period.ended for period, _, _ in bars])
    lane = np.array([float(lane) for _, _, lane in bars])
    return Spans(begin, end, lane, kind, tuple(_told(kind, period, trial) for period, trial, _ in bars))


def _told(kind: str, period: Period, trial: AnyTrial) -> str:
    is_last = period == trial.periods[-1]
    which = f"trial {trial.id}" if len(trial.periods) == 1 else f"trial {trial.id}, attempt {period.attempt}"
    return f"{which}: {trial.reason if is_last and trial.reason else kind}"


def _lanes(periods: list[Period], now: float) -> tuple[list[int], tuple[str, ...]]:
    """Return the lane of each period, and what the lanes are called: by worker, and where a worker ran several trials
    at once, the first lane that is free."""
    free: dict[str, list[tuple[float, int]]] = {}
    names: list[str] = []
    lanes = []
    for period in periods:
        own = free.setdefault(period.worker, [])
        if own and own[0][0] <= period.started:
            _, lane = heapq.heappop(own)
        else:
            lane = len(names)
            names.append(f"{period.worker} {len(own) + 1}" if own else period.worker)
        lanes.append(lane)
        heapq.heappush(own, (now if period.ended is None else period.ended, lane))
    return lanes, tuple(names)
