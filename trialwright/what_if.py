"""What if: the trials of a finished run under another scheduler, in virtual time.

Each trial's recorded reports are replayed as its training, and the whole engine runs again on simulated workers, with
the same trials in the same order. Nothing is trained. A curve that was cut short does not continue: if the other
scheduler would have run a trial for longer than was recorded, the trial is *censored*, and the result says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, cast

from trialwright.engine.catalogue import PAIRS
from trialwright.engine.engine import Engine
from trialwright.executors import Simulated
from trialwright.loading import load
from trialwright.messages import Metric
from trialwright.results import Result
from trialwright.schedulers import PBT, PBTReplay, Scheduler
from trialwright.space import randint
from trialwright.trial_result import TrialResult

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Course:
    """The record of one trial: its reports in the order of their steps, and whether it was completed."""

    trial: int
    rows: Sequence[Mapping[str, Metric]]
    whole: bool
    span: tuple[float, float] = (0.0, 0.0)  # when it started and ended


@dataclass(frozen=True)
class Recording:
    """A run's courses, and its metrics and modes."""

    courses: tuple[Course, ...]
    metrics: tuple[str, ...]
    modes: tuple[Mode, ...]

    def start(self, config: Mapping[str, Any], seed: int) -> int:
        """Part of ``Workload``: the state before the first report."""
        return 0

    def step(self, config: Mapping[str, Any], state: int) -> tuple[int, dict[str, Metric], float] | None:
        """Part of ``Workload``: the next report, with the seconds that it took."""
        rows = self.courses[config["course"]].rows
        if state == len(rows):
            return None
        seconds = _time(rows[state]) - (_time(rows[state - 1]) if state else 0.0)
        row = {name: value for name, value in rows[state].items() if name not in ("step", "time_s")}
        return state + 1, row, max(seconds, 0.0)

    @property
    def at_once(self) -> int:
        """The largest number of trials that ran at a time, by their starts and ends."""
        changes = sorted([(c.span[0], 1) for c in self.courses] + [(c.span[1], -1) for c in self.courses])
        return max(1, *accumulate(change for _, change in changes))


@dataclass(frozen=True)
class Fate:
    """One trial: its steps and seconds of training, as recorded and under the other scheduler, and how it would have
    ended."""

    trial: int
    recorded_steps: int
    recorded_s: float
    steps: int
    seconds: float
    outcome: str
    censored: bool


@dataclass(frozen=True)
class WhatIf:
    """How a run would have been under another scheduler.

    ``wall_s`` is the virtual time of the run. ``recorded_best`` and ``best`` are the best values at any step, each with
    its trial; the trial of the first is called the *winner*.
    """

    fates: tuple[Fate, ...]
    wall_s: float
    recorded_best: tuple[float, int]
    best: tuple[float, int]
    winner_step: int  # where the winner had its best value

    @property
    def winner(self) -> Fate:
        """The trial that was best."""
        return next(fate for fate in self.fates if fate.trial == self.recorded_best[1])

    @property
    def kept_winner(self) -> bool:
        """Whether the winner would have reached its best step."""
        return self.winner.steps >= self.winner_step

    @property
    def censored(self) -> tuple[int, ...]:
        """The trials that would have run for longer than was recorded: how they end is a guess, and their savings are
        overestimated."""
        return tuple(fate.trial for fate in self.fates if fate.censored)

    @property
    def saved_steps(self) -> int:
        """How many steps were saved; negative if more were needed."""
        return sum(fate.recorded_steps - fate.steps for fate in self.fates)

    @property
    def saved_s(self) -> float:
        """How many seconds of training were saved."""
        return sum(fate.recorded_s - fate.seconds for fate in self.fates)

    def __str__(self) -> str:
        recorded = sum(fate.recorded_steps for fate in self.fates)
        winner = f"trial {self.winner.trial} is {'kept' if self.kept_winner else 'lost'} ({self.winner.outcome})"
        best = f"best {self.best[0]:.6g} (trial {self.best[1]}) in place of {self.recorded_best[0]:.6g}"
        unknown = f"; {len(self.censored)} trials would continue beyond their recorded steps" if self.censored else ""
        return (
            f"{self.saved_steps} of {recorded} steps saved, {self.saved_s:.4g} s; the winner, {winner}; {best}{unknown}"
        )


