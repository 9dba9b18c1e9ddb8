"""Plots of what trials came to: Pareto front, empirical distribution, and several runs beside one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialwright.errors import nearest
from trialwright.plots.drawing import Backend, show
from trialwright.plots.history import history
from trialwright.plots.picture import Axis, Band, Dots, Line, Panel, Picture
from trialwright.plots.source import DOTS_MAX, PLACES_MAX, Run, Runs, fewer, named, notes, read, scored, spread
from trialwright.result_protocol import AnyResult, AnyTrial, metric_of
from trialwright.searchers.pareto import undominated
from trialwright.space.values import Bools, Floats, Ints, is_finite


@dataclass(frozen=True)
class Costs:
    """The n trials with finite last values of all m metrics: ``costs``, shape (n, m), are these times ``signs``, so
    that smaller is better; which ``feasible`` trials meet the outcome constraints."""

    metrics: list[str]
    trials: list[AnyTrial]
    costs: Floats
    signs: Floats
    feasible: Bools
    note: str


def costs_of(result: AnyResult, metrics: Sequence[str]) -> Costs:
    """Return the values of several objectives.

    Raises:
        ValueError: they are fewer than two, one is no objective of the run (with the nearest), or no trial has all.
    """
    modes = dict(result.objectives)
    for metric in metrics:
        if metric not in modes:
            raise ValueError(f"{metric!r} is no objective of the run{nearest(metric, modes)}")
    if len(metrics) < 2:
        raise ValueError(f"this plot needs two objectives or more, and the run has {len(modes)}")
    trials = [*result]
    there = [trial for trial in trials if all(is_finite(trial.metrics.get(metric)) for metric in metrics)]
    if not there:
        raise ValueError(f"there is nothing to draw: none of {len(trials)} trials has finite {', '.join(metrics)}")
    signs = np.array([-1.0 if modes[metric] == "max" else 1.0 for metric in metrics])
    values = np.array([[float(trial.metrics[metric]) for metric in metrics] for trial in there])
    feasible = np.array([all(goal.met(trial.metrics) for goal in result.constraints) for trial in there])
    missing = len(trials) - len(there)
    note = f"{missing:,} trials without finite values" if missing else ""
    if not feasible.any():
        raise ValueError(f"there is no front: none of {len(there)} trials meets the outcome constraints")
    return Costs([*metrics], there, signs * values, signs, feasible, note)


def pareto_front(
    result: Run,
    metrics: Sequence[str] | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw all trials by two or three objectives, with the front: the trials that no other beats.

    Args:
        result: of a run with several objectives.
        metrics: two or three of its objectives, if it has more.
        ax: where to draw, with matplotlib; of three objectives, ``figure.add_subplot(projection="3d")``.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: the run has one objective, or more than three are to be drawn; no trial has finite values, or none
            meets the outcome constraints.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(front_picture(result, metrics or [name for name, _ in result.objectives]), ax, backend)


def front_picture(result: AnyResult, metrics: Sequence[str]) -> Picture:
    """Return the trials that do not meet the constraints, the others, and the front, which is whole."""
    if len(metrics) > 3:
        raise ValueError(f"two or three objectives can be drawn, not {len(metrics)}: give metrics=[...]")
    known = costs_of(result, metrics)
    allowed = np.flatnonzero(known.feasible)
    front = allowed[undominated(known.costs[allowed])]
    front = front[np.argsort(known.costs[front, 0], kind="stable")]
    rest, outside = np.setdiff1d(allowed, front), np.flatnonzero(~known.feasible)
    shown = rest[spread(len(rest), DOTS_MAX)]
    parts = [(outside[spread(len(outside), DOTS_MAX)], "constraint not met"), (shown, "trials"), (front, "front")]
    marks: list[Dots | Line] = [_dots(known, rows, name) for rows, name in parts if len(rows)]
    if len(metrics) == 2:
        marks.append(_stairs(known, front))
    note = notes(fewer(len(shown), len(rest), "dominated trials"), known.note)
    axes = [Axis(metric) for metric in metrics]
    return Picture((Panel(axes[0], axes[1], tuple(marks), note=note, z=axes[2] if len(axes) == 3 else None),))


def _dots(known: Costs, rows: Ints, name: str) -> Dots:
    places = (known.costs * known.signs)[rows].T
    labels = tuple(f"trial {known.trials[row].id}" for row in rows)
    z = places[2] if len(places) == 3 else None
    return Dots(places[0], places[1], labels, name, faint=name == "constraint not met", z=z)


def _stairs(known: Costs, front: Ints) -> Line:
    """Return the edge of what the front dominates."""
    x, y = known.costs[front].T
    corners = np.column_stack([np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]]) * known.signs
    return Line(corners[:, 0], corners[:, 1])


def edf(
    results: Runs,
    others: Runs = (),
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw the empirical distribution of a metric's last values: which part of the trials came to at most this value.

    Args:
        results: a result, a list of results, or a dict of names and results. Several results under one name count as
            one.
        others: more of these, to compare with.
        metric: what to draw; the first run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    return show(edf_picture(named(results, others), metric), ax, backend)


def edf_picture(groups: dict[str, list[AnyResult]], metric: str | None) -> Picture:
    """Return a staircase for each group of runs."""
    metric = metric_of(next(iter(groups.values()))[0], metric)
    known = {name: [scored(run, metric) for run in runs] for name, runs in groups.items()}
    lines = [_distribution(np.concatenate([run.values for run in runs]), name) for name, runs in known.items()]
    missing = sum(run.missing for runs in known.values() for run in runs)
    note = f"{missing:,} trials without a finite {metric}" if missing else ""
    return Picture((Panel(Axis(metric), Axis("part of the trials"), tuple(lines), note=note, y_range=(0.0, None)),))


def _distribution(values: Floats, name: str) -> Line:
    places = spread(len(values), PLACES_MAX)
    ordered = np.sort(values)[places]
    return Line(np.append(ordered[0], ordered), np.append(0.0, (places + 1) / len(values)), name, step="after")


def comparison(
    results: Runs,
    others: Runs = (),
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw the best value so far of several runs. Of runs with other seeds under one name, it is the mean, with its
    95 % interval (Student's t); it ends where the shortest of them does.

    Args:
        results: a result, a list of results, or a dict of names and results:
            ``{"gp": [first, second], "random": third}``.
        others: more of these, to compare with.
        metric: an objective of all runs; the first run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: the metric is no objective of a run, or the runs do not agree on its direction; no trial has it.
        ImportError: the backend is not installed.
    """
    return show(comparison_picture(named(results, others), metric), ax, backend)


