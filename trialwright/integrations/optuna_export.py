"""A run as a study of Optuna's, so that optuna-dashboard and other programs for studies can open it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, cast

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from trialwright.integrations.forms import Axis, SpaceForm
from trialwright.integrations.optuna import create_quietly
from trialwright.integrations.optuna_distributions import distribution_of, labels
from trialwright.space import Category, Space, Stepped
from trialwright.space.domains import Normal


class ReportedTrial(Protocol):
    """What a study knows of a trial, as ``trialwright.TrialResult`` has it."""

    @property
    def id(self) -> int: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def metrics(self) -> dict[str, Any]: ...
    @property
    def best(self) -> tuple[float, int] | None: ...
    @property
    def step(self) -> int: ...
    @property
    def reports(self) -> dict[int, dict[str, Any]]: ...
    @property
    def started(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...


STATES = {
    "completed": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "lost": TrialState.FAIL,
}


def to_study(
    trials: Iterable[ReportedTrial],
    space: Space,
    objectives: Sequence[tuple[str, Literal["min", "max"]]],
    *,
    storage: object,
    study_name: str | None,
) -> optuna.Study:
    """Write trials into a new study; see ``Result.to_optuna``."""
    metrics = [name for name, _ in objectives]
    directions = ["maximize" if mode == "max" else "minimize" for _, mode in objectives]
    created = create_quietly(optuna, storage=storage, study_name=study_name, directions=directions)
    study = cast(optuna.Study, created)
    study.set_user_attr("metrics", metrics)
    export = _Export(space, metrics)
    for trial in trials:
        if made := export.trial(trial):
            study.add_trial(made)
    return study


class _Export:
    """What the trials of a run have in common in its study."""

    def __init__(self, space: Space, metrics: list[str]) -> None:
        self._form, self._metrics = SpaceForm(space), metrics
        self._names = _names([axis.name for axis in self._form.axes])
        self._distributions = {axis.name: distribution_of(axis.domain) for axis in self._form.axes}
        self._begin = datetime.now(UTC).replace(tzinfo=None)

    def trial(self, trial: ReportedTrial) -> FrozenTrial | None:
        """Return a trial that has ended; None for another."""
        state, values = STATES.get(trial.outcome or ""), self._values(trial)
        if state is None:
            return None
        if state is TrialState.COMPLETE and not values:
            state = TrialState.FAIL
        assignment = self._form.assignment(trial.config)
        axes = [axis for axis in self._form.axes if axis.name in assignment]
        made = create_trial(
            state=state,
            values=values if state is not TrialState.FAIL else None,
            params={self._names[axis.name]: _shown(axis, cast(float, assignment[axis.name])) for axis in axes},
            distributions={self._names[axis.name]: self._distributions[axis.name] for axis in axes},
            user_attrs={"trial": trial.id, "outcome": trial.outcome, "reason": trial.reason, "error": trial.error},
            intermediate_values=_intermediate(trial, self._metrics),
        )
        made.datetime_start = self._begin + timedelta(seconds=trial.started or 0.0)
        made.datetime_complete = self._begin + timedelta(seconds=trial.ended or 0.0)
        return made

    def _values(self, trial: ReportedTrial) -> list[float] | None:
        """Return the best value of one objective, or the last values of several; None if there are none."""
        best = trial.best if len(self._metrics) == 1 else None
        reported = [best[0]] if best else [trial.metrics.get(name) for name in self._metrics]
        values = [float(each) for each in reported if isinstance(each, int | float) and math.isfinite(each)]
        return values if len(values) == len(self._metrics) else None


def _names(paths: list[str]) -> dict[str, str]:
    """Return the names of parameters: paths without the numbers of options ("model/C"), unless two would be equal."""
    plain = {path: re.sub(r"\[\d+\]", "", path) for path in paths}
    times = Counter(plain.values())
    return {path: name if times[name] == 1 else path for path, name in plain.items()}


def _shown(axis: Axis, value: float) -> object:
    """Return the value of an axis as Optuna has it."""
    if isinstance(axis.domain, Category):
        return labels(axis.domain)[int(value)]
    if isinstance(axis.domain, Stepped):
        return axis.domain.grain.value(int(value))
    return axis.domain.decode(np.array([value]))[0] if isinstance(axis.domain, Normal) else value


def _intermediate(trial: ReportedTrial, metrics: list[str]) -> dict[int, float]:
    """Return the values of one objective by step; Optuna has none for several."""
    if len(metrics) != 1 or trial.step == 0:
        return {}
    reports = {1: trial.metrics} if trial.step == 1 else trial.reports  # which are read from the journal
    values = ((step, report.get(metrics[0])) for step, report in reports.items())
    return {step: value for step, value in values if isinstance(value, int | float) and math.isfinite(value)}
