"""The arguments of a run: an Engine's keywords, checked and turned into objects (``checking.py`` does so)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import compress
from numbers import Integral, Real
from pathlib import Path
from typing import Literal, TypeAlias, cast

from trialwright.callbacks import Callback
from trialwright.core.plan import Plan
from trialwright.errors import PolicyError
from trialwright.executors import Executor
from trialwright.history import History, HistoryLog, Values
from trialwright.messages import Ask, Boundary, Config, Metric, Outcome, Plain, Request, Suggested, Suggestion
from trialwright.progress import Progress
from trialwright.resources import to_units
from trialwright.results import Result
from trialwright.schedulers import Scheduler
from trialwright.searchers import Searcher
from trialwright.space import Space
from trialwright.stopping import StopRule
from trialwright.storage.journal import encode
from trialwright.streams import Streams

Needs: TypeAlias = Callable[[dict[str, object]], Mapping[str, float]]


class Default(Enum):
    """What stands for "not given" where None means something."""

    STORAGE = "$TRIALWRIGHT_HOME or ~/trialwright"


@dataclass(frozen=True)
class Earlier:
    """A configuration, and its values as in the history."""

    config: Config
    values: Values
    sems: Values


@dataclass(frozen=True)
class Arguments:
    """An Engine's keywords, checked and turned into the parts of a run."""

    objective: object
    space: Space
    plan: Plan
    scheduler: Scheduler
    searcher: Searcher
    rule: StopRule
    executor: Executor
    points: tuple[Config, ...]  # that the engine suggests itself
    earlier: tuple[Earlier, ...]
    callbacks: tuple[Callback, ...]
    storage: Path | None
    name: str
    verbose: int
    sweep: int  # how many trials one sample means
    progress: Progress | None
    needs: Needs | None  # what a trial needs, where that depends on its config
    link: str | None  # in the storage
    notes: dict[str, Plain]
    page: bool = False  # it is shown in a browser too
    why_scheduler: str = ""  # which one was chosen, and why, where that was left to the engine

    @property
    def is_varied(self) -> bool:
        """False where configurations come again on purpose: a grid so often as num_samples says, or by the searcher."""
        kinds = [getattr(self.searcher, name, False) for name in ("is_exhaustive", "repeats")]
        return self.plan.samples is None or (not any(kinds) and self.space.grid_size != self.space.cardinality)

    def samples(self, num_samples: int) -> int | None:
        """How many new trials ``num_samples`` means."""
        return samples_of(num_samples, self.sweep, self.searcher, len(self.points))

    def remember(self, history: HistoryLog) -> None:
        """Begin the history with what is known already, as trials that have numbers below 0."""
        for trial, known in enumerate(self.earlier, -len(self.earlier)):
            history.born(trial, cast(Config, self.space.plain(known.config)), {})
            history.seen(trial, 1, [known.values], sems=[known.sems])
            history.ended(trial, Outcome("completed"))

    def suggest(self, ask: Ask, history: HistoryLog, streams: Streams) -> Suggested:
        """Answer an ask: the user's points first, then the searcher."""
        given, rest = self._split(ask.requests)
        # What there was when it was asked, and no more: an ask that is repeated after a crash must be answered alike.
        seen = history.until(ask.seen) if self.searcher.learns else History()
        points = [self._point(request.sample, streams) for request in given]
        answers = (*points, *(self._suggested(rest, seen, streams) if rest else ()))
        if self.needs is not None:
            answers = tuple(each and replace(each, resources=self.needed(each.config)) for each in answers)
        return Suggested(ask.ask, answers)

    def _suggested(self, requests: Sequence[Request], seen: History, streams: Streams) -> list[Suggestion | None]:
        """Return what the searcher answers.

        Raises:
            PolicyError: it suggested a value outside its domain. A variation of a trial may have one: mutations have
                domains of their own.
            TypeError: it returned something that is not a suggestion.
        """
        answers = []
        for answer in self.searcher.suggest(seen, requests, streams):
            if not isinstance(answer, Suggestion | None):
                raise TypeError(f"suggest() must return Suggestion objects, or None for not now, not {answer!r}")
            answers.append(answer)
        for request, answer in zip(requests, answers, strict=False):  # fewer answers: the searcher has no more
            if answer is None or request.kind == "explore":
                continue
            if problems := self.space.misfits(self.space.resolve(answer.config)):
                raise PolicyError(f"the searcher suggested a value outside its domain: {problems[0]}")
        return answers

    def needed(self, config: Config) -> dict[str, float] | None:
        """Return what a trial of this config, in its plain form, needs; None where that is the same for all."""
        return needed(self.needs, self.space, config)

    def _split(self, requests: Sequence[Request]) -> tuple[list[Request], Sequence[Request]]:
        """Separate the requests for the user's points from those to the searcher, which counts its samples without
        them."""
        points = len(self.points)
        if not points:
            return [], requests
        given = [request.kind != "explore" and 0 <= request.sample < points for request in requests]
        rest = [request for request, is_given in zip(requests, given, strict=True) if not is_given]
        rest = [replace(each, sample=each.sample - points) if each.sample >= points else each for each in rest]
        return list(compress(requests, given)), rest

    def _point(self, index: int, streams: Streams) -> Suggestion:
        # A stream for each point: what the searcher draws stays the same whatever the user gives first.
        config = self.space.complete(dict(self.points[index]), streams("point", index))
        return Suggestion(cast(Config, self.space.plain(config)), {"point": index})


