"""Searchers of other libraries: the interface of a library, and how it becomes a searcher of Trialwright.

A library speaks of *assignments*: flat dicts of the parameters that are active. It gets all trials in the order
of their numbers, seeded anew for every question, and what it answered is stored in the trial's tags. So a fresh
instance that is given the full history goes on as the live one would have. A library that changes with every question
(``Adapter.replays``) is asked all questions again: which results it knew at each is stored in the tags too.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Protocol, TypeAlias, cast

from trialwright.history import History, Record, Values
from trialwright.integrations.forms import Assignment, Form, SpaceForm, plain_data
from trialwright.messages import Config, Plain, Request, Suggestion
from trialwright.space import Space
from trialwright.space.compiling import holds_domain
from trialwright.streams import Streams

if TYPE_CHECKING:  # only then: in the environment of InEnvironment there may be no SciPy, which other searchers import
    from trialwright.searchers.base import Problem

TAG = "asked"  # a suggestion's tag: the assignment, exactly as the library made it
REPLAY = "replay"  # another one: the sample's number, then the trials of which the library was told since the last one
NOT_NOW: Final = "not now"

Answer: TypeAlias = Assignment | Literal["not now"] | None


class Library(Protocol):
    """What a third-party searcher must be able to do. Values are costs: smaller is better."""

    def ask(self, seed: int, given: Assignment) -> Answer:
        """Propose a trial that has the ``given`` values.

        NOT_NOW: ask again when a trial has ended, or draw something if none runs. None: there is nothing more to try.
        """

    def add(self, trial: int, assignment: Assignment) -> None:
        """Add a trial with these values: what was proposed last, or one that the library did not propose."""

    def tell(self, trial: int, values: Values | None) -> None:
        """A trial ended, with these values, which are finite; None: it failed."""


class Plan(NamedTuple):
    """How many trials the run will have in all (None: unlimited), and how many side by side."""

    num_samples: int | None = None
    parallelism: int = 1


class Idle:
    """Stands in where there is nothing to decide: no parameter, or none with two values."""

    def ask(self, seed: int, given: Assignment) -> Assignment:
        return {}

    def add(self, trial: int, assignment: Assignment) -> None: ...

    def tell(self, trial: int, values: Values | None) -> None: ...


@dataclass
class Adapter:
    """A searcher that asks a library. Subclasses say how the library is opened.

    Args:
        space: a space in the library's own language, instead of the engine's, which then may hold constants only.
        points: configurations to try first, whole or in part; in a space of the library's own they are tried as they
            are.
        earlier: what is known already: pairs of a configuration and its costs, or None where it failed.
        seed: of the library's random draws; the run's, if it is not given.
    """

    _: KW_ONLY
    space: object = None
    points: Sequence[Mapping[str, object]] = ()
    earlier: Sequence[tuple[Mapping[str, object], Values | None]] = ()
    seed: int | None = None

    learns: ClassVar[bool] = True
    single: ClassVar[bool] = False  # it takes one objective, and no outcome constraints
    plan = Plan()  # of the run; set before the library is opened
    design_seed = 0  # of what all questions of a run have in common; set before each of them

    @property
    def exact_resume(self) -> bool:
        """True where a resumed run makes the suggestions that it would have made without a break."""
        return True

    @property
    def _stream(self) -> str:
        """The name of its random stream."""
        return type(self).__name__.lower()

    @property
    def replays(self) -> bool:
        """True where the library changes with every question, so that a fresh instance is asked all of them again."""
        return False

    def open(self, form: Form) -> Library:
        """Make the library's searcher, as it is at the beginning of a run."""
        raise NotImplementedError

    def own_form(self, space: object) -> Form:
        """Read a space in the library's own language.

        Raises:
            ValueError, TypeError: it is none.
        """
        raise TypeError(f"{type(self).__name__} takes no space of its own: space={space!r}")

    def setup(self, problem: Problem) -> int:
        """Begin a run over this space.

        Raises:
            ImportError: the library is not installed; the message says what to install.
            ValueError: it cannot search this space, or a point does not fit.
        """
        space = problem.space
        if self.space is not None and space.parameters:
            raise ValueError(
                f"{type(self).__name__} was given a space of its own, so the run's space may hold constants only; "
                f"{space.parameters[0].path!r} is not a constant"
            )
        if self.single:
            problem.single(self._stream)
        self.plan, self._outer = Plan(problem.num_samples, problem.parallelism), space
        self._form = SpaceForm(space) if self.space is None else self._read(self.space)
        self._problems()
        self._begin()
        return self._form.grid_size

    def _read(self, space: object) -> Form:
        if isinstance(space, Space) or (isinstance(space, Mapping) and holds_domain(space)):
            return SpaceForm(space if isinstance(space, Space) else Space(space))
        return self.own_form(space)

    def _problems(self) -> None:
        for index, point in enumerate(self.points):
            try:
                self._form.check(point)
            except (ValueError, KeyError) as error:
                raise ValueError(f"points_to_evaluate[{index}]: {error}") from error

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Tell the library what is new, then ask it."""
        streams = rng if self.seed is None else Streams(self.seed)
        self._learn(history, streams)
        answers: list[Suggestion | None] = []
        for request in requests:
            answer = self._answer(request, streams)
            if answer is None:
                break
            answers.append(None if answer == NOT_NOW else answer)
        return answers

    # What the library knows ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start again from nothing but the earlier results, which count as trials before the first."""
        self._library = self.open(self._form) if self._form.size else Idle()
        self._configs: dict[int, Config] = {}
        self._newest = -1  # of all trials that it has
        self._open: set[int] = set()  # told to the library, and not yet ended
        self._told: list[int] = []  # trials of which it was told since it was last asked
        self._seen: History | None = None
        for number, (config, values) in enumerate(self.earlier, -len(self.earlier)):
            self._library.add(number, self._form.assignment(dict(config)))
            self._library.tell(number, values)

    def _learn(self, history: History, streams: Streams) -> None:
        if not self._continues(history):
            self._begin()
        news = self._news(history)
        for record in news:
            if record.id not in self._configs:
                self._repeat(record, history, streams)
                self._adopt(record)
        for record in news:
            self._end(record)
        self._seen = history

    def _end(self, record: Record) -> None:
        if record.outcome is not None and record.id in self._open:
            self._open.discard(record.id)
            self._told.append(record.id)
            self._library.tell(record.id, _values(record))

    def _repeat(self, record: Record, history: History, streams: Streams) -> None:
        """Ask again what this trial was the answer to, if the library must be, with the results that it had then."""
        question = record.tags.get(REPLAY)
        if not self.replays or not isinstance(question, list):
            return
        number, *ended = cast("list[int]", question)
        for trial in ended:
            if trial in self._open:
                self._end(history.record(trial))
        self._ask(number, streams)

    def _news(self, history: History) -> list[Record]:
        return [history.record(trial) for trial in history.changed(self._seen).tolist()]

    def _continues(self, history: History) -> bool:
        """Tell whether the library heard of the trials so far in the order of their numbers, and as they are."""
        return all(
            self._configs[record.id] == record.config if record.id in self._configs else record.id > self._newest
            for record in self._news(history)
        )

    def _adopt(self, record: Record) -> None:
        """Take in a trial that this instance was not asked for. One that the form cannot express stays unknown."""
        self._note(record.id, record.config)
        assignment = record.tags.get(TAG)
        try:
            if not isinstance(assignment, dict):
                assignment = self._form.assignment(self._outer.resolve(record.config))
        except (ValueError, KeyError):
            return
        self._library.add(record.id, assignment)
        self._open.add(record.id)

    def _note(self, trial: int, config: Config) -> None:
        self._configs[trial], self._newest = config, max(self._newest, trial)

    # What it is asked ------------------------------------------------------------------------------------------------

    def _answer(self, request: Request, streams: Streams) -> Suggestion | Literal["not now"] | None:
        number, replay = request.sample, dict[str, Plain]()
        if number < len(self.points):
            config, assignment = self._form.point(self.points[number], number, streams)
        else:
            told = list(self._told)
            proposed = self._ask(number, streams)
            if proposed is None or (proposed == NOT_NOW and self._waits()):
                return proposed
            if self.replays and proposed != NOT_NOW:
                replay = {REPLAY: [number, *told]}
            known = self._form.grid(number) if proposed == NOT_NOW else proposed  # the rest is drawn
            config, assignment = self._form.complete(known, number, streams)
        plain = self._plain(config)
        self._library.add(request.trial, assignment)
        self._note(request.trial, plain)
        self._open.add(request.trial)
        return Suggestion(plain, {TAG: assignment, **replay})

    def _waits(self) -> bool:
        """Tell whether a trial runs for whose end a library can wait. A paused one may wait for new trials itself, and
        where one trial runs at a time, what is open was asked for in a batch."""
        if not isinstance(self._form, SpaceForm):
            return True
        return self.plan.parallelism > 1 and not all(map(self._is_paused, self._open))

    def _is_paused(self, trial: int) -> bool:
        try:
            return self._seen is not None and self._seen.record(trial).paused
        except KeyError:  # it was suggested a moment ago
            return False

    def _ask(self, number: int, streams: Streams) -> Answer:
        self._set_design_seed(streams.integer(f"{self._stream} design") % 2**31)
        seed = streams.integer(self._stream, len(self.earlier) + number)  # as if the earlier results were of this run
        answer = self._library.ask(seed, self._form.grid(number))
        if answer is not None and answer != NOT_NOW:
            self._told = []
        return answer

    def _set_design_seed(self, seed: int) -> None:
        self.design_seed = seed

    def _plain(self, config: dict[str, object]) -> Config:
        if self.space is None:
            return cast(Config, self._outer.plain(config))
        constants = self._outer.sample(1, Streams(0)("constants"))[0]
        return cast(Config, self._outer.plain({**constants, **cast("dict[str, object]", plain_data(config))}))


def _values(record: Record) -> Values | None:
    """Return what a trial ended with: its last values; None where it failed, or where these are no numbers."""
    ended_well = record.outcome is not None and record.outcome.kind in ("completed", "stopped")
    if not ended_well or record.last is None or not all(map(math.isfinite, record.last)):
        return None
    return record.last


def library(module: str, package: str) -> Any:  # noqa: ANN401 - most of them have no types
    """Import a library.

    Raises:
        ImportError: it is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"this integration needs {module}: pip install {package}") from error
