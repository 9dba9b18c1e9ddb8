"""What a searcher is: a function of the history that says what to try next.

It runs off the loop, because it may be slow. It may cache, but a fresh instance given the same history makes the same
suggestion; what it must remember rides in the tags of its suggestions. The contract is ``tests/contracts/searcher.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trialist.history import History
from trialist.messages import Request, Suggestion
from trialist.space import Space
from trialist.streams import Streams


class Searcher(Protocol):
    """Decides what to try next."""

    @property
    def learns(self) -> bool:
        """False where suggestions ignore results: such a searcher is asked ahead of need."""

    def setup(self, space: Space) -> int:
        """Begin a run over this space: forget everything that another run left.

        Returns:
            How many trials one sample means: the number of grid points, which are tried one by one in every sample.

        Raises:
            ValueError: it cannot search this space.
        """

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Answer the requests in order; fewer answers than requests mean that there are no more."""
