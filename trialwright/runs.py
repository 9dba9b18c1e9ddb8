"""Runs: what runs are in a directory, what state each is in, and how many trials it has, without loading any.

All is read by SQL from the tables of the journals, by connections that cannot write. No event is read, so it takes
milliseconds with a hundred trials, and a fraction of a second with a hundred thousand.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import apsw

from trialwright.errors import StorageError
from trialwright.messages import Config, Plain
from trialwright.storage import formats, journal, lock, place, tables
from trialwright.storage.database import reading
from trialwright.storage.lock import Committed, Driver

LISTED = 10  # runs that a message names
RunState = Literal["running", "paused", "finished", "interrupted"]
ACTIVE: tuple[RunState, ...] = ("running", "paused")  # a process drives the run
Objective = tuple[str, Literal["min", "max"]]

_COUNTS = "SELECT state, outcome, count(*), sum(step) FROM trials GROUP BY state, outcome"
_ABOUT = "SELECT created, status, version, python, host, events FROM experiments"
# The value is taken out of the line by its path: the column ``best`` is JSON of its own, which would be parsed again in
# each row. What is no number comes after all numbers.
_BEST = """
    SELECT id, best, config, coalesce(nullif(line -> 17, '{{}}'), metrics) FROM trials WHERE id = (
        SELECT id FROM (SELECT id, line ->> '$[15][0]' AS value FROM trials WHERE id < ?)
        WHERE value < '' ORDER BY value {order}, id LIMIT 1)"""
_FAILURES = """
    SELECT error, count(*), min(id) FROM trials WHERE error <> '' AND outcome IN ('failed', 'lost')
    GROUP BY error ORDER BY count(*) DESC, min(id)"""


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The trial that has reported the best value of the first metric, at any step."""

    trial: int
    value: float  # as reported
    step: int
    config: dict[str, Any]  # what is not data is named by its place in the space
    metrics: dict[str, Any]  # of the report with the best value


@dataclass(frozen=True, slots=True)
class Failure:
    """Trials that ended with the same error."""

    error: str
    count: int
    first: int  # the lowest number of such a trial


@dataclass(frozen=True)
class RunInfo:
    """A run as its journal shows it now.

    ``state`` is "running" if a process drives it, or "paused" if it is asked to start no more trials; without a process
    it is "finished" if nothing is left to be done, else "interrupted": such a run can be resumed.
    """

    path: Path
    name: str
    state: RunState
    created: datetime  # UTC
    elapsed_s: float  # seconds of the run, up to its last event
    planned: int | None  # how many new trials; None for unlimited
    states: dict[str, int]  # trials by state
    outcomes: dict[str, int]  # ended trials by outcome
    steps: int  # the sum of all trials' last steps: about the number of reports
    objectives: tuple[Objective, ...]
    best: BestTrial | None
    driver: Driver | None  # the process that drives it now
    version: str  # of Trialwright, of Python, and the machine, where it was created
    python: str
    host: str
    events: int  # in the journal
    format: int
    settings: dict[str, Plain] = field(repr=False)  # the keywords of its Engine that are data

    @property
    def id(self) -> str:
        """The name of its directory."""
        return self.path.name

    @property
    def trials(self) -> int:
        """How many trials it has, with those that have not begun."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return sum(self.outcomes.values())

    @property
    def metric(self) -> str | None:
        """The metric by which the best trial is found."""
        return self.objectives[0][0] if self.objectives else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A run whose journal cannot be read, and why."""

    path: Path
    problem: str

    @property
    def id(self) -> str:
        """The name of its directory."""
        return self.path.name


def runs_in(directory: str | os.PathLike[str] | None = None) -> list[RunInfo | Unreadable]:
    """Return the runs in a directory, the newest first.

    Args:
        directory: where runs are kept; by default the storage home, ``$TRIALWRIGHT_HOME`` or ``~/trialwright``.

    Raises:
        ValueError: there is no such directory.
    """
    return [described(path) for path in run_paths(directory)]


