"""From the journal to rows of log files: what the process of the loggers does."""

from __future__ import annotations

import importlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import apsw

from trialwright import codec
from trialwright.errors import named
from trialwright.loggers.formats import made
from trialwright.loggers.rows import Logged, Names, Naming, Row
from trialwright.messages import Reported
from trialwright.nested import flatten
from trialwright.space.plain import shown_of
from trialwright.storage.checkpoints import trial_directory

NOTE_LENGTH_MAX = 500
LINES = 2000  # read at a time: short looks do not keep the journal's own writer from tidying up

P = ParamSpec("P")
T = TypeVar("T")

_EVENTS = "SELECT seq, line FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
_CONFIG = "SELECT config FROM trials WHERE id = ?"
_ENDED = "SELECT outcome, started, ended FROM trials WHERE id = ? AND state = 'ended'"
_ENDINGS = frozenset({"Finished", "Failed", "Halted", "Lost"})


class Follower:
    """Reads what is new in a journal and writes it.

    Args:
        directory: the run's.
        kinds: which files.
        naming: how rows are named.
    """

    def __init__(self, directory: Path, kinds: Sequence[str], naming: Naming) -> None:
        self._directory = directory
        self._naming = naming
        self._formats = [made(kind, naming.prefix) for kind in kinds]
        self._names = None if naming.rows is None else _found(naming.rows)
        self._read = 0  # events
        self._trials: dict[int, Logged] = {}
        self._ended: set[int] = set()
        self._created = 0.0
        self.notes: list[str] = []  # what is missing in the files, each once
        self._noted: set[str] = set()

    def write(self) -> None:
        """Write everything that is committed now and has not been written."""
        path = self._directory / "journal.sqlite"
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as database:
            database.set_busy_timeout(5000)
            [(created,)] = database.execute("SELECT created FROM experiments").fetchall()
            self._created = datetime.fromisoformat(str(created)).astimezone(UTC).timestamp()
            while lines := cast("list[tuple[int, str]]", database.execute(_EVENTS, (self._read, LINES)).fetchall()):
                self._take(database, [json.loads(line)[:2] for _, line in lines])
                self._read = lines[-1][0]

    def _take(self, database: apsw.Connection, events: Sequence[tuple[float, dict[str, Any]]]) -> None:
        rows: defaultdict[int, list[Row]] = defaultdict(list)
        ending: list[int] = []
        for now, event in events:
            kind = event["kind"]
            # A trial that follows another one in its slot sends no Started.
            if kind == "Started" or (kind == "Reported" and event["trial"] not in self._trials):
                self._start(database, event["trial"])
            if kind == "Reported":
                rows[event["trial"]] += self._rows(self._created + now, event)
            elif kind in _ENDINGS:
                self._note_error(event)
                ending.append(event["trial"])
        for number, new in rows.items():
            for each in self._formats:
                self._try(number, each.write, self._trials[number], new)
        for number in ending:
            self._end(database, number)

    def _start(self, database: apsw.Connection, number: int) -> None:
        [(config,)] = database.execute(_CONFIG, (number,)).fetchall() or [("{}",)]
        plain = shown_of(cast("dict[str, Any]", codec.read_plain(json.loads(str(config)))))
        trial = self._trials.setdefault(number, Logged(number, trial_directory(self._directory, number)))
        trial.begin(plain, _varied(plain, self._naming.varied))
        for each in self._formats:
            each.start(trial)

    def _end(self, database: apsw.Connection, number: int) -> None:
        """A trial that is to be tried again has not ended."""
        found = database.execute(_ENDED, (number,)).fetchall()
        if not found or number not in self._trials or number in self._ended:
            return
        [(outcome, started, ended)] = cast("list[tuple[str, float | None, float]]", found)
        trial = self._trials[number]
        trial.outcome, trial.ended = outcome, self._created + ended
        trial.started = trial.ended if started is None else self._created + started
        self._ended.add(number)
        for each in self._formats:
            self._try(number, each.end, trial)

    def _rows(self, when: float, event: dict[str, Any]) -> Iterator[Row]:
        frame = codec.from_plain(event)
        assert isinstance(frame, Reported)
        trial = self._trials[frame.trial]
        late = frame.time_s[-1]
        for index in range(len(frame.time_s)):
            made = self._try(
                trial.id,
                self._row,
                trial,
                frame.row(index),
                frame.first_step + index,
                when - (late - frame.time_s[index]),
            )
            if made is not None:
                for name, value in made.left_out.items():
                    told = f"trial {trial.id} reported {name}={value!r}"
                    self._note(name, f"log files leave out {name!r} where they cannot hold its value: {told}")
                yield made

    def _try(self, trial: int, do: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T | None:
        """Do something for one trial. What it raises is said once, and ends the files of no other trial."""
        try:
            return do(*args, **keywords)
        except Exception as error:  # a report or a directory of a user, with something in it that we did not foresee
            self._note(named(error), f"the log files of trial {trial} are not complete: {named(error)}")
            return None

    def _note(self, what: str, text: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self.notes.append(" ".join(text.split())[:NOTE_LENGTH_MAX])

    def _row(self, trial: Logged, row: Mapping[str, Any], step: int, when: float) -> Row:
        if self._names is None:
            return Row(when, step, dict(row), dict(row))
        return self._names(trial, row, step, when)

    def _note_error(self, event: dict[str, Any]) -> None:
        if event["kind"] in ("Failed", "Lost"):
            text = event.get("traceback") or event.get("error") or event.get("reason")
            failed = Logged(event["trial"], trial_directory(self._directory, event["trial"]))
            failed.fail(event["attempt"], str(text))


def _varied(config: Mapping[str, Any], paths: Sequence[str] | None) -> dict[str, Any]:
    flat = flatten(config)
    return flat if paths is None else {path: flat[path] for path in paths if path in flat}


def _found(path: str) -> Names:
    module, _, function = path.partition(":")
    return cast(Names, getattr(importlib.import_module(module), function))
