"""The index of a run: its trials as a flat table in a temporary file, which follows the journal.

The journal keeps a trial as one JSON line. To sort and filter a million of them again for each look would take seconds;
so each is read once, and once more when it has changed. The journal is opened only while it is read: a connection that
stays open would keep the run's driver from leaving one plain file behind.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import apsw

from trialwright.errors import StorageError
from trialwright.page.columns import FIXED, Column, found
from trialwright.storage.database import blame

CHUNK = 20_000  # trials that are read in one transaction: others may look at the index between two
FIRST = 1_000  # of the first one, for which the page waits
BUSY_MS = 5_000  # the driver locks the journal for a moment at its end
FRESH = "id > ? AND id <= ?"  # trials that are read the first time
SAMPLE = 300  # trials at each end that tell which parameters and metrics there are

Value = None | int | float | str | bytes
Row = tuple[Value, ...]


class Improvement(NamedTuple):
    """A new best value: when (seconds of the run), which, and of which trial."""

    at_s: float
    value: float
    trial: int


class Totals(NamedTuple):
    """Sums over all trials that were read."""

    states: Counter[str]
    outcomes: Counter[str]
    trial_s: float  # time from start to end, of trials that have ended
    waited: int  # trials that ended without having begun
    longest_s: float  # the longest time from start to end


class Index:
    """Follows the journal of one run. All methods may be called from any thread.

    Args:
        path: of the journal.
        mode: whether a smaller or a larger value of the first metric is better.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self.path, self.sign = path, -1.0 if mode == "max" else 1.0
        self.seq, self.now, self.total = 0, 0.0, 0
        self.filled = 0  # trials that were read the first time
        self.is_filled = False
        self.columns: tuple[Column, ...] = FIXED
        self.improvements: list[Improvement] = []
        self._states: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._trial_s, self._waited, self._longest_s = 0.0, 0, 0.0
        self._seen: tuple[int, ...] = ()  # how the files were when they were read last
        self._reached = -1  # the last trial that was read
        self._lock = threading.RLock()
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        self._database = apsw.Connection("", flags=flags)  # a temporary file, which SQLite deletes
        self._database.set_busy_timeout(BUSY_MS)
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = OFF", "cache_size = -65536"):
            self._database.execute(f"PRAGMA {pragma}")
        self._make()

    def rows(self, statement: str, bindings: Sequence[Value] | Mapping[str, Value] = ()) -> list[Row]:
        """Return all rows of a statement that reads the index."""
        with self._lock:
            return cast("list[Row]", self._database.execute(statement, bindings).fetchall())

    @property
    def totals(self) -> Totals:
        """The sums so far."""
        with self._lock:
            return Totals(self._states.copy(), self._outcomes.copy(), self._trial_s, self._waited, self._longest_s)

    @property
    def is_behind(self) -> bool:
        """Whether the files of the journal have changed since it was read last."""
        return not self.is_filled or self._stamp() != self._seen

    @contextmanager
    def journal(self) -> Iterator[apsw.Connection]:
        """Give a connection that sees the journal, as ``run``, at one moment."""
        with self._lock, blame(self.path):
            self._database.execute("ATTACH ? AS run", (f"{self.path.absolute().as_uri()}?mode=ro",))
            try:
                with self._database:  # a transaction
                    yield self._database
            finally:
                self._database.execute("DETACH run")

    def update(self) -> bool:
        """Read what has changed, the first time a chunk of trials; tell whether anything has.

        Raises:
            StorageError: the journal cannot be read now; it will be read anew.
        """
        with self._lock:
            try:
                return self._update()
            except StorageError:
                self._forget()  # the sums may be those of a part
                raise

    def _update(self) -> bool:
        stamp = self._stamp()
        if self.is_filled and stamp == self._seen:
            return False
        with self.journal() as database:
            seq, now = self._last(database)
            if not self.is_filled:
                self._fill(database)
            elif seq != self.seq:
                self._follow(database, now)
            if self.is_filled:
                self.seq, self.now = seq, now
        self._seen = stamp
        return True

    def close(self) -> None:
        """Delete the index."""
        with self._lock:
            self._database.close()

    # The first reading ------------------------------------------------------------------------------------------------

    def _fill(self, database: apsw.Connection) -> None:
        if not self.filled:
            # Events from here on are followed: a trial that changes while the others are read is read again.
            self.seq, self.now = self._last(database)
            self._find_columns(database)
        size = CHUNK if self.filled else min(FIRST, CHUNK)
        [(last, total)] = database.execute(
            "SELECT max(id), count(*) FROM (SELECT id FROM run.trials WHERE id > ? ORDER BY id LIMIT ?)",
            (self._reached, size),
        ).fetchall()
        if total:
            self._read(database, FRESH, (self._reached, last))
            self._reached = int(cast(int, last))
            self.filled += int(cast(int, total))
        if int(cast(int, total)) < size:
            self._follow(database, self._last(database)[1])
            [(self.total,)] = cast("list[tuple[int]]", database.execute("SELECT count(*) FROM trials").fetchall())
            self.is_filled = True
            self.improvements = self._all_improvements(database)

    def _forget(self) -> None:
        """Begin anew."""
        self.filled, self.is_filled, self._seen, self._reached = 0, False, (), -1
        self._states, self._outcomes, self._trial_s, self._waited = Counter(), Counter(), 0.0, 0
        self._longest_s = 0.0
        self._make()

    def _make(self) -> None:
        columns = ", ".join(column.sql for column in self.columns if column.sql != "id")
        self._database.execute("DROP TABLE IF EXISTS trials")
        self._database.execute(f"CREATE TABLE trials (id INTEGER PRIMARY KEY, {columns})")
        self._database.execute("CREATE INDEX by_best ON trials (best) WHERE best IS NOT NULL")
        self._database.execute("CREATE INDEX alive ON trials (id) WHERE outcome IS NULL OR ended IS NULL")
        self._database.execute("CREATE INDEX by_error ON trials (error) WHERE error <> ''")

    def _find_columns(self, database: apsw.Connection) -> None:
        # Numbers have few gaps, and counting would read the whole file.
        [(self.total,)] = cast(
            "list[tuple[int]]", database.execute("SELECT coalesce(max(id) + 1, 0) FROM run.trials").fetchall()
        )
        ends = f"""SELECT config, metrics FROM (SELECT * FROM run.trials ORDER BY id LIMIT {SAMPLE})
            UNION ALL SELECT config, metrics FROM (SELECT * FROM run.trials ORDER BY id DESC LIMIT {SAMPLE})"""
        sample = [(json.loads(str(config)), json.loads(str(metrics))) for config, metrics in database.execute(ends)]
        self.columns = FIXED + found((config for config, _ in sample), (metrics for _, metrics in sample))
        self._make()

    # What follows -----------------------------------------------------------------------------------------------------

    def _follow(self, database: apsw.Connection, now: float) -> None:
        """Read the trials again that events since the last time are about, and those that live."""
        changed = """
            SELECT trial FROM run.events WHERE seq > :seq AND trial IS NOT NULL
            UNION SELECT each.value ->> 'trial' FROM run.events AS e, json_each(e.decisions) AS each
                   WHERE e.seq > :seq AND e.decisions IS NOT NULL AND json_type(each.value) = 'object'
            UNION SELECT id FROM run.trials WHERE id > :reached"""
        bindings = {"seq": self.seq, "reached": self._reached}
        ids = [int(cast(int, row[0])) for row in database.execute(changed, bindings) if row[0] is not None]
        if not ids:
            return
        self._note_new_columns(database, ids)
        self._read(database, "id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
        self._reached = max(self._reached, *ids)
        [(self.total,)] = cast("list[tuple[int]]", database.execute("SELECT count(*) FROM trials").fetchall())
        if self.is_filled:
            self._improve(ids, now)

    def _note_new_columns(self, database: apsw.Connection, ids: Sequence[int]) -> None:
        """Add columns for parameters and metrics that come up later."""
        lines = database.execute(
            "SELECT config, metrics FROM run.trials WHERE id IN (SELECT value FROM json_each(?)) LIMIT 50",
            (json.dumps(ids[-50:]),),
        )
        sample = [(json.loads(str(config)), json.loads(str(metrics))) for config, metrics in lines]
        known = {(column.kind, column.name): column for column in self.columns}
        for column in found((config for config, _ in sample), (metrics for _, metrics in sample)):
            if (column.kind, column.name) not in known:
                name = f"{column.sql[0]}{len(self.columns)}"
                self.columns += (Column(column.name, column.kind, name, column.path),)
                database.execute(f"ALTER TABLE trials ADD COLUMN {name}")

    def _read(self, database: apsw.Connection, which: str, bindings: Sequence[object]) -> None:
        """Copy rows of the journal, and keep the sums true."""
        names = ", ".join(column.sql for column in self.columns)
        values = ", ".join(column.value for column in self.columns)
        if which != FRESH:
            self._count(database, which, bindings, -1)
        database.execute(
            f"INSERT OR REPLACE INTO trials ({names}) SELECT {values} FROM run.trials WHERE {which}",
            tuple(bindings),
        )
        # One that is no finite number is none; strings come after all numbers.
        database.execute("UPDATE trials SET best = NULL WHERE best >= ''")
        self._count(database, which, bindings, 1)

    def _count(self, database: apsw.Connection, which: str, bindings: Sequence[object], sign: int) -> None:
        counted = database.execute(
            f"""SELECT state, outcome, count(*), total(ended - started), sum(started IS NULL), max(ended - started)
                FROM trials WHERE {which} GROUP BY state, outcome""",
            tuple(bindings),
        ).fetchall()
        for state, outcome, count, seconds, unbegun, longest in counted:
            if state == "ended":
                self._outcomes[str(outcome)] += sign * int(cast(int, count))
                self._waited += sign * int(cast(int, unbegun))
            self._states[str(state)] += sign * int(cast(int, count))
            self._trial_s += sign * float(cast(float, seconds))
            self._longest_s = max(self._longest_s, float(cast("float | None", longest) or 0.0))

    # The best so far --------------------------------------------------------------------------------------------------

    def _improve(self, ids: Sequence[int], now: float) -> None:
        order = "ASC" if self.sign > 0 else "DESC"
        rows = self.rows(f"SELECT id, best FROM trials WHERE best IS NOT NULL ORDER BY best {order} LIMIT 1")
        for trial, value in rows:
            best = float(cast(float, value))
            if not self.improvements or self.sign * best < self.sign * self.improvements[-1].value:
                self.improvements.append(Improvement(now, best, int(cast(int, trial))))

    def _all_improvements(self, database: apsw.Connection) -> list[Improvement]:
        """Find the best values in the order of time, and when each was reported."""
        better = f"{self.sign} * best"
        rows = database.execute(f"""
            SELECT id, best, best_step, at FROM (
                SELECT id, best, best_step, coalesce(ended, {self.now!r}) AS at,
                       min({better}) OVER (ORDER BY coalesce(ended, 1e300), id ROWS UNBOUNDED PRECEDING) AS least
                  FROM trials WHERE best IS NOT NULL)
             WHERE least = {better} GROUP BY least ORDER BY min(at)""").fetchall()
        timed = []
        for trial, value, step, at in rows[-500:]:
            when = database.execute(
                """SELECT now FROM run.events WHERE kind = 'Reported' AND trial = ?
                   AND line ->> '$[1].first_step' + json_array_length(line, '$[1].time_s') > ? ORDER BY seq LIMIT 1""",
                (trial, step),
            ).fetchall()
            seconds = when[0][0] if when else at
            timed.append(Improvement(float(cast(float, seconds)), float(cast(float, value)), int(cast(int, trial))))
        kept: list[Improvement] = []
        for each in sorted(timed):
            if not kept or self.sign * each.value < self.sign * kept[-1].value:
                kept.append(each)
        return kept

    def _last(self, database: apsw.Connection) -> tuple[int, float]:
        rows = database.execute("SELECT seq, now FROM run.events ORDER BY seq DESC LIMIT 1").fetchall()
        return (int(cast(int, rows[0][0])), float(cast(float, rows[0][1]))) if rows else (0, 0.0)

    def _stamp(self) -> tuple[int, ...]:
        stamp: list[int] = []
        for name in (self.path, Path(f"{self.path}-wal")):
            try:
                status = name.stat()
                stamp += (status.st_mtime_ns, status.st_size)
            except FileNotFoundError:
                stamp += (0, 0)
        return tuple(stamp)
