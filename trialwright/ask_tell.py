"""Ask and tell: a searcher for programs that have their own loop.

It is the engine's searcher and history without an engine: it runs no trials and writes no files.
"""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from operator import index
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

from trialwright.core.scores import number, standard_errors, violations
from trialwright.engine import catalogue
from trialwright.engine.arguments import as_number, as_space, number_problem, outcome_constraints
from trialwright.engine.in_use import take, uses
from trialwright.history import History, HistoryLog, Record
from trialwright.history.log import STEP_MAX
from trialwright.messages import Config, Metric, Outcome, Plain, Request, Tags
from trialwright.metrics import clean, require
from trialwright.schedulers import FIFO
from trialwright.searchers import Problem, Searcher
from trialwright.searchers.drawing import Variety
from trialwright.searchers.pareto import undominated
from trialwright.space import Space
from trialwright.space.values import fresh
from trialwright.streams import Streams

if TYPE_CHECKING:
    from trialwright.searchers.gp.recommend import Recommended

Told: TypeAlias = float | Mapping[str, Metric] | None
Mode: TypeAlias = Literal["min", "max"]

_Reports: TypeAlias = (
    "tuple[int, list[int], list[list[float]], bool, list[list[float]]]"  # a trial's steps and values; it is paused
)

COMPLETED, FAILED, STOPPED = Outcome("completed"), Outcome("failed"), Outcome("stopped")

P = ParamSpec("P")
R = TypeVar("R")


def _alone(method: Callable[Concatenate[AskTell, P], R]) -> Callable[Concatenate[AskTell, P], R]:
    """Run a method in one thread at a time: two simultaneous asks would get the same configuration."""

    @wraps(method)
    def alone(self: AskTell, /, *args: P.args, **keywords: P.kwargs) -> R:
        with self._lock:
            return method(self, *args, **keywords)

    return alone


def _whole(name: str, given: object, lowest: int) -> int:
    value = as_number(given)
    if problem := number_problem(name, value, lowest, whole=True):
        raise ValueError(problem)
    return cast(int, value)


@dataclass(frozen=True)
class AskedTrial:
    """A configuration to try, and its trial number."""

    id: int
    config: dict[str, Any]


@dataclass(frozen=True)
class ToldTrial:
    """A configuration that was tried. ``metrics`` are those given to ``tell``; empty if it failed."""

    id: int
    config: dict[str, Any]
    metrics: dict[str, Metric]


