"""What a searcher is: a function of the history that says what to try next.

It runs off the loop, because it may be slow. It may cache, but a fresh instance given the same history makes the same
suggestion; what it must remember is stored in the tags of its suggestions. The contract is
``tests/contracts/searcher.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.space import Space
from trialwright.streams import Streams


@dataclass(frozen=True)
class Problem:
    """What is searched, and what for.

    A trial's values in the history are its objectives, which are minimised, followed by its outcome constraints, which
    are met where they are at most 0.

    Args:
        space: what may vary.
        objectives: how many there are; 0 if nothing says which trials are better.
        constraints: how many outcome constraints there are.
        num_samples: how many new configurations will be asked for in all; None for unlimited.
        parallelism: how many trials may run side by side.
    """

    space: Space
    objectives: int = 1
    constraints: int = 0
    num_samples: int | None = None
    parallelism: int = 1

    def scored(self, searcher: str) -> None:
        """Raise ``ValueError``, for a searcher of this name, if nothing says which trials are better."""
        if self.objectives == 0:
            raise ValueError(f"searcher={searcher!r} learns from results: it needs a metric")

    def single(self, searcher: str) -> None:
        """Raise ``ValueError``, for a searcher of this name, unless there is one objective and no constraint."""
        self.scored(searcher)
        if self.objectives > 1 or self.constraints:
            what = f"{self.objectives} objectives" if self.objectives > 1 else "outcome constraints"
            raise ValueError(f"searcher={searcher!r} has one objective, no constraints; for {what} use 'gp' or 'tpe'")


class Searcher(Protocol):
    """Decides what to try next.

    One with an attribute ``sees_metrics`` that is true finds in each record of the history all that was reported, not
    only the values. One with an attribute ``process_from`` is asked in a process of its own once the history has so
    many trials, if it can be pickled; without it, or where it is None, in a thread. One with an attribute
    ``answers_next`` that is true can say which paused trial is to go on, where it is asked for what is best next. After
    as many suggestions as ``setup`` says, one with an attribute ``is_exhaustive`` that is true has tried all, and
    begins again. One with an attribute ``repeats`` that is true tries configurations more than once on purpose.
    """

    @property
    def learns(self) -> bool:
        """False where suggestions ignore results: such a searcher is asked ahead of need."""

    def setup(self, problem: Problem) -> int:
        """Begin a run on this problem: forget everything that another run left.

        Returns:
            How many trials one sample means: the number of grid points, which are tried one by one in every sample.

        Raises:
            ValueError: it cannot search this space, or for this.
        """

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer the requests in order; fewer answers than requests mean that there are no more.

        None answers a request with "not now": it comes again once a trial has reported or ended. With nothing running
        there is nothing to wait for, and None means that there are no more.
        """
