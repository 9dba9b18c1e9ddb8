"""The result of a run: its trials, the best of them, and a table of all."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from trialwright.core.scores import standard_errors, violations
from trialwright.core.trial import Descent
from trialwright.errors import nearest
from trialwright.history import History, Record
from trialwright.html import html_table
from trialwright.messages import Boundary, Drop, Outcome, Plain, Resume, Verdict
from trialwright.nested import flatten
from trialwright.progress import Statistics, counts, settings, shown
from trialwright.progress.formatting import several
from trialwright.scopes import Scope, best_of, checked_scope, meant, undominated
from trialwright.searchers.base import Problem
from trialwright.space import Space
from trialwright.trial_result import TrialResult

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from trialwright.importance import Importance, Method
    from trialwright.plots import Plot
    from trialwright.searchers.gp.recommend import Predicted, Recommended

MODELLED_MAX = 2000  # trials that ``predict`` looks at

TOP = 10  # trials in the table of a result
PARAMETERS_SHOWN = 8  # in that table

Descents = Mapping[int, tuple[Descent, ...]]  # by the trial


@dataclass(frozen=True)
class Decided:
    """One decision about a trial: when, at which step, what, and the facts that it was based on.

    ``decision`` is a verdict on a report, or ``Resume`` or ``Drop`` of a paused trial; ``step`` is None if the journal
    alone cannot tell it. ``facts`` depends on the scheduler: for ASHA the rung, the trial's rank and value, how many
    trials were there and how many survive, the cut-off, and a few of the best as ``[trial, value]``. It is empty if a
    stop rule decided, if no trials were compared, and for schedulers without reasons.
    """

    now: float
    trial: int
    step: int | None
    decision: Verdict | Resume | Drop
    facts: dict[str, Plain]

    def __str__(self) -> str:
        reason = f" ({reason})" if (reason := getattr(self.decision, "reason", "")) else ""
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        where = "" if self.step is None else f", step {self.step}"
        return f"{self.now:.3f} s{where}: {type(self.decision).__name__}{reason}{': ' if facts else ''}{facts}"


class Segment(NamedTuple):
    """A part of a lineage: from this step on, training used this configuration, in this trial."""

    step: int
    config: dict[str, Any]
    trial: int


@dataclass(frozen=True)
class Result:
    """What ``Engine.run()`` returns: a sequence of trials in the order of their numbers.

    ``stopped`` is the reason if the run ended before all its samples were used.
    """

    name: str
    metric: str | None
    mode: Literal["min", "max"]
    trials: Sequence[TrialResult]  # of a large run, each is made when it is asked for
    path: Path | None
    stopped: str | None
    wall_s: float
    statistics: Statistics
    warnings: tuple[str, ...] = ()
    objectives: tuple[tuple[str, Literal["min", "max"]], ...] = ()
    constraints: tuple[Boundary, ...] = ()
    logarithmic: frozenset[str] = frozenset()  # parameters ("model/lr") whose numbers were drawn on a logarithmic axis
    notes: dict[str, Any] = field(default_factory=dict)  # what the Engine was given
    _space: Space | None = field(repr=False, compare=False, default=None)
    _explain: Callable[[], Iterable[Decided]] = field(repr=False, compare=False, default=tuple)
    _replayed: Callable[[], Descents] | None = field(repr=False, compare=False, default=None)  # if trials have none

    def __getstate__(self) -> dict[str, object]:
        """Be pickled without a space that holds functions or objects, which it may be impossible to pickle."""
        can_go = self._space is None or self._space.to_plain() is not None
        return vars(self) if can_go else {**vars(self), "_space": None}

    @property
    def plot(self) -> Plot:
        """Pictures of the run: ``result.plot.optimization_history()``; see ``trialwright.plots``."""
        from trialwright.plots import Plot

        return Plot(self)

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[TrialResult]:
        return iter(self.trials)

    def __getitem__(self, index: int) -> TrialResult:
        return self.trials[index]

    def best(self, scope: Scope = "best") -> TrialResult:
        """Return the best trial. Only finite values count, and only reports that meet the outcome constraints. With
        several objectives the first decides; of equal trials, the lowest number.

        Args:
            scope: by which value: the "best" at any step; the "last"; the "mean" of the last values of all trials with
                this configuration; or the mean of all reports of a trial ("avg"), or of its last ("last-5-avg",
                "last-10-avg").

        Raises:
            ValueError: no trial has reported such a value (the message has the first error); or there is no such scope.
        """
        judged = [(self._value(trial, checked_scope(scope)), trial) for trial in self.trials]
        scored = [(value, trial) for value, trial in judged if value is not None]
        if scope == "mean":
            scored = meant(scored, lambda trial: repr(trial.config))
        best = best_of(scored, self.mode)
        if best is None:
            raise ValueError(self._why_no_best())
        return best

    @cached_property
    def recommended(self) -> Recommended:
        """The tried configuration with the best mean in a model of all results, with its interval. If results are
        noisy, the best value is only the luckiest one, and this is the better choice.

        Like ``best``, it uses the first metric, and reports that meet the outcome constraints; but the last report of
        each trial. It is computed at first use, in some seconds at most: with more than 300 trials, from 300
        representative ones.

        Raises:
            ValueError: no trial has reported such a value; or a loaded run does not know its space.
        """
        from trialwright.searchers.gp.recommend import recommend  # here, because the import takes half a second

        found = recommend(self._problem(), History([*map(self._record, self.trials)])) if self.metric else None
        if found is None:
            raise ValueError(self._why_no_best())
        return found.of_maximum() if self.mode == "max" else found

    def predict(self, configs: Sequence[Mapping[str, Any]], metric: str | None = None) -> Predicted:
        """Return what a model of all results expects an objective to be at these configurations, with 95 % intervals.

        It is the model of ``recommended``: a Gaussian process of the last report of each trial; of many trials, of the
        best and of some others.

        Args:
            configs: n configurations of the space.
            metric: an objective; the first if it is not given.

        Raises:
            ValueError: the metric is no objective, a configuration is none of the space, no trial has reported such a
                value, or a loaded run does not know its space.
        """
        from trialwright.searchers.gp.recommend import Predicted, predict  # here for the same reason

        modes = dict(self.objectives)
        metric = metric or self.metric or ""
        if metric not in modes:
            raise ValueError(f"{metric!r} is no objective of the run{nearest(metric, modes)}")
        problem = self._problem()
        plain = [problem.space.plain(dict(config)) for config in configs]
        known = History([*map(self._record, self._modelled(metric, modes[metric]))])
        found = predict(problem, known, plain, [*modes].index(metric))
        if found is None:
            raise ValueError(self._why_no_best())
        return Predicted(-found.mean, -found.high, -found.low) if modes[metric] == "max" else found

    def _problem(self) -> Problem:
        if self._space is None:
            raise ValueError("the space of this run is not known here: pass it as load(path, space=...)")
        return Problem(self._space, max(len(self.objectives), 1), len(self.constraints))

    def _modelled(self, metric: str, mode: str) -> Sequence[TrialResult]:
        """Return all trials, or the best and some others: a model is of 300, and each takes time to encode."""
        if len(self.trials) <= MODELLED_MAX:
            return self.trials
        there = [(value, trial) for trial in self.trials if (value := trial.value(metric)) is not None]
        ranked = sorted(there, key=lambda each: (-each[0] if mode == "max" else each[0], each[1].id))
        best, others = ranked[: MODELLED_MAX // 4], ranked[MODELLED_MAX // 4 :: len(ranked) // MODELLED_MAX + 1]
        return sorted((trial for _, trial in best + others), key=lambda trial: trial.id)

    def _record(self, trial: TrialResult) -> Record:
        """Return a trial's last report as a searcher would see it."""
        record = Record(trial.id, cast(Space, self._space).plain(trial.config), {}, until=trial.step)
        if trial.metrics:
            values = (*self._costs(trial), *violations(self.constraints, trial.metrics))
            record.steps, record.values = [max(trial.step, 1)], [values]
            record.sems = [standard_errors([name for name, _ in self.objectives], trial.metrics)]
        record.outcome = Outcome(cast(Any, trial.outcome)) if trial.outcome else None
        return record

    def importance(
        self,
        metric: str | None = None,
        *,
        method: Method = "ped-anova",
        mode: Literal["min", "max"] | None = None,
        quantile: float = 0.1,
        region: float = 1.0,
        resamples: int = 100,
        seed: int = 0,
    ) -> Importance:
        """Return how much each parameter matters for a metric, by the last value of each trial, with 95 % intervals.

        A parameter that only some trials have is judged among these. Failed trials, and trials without a finite value,
        are left out and counted; constant parameters are skipped.

        Args:
            metric: any that was reported; the first objective if it is not given.
            method: "ped-anova" asks what distinguishes the best trials (Watanabe et al. 2023), and is fast. "fanova"
                asks what part of the variance over the whole space each parameter explains (Hutter et al. 2014).
            mode: "min" or "max", for a metric that is no objective; fANOVA does not need it.
            quantile: for PED-ANOVA, the best part of the trials that counts as good; of few trials, ten of them.
            region: for PED-ANOVA, the best part of the trials that the good ones are compared with; 1 for all.
            resamples: the intervals come from so many resamples of the trials.
            seed: of the random numbers.

        Raises:
            ValueError: no trial has reported the metric (the message has the nearest name), fewer than 10 trials can be
                judged, all have the same value, no parameter varies, or an argument is wrong.
        """
        from trialwright.importance import Settings
        from trialwright.importance.of_result import importance

        settings = Settings(method=method, quantile=quantile, region=region, resamples=resamples, seed=seed)
        return importance(self, metric, mode, settings)

    def pareto_front(self) -> list[TrialResult]:
        """Return the trials that no other trial dominates (is at least as good in all objectives and better in one), by
        their last values and in the order of their numbers. They meet the outcome constraints.

        Raises:
            ValueError: the Engine was given no metric.
        """
        if not self.objectives:
            raise ValueError("there is no best trial: the Engine was given no metric")
        costs = {trial.id: self._costs(trial) for trial in self.trials if self._feasible(trial)}
        finite = {trial: cost for trial, cost in costs.items() if all(map(math.isfinite, cost))}
        front = set(undominated(finite))
        return [trial for trial in self.trials if trial.id in front]

    def _costs(self, trial: TrialResult) -> tuple[float, ...]:
        """Return the last value of each objective, sign-flipped so that smaller is better; NaN if there is none."""
        values = [(trial.metrics.get(metric), -1.0 if mode == "max" else 1.0) for metric, mode in self.objectives]
        return tuple(sign * value if isinstance(value, int | float) else math.nan for value, sign in values)

    def _feasible(self, trial: TrialResult) -> bool:
        return all(constraint.met(trial.metrics) for constraint in self.constraints)

    def _value(self, trial: TrialResult, scope: Scope) -> float | None:
        if self.metric is None:
            return None
        if scope == "best":  # known without the journal, and of reports that meet the constraints
            return trial.best[0] if trial.best is not None and math.isfinite(trial.best[0]) else None
        value = trial.value(self.metric, self.mode, scope) if self._feasible(trial) else None
        return value if value is not None and math.isfinite(value) else None

    def _why_no_best(self) -> str:
        if self.metric is None:
            return "there is no best trial: the Engine was given no metric"
        errors = [trial for trial in self.trials if trial.error]
        first = f"; trial {errors[0].id}: {errors[0].error}" if errors else ""
        count = f"{len(self.trials)} trials, {len(errors)} with an error{first}"
        goals = "".join(f" with {each.metric} {each.op} {each.value:g}" for each in self.constraints)
        return f"no trial has reported a finite {self.metric!r}{goals} ({count})"

    def explain(self, trial: int) -> list[Decided]:
        """Return all decisions about a trial, in order, with their reasons. The journal is replayed for this: it costs
        nothing during the run, and takes as long as a resume.

        Raises:
            ValueError: there is no such trial.
            ReplayError: the scheduler has changed.
        """
        number = self._of(trial).id
        return [decided for decided in self._explain() if decided.trial == number]

    def lineage(self, trial: int) -> list[Segment]:
        """Return the schedule of configurations that led to a trial's state, from step 0 on: those of the trials that
        it was cloned from, then its own. ``PBTReplay`` can repeat it. For a loaded run the journal is replayed.

        Raises:
            ValueError: there is no such trial; or the run was loaded, and its journal does not hold the scheduler.
        """
        return list(self._lineage(trial, len(self._descents(trial))))

    def _descents(self, trial: int) -> tuple[Descent, ...]:
        own = self._of(trial).descents
        return own if self._replayed is None else self._known_descents.get(trial, own)

    @cached_property
    def _known_descents(self) -> Descents:
        return {} if self._replayed is None else self._replayed()

    def _lineage(self, trial: int, count: int) -> Iterator[Segment]:
        """Yield the segments of a trial's past, up to this many of its descents."""
        descents = self._descents(trial)
        config = descents[count].before if count < len(descents) else self._of(trial).config
        if not count:
            yield Segment(0, config, trial)
            return
        last = descents[count - 1]
        past = list(self._lineage(last.donor, last.donor_descents))
        yield from past[:-1] if past[-1].step == last.donor_step else past
        yield Segment(last.donor_step, config, trial)

    def _of(self, trial: int) -> TrialResult:
        found = self.trials[trial : trial + 1]
        if not found or found[0].id != trial:
            found = [each for each in self.trials if each.id == trial]
        if not found:
            raise ValueError(f"there is no trial {trial}: this run has {len(self.trials)}")
        return found[0]

    @property
    def best_trial(self) -> TrialResult:
        """The trial that reported the best value, at any step."""
        return self.best()

    @property
    def best_config(self) -> dict[str, Any]:
        """The configuration of the best trial."""
        return self.best().config

    @property
    def best_metrics(self) -> dict[str, Any]:
        """The metrics of the best trial's report with its best value."""
        return self.best().best_metrics

    @property
    def best_checkpoint(self) -> Any:  # noqa: ANN401 - the caller knows in which form it was reported
        """The best trial's checkpoint of its best value, or its last one if there is none, in the form in which it was
        reported; None if it has no checkpoint."""
        return self.best().best_checkpoint

    @property
    def errors(self) -> list[TrialResult]:
        """The trials that failed or were lost."""
        return [trial for trial in self.trials if trial.outcome in ("failed", "lost")]

    def dataframe(self) -> pd.DataFrame:
        """Return a table with one row for each trial: its id, outcome, last metrics, configuration (``config/...``),
        and times. If a metric has the name of one of these columns, the column is called ``trial/<name>``.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("result.dataframe() needs pandas: pip install 'trialwright[pandas]'") from error
        taken = {name for trial in self.trials for name in trial.metrics}
        return pd.DataFrame([_row(trial, taken) for trial in self.trials])

    def to_optuna(self, storage: object = None, *, study_name: str | None = None) -> optuna.Study:
        """Write the trials that have ended into a new study of Optuna's, for optuna-dashboard and other programs.

        A trial that was stopped is pruned there. Names of nested parameters are paths: "model/lr".

        Args:
            storage: as for ``optuna.create_study``: "sqlite:///study.db"; None for memory.
            study_name: by default the name of the run's directory.

        Raises:
            ImportError: Optuna is not installed.
            ValueError: a loaded run does not know its space; the run has no metric.
        """
        if not self.objectives:
            raise ValueError("this run has no metric, so a study would have no values")
        space = self._problem().space
        try:
            from trialwright.integrations.optuna_export import to_study
        except ImportError as error:
            raise ImportError("result.to_optuna() needs Optuna: pip install 'trialwright[optuna]'") from error
        name = study_name or (self.path.name if self.path else None)
        return to_study(self.trials, space, self.objectives, storage=storage, study_name=name)

    def _repr_html_(self) -> str:
        """Return the best trials as a table, and what the run was."""
        ranked = [(value, trial) for trial in self.trials if (value := self._value(trial, "best")) is not None]
        sign = -1 if self.mode == "max" else 1
        top = [trial for _, trial in heapq.nsmallest(TOP, ranked, lambda each: (sign * each[0], each[1].id))]
        top = top or [*itertools.islice(self.trials, TOP)]
        metrics = [name for name, _ in self.objectives]
        names = list(dict.fromkeys(name for trial in top for name in flatten(trial.config)))
        head = ("trial", "outcome", "steps", *metrics, *names[:PARAMETERS_SHOWN])
        rows = [_cells(trial, metrics, names[:PARAMETERS_SHOWN]) for trial in top]
        more = [f"the best {len(top)} of {several(len(self.trials), 'trial')}" if ranked else ""]
        more += [f"and {hidden} more parameters" if (hidden := len(names) - PARAMETERS_SHOWN) > 0 else ""]
        more += [f"stopped: {self.stopped}" if self.stopped else "", f"kept in {self.path}" if self.path else ""]
        title = f"{self.name}: {several(len(self.trials), 'trial')} ({counts(self._outcomes())})"
        return html_table(title, head, rows, "; ".join(filter(None, more)))

    def _outcomes(self) -> Counter[str]:
        return Counter(trial.outcome or trial.state for trial in self.trials)

    def __repr__(self) -> str:
        parts = [f"{self.name}: {len(self.trials)} trials ({counts(self._outcomes())})"]
        try:
            best = self.best()
            value = best.best_metrics[self.metric or ""]
            parts.append(f"best {self.metric}={value:.6g} (trial {best.id}: {settings(best.config)})")
        except ValueError as error:
            parts.append(str(error))
        if self.stopped:
            parts.append(f"stopped: {self.stopped}")
        return f"Result({'; '.join(parts)})"


def _cells(trial: TrialResult, metrics: Sequence[str], parameters: Sequence[str]) -> list[object]:
    """Return a trial's cells in the table of a result: the values are those of its best report."""
    reported, config = trial.best_metrics or trial.metrics, flatten(trial.config)
    told = [shown(reported[name]) if name in reported else "" for name in metrics]
    return [
        trial.id,
        trial.outcome or trial.state,
        trial.step,
        *told,
        *(shown(config[name]) if name in config else "" for name in parameters),
    ]


def _row(trial: TrialResult, taken: AbstractSet[str]) -> dict[str, object]:
    about = {"id": trial.id, "state": trial.state, "outcome": trial.outcome}
    config = {f"config/{name}": value for name, value in flatten(trial.config).items()}
    times = {"started": trial.started, "ended": trial.ended, "error": trial.error or None}
    return _apart(about, taken) | trial.metrics | _apart({**config, **times}, taken)


def _apart(columns: Mapping[str, object], taken: AbstractSet[str]) -> dict[str, object]:
    """Rename columns of ours that have the name of a metric."""
    named = {}
    for column, value in columns.items():
        name = column
        while name in taken:
            name = f"trial/{name}"
        named[name] = value
    return named
