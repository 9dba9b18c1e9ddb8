"""Learning curves in files: tables of the user's, and runs of this package."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trialwright.bench.curves import Curves, spread
from trialwright.loading import load
from trialwright.nested import flatten
from trialwright.space.values import Floats

COLUMNS = ("trial", "step", "loss", "seconds")


def read_curves(path: Path) -> Curves:
    """Read learning curves.

    - ``.npz``: ``losses`` of shape (configurations, steps); ``seconds`` that each step takes, of the same shape or any
      that NumPy broadcasts to it, 1 if it is missing; ``points`` in the unit cube, of shape (configurations, d), if
      there are any.
    - ``.csv``: a row for each step of each trial, with the columns ``trial``, ``step``, ``loss``, ``seconds`` (that
      the step took; 1 if it is missing), and one for each hyper-parameter.
    - a directory: that of a run of this package. Its trials that went as far as any are the configurations.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is none of these, or something is missing in it.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or directory {path}")
    kinds: Mapping[str, Callable[[Path], Curves]] = {".npz": _arrays, ".csv": _rows}
    if path.is_dir():
        return _run(path)
    if path.suffix not in kinds:
        raise ValueError(f"{path} must be a directory of a run, or end in {' or '.join(kinds)}")
    return kinds[path.suffix](path)


def _arrays(path: Path) -> Curves:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
    if "losses" not in arrays:
        raise ValueError(f"{path} has {', '.join(arrays)}, but no losses")
    losses, took_s = arrays["losses"], arrays.get("seconds", np.ones(1))
    try:
        seconds = np.cumsum(np.broadcast_to(took_s, losses.shape), axis=-1)
    except ValueError:
        raise ValueError(f"{path}: seconds of shape {took_s.shape} for losses of shape {losses.shape}") from None
    return Curves(path.stem, losses, seconds, arrays.get("points"))


def _rows(path: Path) -> Curves:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    if lacking := [name for name in COLUMNS[:3] if not rows or name not in rows[0]]:
        raise ValueError(f"{path} has no column {', '.join(lacking)}; it needs {', '.join(COLUMNS[:3])}")
    trials: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: float(row["step"])):
        trials.setdefault(row["trial"], []).append(row)
    if len({len(steps) for steps in trials.values()}) != 1:
        raise ValueError(f"{path}: trials differ in how many steps they have; only whole curves can be compared on")
    losses = np.array([[float(row["loss"] or "nan") for row in steps] for steps in trials.values()])
    took_s = np.array([[float(row.get("seconds") or 1) for row in steps] for steps in trials.values()])
    configs = [{key: each for key, each in steps[0].items() if key not in COLUMNS} for steps in trials.values()]
    return Curves(path.stem, losses, np.cumsum(took_s, axis=1), points_of(configs))


def _run(path: Path) -> Curves:
    result = load(path)
    if result.metric is None:
        raise ValueError(f"the run {path} has no metric")
    histories = [(trial, trial.history) for trial in result]
    steps = max((len(history) for _, history in histories), default=0)
    whole = [(trial, history) for trial, history in histories if history and len(history) == steps]
    if len(whole) < 2:
        raise ValueError(
            f"the run {path} has {len(whole)} trials with {steps} steps; curves of two at least are needed"
        )
    sign = -1.0 if result.mode == "max" else 1.0
    losses = np.array([[sign * float(row[result.metric]) for row in history] for _, history in whole])
    seconds = np.array([[float(row["time_s"]) for row in history] for _, history in whole])
    return Curves(path.name, losses, np.maximum(seconds, 1e-6), points_of([trial.config for trial, _ in whole]))


def points_of(configs: Sequence[Mapping[str, Any]]) -> Floats | None:
    """Return configurations as points in the unit cube, shape (n, d): numbers on a linear or logarithmic scale, others
    by the place among the values; what does not vary is left out. None if nothing varies."""
    flat = [flatten(dict(config)) for config in configs]
    names = dict.fromkeys(name for config in flat for name in config)
    columns = [_column([config.get(name) for config in flat]) for name in names]
    varying = [column for column in columns if column.min() < column.max()]
    return np.stack(varying, axis=1) if varying else None


def _column(values: Sequence[object]) -> Floats:
    try:
        return spread(np.array([float(value) for value in values]))  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        places = {each: place for place, each in enumerate(sorted({repr(value) for value in values}))}
        return spread(np.array([1.0 + places[repr(value)] for value in values]))
