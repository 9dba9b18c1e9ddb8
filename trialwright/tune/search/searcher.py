"""The searcher as Ray Tune's users know it: it is asked for one trial at a time, and gets results by the trial's id.

A subclass that was written against that interface can be used: the engine asks it through ``Driven``. The searchers of
other libraries have the interface too, for wrappers of the users' own, but the engine asks these directly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from trialwright.history import History, Record, Values
from trialwright.integrations.forms import plain_data
from trialwright.messages import Config, Request, Suggestion
from trialwright.results import Result
from trialwright.searchers import Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.space.values import token
from trialwright.streams import Streams
from trialwright.tune import names
from trialwright.tune.trial import RunFacts
from trialwright.tune.utils import newest_file

Names = str | Sequence[str]
HOOKS = ("set_search_properties", "suggest", "on_trial_result", "on_trial_complete", "add_evaluated_point")
TAG = "searcher"  # marks the trials that the searcher suggested: it hears of no others
TRIES = 10  # how often a searcher that says "not now" is asked again at once


class Searcher:
    """Decides what to try next. Subclasses define ``suggest`` and ``on_trial_complete``, and the rest as they like.

    Its results are all metrics that a trial reported, with the automatic ones; for the trials of a ``Repeater``, the
    means of the optimised metrics. It gets them when the next suggestion is requested.

    Args:
        metric: what to optimise, where ``TuneConfig`` does not say so; or several.
        mode: "min" or "max", for each metric.

    Raises:
        ValueError: the mode is neither, or there is not one for each metric.
    """

    FINISHED: ClassVar[str] = "FINISHED"
    CKPT_FILE_TMPL: ClassVar[str] = "searcher-state-{}.pkl"
    rng: Streams | None = None  # of the run that asks
    at_end: Callable[[Result], None] | None = None  # tells of the last trials, where the engine asks this object

    def __init__(self, metric: Names | None = None, mode: Names | None = None) -> None:
        for one in listed(mode):
            if one not in ("min", "max"):
                raise ValueError(f"mode must be 'min' or 'max', not {one!r}")
        if (
            metric
            and mode
            and (len(listed(metric)) != len(listed(mode)) or isinstance(metric, str) != isinstance(mode, str))
        ):
            raise ValueError(f"metric={metric!r} and mode={mode!r} must be two strings, or lists of the same length")
        self._metric = metric
        self._mode = mode

    @property
    def metric(self) -> Any:  # noqa: ANN401 - a string, a list, or None, as it was given
        """What to optimise; None if only ``TuneConfig`` says so."""
        return self._metric

    @property
    def mode(self) -> Any:  # noqa: ANN401 - as above
        """The direction."""
        return self._mode

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Hear what is optimised and over which space, as ``TuneConfig`` and ``param_space`` have it.

        Returns:
            Whether the searcher searches that space. What it does not suggest is drawn from the space in any case.
        """
        return False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return a configuration for a new trial, or part of one; ``FINISHED`` where there are no more.

        None means "not now": the searcher is asked again once a trial has reported or ended. While no trial runs it is
        asked again at once, a few times; then None means that there are no more.
        """
        raise NotImplementedError

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial has reported."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """A trial has ended; ``result`` is its last one, None if there is none."""
        raise NotImplementedError

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float,
        error: bool = False,  # noqa: FBT002 - Ray Tune's order
        pruned: bool = False,  # noqa: FBT002 - as above
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Learn from a trial that this object did not suggest: from each of those before a resume, for instance."""
        raise NotImplementedError

    def add_evaluated_trials(self, trials_or_analysis: Any, metric: str) -> None:  # noqa: ANN401 - see below
        """Learn from trials of an earlier run, by ``add_evaluated_point``; those that have not ended are left out.

        Args:
            trials_or_analysis: an ``ExperimentAnalysis``, a ``Trial``, or a list of trials.
            metric: which of their metrics is the value of a point.
        """
        given = getattr(trials_or_analysis, "trials", trials_or_analysis)
        for trial in given if isinstance(given, Sequence) else [given]:
            value = trial.last_result.get(metric)
            if trial.is_finished() and value is not None:
                self.add_evaluated_point(trial.config, value, error=trial.status == trial.ERROR)

    def get_state(self) -> dict[str, Any]:
        """Return what was learnt, for ``set_state``. Like ``save``, only users call it."""
        raise NotImplementedError

    def set_state(self, state: dict[str, Any]) -> None:
        """Undo ``get_state``."""
        raise NotImplementedError

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Have ``save`` write a file of this directory, which ``restore_from_dir`` finds.

        Args:
            checkpoint_dir: the directory.
            session_str: a part of the file's name.
        """
        self.save(str(Path(checkpoint_dir, self.CKPT_FILE_TMPL.format(session_str))))

    def restore_from_dir(self, checkpoint_dir: str) -> None:
        """Have ``restore`` read the newest file that ``save_to_dir`` has written there.

        Raises:
            RuntimeError: there is none.
        """
        self.restore(newest_file(checkpoint_dir, self.CKPT_FILE_TMPL))

    def save(self, checkpoint_path: str) -> None:
        """Write what was learnt to a file. Only users call it: a resumed run gives the searcher all results again."""
        raise NotImplementedError

    def restore(self, checkpoint_path: str) -> None:
        """Undo ``save``."""
        raise NotImplementedError

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Hear how many trials may run at a time. Return whether the searcher itself sees to that."""
        return False

    def engine_searcher(self, facts: RunFacts, config: Mapping[str, Any] | None) -> EngineSearcher | None:
        """Return a searcher of the engine that suggests as this object does; None if the engine has to ask this object.

        Args:
            facts: about the run: its metric and mode, and how trials are named.
            config: the space as it was given.
        """
        return None

    def on_experiment_end(self, result: Result) -> None:
        """Hear how the last trials ended: no more are asked for.

        Args:
            result: of the engine's run.
        """
        if self.at_end is not None:
            self.at_end(result)


