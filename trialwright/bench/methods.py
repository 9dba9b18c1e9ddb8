"""Methods: schedulers that are compared, for trainings of R steps; some with a searcher that learns, the others with
one order of configurations for all."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from trialwright.bench.searches import searcher_of
from trialwright.engine.catalogue import RANDOM_IN_BOHB, SEARCHERS
from trialwright.errors import nearest
from trialwright.messages import Choice, New, Outcome, Pause, Plain, Report, Resume, Start, Verdict, Wait, at_step
from trialwright.schedulers import (
    ASHA,
    FIFO,
    PASHA,
    PBT,
    AsyncHyperBand,
    FreezeThaw,
    HyperBand,
    MedianStopping,
    PBTReplay,
    Scheduler,
    TrialView,
)
from trialwright.searchers import DEHB, GP, TPE, HyperTune, Searcher
from trialwright.streams import Streams

ETA = 3


@dataclass
class OneEpochTopK:
    """Trains so many trials for one epoch, and the best k of them to the end: the baseline of Egele et al. (2023).

    Args:
        first: how many are seen for one epoch.
        k: how many continue.
    """

    first: int
    k: int

    def setup(self, rng: Streams) -> None:
        """Begin with none."""
        self._started = 0
        self._alive: set[int] = set()
        self._scores: dict[int, float] = {}
        self._chosen: list[int] | None = None

    def on_start(self, trial: TrialView) -> Start:
        """One epoch; a trial that starts after the best were chosen may continue."""
        self._started += 1
        self._alive.add(trial.id)
        return Start(at_step(1) if self._chosen is None else ())

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Wait for the others."""
        value = report.values[0]
        self._scores[trial.id] = value if value == value else float("inf")  # noqa: PLR0124 - NaN is not itself
        return Pause()

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Who has ended is not chosen."""
        self._alive.discard(trial.id)

    def next(self, can_ask: bool) -> Choice:
        """The first, then the best of them, best first; if there is time left after that, new ones."""
        if self._chosen is None and self._started == self.first and len(self._scores) >= len(self._alive):
            self._chosen = sorted(self._alive, key=lambda trial: (self._scores[trial], trial))[: self.k]
        if self._chosen:
            return Resume(self._chosen.pop(0), ())
        return New() if can_ask and (self._started < self.first or self._chosen is not None) else Wait()

    def state(self) -> Plain:
        """Nothing: it is not resumed."""
        return None

    def restore(self, state: Plain) -> None:
        """Nothing."""


class Method(NamedTuple):
    """A scheduler for trainings of so many steps, and the searcher that goes with it; None: rows come in an order that
    is the same for all methods."""

    scheduler: Callable[[int], Scheduler]
    searcher: Callable[[], Searcher] | None = None


_PROMOTING = Method(lambda steps: ASHA(steps, reduction_factor=ETA, promote=True))
_HYPERBAND = Method(lambda steps: HyperBand(steps, reduction_factor=ETA))
METHODS: dict[str, Method] = {
    "random": Method(lambda _: FIFO()),
    "one-epoch-top-k": Method(lambda _: OneEpochTopK(first=100, k=3)),  # at 50 epochs, a quarter of the budget in all
    "one-epoch-top-10": Method(lambda steps: OneEpochTopK(first=10 * steps, k=10)),  # all of the budget
    "asha": Method(lambda steps: ASHA(steps, reduction_factor=ETA)),
    "asha-promoting": _PROMOTING,
    "async-hyperband": Method(lambda steps: AsyncHyperBand(steps, reduction_factor=ETA)),
    "hyperband": _HYPERBAND,
    "median": Method(lambda steps: MedianStopping(grace_period=max(1, steps // 10))),
    "pasha": Method(lambda steps: PASHA(steps, reduction_factor=ETA)),
    "mobster": Method(_PROMOTING.scheduler, GP),
    "tpe-asha-promoting": Method(_PROMOTING.scheduler, TPE),
    "freeze-thaw": Method(FreezeThaw, GP),
    "bohb": Method(_HYPERBAND.scheduler, lambda: TPE(random_fraction=RANDOM_IN_BOHB)),
    "dehb": Method(_HYPERBAND.scheduler, DEHB),
    "hyper-tune": Method(
        lambda steps: AsyncHyperBand(steps, reduction_factor=ETA, promote=True),
        lambda: HyperTune(brackets=AsyncHyperBand().count, reduction_factor=ETA),
    ),
}
Given: TypeAlias = "str | Scheduler | type[Any] | Callable[[int], Scheduler] | tuple[Any, Any] | Method"
_HOOKS = ("on_start", "on_report", "on_end", "next")


def method_of(given: Given) -> Method:
    """Return the method that a user means.

    Args:
        given: a name; an object, of which each run gets a copy; a class, which gets the steps of the task as ``max_t``
            if it has that argument; a function that returns a scheduler for so many steps; or a pair of one of these
            and a searcher, which is copied too.

    Raises:
        ValueError: there is no method of this name; the message names the nearest one.
        TypeError: it is none of these.
    """
    if isinstance(given, Method):
        return given
    if isinstance(given, str):
        if given.lower() not in METHODS:
            raise ValueError(f"there is no method {given!r}{nearest(given.lower(), METHODS)}")
        return METHODS[given.lower()]
    if isinstance(given, tuple) and len(given) == 2:
        scheduler, searcher = given
        return Method(method_of(scheduler).scheduler, lambda: _searcher(searcher))
    if isinstance(given, type):
        sized = "max_t" in inspect.signature(given).parameters
        return Method(lambda steps: given(max_t=steps) if sized else given())
    if all(callable(getattr(given, hook, None)) for hook in _HOOKS):
        return Method(lambda _: copy.deepcopy(given))  # type: ignore[arg-type,return-value] # it has what one needs
    if callable(given):
        return Method(given)
    raise TypeError(f"a method must be a name, a scheduler, or a function of the number of steps, not {given!r}")


def _searcher(given: Any) -> Searcher:  # noqa: ANN401 - a name, an object, or a class
    found = searcher_of(given)
    return cast(Searcher, SEARCHERS[found]()) if isinstance(found, str) else found


def scheduler_of(method: Method, steps: int) -> Scheduler:
    """Return its scheduler for one run.

    Raises:
        TypeError: what the user's class or function returned is no scheduler.
        ValueError: it changes configurations during a training, which curves cannot follow.
    """
    made = method.scheduler(steps)
    if lacking := [hook for hook in _HOOKS if not callable(getattr(made, hook, None))]:
        raise TypeError(f"{type(made).__name__} is no scheduler: it has no {', '.join(lacking)}")
    if isinstance(made, PBT | PBTReplay):
        what = f"{type(made).__name__} changes configurations during a training, which learning curves cannot follow"
        raise ValueError(what)  # noqa: TRY004 - it is a scheduler
    return made
