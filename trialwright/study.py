"""A study of Optuna's as a result: with importance, plots, and a model, as a run of ours has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from trialwright.messages import Reported
from trialwright.progress import Statistics
from trialwright.results import Result
from trialwright.trial_result import TrialResult

if TYPE_CHECKING:
    import optuna

    from trialwright.space.inferred import Inferred

OUTCOMES = {"COMPLETE": "completed", "PRUNED": "stopped", "FAIL": "failed"}

Objectives = tuple[tuple[str, Literal["min", "max"]], ...]


def load_study(study: optuna.Study, *, metric: str | Sequence[str] = ()) -> Result:
    """Return a study of Optuna's as a result. Nothing is run, and the study stays as it is.

    The space is that of the trials: a parameter that exists only for some values of a categorical one is inside them
    (``{"model": {"value": "svm", "C": 3.0}}``). The best trial is that of the study: by the final values of trials that
    were completed, not by intermediate ones.

    Args:
        study: with its trials.
        metric: what its values are called; by default the study's names of its metrics, or "value".

    Raises:
        ImportError: Optuna is not installed.
        ValueError: ``metric`` has another number of names than the study has values.
    """
    try:
        from trialwright.integrations.optuna_history import space_of
    except ImportError as error:
        raise ImportError("load_study needs Optuna: pip install 'trialwright[optuna]'") from error
    objectives = _objectives(study, metric)
    trials = study.get_trials(deepcopy=False)
    _, inferred = space_of(trials)
    begins = [trial.datetime_start.timestamp() for trial in trials if trial.datetime_start]
    begin = min(begins, default=0.0)
    results = [_trial(trial, objectives, inferred, begin) for trial in trials if trial.state.name != "WAITING"]
    return Result(
        name=study.study_name,
        metric=objectives[0][0],
        mode=objectives[0][1],
        trials=results,
        path=None,
        stopped=None,
        wall_s=max((trial.ended or 0.0 for trial in results), default=0.0),
        statistics=Statistics(),
        objectives=objectives,
        logarithmic=inferred.space.logarithmic,
        _space=inferred.space,
    )


def names_of(study: optuna.Study, metric: str | Sequence[str]) -> list[str]:
    """Return what the values of a study are called.

    Raises:
        ValueError: there are more or fewer names than values.
    """
    names = [metric] if isinstance(metric, str) else [*metric] or study.metric_names or ["value"]
    if len(names) != len(study.directions):
        raise ValueError(f"metric={metric!r} must have {len(study.directions)} names, one for each value of the study")
    return names


def _objectives(study: optuna.Study, metric: str | Sequence[str]) -> Objectives:
    modes: list[Literal["min", "max"]] = ["max" if each.name == "MAXIMIZE" else "min" for each in study.directions]
    return tuple(zip(names_of(study, metric), modes, strict=True))


def _trial(trial: optuna.trial.FrozenTrial, objectives: Objectives, inferred: Inferred, begin: float) -> TrialResult:
    values = dict(zip((name for name, _ in objectives), trial.values or (), strict=False))
    reports = _reports(trial, objectives, values)
    last = reports[max(reports)] if reports else {}
    times = (trial.datetime_start, trial.datetime_complete)
    started, ended = (None if each is None else each.timestamp() - begin for each in times)
    outcome = OUTCOMES.get(trial.state.name)
    params = inferred.known(trial.params)
    value = values.get(objectives[0][0], math.nan) if outcome == "completed" else math.nan
    best = (value, max(reports)) if math.isfinite(value) else None  # as in Optuna, of trials that were completed
    return TrialResult(
        id=trial.number,
        state="running" if outcome is None else "ended",
        outcome=outcome,
        reason="pruned" if outcome == "stopped" else "",
        attempts=1,
        config=inferred.nested(params) or params,
        metrics=last,
        best=best,
        error="it failed" if outcome == "failed" else "",
        traceback="",
        directory=None,
        started=started,
        ended=ended,
        step=max(reports, default=0),
        best_metrics=last if best else {},
        _frames=_frames(reports),
    )


def _reports(
    trial: optuna.trial.FrozenTrial, objectives: Objectives, values: Mapping[str, float]
) -> dict[int, dict[str, Any]]:
    """Return the reports of a trial by step: its intermediate values, which Optuna counts from 0, and its values."""
    name = objectives[0][0]
    reports = {step + 1: {name: value} for step, value in sorted(trial.intermediate_values.items())}
    if values:
        reports[max(reports, default=1)] = dict(values)
    return reports


def _frames(reports: Mapping[int, Mapping[str, float]]) -> Callable[[int], Iterable[Reported]]:
    """Return what reads the reports of a trial, as of a journal."""

    def read(trial: int) -> Iterable[Reported]:
        for step, report in reports.items():
            yield Reported(trial, 1, step, (0.0,), {name: [value] for name, value in report.items()})

    return read