def check_plain(suggested: Suggested) -> Suggested:
    """Return what a searcher has suggested, if it can be written down.

    Raises:
        TypeError: it holds something that is not plain data.
    """
    for answer in suggested.suggestions:
        try:
            encode(answer)
        except (TypeError, RecursionError) as error:  # RecursionError: a list that holds itself
            raise TypeError(f"it suggested {answer!r}, which is not plain data: {error}") from error
    return suggested


def needed(needs: object, space: Space, config: Config) -> dict[str, float] | None:
    """Return what a trial of this config, in its plain form, needs; None where that is the same for all.

    Raises:
        ValueError, TypeError: the function returned invalid resources.
    """
    if not callable(needs):
        return None
    wanted = cast(Needs, needs)(space.resolve(config))
    to_units(wanted)  # now, while it is known which configuration they are for
    return dict(wanted)


def samples_of(num_samples: int, sweep: int, searcher: object, points: int) -> int | None:
    """Return how many new trials to ask for: a grid is repeated ``num_samples`` times, besides the points, if the
    searcher does not plan it differently."""
    if num_samples == -1:
        return None
    if (planned := planner(searcher)) is not None:
        return planned(num_samples)
    return num_samples * sweep + (points if sweep > 1 else 0)


def planner(searcher: object) -> Callable[[int], int] | None:
    """Return how a searcher plans that suggests the user's points itself; None for one that does not."""
    return getattr(searcher, "planned", None)


def as_space(given: object) -> Space:
    """Return the space that a user has given, as a dict or as a Space."""
    if isinstance(given, Space):
        return given
    if not isinstance(given, Mapping):
        raise TypeError(f"space must be a dict of domains and constants, or a Space, not {given!r}")
    return Space(given)


def as_number(given: object) -> object:
    """Return a number of NumPy, or of another kind, as an int or a float; all else as it is."""
    if isinstance(given, bool):  # an Integral too, but num_samples=True is a mistake
        return given
    if isinstance(given, Integral):
        return int(given)
    return float(given) if isinstance(given, Real) else given


def number_problem(name: str, value: object, lowest: float, *, whole: bool) -> str | None:
    """Return what is wrong with a number that a user has given; None if nothing is. A lowest of -1 means that -1 stands
    for unlimited; 0 is then wrong for the number of samples."""
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind):
        return f"{name} must be {'an integer' if whole else 'a number'}, not {value!r}"
    # "not >=" and not "<": NaN must be refused too.
    if not cast(float, value) >= lowest or (name == "num_samples" and value == 0):
        return f"{name} must be at least {lowest}{' and not 0' if lowest < 0 else ''}, not {value!r}"
    return None if whole or cast(float, value) > 0 else f"{name} must be more than 0, not {value!r}"


def as_pairs(given: object) -> list[tuple[dict[str, object], dict[str, Metric]]]:
    """Return pairs of a configuration and its metrics, as a user has given them: as such pairs, or as a result.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, Result):  # a failed trial has metrics of a training that did not end
        return [(trial.config, trial.metrics) for trial in given if trial.outcome in ("completed", "stopped")]
    wrong = f"earlier must be a Result, or a list of (config, metrics) pairs, not {given!r}"
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise TypeError(wrong)
    if not all(isinstance(pair, Sequence) and [isinstance(x, Mapping) for x in pair] == [True, True] for pair in given):
        raise TypeError(wrong)
    return [(dict(config), dict(metrics)) for config, metrics in given]


_CONSTRAINT = re.compile(r"\s*(?P<metric>\S.*?)\s*(?P<op><=|>=)\s*(?P<bound>\S+)\s*")


def outcome_constraints(given: object) -> tuple[Boundary, ...]:
    """Read constraints such as ``"memory <= 8e9"``, which the reports of the best trial must meet.

    Raises:
        TypeError: it is not a list of strings.
        ValueError: a string is not a constraint.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise TypeError(f"outcome_constraints must be a list of strings like 'memory <= 8e9', not {given!r}")
    return tuple(map(_constraint, given))


def _constraint(text: object) -> Boundary:
    found = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
    try:
        bound = float(found["bound"]) if found else math.nan
    except ValueError:
        bound = math.nan
    if found is None or not math.isfinite(bound):  # float() reads "inf" and "nan" as well
        raise ValueError(f"outcome constraint {text!r} must be 'metric <= number' or 'metric >= number'")
    return Boundary(found["metric"], cast(Literal[">=", "<="], found["op"]), bound)
