"""Loading: the result of a run, read from its directory, whether it is over, was interrupted, or still goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from trialwright.core.plan import Mode, Plan
from trialwright.core.scores import Scores
from trialwright.core.trial import Trial, has_begun
from trialwright.engine.goals import outcome_constraints
from trialwright.messages import Checkpoint, Plain, Reported, Started
from trialwright.progress import Statistics
from trialwright.results import Result, TrialResult
from trialwright.space import Space
from trialwright.storage import checkpoints
from trialwright.storage.base import Store, TrialRow
from trialwright.storage.checkpoints import trial_directory
from trialwright.storage.sqlite import SqliteStore


def load(directory: str | os.PathLike[str]) -> Result:
    """Return the result of a run as its journal has it. Nothing is run, and the objective is not needed.

    What only a replay of the decisions could tell is missing: ``explain``, ``lineage``, and why a run was stopped.
    ``Engine.resume(path, objective, ...).run()`` has it all.

    Args:
        directory: the run's, or a link to it.

    Raises:
        ValueError: there is no run.
        StorageError: its journal is damaged.
    """
    path = Path(directory).resolve()
    store = SqliteStore.open(path, read_only=True)
    told = cast("Mapping[str, Plain]", store.settings["data"])
    plan, space = _plan(told), _space(told)
    seen = _Seen(store, plan)
    return Result(
        name=str(told.get("name") or path.name),
        metric=plan.metrics[0] if plan.metrics else None,
        mode=plan.modes[0] if plan.modes else "min",
        trials=[seen.complete(trial) for trial in load_trials(store, path)],
        path=path,
        stopped=None,
        wall_s=seen.now,
        statistics=Statistics(wall_s=seen.now),
        objectives=tuple(zip(plan.metrics, plan.modes, strict=True)),
        constraints=plan.outcome_constraints,
        logarithmic=frozenset() if space is None else space.logarithmic,
    )


def load_trials(store: Store, path: Path) -> list[TrialResult]:
    """Return the trials of the run in ``path`` that have begun, by their rows alone, without their best values."""
    space = _space(cast("Mapping[str, Plain]", store.settings["data"]))
    rows = filter(has_begun, store.trials())
    return [_trial(row, space, store, trial_directory(path, row.id)) for row in rows]


def _trial(row: TrialRow, space: Space | None, store: Store, directory: Path) -> TrialResult:
    return TrialResult(
        id=row.id,
        state=row.state,
        outcome=row.outcome,
        reason=row.reason,
        attempts=row.attempt,
        config=row.config if space is None else space.resolve(row.config),
        metrics=dict(row.metrics),
        best=None,
        error=row.error,
        traceback=row.traceback,
        directory=directory,
        started=row.started,
        ended=row.ended,
        _frames=store.frames,
        saved=None if row.checkpoint is None else Checkpoint(row.checkpoint, row.step),
        step=row.step,
    )


def _space(told: Mapping[str, Plain]) -> Space | None:
    return Space.from_plain(cast("dict[str, Any]", told["space"])) if "space" in told else None


def _plan(told: Mapping[str, Plain]) -> Plan:
    """Return the goals of a run from what its engine was told."""
    metrics, modes = _several(told.get("metric")), _several(told.get("mode") or "min")
    modes = modes * len(metrics) if len(modes) == 1 else modes
    constraints = outcome_constraints(told.get("outcome_constraints") or ())
    return Plan(metrics=metrics, modes=cast("tuple[Mode, ...]", modes), outcome_constraints=constraints)


def _several(given: Plain) -> tuple[str, ...]:
    return tuple(map(str, given)) if isinstance(given, list) else () if given is None else (str(given),)


class _Seen:
    """What the events say that the rows do not: each trial's best value, and which worker ran it last."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.now = 0.0
        self._sign = plan.signs[0] if plan.signs else 1.0
        self._trials: dict[int, Trial] = {}
        scores = Scores(plan)
        for entry in store.entries():
            self.now = entry.now
            if isinstance(entry.event, Started):
                self._of(entry.event.trial).worker = entry.event.worker
            elif isinstance(entry.event, Reported):
                scores.note(self._of(entry.event.trial), entry.event)

    def _of(self, number: int) -> Trial:
        return self._trials.setdefault(number, Trial(number, {}, (), 0))

    def complete(self, trial: TrialResult) -> TrialResult:
        """Add it to a trial that was made from its row."""
        seen = self._of(trial.id)
        if seen.best is None:
            return replace(trial, worker=seen.worker)
        value, step = self._sign * seen.best[0], seen.best[1]
        saved = checkpoints.saved(trial.directory) if trial.saved and trial.directory else {}
        best_saved = Checkpoint(str(saved[step]), step) if step in saved else None
        best_metrics = dict(seen.best_metrics)
        return replace(trial, worker=seen.worker, best=(value, step), best_metrics=best_metrics, _best_saved=best_saved)
