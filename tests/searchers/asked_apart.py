"""Searchers that say where they are asked, and a run in a process of its own, to be killed: ``python asked_apart.py
PATH``, the path of a file in which it leaves the number of its searcher's process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from trialwright import Engine, space
from trialwright.messages import Suggestion

WHERE = {"x": space.randint(0, 10), "pid": space.randint(1, 2**23)}


class Telling:
    """Its configs tell where it was asked, and its tags what it saw."""

    learns = True
    process_from = 0

    def setup(self, problem):
        return 1

    def suggest(self, history, requests, rng):
        saw = [[record.id, record.steps, record.values[-1:]] for record in history.trials]
        draws = float(rng("telling", len(history)).random())
        where = {"x": 1, "pid": os.getpid()}
        return [Suggestion(where, {"saw": saw, "draws": draws}) for _ in requests]


class Printing(Telling):
    """Prints, and reads what is typed: both belong to the messages, one would think."""

    def suggest(self, history, requests, rng):
        sys.stdout.write("a line\n")
        sys.stdout.flush()
        assert sys.stdin.read() == ""
        return super().suggest(history, requests, rng)


class Odd(Exception):
    """Cannot be pickled: it is made of two arguments, and knows one."""

    def __init__(self, first, second):
        super().__init__(first)


class Raising(Telling):
    """Raises what can be pickled, then what cannot."""

    def suggest(self, history, requests, rng):
        if requests[0].sample == 0:
            raise ValueError("boo")
        raise Odd("boo", "hoo")


class Deadly(Telling):
    """Dies as often as there are characters in a file."""

    def __init__(self, path):
        self.path = Path(path)

    def suggest(self, history, requests, rng):
        left = self.path.read_text()
        if left:
            self.path.write_text(left[1:])
            os.kill(os.getpid(), 9)
        return super().suggest(history, requests, rng)


class Waiting(Telling):
    """Is loaded only once there is a file."""

    process_from = 3

    def __init__(self, path):
        self.path = Path(path)

    def __setstate__(self, state):
        self.__dict__ |= state
        while not self.path.exists():
            time.sleep(0.01)


class Slow(Telling):
    """Never ends, and leaves the number of its process in a file."""

    def __init__(self, path):
        self.path = Path(path)

    def suggest(self, history, requests, rng):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(os.getpid()))
        fresh.rename(self.path)
        time.sleep(600)


class Stubborn(Telling):
    """Cannot be loaded elsewhere."""

    def __init__(self):
        self.home = "here"

    def __setstate__(self, state):
        raise ValueError("not here")


class Attached(Telling):
    """Cannot be sent anywhere."""

    def __reduce__(self):
        raise TypeError("it is attached")


def objective(config):
    """Takes no time."""
    return {"loss": config["x"]}


def engine(searcher, **keywords):
    """Six trials, of which three are known."""
    known = [({"x": x, "pid": 1}, {"loss": float(x)}) for x in (7, 8, 9)]
    given = {"num_samples": 3, "earlier": known, "executor": "local", "storage": None, "seed": 0, "verbose": 0}
    return Engine(objective, WHERE, metric="loss", searcher=searcher, max_concurrent_trials=1, **(given | keywords))


if __name__ == "__main__":
    engine(Slow(sys.argv[1])).run()
