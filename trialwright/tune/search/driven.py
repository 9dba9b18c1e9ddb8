"""The engine's side of a searcher that a user has written: the searcher gets what is new in the history, and is then
asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from trialwright.history import History, Record, Values
from trialwright.integrations.forms import plain_data
from trialwright.messages import Config, Request, Suggestion
from trialwright.results import Result
from trialwright.searchers import Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.streams import Streams
from trialwright.tune import names
from trialwright.tune.search.searcher import Searcher, listed, signs
from trialwright.tune.trial import RunFacts

TAG = "searcher"  # marks the trials that the searcher suggested: it hears of no others
TRIES = 10  # how often a searcher that says "not now" is asked again at once


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
        self._reports = _overrides(searcher, "on_trial_result")
        self._takes_points = _overrides(searcher, "add_evaluated_point")

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
        known = {key: value for key, value in given.items() if key in drawn}
        if not self._space.validate(known, partial=True):
            drawn = self._space.complete(self._gridded(known, drawn), rng("rest", number))
        return cast(Config, self._space.plain(_merged(drawn, given)))

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


def _overrides(searcher: Searcher, method: str) -> bool:
    return getattr(type(searcher), method, None) is not getattr(Searcher, method)


def _merged(config: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    """Put what is given over a configuration, dict by dict."""
    merged = dict(config)
    for key, value in given.items():
        own = merged.get(key)
        merged[key] = _merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return merged
