"""What tests of the journal on disk do with a run's directory, and drivers in other processes."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import apsw

from trialwright.storage.sqlite import SqliteStore

LIBRARIES: dict[str, Callable[[str], Any]] = {"apsw": apsw.Connection, "sqlite3": sqlite3.connect}


def query(directory, text, library="sqlite3", *values):
    with contextlib.closing(LIBRARIES[library](str(directory / "journal.sqlite"))) as database:
        return list(database.execute(text, values))


def entries(directory):
    return list(SqliteStore.open(directory, read_only=True).entries())


class Drivers:
    """Drivers in other processes, one after the other: see ``writer.py``."""

    def __init__(self, process):
        self._process = process
        self.pid = 0

    def start(self, directory):
        """Start one, and return once it has opened the run."""
        self._process.stdin.write(f"{directory}\n")
        self._process.stdin.flush()
        word, pid = next(self._process.stdout).split()
        assert word == "open"
        self.pid = int(pid)

    def acknowledged(self):
        """The numbers that it says, until it has died."""
        return map(int, iter(self._process.stdout.readline, "dead\n"))

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
