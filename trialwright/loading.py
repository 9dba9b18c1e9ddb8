"""Loading: the result of a run from its directory, whether it is over, interrupted, or still running."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from trialwright.codec import read_plain
from trialwright.core.plan import Mode, Plan
from trialwright.core.scores import Scores
from trialwright.core.trial import Trial, has_begun
from trialwright.engine.arguments import as_space, outcome_constraints
from trialwright.engine.explaining import LoadedExplainer
from trialwright.messages import Checkpoint, Config, Plain
from trialwright.progress import Statistics
from trialwright.results import Result
from trialwright.space import Space
from trialwright.space.plain import known_of
from trialwright.storage import checkpoints, formats
from trialwright.storage.base import TrialRow
from trialwright.storage.checkpoints import trial_directory
from trialwright.storage.place import find_run
from trialwright.storage.sqlite import SqliteStore
from trialwright.trial_result import TrialResult

Resolve: TypeAlias = Callable[[Config], dict[str, Any]]


def load(directory: str | os.PathLike[str], *, space: Mapping[str, object] | Space | None = None) -> Result:
    """Load the result of a run from its journal. Nothing is run, and the objective is not needed.

    ``explain`` replays the decisions; if the scheduler, a stop rule or another part is not data, it tells them without
    the scheduler's reasons, and ``lineage`` cannot tell it. Why a run was stopped is missing: the result of
    ``Engine.resume(path, objective, ...).run()`` has it.

    Args:
        directory: the run's, or a link to it.
        space: the run's, if it holds functions, classes, or objects, which the journal does not keep. Without it these
            parameters are missing in configurations, with a warning.

    Raises:
        ValueError: there is no run (the message names runs with similar names), or this is not its space.
        StorageError: its journal is damaged.
    """
    path = find_run(directory).resolve()
    store = SqliteStore.open(path, read_only=True)
    told = cast("Mapping[str, Plain]", store.settings["data"])
    known = as_space(space) if space is not None else _space(told)
    plan, wall_s = _plan(told), store.check()
    explainer = LoadedExplainer(store, {} if space is None else {"space": space})
    return Result(
        name=str(told.get("name") or path.name),
        metric=plan.metrics[0] if plan.metrics else None,
        mode=plan.modes[0] if plan.modes else "min",
        trials=load_trials(store, path, resolver(store, space)),
        path=path,
        stopped=None,
        wall_s=wall_s,
        statistics=Statistics(wall_s=wall_s),
        objectives=tuple(zip(plan.metrics, plan.modes, strict=True)),
        constraints=plan.outcome_constraints,
        logarithmic=frozenset() if known is None else known.logarithmic,
        notes=cast("dict[str, Any]", read_plain(told.get("notes") or {})),
        _space=known,
        _explain=explainer,
        _replayed=explainer.descents,
    )


def load_trials(store: SqliteStore, path: Path, resolve: Resolve) -> list[TrialResult]:
    """Return the trials of the run in ``path`` that have begun, from their rows. ``resolve`` turns a config in its
    plain form into what the objective got."""
    rows = store.trials()
    if store.format < formats.FIRST:
        plan = _plan(cast("Mapping[str, Plain]", store.settings["data"]))
        rows = (_from_events(store, row, plan) for row in rows)
    return [_trial(row, resolve, store, path) for row in rows if has_begun(row)]


def resolver(store: SqliteStore, space: Mapping[str, object] | Space | None, keyword: str = "space") -> Resolve:
    """Return a function that turns plain configs of a run into what the objective got.

    Args:
        store: the run's.
        space: the run's, if the user has given it.
        keyword: the name of the argument in which a user can give the space.
    """
    told = cast("Mapping[str, Plain]", store.settings["data"])
    if space is not None:
        return as_space(space).resolve
    if (whole := _space(told)) is not None:
        return whole.resolve
    said: set[str] = set()

    def known(plain: Config) -> dict[str, Any]:
        config, missing = known_of(plain)
        if new := [path for path in missing if path not in said]:
            said.update(new)
            text = (
                f"{', '.join(new)}: not plain data, so missing in configurations read from disk; pass {keyword}=... to "
                "restore it"
            )
            warnings.warn(text, RuntimeWarning, stacklevel=6)
        return Known(config, tuple(missing), keyword)

    return known


class Known(dict[str, Any]):
    """A configuration read from disk, without parameters that are not plain data; the error for these says why."""

    def __init__(self, config: Mapping[str, Any], missing: tuple[str, ...], keyword: str) -> None:
        super().__init__(config)
        self.missing, self._keyword = missing, keyword

    def __missing__(self, name: str) -> object:
        lost = [path for path in self.missing if path == name or path.startswith(f"{name}/")]
        why = f": not plain data, so it is not on the disk; pass {self._keyword}=... to restore it" if lost else ""
        raise KeyError(f"{name!r}{why}")


def _trial(row: TrialRow, resolve: Resolve, store: SqliteStore, path: Path) -> TrialResult:
    return TrialResult(
        id=row.id,
        state=row.state,
        outcome=row.outcome,
        reason=row.reason,
        attempts=row.attempt,
        config=resolve(row.config),
        metrics=dict(row.metrics),
        best=row.best,
        error=row.error,
        traceback=row.traceback,
        directory=trial_directory(path, row.id),
        started=row.started,
        ended=row.ended,
        worker=row.worker,
        _frames=store.frames,
        _best_saved=_saved(row.best_checkpoint, path, row.best[1] if row.best else row.step),
        saved=_saved(row.checkpoint, path, row.step),
        step=row.step,
        best_metrics=dict(row.best_metrics or row.metrics) if row.best else {},
        _periods=row.periods,
    )


def _saved(checkpoint: str | None, path: Path, step: int) -> Checkpoint | None:
    return None if checkpoint is None else Checkpoint(checkpoints.located(checkpoint, path), step)


def _space(told: Mapping[str, Plain]) -> Space | None:
    return Space.from_plain(cast("dict[str, Any]", told["space"])) if "space" in told else None


def _plan(told: Mapping[str, Plain]) -> Plan:
    """Return the goals of a run from its engine's keywords."""
    metrics, modes = _several(told.get("metric")), _several(told.get("mode") or "min")
    modes = modes * len(metrics) if len(modes) == 1 else modes
    constraints = outcome_constraints(told.get("outcome_constraints") or ())
    return Plan(metrics=metrics, modes=cast("tuple[Mode, ...]", modes), outcome_constraints=constraints)


def _several(given: Plain) -> tuple[str, ...]:
    return tuple(map(str, given)) if isinstance(given, list) else () if given is None else (str(given),)


def _from_events(store: SqliteStore, row: TrialRow, plan: Plan) -> TrialRow:
    """Add to a row of format 1 the trial's best value, which later formats have."""
    scores, trial = Scores(plan), Trial(row.id, {}, (), 0)
    for frame in store.frames(row.id):
        scores.note(trial, frame)
    best = trial.best and ((*plan.signs, 1.0)[0] * trial.best[0], trial.best[1])
    return replace(row, best=best, best_metrics=trial.best_metrics)