def comparison_picture(groups: dict[str, list[AnyResult]], metric: str | None) -> Picture:
    """Return a staircase for each group, and a band for those of several runs."""
    metric = metric_of(next(iter(groups.values()))[0], metric)
    _check_modes(groups, metric)
    lines, bands, said = [], [], []
    for name, runs in groups.items():
        bests = [_bests(run, metric) for run in runs]
        n = min(map(len, bests))
        places, several = spread(n, PLACES_MAX), np.array([best[:n] for best in bests])
        x = places.astype(np.float64) + 1
        mean = several.mean(axis=0)
        label = f"{name} ({len(runs)} runs)" if len(runs) > 1 else name
        lines.append(Line(x, mean[places], label, step="after"))
        if len(runs) > 1:
            half = _half(several)
            bands.append(Band(x, (mean - half)[places], (mean + half)[places], label, step=True))
        if n < max(map(len, bests)):
            said.append(f"{name}: runs of {n:,} to {max(map(len, bests)):,} trials")
    title = "mean and its 95 % interval" if bands else ""
    axes = Axis("trials ended"), Axis(f"best {metric} so far")
    shown = _around(np.concatenate([line.y for line in lines])) if bands else (None, None)
    return Picture((Panel(*axes, (*lines, *bands), title, notes(*said), y_range=shown),))


def _around(values: Floats) -> tuple[float | None, float | None]:
    """Return a range a quarter wider than the values: the interval of two runs may be so wide that nothing else could
    be seen."""
    there = values[np.isfinite(values)]
    if not len(there):
        return None, None
    margin = float(there.max() - there.min()) / 4 or 1.0
    return float(there.min()) - margin, float(there.max()) + margin


def _check_modes(groups: dict[str, list[AnyResult]], metric: str) -> None:
    modes = set()
    for name, runs in groups.items():
        for run in runs:
            if metric not in dict(run.objectives):
                raise ValueError(f"{metric!r} is no objective of {name!r}{nearest(metric, dict(run.objectives))}")
            modes.add(dict(run.objectives)[metric])
    if len(modes) > 1:
        raise ValueError(f"some of these runs minimise {metric!r}, and some maximise it")


def _bests(run: AnyResult, metric: str) -> Floats:
    return np.array(history(run, metric).best)


def _half(several: Floats) -> Floats:
    """Return half the width of the 95 % interval of the mean of each column."""
    from scipy.special import stdtrit  # a third of a second: only who compares several runs waits for it

    n = len(several)
    return np.asarray(several.std(axis=0, ddof=1) / np.sqrt(n) * stdtrit(n - 1, 0.975))