class AskTell:
    """Suggests configurations, and learns from their results.

    Any number of trials may be open at a time, and their results may come in any order. The same seed and the same
    calls give the same suggestions. A result that is NaN, infinite, or None counts as a failure: it is learnt from, and
    never the best. Several threads may call ``ask`` and ``tell``.

    Args:
        space: what may vary: a dict of domains and constants, or a ``Space``.
        searcher: a name or an object, as ``Engine`` takes it.
        metric: the name of the metric to optimise; with several, ``best`` uses the first.
        mode: "min" or "max", for each metric.
        outcome_constraints: conditions that the best trial must meet: ``["memory <= 8e9"]``.
        num_samples: how many trials there will be, if that is known, for searchers that plan by it; -1 for unlimited.
            Configurations of a finite space are repeated only if this is given.
        parallelism: how many trials will be open at a time.
        seed: of every random draw; by default a random one.

    Raises:
        ValueError, TypeError: an argument is wrong, or the searcher cannot search this space.
    """

    def __init__(
        self,
        space: Mapping[str, object] | Space,
        *,
        searcher: str | Searcher = "auto",
        metric: str | Sequence[str] = "value",
        mode: Mode | Sequence[Mode] = "min",
        outcome_constraints: Sequence[str] = (),
        num_samples: int | None = None,
        parallelism: int = 1,
        seed: int | None = None,
    ) -> None:
        self.space = as_space(space)
        self.metrics = (metric,) if isinstance(metric, str) else tuple(metric)
        modes = (mode,) * len(self.metrics) if isinstance(mode, str) else tuple(mode)
        if len(modes) != len(self.metrics) or not set(modes) <= {"min", "max"}:
            raise ValueError(f"mode={mode!r} must be 'min' or 'max', for each of {self.metrics}")
        self._signs = {name: -1.0 if each == "max" else 1.0 for name, each in zip(self.metrics, modes, strict=True)}
        self._goals = _goals(outcome_constraints)
        self._searcher = catalogue.searcher(searcher, FIFO())
        planned = _whole("num_samples", -1 if num_samples is None else num_samples, -1)
        known = None if planned == -1 else planned
        together = _whole("parallelism", parallelism, 1)
        self.seed = secrets.randbits(32) if seed is None else _whole("seed", seed, 0)
        take(self, {"searcher": self._searcher})
        size = self._searcher.setup(
            Problem(self.space, len(self.metrics), len(self._goals), known, parallelism=together)
        )
        self._variety = Variety(self.space)
        self._may_repeat = num_samples is not None or getattr(self._searcher, "repeats", False)
        ends = num_samples is None or planned != -1
        self._last = max(size, planned) if ends and getattr(self._searcher, "is_exhaustive", False) else math.inf
        self._lock = RLock()
        self._streams = Streams(self.seed)
        self._log = HistoryLog()
        self._numbers, self._samples = 0, 0  # of all trials; of those that were asked for
        self._open: dict[int, Config] = {}  # as suggested, in case the user changes the config of an ``AskedTrial``
        self._steps: dict[int, int] = {}  # of trials that have reported, the last
        self._paused: set[int] = set()
        self._stopped: dict[int, Config] = {}
        self._told: dict[int, ToldTrial] = {}
        self._noted: set[str] = set()  # names of invalid metrics that were warned of
        self._best: tuple[float, int] | None = None  # the cost and the number of the best feasible trial

    @overload
    def ask(self) -> AskedTrial: ...
    @overload
    def ask(self, count: int) -> list[AskedTrial]: ...
    def ask(self, count: int | None = None) -> AskedTrial | list[AskedTrial]:
        """Return a trial to run, or a list of ``count`` trials that were chosen together.

        Raises:
            LookupError: the searcher has no more suggestions, or every configuration of a finite space was tried.
            ValueError: ``count`` is less than 1.
        """
        wanted = 1 if count is None else index(count)
        if wanted < 1:
            raise ValueError(f"ask({count!r}): count must be at least 1")
        with self._lock:
            asked = self._asked(wanted)
        return asked[0] if count is None else asked

    def _asked(self, wanted: int) -> list[AskedTrial]:
        if not uses(self, self._searcher):
            kind = type(self._searcher).__name__
            raise ValueError(f"this {kind} is now used by another run or study: give each an object of its own")
        if self._samples >= self._last:
            raise LookupError(f"the searcher has no more suggestions: all {self._last:.0f} were asked for")
        wanted = int(min(wanted, self._last - self._samples))
        requests = [Request(self._numbers + place, self._samples + place) for place in range(wanted)]
        seen = self._log.until(len(self._log)) if self._searcher.learns else History()
        suggested = self._searcher.suggest(seen, requests, self._streams)
        new = [answer for answer in suggested if answer is not None and not self._is_used_up(answer.config)]
        if not new:
            raise LookupError(f"the searcher has no more suggestions{self._why_no_more(suggested)}")
        self._samples += len(new)
        return [self._opened(answer.config, answer.tags) for answer in new]

    def _is_used_up(self, config: Config) -> bool:
        """Tell whether a config was tried before, and may not be repeated because num_samples was not given."""
        return self._variety.repeats(config) and not self._may_repeat

    def _why_no_more(self, suggested: Sequence[object]) -> str:
        return f": all {self._variety.size} configurations of the space were tried" if any(suggested) else ""

    @_alone
    def tell(self, trial: AskedTrial | int, told: Told) -> None:
        """Give the result of a trial.

        Args:
            trial: the trial, or its number.
            told: the metric's value, or a dict with it, with the metrics of the constraints, and optionally with the
                standard error of the metric as ``<metric>_sem``; None if the trial failed.

        Raises:
            ValueError: this trial is not open, it has a result already, or a metric is missing.
            TypeError: a metric is not a number.
        """
        key = self._open_key(trial)
        metrics = self._metrics(told)
        self._end(key, self._open.pop(key), metrics)

    @_alone
    def report(self, trial: AskedTrial | int, step: int, told: Told) -> None:
        """Give an intermediate result of an open trial, at a step; ``told`` is as for ``tell``.

        Raises:
            ValueError: the trial is not open, a metric is missing, or the step is not above the last one.
            TypeError: a metric is not a number.
        """
        key, metrics = self._open_key(trial), self._metrics(told)
        if not 0 <= self._steps.get(key, 0) < step <= STEP_MAX:
            raise ValueError(
                f"step must be above {self._steps.get(key, 0)}, the last reported step of trial {key}, not {step}"
            )
        self._steps[key] = step
        self._log.seen(key, step, [self._values(metrics)], sems=[standard_errors(self.metrics, metrics)])

    @_alone
    def pause(self, trial: AskedTrial | int) -> None:
        """Mark an open trial as paused. Its reports then count as a result at its last step; those of a trial that is
        not paused count as unfinished.

        Raises:
            ValueError: the trial is not open.
        """
        key = self._open_key(trial)
        self._paused.add(key)
        self._log.paused(key)

    @_alone
    def resume(self, trial: AskedTrial | int) -> None:
        """Mark a paused trial as running again.

        Raises:
            ValueError: the trial is not paused.
        """
        key = self._open_key(trial)
        if key not in self._paused:
            raise ValueError(f"trial {key} is not paused; paused are {sorted(self._paused) or 'none'}")
        self._paused.remove(key)
        self._log.launched(key, ())

    @_alone
    def stop(self, trial: AskedTrial | int) -> None:
        """End an open trial early. Its reports count as a result at its last step, which is compared with those of
        other trials there; without reports it counts as one that says nothing.

        Raises:
            ValueError: the trial is not open.
        """
        key = self._open_key(trial)
        self._stopped[key] = self._open.pop(key)
        self._paused.discard(key)
        self._log.ended(key, STOPPED)

    def _open_key(self, trial: AskedTrial | int) -> int:
        key = trial.id if isinstance(trial, AskedTrial) else index(trial)
        if key not in self._open:
            ended = "was stopped" if key in self._stopped else "has a result already" if key in self._told else ""
            known = ended or f"is not open; open are {sorted(self._open) or 'none'}"
            raise ValueError(f"trial {key} {known}")
        return key

    @_alone
    def add(self, config: Mapping[str, object], told: Told) -> ToldTrial:
        """Add a result that was not asked for; ``told`` is as for ``tell``.

        Raises:
            ValueError: the configuration is not in the space, or a metric is missing.
            TypeError: a metric is not a number.
        """
        metrics = self._metrics(told)
        problems = self.space.validate(config)
        if problems:
            raise ValueError("; ".join(problems))
        plain = cast(Config, self.space.plain(dict(config)))
        self._variety.repeats(plain)
        trial = self._born(plain, {})
        self._end(trial, plain, metrics)
        return self._told[trial]

    @property
    @_alone
    def trials(self) -> list[ToldTrial]:
        """All trials with a result, in the order of their numbers."""
        return [self._told[trial] for trial in sorted(self._told)]

    @property
    @_alone
    def best(self) -> ToldTrial:
        """The best trial that meets the constraints.

        Raises:
            ValueError: there is no such trial.
        """
        if self._best is None:
            raise ValueError(f"no trial has a finite {self.metrics[0]!r} that meets the constraints")
        return self._told[self._best[1]]

    @property
    @_alone
    def recommended(self) -> Recommended:
        """The tried configuration with the best mean in a model of all results, with its interval. If results are
        noisy, ``best`` is only the luckiest trial, and this is the better choice. Computed at each call.

        Raises:
            ValueError: no trial has a finite value that meets the constraints.
        """
        from trialwright.searchers.gp.recommend import recommend  # here, because the import takes half a second

        if self._best is None:
            raise ValueError(f"no trial has a finite {self.metrics[0]!r} that meets the constraints")
        problem = Problem(self.space, len(self.metrics), len(self._goals))
        found = cast("Recommended", recommend(problem, self._log.until(len(self._log))))
        return found.of_maximum() if self._signs[self.metrics[0]] < 0 else found

    @_alone
    def pareto_front(self) -> list[ToldTrial]:
        """Return the trials that no other is better than in one objective without being worse in another."""
        import numpy as np

        records = [*self._feasible()]
        values = np.array([record.values[-1][: len(self.metrics)] for record in records]).reshape(-1, len(self.metrics))
        return [self._told[record.id] for record, good in zip(records, undominated(values), strict=True) if good]

    @_alone
    def state(self) -> dict[str, Plain]:
        """Return all trials as plain data, for ``load_state``. Open trials stay open."""
        records = self._log.until(len(self._log)).trials
        return {
            "seed": self.seed,
            "samples": self._samples,
            "trials": [[r.id, _plain(r.config), r.tags, self._plain_metrics(r.id)] for r in records],
            "reports": cast(Plain, [self._plain_reports(r) for r in records if r.id in self._steps]),
            "stopped": [*self._stopped],
        }

    @_alone
    def load_state(self, state: Mapping[str, Plain]) -> None:
        """Restore the ``state`` of another object with the same settings.

        Raises:
            ValueError: this one has been used already.
        """
        if len(self._log):
            raise ValueError("load_state is for an object that has not been used yet")
        self.seed, self._samples = cast(int, state["seed"]), cast(int, state["samples"])
        self._streams = Streams(self.seed)
        reports = {known[0]: known for known in cast("list[_Reports]", state.get("reports", []))}
        stopped = {*cast("list[int]", state.get("stopped", []))}
        for _, config, tags, metrics in fresh(
            cast("list[tuple[int, Config, Tags, dict[str, Metric] | None]]", state["trials"])
        ):
            self._variety.repeats(config)
            trial = self._opened(config, tags).id
            self._report_again(reports.get(trial))
            if trial in stopped:
                self.stop(trial)
            elif metrics is not None:
                self._end(trial, self._open.pop(trial), metrics)

    @staticmethod
    def _plain_reports(record: Record) -> _Reports:
        values, sems = ([[*row] for row in rows] for rows in (record.values, record.sems))
        return record.id, record.steps, values, record.paused, sems

    def _report_again(self, known: _Reports | None) -> None:
        if known is None:
            return
        trial, steps, values, is_paused, sems = known
        for place, (step, row) in enumerate(zip(steps, values, strict=True)):
            self._log.seen(trial, step, [tuple(row)], sems=[*map(tuple, sems[place : place + 1])])
        self._steps[trial] = steps[-1]
        if is_paused:
            self.pause(trial)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=RLock())
        take(self, {"searcher": self._searcher})

    def _plain_metrics(self, trial: int) -> Plain:
        return cast(Plain, self._told[trial].metrics) if trial in self._told else None

    def _opened(self, config: Config, tags: Tags) -> AskedTrial:
        number = self._born(config, tags)
        self._open[number] = config
        return AskedTrial(number, self.space.resolve(config))

    def _born(self, config: Config, tags: Tags) -> int:
        number = self._numbers
        self._numbers = number + 1
        self._log.born(number, config, tags)
        return number

    def _end(self, trial: int, config: Config, metrics: dict[str, Metric]) -> None:
        self._told[trial] = ToldTrial(trial, self.space.resolve(config), metrics)
        if metrics:
            values, sems = self._values(metrics), [standard_errors(self.metrics, metrics)]
            self._log.seen(trial, self._steps.get(trial, 1), [values], sems=sems)
            if self._is_feasible(values):
                self._best = min(self._best or (math.inf, trial), (values[0], trial))
        self._paused.discard(trial)
        self._log.ended(trial, COMPLETED if metrics else FAILED)

    def _values(self, metrics: dict[str, Metric]) -> tuple[float, ...]:
        costs = [sign * number(metrics.get(name)) for name, sign in self._signs.items()]
        return (*costs, *violations(self._goals, metrics))

    def _metrics(self, told: Told) -> dict[str, Metric]:
        if told is None:
            return {}
        if type(told) is float and len(self.metrics) == 1:  # nearly always: the rest takes microseconds
            return {self.metrics[0]: told}
        if not isinstance(told, Mapping) and len(self.metrics) > 1:
            wanted = ", ".join(f"{name!r}: ..." for name in self.metrics)
            raise ValueError(f"with several metrics, tell a dict {{{wanted}}}, not {told!r}")
        notes: dict[str, str] = {}
        row = clean(told if isinstance(told, Mapping) else {self.metrics[0]: told}, notes)
        # None is a failure, as NaN is; one that ``clean`` has made of an invalid value is refused below.
        row |= {name: math.nan for name in self.metrics if row.get(name, math.nan) is None and name not in notes}
        require(row, self.metrics, notes)
        for name in notes.keys() - self._noted:
            self._noted.add(name)
            warnings.warn(notes[name], RuntimeWarning, stacklevel=4)
        return row

    def _feasible(self) -> Iterator[Record]:
        for record in self._log.until(len(self._log)).trials:
            if record.id in self._told and record.values and self._is_feasible(record.values[-1]):
                yield record

    def _is_feasible(self, values: Sequence[float]) -> bool:
        return all(map(math.isfinite, values)) and all(excess <= 0 for excess in values[len(self.metrics) :])


def _plain(value: Plain) -> Plain:
    """Return a config for JSON: NumPy's numbers, which a user may have given, as Python's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    item = getattr(value, "item", None)
    return cast(Plain, item()) if callable(item) else value


_goals = outcome_constraints  # the keyword has the same name
