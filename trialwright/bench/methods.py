"""Methods: schedulers that are compared, by name, for trainings of R steps; some with a searcher that learns, the
others with one order of configurations for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trialwright.engine.catalogue import RANDOM_IN_BOHB
from trialwright.messages import Choice, New, Outcome, Pause, Plain, Report, Resume, Start, Verdict, Wait, at_step
from trialwright.schedulers import (
    ASHA,
    FIFO,
    PASHA,
    AsyncHyperBand,
    FreezeThaw,
    HyperBand,
    MedianStopping,
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
        k: how many go on.
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
        """One epoch; whoever starts after the best were chosen may go on."""
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


SCHEDULERS: dict[str, Callable[[int], Scheduler]] = {
    "random": lambda _: FIFO(),
    "one-epoch-top-k": lambda _: OneEpochTopK(first=100, k=3),  # at 50 epochs, a quarter of the budget in all
    "one-epoch-top-10": lambda steps: OneEpochTopK(first=10 * steps, k=10),  # all of the budget
    "asha": lambda steps: ASHA(steps, reduction_factor=ETA),
    "asha-promoting": lambda steps: ASHA(steps, reduction_factor=ETA, promote=True),
    "async-hyperband": lambda steps: AsyncHyperBand(steps, reduction_factor=ETA),
    "hyperband": lambda steps: HyperBand(steps, reduction_factor=ETA),
    "median": lambda steps: MedianStopping(grace_period=max(1, steps // 10)),
    "pasha": lambda steps: PASHA(steps, reduction_factor=ETA),
}
PAIRS: dict[str, tuple[Callable[[int], Scheduler], Callable[[], Searcher]]] = {
    "mobster": (SCHEDULERS["asha-promoting"], GP),
    "tpe-asha-promoting": (SCHEDULERS["asha-promoting"], TPE),
    "freeze-thaw": (FreezeThaw, GP),
    "bohb": (SCHEDULERS["hyperband"], lambda: TPE(random_fraction=RANDOM_IN_BOHB)),
    "dehb": (SCHEDULERS["hyperband"], DEHB),
    "hyper-tune": (
        lambda steps: AsyncHyperBand(steps, reduction_factor=ETA, promote=True),
        lambda: HyperTune(brackets=AsyncHyperBand().count, reduction_factor=ETA),
    ),
}
METHODS = (*SCHEDULERS, *PAIRS)
PEER = "syne-tune-asha"