def what_if(
    run: Result | str | os.PathLike[str], scheduler: str | Scheduler, *, workers: int | None = None, seed: int = 0
) -> WhatIf:
    """Replay the trials of a run under another scheduler.

    Args:
        run: a result, or a run's directory.
        scheduler: the other scheduler. It must not change configurations, as PBT does.
        workers: how many trials run at a time; by default as many as in the run.
        seed: of the scheduler's random draws.

    Raises:
        ValueError: the run has no metric, or no reports; or the scheduler changes configurations, or is a pair with a
            searcher.
    """
    if isinstance(scheduler, PBT | PBTReplay) or scheduler == "pbt":
        raise ValueError(
            f"what_if cannot use {scheduler!r}, which changes configurations: only those of the run are recorded"
        )
    if isinstance(scheduler, str) and scheduler.lower() in PAIRS:
        other = PAIRS[scheduler.lower()].scheduler()
        raise ValueError(
            f"what_if cannot use {scheduler!r}, which has a searcher of its own: use its scheduler, {other!r}"
        )
    recording = _recording(run if isinstance(run, Result) else load(run))
    if not recording.metrics:
        raise ValueError("what_if compares trials, and the run has no metric")
    if not recording.courses:
        raise ValueError("what_if repeats reports, and no trial of this run has made any")
    count = len(recording.courses)
    result = Engine(
        recording,
        {"course": randint(0, count)},
        metric=recording.metrics,
        mode=recording.modes,
        num_samples=count,
        points_to_evaluate=[{"course": index} for index in range(count)],
        searcher="random",
        scheduler=scheduler,
        executor=Simulated(workers=workers or recording.at_once),
        storage=None,
        seed=seed,
        verbose=0,
    ).run()
    return _compare(recording, result)


def _recording(result: Result) -> Recording:
    courses = tuple(course for course in map(_course, result) if course.rows)
    metrics, modes = zip(*result.objectives, strict=True) if result.objectives else ((), ())
    return Recording(courses, metrics, modes)


def _course(trial: TrialResult) -> Course:
    rows = trial.history
    return Course(trial.id, rows, trial.outcome == "completed", (trial.started or 0.0, trial.ended or 0.0))


def _compare(recording: Recording, result: Result) -> WhatIf:
    of_course = {trial.config["course"]: trial for trial in result}
    fates = tuple(_fate(course, of_course[place]) for place, course in enumerate(recording.courses))
    recorded, now = [], []
    for course, fate in zip(recording.courses, fates, strict=True):
        recorded += _bests(recording, course, len(course.rows))
        now += _bests(recording, course, fate.steps)
    if not recorded or not now:
        raise ValueError(f"no trial of this run has reported a finite {recording.metrics[0]!r}")
    sign = -1.0 if recording.modes[0] == "max" else 1.0
    (cost, trial, step), (cost_now, trial_now, _) = min(recorded), min(now)
    return WhatIf(fates, result.wall_s, (sign * cost, trial), (sign * cost_now, trial_now), step)


def _fate(course: Course, trial: TrialResult) -> Fate:
    steps = int(trial.metrics.get("step", 0))
    ran_out = trial.outcome == "completed" and not trial.reason  # by itself, not because a scheduler had seen enough
    how = f"{trial.outcome} ({trial.reason})" if trial.reason else str(trial.outcome)
    recorded_s = _time(course.rows[-1])
    seconds = float(trial.metrics.get("time_s", 0.0))
    return Fate(course.trial, len(course.rows), recorded_s, steps, seconds, how, ran_out and not course.whole)


def _bests(recording: Recording, course: Course, steps: int) -> list[tuple[float, int, int]]:
    """Return the costs of a course up to a step, as (cost, trial, step), where they are finite."""
    sign = -1.0 if recording.modes[0] == "max" else 1.0
    values = [row.get(recording.metrics[0]) for row in course.rows[:steps]]
    return [
        (sign * value, course.trial, step)
        for step, value in enumerate(values, 1)
        if isinstance(value, int | float) and value - value == 0
    ]


def _time(row: Mapping[str, Metric]) -> float:
    return float(cast(float, row["time_s"]))
