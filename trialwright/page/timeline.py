"""Which trial ran where, and when: a Gantt chart, with the time between trials and what was waited for."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import apsw

from trialwright.page.queries import Answer
from trialwright.page.run import ShownRun
from trialwright.runs import ACTIVE
from trialwright.storage.database import reading

BARS = 1_500  # at most
EVENTS = 50_000  # in which the cause of idle time is looked for
GAPS = 400


class Bar(NamedTuple):
    """A trial in a lane, from its start to its end."""

    trial: int
    lane: str
    began: float
    ended: float
    how: str  # its outcome, or its state


def timeline(run: ShownRun, begin: float | None = None, end: float | None = None) -> Answer:
    """Return the bars of a window, by lane, the idle time in it, and how many trials ran over the whole run.

    Args:
        run: the run.
        begin: seconds of the run; by default as early as the chart can show all trials.
        end: seconds of the run; by default now.
    """
    now = run.index.now
    until = now if end is None else end
    since = _first(run, until) if begin is None else begin
    with reading(run.index.path) as database:  # not by the index, which must not wait
        bars = _in_lanes(_bars(run, database, since, until, now))
        causes = _Causes(database, since, until)
    lanes: dict[str, list[Bar]] = {}
    for bar in bars:
        lanes.setdefault(bar.lane, []).append(bar)
    ordered = sorted(lanes, key=_natural)
    over = run.state not in ACTIVE and until >= now
    gaps = [gap for lane in ordered for gap in _gaps(lane, lanes[lane], (since, until), causes, is_over=over)]
    return {
        "from": since,
        "to": until,
        "now": now,
        "lanes": ordered,
        "bars": [[bar.trial, ordered.index(bar.lane), bar.began, bar.ended, bar.how] for bar in bars],
        "idle": [[ordered.index(lane), *rest] for lane, *rest in sorted(gaps, key=lambda gap: gap[1] - gap[2])[:GAPS]],
        "busy": busy(run),
    }


def busy(run: ShownRun, width: int = 400) -> list[list[float]]:
    """Return how many trials had started and not ended, on average, in each part of the run."""
    end = max(run.index.now, 1e-9)
    starts = _histogram(run, "started", end, width)
    ends = _histogram(run, "ended", end, width)
    running, answer = 0, []
    for place in range(width):
        running += starts[place]
        answer.append([place * end / width, float(running)])
        running -= ends[place]
    return answer


def _histogram(run: ShownRun, column: str, end: float, width: int) -> list[int]:
    counts = [0] * width
    rows = run.index.rows(
        f"""SELECT min(cast({column} * ? / ? AS integer), ?) AS place, count(*) FROM trials
            WHERE {column} IS NOT NULL AND started IS NOT NULL GROUP BY place""",
        (width, end, width - 1),
    )
    for place, count in rows:
        counts[cast(int, place)] = cast(int, count)
    return counts


def _first(run: ShownRun, until: float) -> float:
    """Return the earliest time from which on the chart can show all trials."""
    if run.index.total <= BARS:
        return 0.0
    rows = run.index.rows(
        "SELECT started FROM trials WHERE started <= ? ORDER BY id DESC LIMIT 1 OFFSET ?", (until, BARS * 3 // 4)
    )
    return float(cast(float, rows[0][0])) if rows else 0.0


def _bars(run: ShownRun, database: apsw.Connection, since: float, until: float, now: float) -> list[Bar]:
    rows = run.index.rows(
        f"""SELECT id, worker, started, coalesce(ended, ?), coalesce(outcome, state) FROM trials
            WHERE started <= ? AND coalesce(ended, ?) >= ? ORDER BY id DESC LIMIT {BARS}""",
        (now, until, now, since),
    )
    whole = [Bar(*row) for row in cast("list[tuple[int, str, float, float, str]]", rows)]
    several = _attempts(database, [bar.trial for bar in whole], now)
    bars = [each for bar in whole for each in several.get(bar.trial, [bar])]
    return sorted(bars, key=lambda bar: (bar.began, bar.trial))


def _attempts(database: apsw.Connection, trials: Sequence[int], now: float) -> dict[int, list[Bar]]:
    """Return a bar for each attempt of those trials that were paused or tried again."""
    statement = """SELECT id, line ->> '$[18]' FROM trials
        WHERE id IN (SELECT value FROM json_each(?)) AND json_array_length(line, '$[18]') > 0"""
    found = cast("list[tuple[int, str]]", database.execute(statement, (json.dumps(trials),)).fetchall())
    return {
        trial: [
            Bar(trial, worker, began, now if ended is None else ended, how)
            for _, worker, began, ended, how in json.loads(periods)
        ]
        for trial, periods in found
    }


def _in_lanes(bars: Sequence[Bar]) -> list[Bar]:
    """Give bars without a worker the first lane that is free; where an executor names workers, keep these."""
    free: list[tuple[float, str]] = []
    placed = []
    for bar in bars:
        lane = bar.lane
        if not lane:
            place = next((index for index, (until, _) in enumerate(free) if until <= bar.began + 1e-9), len(free))
            lane = f"slot {place}"
            free[place : place + 1] = [(bar.ended, lane)]
        placed.append(bar._replace(lane=lane))
    return placed


def _natural(lane: str) -> tuple[int, str]:
    digits = "".join(character for character in lane if character.isdigit())
    return (int(digits) if digits and len(digits) < 10 else 0, lane)


# Idle time ------------------------------------------------------------------------------------------------------------


def _gaps(
    lane: str, bars: Sequence[Bar], window: tuple[float, float], causes: _Causes, *, is_over: bool
) -> Iterator[tuple[str, float, float, str]]:
    """Yield the times without a trial in a lane that can be seen: from, to, and the cause."""
    since, until = window
    least, reached = (until - since) / 300, since
    for bar in sorted(bars, key=lambda bar: bar.began):
        if bar.began - reached > least:
            yield lane, reached, bar.began, causes.of(reached, bar.began)
        reached = max(reached, bar.ended)
    if until - reached > least:
        yield lane, reached, until, "no more trials" if is_over else causes.of(reached, until)


UNKNOWN = "starting the next trial"


class _Causes:
    """Why slots were empty, as far as the journal tells it.

    The searcher is waited for from ``Asked`` to ``Suggested``; a scheduler that answers ``Wait`` wants results first.
    """

    def __init__(self, database: apsw.Connection, since: float, until: float) -> None:
        self._asked: list[tuple[float, float]] = []
        self._waits: list[float] = []
        self._first = 0.0
        statement = f"""
            SELECT now, kind, decisions FROM (SELECT * FROM events ORDER BY seq DESC LIMIT {EVENTS})
             WHERE (kind = 'Suggested' OR decisions LIKE '%"Asked"%' OR decisions LIKE '%"Wait"%')
               AND now BETWEEN ? AND ? ORDER BY seq"""
        since_asked: float | None = None
        for now, kind, decisions in database.execute(statement, (since, until)):
            at = float(cast(float, now))
            if kind == "Suggested" and since_asked is not None:
                self._asked.append((since_asked, at))
                since_asked = None
            for each in json.loads(str(decisions)) if decisions else ():
                what = each.get("kind") if isinstance(each, dict) else None
                if what == "Asked" and since_asked is None:
                    since_asked = at
                elif what == "Wait":
                    self._waits.append(at)
        if since_asked is not None:
            self._asked.append((since_asked, until))

    def of(self, began: float, ended: float) -> str:
        """Return the cause of most of the time between these."""
        searching = sum(max(0.0, min(ended, b) - max(began, a)) for a, b in self._asked)
        if searching > (ended - began) / 2:
            return "waiting for the searcher"
        place = bisect_left(self._waits, began - 1e-9)
        if place < len(self._waits) and self._waits[place] <= ended:
            return "the scheduler waits for other trials"
        return UNKNOWN
