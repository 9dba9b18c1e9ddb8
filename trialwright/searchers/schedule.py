"""Schedule: configurations one after another for a trial that changes them as it goes, as a PBT replay does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import plain
from trialwright.streams import Streams


@dataclass
class Schedule:
    """Starts each trial with the first configuration, and answers each "explore" request with the next one.

    Args:
        configs: the configurations, in order; the last one stays.
    """

    configs: Sequence[Mapping[str, Any]]
    learns = False

    def setup(self, problem: Problem) -> int:
        """Check the configurations.

        Raises:
            ValueError: one is none of the space.
        """
        self._space = problem.space
        wrong = [
            f"configs[{i}]: {text}" for i, config in enumerate(self.configs) for text in self._space.validate(config)
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return 1

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """The position of a trial in the schedule is stored in its tags."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Suggestion:
        place = 0 if request.kind == "new" else cast(int, request.tags["segment"]) + 1
        config = self.configs[min(place, len(self.configs) - 1)]
        return Suggestion(plain(self._space, dict(config)), {"segment": place})