def overrides(searcher: Searcher, base: type[Searcher]) -> bool:
    """Tell whether a searcher has hooks of its own, besides those of a built-in class."""
    return any(getattr(type(searcher), hook) is not getattr(base, hook) for hook in HOOKS)


def listed(given: Names | None) -> list[str]:
    """Return metrics or modes as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def signs(mode: Names | None) -> list[int]:
    """Return what turns a metric of each mode into a cost, and back."""
    return [-1 if one == "max" else 1 for one in listed(mode)] or [1]


# How the engine asks it -----------------------------------------------------------------------------------------------


def to_engine(
    searcher: Searcher, facts: RunFacts | None = None, config: Mapping[str, Any] | None = None
) -> EngineSearcher:
    """Return what the engine asks: a searcher of its own if one suggests the same, else one that asks this one.

    Args:
        searcher: of this layer.
        facts: about the run: its metric and mode, and how trials are named.
        config: the space as it was given, for ``set_search_properties``.
    """
    facts = facts or RunFacts()
    own = searcher.engine_searcher(facts, config)
    return _driven(searcher, facts, config) if own is None else own


def _driven(searcher: Searcher, facts: RunFacts, config: Mapping[str, Any] | None) -> Driven:
    metric, mode = searcher.metric or facts.metric, searcher.mode or facts.mode
    if config is not None:
        searcher.set_search_properties(metric, mode, dict(config))
    driven = Driven(searcher, listed(metric), listed(mode), facts)
    searcher.at_end = driven.finish
    return driven


class Driven:
    """Asks a user's searcher.

    One that was not there from the beginning (the run was resumed) hears of the trials before as evaluated points if
    it takes such; else it is asked for them again, and its answers go unused.

    Args:
        searcher: the user's.
        metrics: by the user's names.
        modes: "min" or "max", one each.
        facts: how trials are named.
    """

    learns = True
    sees_metrics = True
    exact_resume = False

    def __init__(self, searcher: Searcher, metrics: Sequence[str], modes: Sequence[str], facts: RunFacts) -> None:
        self._searcher, self._metrics, self._facts = searcher, list(metrics), facts
        self.wraps = searcher
        self._signs = signs(list(modes)) * (1 if modes else max(len(self._metrics), 1))
        self._reports = type(searcher).on_trial_result is not Searcher.on_trial_result
        self._takes_points = type(searcher).add_evaluated_point is not Searcher.add_evaluated_point

    def setup(self, problem: Problem) -> int:
        """Begin a run. What the searcher itself remembers of another one is its own business."""
        self._space = problem.space
        self._suggested: set[int] = set()  # by this object, in this process
        self._told: dict[int, int] = {}  # how many reports it has heard of each
        self._ended: set[int] = set()
        self._seen: History | None = None
        return self._space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Tell it what is new, then ask it."""
        self._searcher.rng = rng
        for record in map(history.record, history.changed(self._seen).tolist()):
            if TAG in record.tags and record.id not in self._ended:
                self._tell(record)
        self._seen = history
        answers: list[Suggestion | None] = []
        for request in requests:
            config = self._ask(self._facts.trial_id(request.trial))
            if config == Searcher.FINISHED:
                break
            if not isinstance(config, dict):
                answers.append(None)
                continue
            self._suggested.add(request.trial)
            answers.append(Suggestion(self._whole(config, request.sample, rng), {TAG: True}))
        return answers

    # Asking ----------------------------------------------------------------------------------------------------------

    def _ask(self, trial_id: str) -> dict[str, object] | str | None:
        """With nothing to wait for, "not now" is worth another try."""
        for _ in range(1 if self._suggested - self._ended else TRIES):
            answer = self._searcher.suggest(trial_id)
            if answer is not None:
                return (
                    Searcher.FINISHED if answer == Searcher.FINISHED else cast("dict[str, object]", plain_data(answer))
                )
        return None

    def _whole(self, given: dict[str, object], number: int, rng: Streams) -> Config:
        """Draw what was not suggested. What the space does not know, or has as a constant, is as suggested."""
        drawn = self._space.sample(1, rng("rest", number), grid=[number])[0]
        given = _of_space(given, drawn)
        known = {key: value for key, value in given.items() if key in drawn}
        if not self._space.validate(known, partial=True):
            drawn = self._space.complete(self._gridded(known, drawn), rng("rest", number))
        return cast(Config, self._space.plain(merged(drawn, given)))

    def _gridded(self, known: dict[str, object], drawn: dict[str, object]) -> dict[str, object]:
        """Add what the grid says about this sample, where it is at the top."""
        grids = [p.path for p in self._space.parameters if p.path in drawn and p.column in self._space.grid_units(0)]
        return {path: drawn[path] for path in grids} | known

    # Telling ---------------------------------------------------------------------------------------------------------

    def _tell(self, record: Record) -> None:
        trial_id = self._facts.trial_id(record.id)
        if record.id not in self._suggested and self._takes_points:
            self._point_out(record)
            return
        if record.id not in self._suggested:
            self._suggested.add(record.id)
            self._ask(trial_id)
        results = list(self._results(record))
        for result in results[self._told.get(record.id, 0) :] if self._reports else ():
            self._searcher.on_trial_result(trial_id, result)
        self._told[record.id] = len(results)
        if record.outcome is not None:
            failed = record.outcome.kind in ("failed", "lost")
            last = names.Shown(results[-1], done=True) if results and not failed else None
            self._complete(record.id, last, failed=failed)

    def _complete(self, trial: int, result: dict[str, Any] | None, *, failed: bool) -> None:
        self._ended.add(trial)
        self._searcher.on_trial_complete(self._facts.trial_id(trial), result=result, error=failed)

    def _point_out(self, record: Record) -> None:
        if record.outcome is None:
            return
        self._ended.add(record.id)
        failed = record.outcome.kind in ("failed", "lost")
        values = [self._signs[0] * vector[0] for vector in record.values]
        value = values[-1] if values else math.nan
        config = self._space.resolve(record.config)
        self._searcher.add_evaluated_point(config, value, error=failed, pruned=False, intermediate_values=values)

    def _results(self, record: Record) -> Iterator[dict[str, Any]]:
        """All that the trial reported; of a trial that stands for several, the metrics that are optimised."""
        config, trial_id = self._space.resolve(record.config), self._facts.trial_id(record.id)
        for row in record.metrics or map(self._named, record.steps, record.values):
            yield names.result_of(row, trial_id=trial_id, config=config)

    def _named(self, step: int, vector: Values) -> dict[str, Any]:
        values = (sign * value for sign, value in zip(self._signs, vector, strict=False))
        return {"step": step, **dict(zip(map(names.to_engine, self._metrics), values, strict=False))}

    def finish(self, result: Result) -> None:
        """Tell the searcher how the last trials ended, with all that they reported: it will not be asked any more.

        Args:
            result: of the run.
        """
        for trial in result:
            if trial.id in self._suggested - self._ended:
                failed = trial.outcome in ("failed", "lost")
                trial_id = self._facts.trial_id(trial.id)
                for late in trial.history[self._told.get(trial.id, 0) :] if self._reports else ():
                    told = names.result_of(late, trial_id=trial_id, config=trial.config)
                    self._searcher.on_trial_result(trial_id, told)
                row = names.result_of(trial.metrics, done=True, trial_id=trial_id, config=trial.config)
                self._complete(trial.id, row if trial.metrics and not failed else None, failed=failed)


def _of_space(given: dict[str, object], drawn: dict[str, object]) -> dict[str, object]:
    """Return what is given, with the space's own tuples and objects where they are meant: in plain data they are
    lists, which the space does not know."""
    found = dict(given)
    for key in given.keys() & drawn.keys():
        value, own = given[key], drawn[key]
        if isinstance(value, dict) and isinstance(own, dict):
            found[key] = _of_space(value, own)
        elif token(plain_data(own)) == token(value):
            found[key] = own
    return found


def merged(config: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    """Put what is given over a configuration, dict by dict."""
    found = dict(config)
    for key, value in given.items():
        own = found.get(key)
        found[key] = merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return found
