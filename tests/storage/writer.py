"""Drivers that a test can kill. For each directory on its input, this program forks one.

A driver opens the run there, says ``open`` and its process id, appends turns until it is killed, and says the number
of each that was acknowledged. When it has died the program says ``dead``. Forking spares each of them the time to
import everything.
"""

import os
import sys
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from tests.storage.endless import turn
from trialwright.storage.sqlite import SqliteStore


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def drive(directory):
    known = (directory / "journal.sqlite").exists()
    store = SqliteStore.open(directory) if known else SqliteStore.create(directory, {"name": "killed"})
    number = sum(1 for _ in store.entries())
    waiting: deque[tuple[int, Future[None]]] = deque()
    say("open", os.getpid())
    while True:
        waiting.append((number, store.append(turn(number))))
        number += 1
        while len(waiting) > 20:
            first, future = waiting.popleft()
            future.result(20)
            say(first)


for line in sys.stdin:
    child = os.fork()
    if not child:
        drive(Path(line.strip()))
    os.waitpid(child, 0)
    say("dead")