def run_paths(directory: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the directories of the runs in a directory, the newest first. Links to runs are left out.

    Raises:
        ValueError: there is no such directory.
    """
    root = place.home() if directory is None else Path(directory).expanduser()
    try:
        paths = [path for path in root.iterdir() if place.is_run(path) and not path.is_symlink()]
    except FileNotFoundError:
        if directory is None:  # no run was ever kept
            return []
        raise ValueError(f"there is no directory {str(root)!r}") from None
    except OSError as error:
        raise ValueError(f"{str(root)!r} cannot be read: {error.strerror}") from error
    return sorted(paths, key=lambda path: (place.stamp_of(path), path.name), reverse=True)


def described(path: Path) -> RunInfo | Unreadable:
    """Return what the journal of a run shows now, or why it cannot be read: one such run must not hide the others."""
    try:
        return describe(path)
    except (StorageError, ValueError) as error:  # ValueError: it was removed a moment ago
        return Unreadable(path, str(error))


def describe(run: str | os.PathLike[str]) -> RunInfo:
    """Return what the journal of a run shows now.

    Args:
        run: its directory.

    Raises:
        ValueError: there is no run; the message names runs with similar names.
        StorageError: its journal is damaged, or cannot be read.
    """
    path = place.find_run(run).resolve()
    # Before the journal: a run that ends meanwhile is shown as running, not as interrupted.
    driver, known = lock.driver(path), lock.committed(path)
    with reading(path / place.JOURNAL) as database:
        version = formats.recognised(database, path / place.JOURNAL)
        told = cast("Mapping[str, Plain]", tables.settings(database, path / place.JOURNAL)["data"])
        [about] = database.execute(_ABOUT).fetchall()
        objectives, (states, outcomes, steps) = objectives_of(told), _counts(database)
        created, status, *where, events = about
        return RunInfo(
            path=path,
            name=str(told.get("name") or path.name),
            state=_state(driver, known) or _old_state(str(status), states, told),
            created=datetime.fromisoformat(str(created)).replace(tzinfo=UTC),
            elapsed_s=tables.last_time(database),
            planned=_planned(known, told),
            states=states,
            outcomes=outcomes,
            steps=steps,
            objectives=objectives,
            best=_best(database, objectives) if version >= formats.FIRST else None,
            driver=driver,
            version=str(where[0]),
            python=str(where[1]),
            host=str(where[2]),
            events=int(str(events)),
            format=version,
            settings=dict(told),
        )


def best_after(run: RunInfo, count: int) -> BestTrial | None:
    """Return the best of the first so many trials of a run.

    Raises:
        StorageError: the journal is damaged, or cannot be read.
    """
    with reading(run.path / place.JOURNAL) as database:
        return _best(database, run.objectives, count) if run.format >= formats.FIRST else None


def failures(run: str | os.PathLike[str]) -> list[Failure]:
    """Return the errors of the trials of a run that failed or were lost, the most frequent first.

    Raises:
        ValueError, StorageError: as ``describe``.
    """
    with reading(place.find_run(run) / place.JOURNAL) as database:
        rows = database.execute(_FAILURES).fetchall()
        return [Failure(str(error), int(str(count)), int(str(first))) for error, count, first in rows]


def objectives_of(settings: Mapping[str, Plain]) -> tuple[Objective, ...]:
    """Return the metrics of a run, each with its mode, from the keywords of its Engine."""
    metrics, modes = _several(settings.get("metric")), _several(settings.get("mode") or "min")
    modes = modes * len(metrics) if len(modes) == 1 else modes
    return tuple((metric, "max" if mode == "max" else "min") for metric, mode in zip(metrics, modes, strict=True))


def state_of(run: Path) -> RunState:
    """Return the state of the run in this directory, see ``RunInfo``.

    Raises:
        StorageError: its journal is damaged, or cannot be read.
    """
    return _state(lock.driver(run), lock.committed(run)) or describe(run).state


def planned_of(run: Path, settings: Mapping[str, Plain]) -> int | None:
    """Return how many new trials the run in this directory plans; None for unlimited."""
    return _planned(lock.committed(run), settings)


def config_of(text: str) -> dict[str, Any]:
    """Return a configuration from its JSON; what is not data is named by its place in the space."""
    return shown(values_of(text))


def shown(plain: Config) -> dict[str, Any]:
    """Return a configuration from its plain form; what is not data is named by its place in the space."""
    if "'$" not in repr(plain):  # all of it is data that JSON has
        return plain
    from trialwright.space.plain import shown_of  # here, because it imports NumPy: a command should answer at once

    return shown_of(plain)


def values_of(text: str) -> dict[str, Any]:
    """Return metrics, or a configuration in its plain form, from their JSON."""
    return cast("dict[str, Any]", journal.decode(text))


def _several(given: Plain) -> list[str]:
    return [*map(str, given)] if isinstance(given, list) else [] if given is None else [str(given)]


def _state(driver: Driver | None, known: Committed | None) -> RunState | None:
    """Return the state of a run by the file of its lock; None if that was deleted, or an earlier version has written
    it."""
    if driver is not None:
        return "paused" if known and known.is_paused else "running"
    if known is None or known.is_over is None:
        return None
    return "finished" if known.is_over else "interrupted"


def _old_state(status: str, states: Mapping[str, int], settings: Mapping[str, Plain]) -> RunState:
    planned = _planned(None, settings) or math.inf
    is_over = status == "closed" and planned <= states.get("ended", 0) == sum(states.values())
    return "finished" if is_over else "interrupted"


def _planned(known: Committed | None, settings: Mapping[str, Plain]) -> int | None:
    samples = known.samples if known and known.samples is not None else settings.get("num_samples")
    return samples if isinstance(samples, int) and samples >= 0 else None


def _counts(database: apsw.Connection) -> tuple[dict[str, int], dict[str, int], int]:
    """Return the numbers of trials by state, those of ended trials by outcome, and the sum of their steps."""
    states: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    total = 0
    for state, outcome, count, steps in database.execute(_COUNTS):
        total += int(str(steps or 0))
        states[str(state)] = states.get(str(state), 0) + int(str(count))
        if outcome is not None:
            outcomes[str(outcome)] = int(str(count))
    return states, outcomes, total


def _best(database: apsw.Connection, objectives: tuple[Objective, ...], before: int = 2**62) -> BestTrial | None:
    if not objectives:
        return None
    order = "DESC" if objectives[0][1] == "max" else "ASC"
    rows: Iterator[tuple[Any, ...]] = database.execute(_BEST.format(order=order), (before,))
    for number, best, config, metrics in rows:
        value, step = json.loads(best)
        return BestTrial(int(number), float(value), int(step), config_of(config), values_of(metrics))
    return None


def find(given: str | os.PathLike[str], home: str | os.PathLike[str] | None = None) -> Path:
    """Return the directory of a run that is named by its path, its name, or how that begins.

    Args:
        given: a path; or, for a run in the storage home, the name of its directory, of the run, or of a link, whole or
            the beginning of it.
        home: the storage home; by default ``$TRIALWRIGHT_HOME`` or ``~/trialwright``.

    Raises:
        ValueError: there is none, or more than one: the message lists runs.
    """
    root = place.home() if home is None else Path(home).expanduser()
    text = os.fspath(given)
    if not text:
        raise ValueError(f"the name of a run is empty{_listed(run_paths(root) if root.is_dir() else [])}")
    for path in (Path(text).expanduser(), root / text):
        if place.is_run(path):
            return path
    runs = run_paths(root) if root.is_dir() else []
    if "/" in text or not runs:  # a path: the message is about runs near it
        return place.find_run(text if "/" in text else root / text)
    named = [path for path in runs if place.name_of(path) == text]
    begun = named or [path for path in runs if path.name.startswith(text)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise ValueError(f"{text!r} may be any of {len(begun)} runs in {str(root)!r}{_listed(begun)}")
    return place.find_run(root / text)


def _listed(runs: Sequence[Path]) -> str:
    names = "".join(f"\n  {path.name}" for path in runs[:LISTED])
    return f":{names}" + (f"\n  and {len(runs) - LISTED} more" if len(runs) > LISTED else "") if runs else ""
