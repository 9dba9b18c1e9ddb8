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
from trialwright.messages import Config, Request, Suggestion
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
        points: the configurations, whole or in part, that the user wants to be tried first; only a searcher that has
            ``planned`` suggests them itself.
    """

    space: Space
    objectives: int = 1
    constraints: int = 0
    num_samples: int | None = None
    parallelism: int = 1
    points: tuple[Config, ...] = ()

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

    Optional attributes:

    - ``sees_metrics``: if true, each record of the history has all reported metrics, not only the values.
    - ``process_from``: from this number of trials on, it is asked in a process of its own, if it can be pickled;
      without it, or if it is None, always in a thread.
    - ``answers_next``: if true, it answers requests of kind ``next``: it may name a paused trial that continues.
    - ``is_exhaustive``: if true, it has tried all configurations after the number of suggestions that ``setup``
      returned, and then begins again.
    - ``close()``: called when the run is over, to end what the searcher has started.
    - ``repeats``: if true, it tries configurations more than once on purpose.
    - ``planned(num_samples)``: how many trials so many samples mean, the user's points among them: a searcher that has
      it suggests these points itself. It is called after ``setup``.
    """

    @property
    def learns(self) -> bool:
        """False if suggestions ignore results: such a searcher is asked in advance."""

    def setup(self, problem: Problem) -> int:
        """Begin a run on this problem: forget everything that another run left.

        Returns:
            How many trials one sample means: the number of grid points, which are tried one by one in every sample.

        Raises:
            ValueError: it cannot search this space, or not for these objectives and constraints.
        """

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer the requests in order; fewer answers than requests mean that there are no more.

        None means "not now": the request is made again once a trial has reported or ended. If no trial runs, None means
        that there are no more.
        """
