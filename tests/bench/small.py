"""Small tasks, and a scheduler and a searcher such as users write."""

import numpy as np

from trialwright import ASHA
from trialwright.bench import Curves
from trialwright.messages import Suggestion


def small(name="small", count=30, steps=9, seed=0):
    """Curves whose order is known from the first step on."""
    rng = np.random.default_rng(seed)
    losses = rng.random((count, 1)) + 1 / np.arange(1.0, steps + 1)
    return Curves(name, losses, np.broadcast_to(np.arange(1.0, steps + 1), losses.shape).copy(), rng.random((count, 2)))


class Mine(ASHA):
    """A user's scheduler: ASHA, with numbers that differ."""

    def __init__(self, max_t=9, reduction_factor=3):
        super().__init__(max_t, reduction_factor=reduction_factor)


class Corner:
    """A searcher that always suggests the same."""

    learns = False

    def __init__(self, x=0.5):
        self.x = x

    def setup(self, problem):
        return 1

    def suggest(self, history, requests, rng):
        return [Suggestion({"x": self.x}) for _ in requests]
