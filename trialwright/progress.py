"""The display of a run, and the summary at its end. Everything goes to stderr: stdout is the user's.

The run hands over snapshots, which takes little time; they are shown in a thread of their own. So a slow terminal, or
one that is stopped with Ctrl-S, never delays a trial.
"""

from __future__ import annotations

import math
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trialwright.core.failures import Failure
from trialwright.nested import flatten

WARNINGS_SHOWN = 2
FAILURES_SHOWN = 5  # kinds
CONFIG_LENGTH = 160
HINT_S = 10.0  # a searcher that took longer, and more than half of a run, gives a hint


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial so far. ``value`` is as reported, not sign-flipped."""

    trial: int
    metric: str
    value: float
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    name: str
    directory: str | None = None  # None: nothing is kept
    elapsed_s: float = 0.0
    states: Mapping[str, int] = field(default_factory=dict)  # trials by state
    outcomes: Mapping[str, int] = field(default_factory=dict)  # ended trials by outcome
    wanted: int | None = None  # how many trials are planned; None for unlimited
    best: Best | None = None
    resources: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # name -> (used, total)
    reports: int = 0
    reports_per_s: float = 0.0
    stopped: str | None = None  # why the whole run ends early
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()  # one of each kind
    starting: str = ""  # what has to start before the first trial can


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where the time of a run went."""

    wall_s: float = 0.0
    handle_s: float = 0.0  # deciding: the experiment with its scheduler
    loop_lag_p99_s: float = 0.0
    loop_lag_max_s: float = 0.0
    queue_max: int = 0  # events that waited for one turn of the loop
    commits: int = 0
    commit_s: float = 0.0
    commit_max_s: float = 0.0
    searcher_s: float = 0.0
    launch_mean_s: float = 0.0  # from Launch to Started
    idle_s: Mapping[str, float] = field(default_factory=dict)  # cause -> slot-seconds without work
    open_s: float = 0.0  # until trials could start
    open_hint: str = ""  # how they could start sooner


class Progress(Protocol):
    """Shows a run. It is called in a thread of its own, one call at a time, so it may block."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the newest state of the run: called about four times a second, unless the last call is still running. If
        it raises, it is not called again."""

    def close(self, snapshot: Snapshot) -> None:
        """Show the last state, and restore the terminal. If it has not returned after ten seconds, the run ends without
        it."""


def choose_progress(verbose: int, stream: TextIO | None = None) -> Progress:
    """Return the default display: none for ``verbose=0``, a live table on a terminal, else plain lines.

    Args:
        verbose: how much the user wants to see.
        stream: where to write; ``sys.stderr`` unless given.
    """
    stream = stream or sys.stderr
    if verbose <= 0:
        return NoProgress()
    return LiveProgress(stream) if _can_redraw(stream) else LineProgress(stream)


def _can_redraw(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


class NoProgress:
    """Shows nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def close(self, snapshot: Snapshot) -> None:
        """Show nothing."""


class _Drawn(ABC):
    """Draws on a stream until the stream is closed or its reader has ended."""

    is_seen = True

    def update(self, snapshot: Snapshot) -> None:
        """Draw this."""
        self._try(lambda: self._draw(snapshot))

    def close(self, snapshot: Snapshot) -> None:
        """Draw this as the last."""
        self._try(lambda: self._draw(snapshot))
        self._try(self._end)

    def _try(self, draw: Callable[[], None]) -> None:
        try:
            if self.is_seen:
                draw()
        except (OSError, ValueError):
            self.is_seen = False

    @abstractmethod
    def _draw(self, snapshot: Snapshot) -> None:
        """Put a snapshot on the stream."""

    @abstractmethod
    def _end(self) -> None:
        """Release the stream."""


class LineProgress(_Drawn):
    """Prints a line every few seconds: for log files, pipes, and terminals that cannot redraw."""

    def __init__(self, stream: TextIO, period_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._period_s, self._clock = stream, period_s, clock
        self._due = clock() + period_s
        self._starting = ""  # what was said to be starting
        self._said: set[str] = set()

    def update(self, snapshot: Snapshot) -> None:
        """Print a line if the last one is old enough, or if something is starting. Print errors and warnings at
        once."""
        self._try(lambda: self._say(snapshot))
        if self._clock() >= self._due or snapshot.starting not in ("", self._starting):
            self._starting = snapshot.starting
            self._due = self._clock() + self._period_s
            super().update(snapshot)

    def _say(self, snapshot: Snapshot) -> None:
        for text in dict.fromkeys(trouble(snapshot)):
            if text not in self._said:
                self._said.add(text)
                print(text, file=self._stream, flush=True)

    def _draw(self, snapshot: Snapshot) -> None:
        print(line(snapshot), file=self._stream, flush=True)

    def _end(self) -> None:
        """Do nothing: the stream belongs to the caller."""


class _Console(Console):
    """A console that raises on a broken pipe; rich would redirect stdout to /dev/null and exit."""

    def on_broken_pipe(self) -> None:
        """Raise in the drawing thread, which then stops drawing."""
        raise BrokenPipeError


class LiveProgress(_Drawn):
    """A table that is redrawn in place. ``NO_COLOR`` is respected (by rich)."""

    def __init__(self, stream: TextIO) -> None:
        self._live: Live | None = None
        self._console = _Console(file=stream)

    def _draw(self, snapshot: Snapshot) -> None:
        if self._live is None:
            self._live = self._start()
        self._live.update(_table(snapshot), refresh=True)

    def _start(self) -> Live:
        # Other output to the same terminal goes above the table; a stdout that is a file must stay one.
        live = Live(console=self._console, auto_refresh=False, redirect_stdout=sys.stdout.isatty())
        live.start()
        self._console.show_cursor()  # Live hides it, and a killed process could not show it again
        return live

    def _end(self) -> None:
        if self._live is not None:
            self._live.stop()


def _table(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, text in rows(snapshot):
        table.add_row(Text(label, style="bold yellow" if label == "warning" else "bold"), Text(text, overflow="fold"))
    return table


# From values to text: pure -------------------------------------------------------------------------------------------


def rows(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the rows of the live table: pairs of a label and a value, both strings."""
    directory = f", in {snapshot.directory}" if snapshot.directory else ""
    shown = [(_plain(snapshot.name), f"{duration(snapshot.elapsed_s)}{directory}"), ("trials", _trials(snapshot))]
    if snapshot.starting:
        shown.append(("starting", _plain(snapshot.starting)))
    if snapshot.best:
        shown.append(("best so far", _best(snapshot.best)))
    shown += [(name, _used(name, *amounts)) for name, amounts in snapshot.resources.items()]
    shown.append(("reports", f"{snapshot.reports:,} ({number(snapshot.reports_per_s)}/s)"))
    if snapshot.stopped:
        shown.append(("stopping", _plain(snapshot.stopped)))
    shown += [("error", _failure(failure)) for failure in _most(snapshot.failures)]
    return shown + [("warning", _plain(text)) for text in snapshot.warnings[-WARNINGS_SHOWN:]]


def trouble(snapshot: Snapshot) -> Iterator[str]:
    """Yield what has gone wrong so far, a line each: the first failure of each kind, and the warnings."""
    for failure in snapshot.failures:
        yield f"{_plain(snapshot.name)}: trial {failure.trial} failed: {_plain(failure.error)}{_where(failure)}"
    yield from (f"{_plain(snapshot.name)}: warning: {_plain(text)}" for text in snapshot.warnings)


def _most(failures: Sequence[Failure]) -> Sequence[Failure]:
    return sorted(failures, key=lambda failure: -failure.count)[:FAILURES_SHOWN]


def _failure(failure: Failure) -> str:
    """``3 times ValueError: bad value (train.py:12, in train), first in trial 4``."""
    times, first = (f"{failure.count:,} times ", "first ") if failure.count > 1 else ("", "")
    return f"{times}{_plain(failure.error)}{_where(failure)}, {first}in trial {failure.trial}"


def _where(failure: Failure) -> str:
    return f" ({_plain(failure.where)})" if failure.where else ""


def line(snapshot: Snapshot) -> str:
    """Return a snapshot as one line."""
    if snapshot.starting:
        return f"{_plain(snapshot.name)} {duration(snapshot.elapsed_s)}: starting {_plain(snapshot.starting)}"
    parts = [f"{_plain(snapshot.name)} {duration(snapshot.elapsed_s)}: {_trials(snapshot)}"]
    if snapshot.best:
        parts.append(f"best so far {_best(snapshot.best)}")
    parts += [f"{name} {_used(name, *amounts)}" for name, amounts in snapshot.resources.items()]
    parts.append(f"{snapshot.reports:,} reports ({number(snapshot.reports_per_s)}/s)")
    return " | ".join(parts)


def summary_lines(snapshot: Snapshot, statistics: Statistics) -> list[str]:
    """Return the summary of a run: its results, and where the time went."""
    lines = [_headline(snapshot)]
    if snapshot.stopped:
        lines.append(f"the run was stopped: {_plain(snapshot.stopped)}")
    lines.append(f"best: {_best(snapshot.best)}" if snapshot.best else "best: no trial has reported a finite value")
    lines += _errors(snapshot)
    lines += [f"warning: {_plain(text)}" for text in snapshot.warnings[-WARNINGS_SHOWN:]]
    lines += _where_time_went(statistics, snapshot.reports)
    if snapshot.directory:
        lines.append(f"kept in {snapshot.directory}")
    return lines


def _errors(snapshot: Snapshot) -> list[str]:
    """Return a line for each kind of failure, the most frequent first, and one on where to find all."""
    lines = [f"error: {_failure(failure)}" for failure in _most(snapshot.failures)]
    if more := len(snapshot.failures) - len(lines):
        lines.append(f"and {more} more kinds of errors")
    if lines and (snapshot.outcomes.get("failed") or snapshot.outcomes.get("lost")):
        lines.append("the failed trials are in result.errors")
    return lines


def _headline(snapshot: Snapshot) -> str:
    ended = snapshot.states.get("ended", 0)
    outcomes = counts(snapshot.outcomes) or "none"
    unended = sum(snapshot.states.values()) - ended
    rest = f"; {unended} not ended" if unended else ""
    return f"{_plain(snapshot.name)}: {ended:,} trials in {duration(snapshot.elapsed_s)}: {outcomes}{rest}"


def _where_time_went(spent: Statistics, reports: int) -> list[str]:
    wall_s = spent.wall_s or math.inf  # a run of 0 s has no rates
    lag, lag_max = duration(spent.loop_lag_p99_s), duration(spent.loop_lag_max_s)
    commit, commit_max = duration(spent.commit_s / max(spent.commits, 1)), duration(spent.commit_max_s)
    idle = sorted(spent.idle_s.items(), key=lambda item: -item[1])
    causes = ", ".join(f"{_plain(cause)} {duration(seconds)}" for cause, seconds in idle if seconds > 0)
    entries = {
        "deciding": f"{duration(spent.handle_s)} ({spent.handle_s / wall_s:.1%}); {reports:,} reports, "
        f"{number(reports / wall_s)}/s",
        "event loop": f"late by {lag} at p99, {lag_max} at most; up to {spent.queue_max:,} events a turn",
        "commits": f"{spent.commits:,} in {duration(spent.commit_s)}; {commit} each, {commit_max} at most",
        "elsewhere": f"searcher {duration(spent.searcher_s)}; launches {duration(spent.launch_mean_s)} each",
        "idle slots": causes or "none",
    }
    if spent.searcher_s > max(HINT_S, wall_s / 2):
        entries["hint"] = (
            'most went to the searcher; for trials as short as these, searcher="tpe" or "random" is faster'
        )
    if spent.open_hint and spent.open_s > wall_s / 10:
        entries["start"] = f"{duration(spent.open_s)}; {spent.open_hint}"
    return [f"where {duration(spent.wall_s)} went:", *(f"  {label:<11} {text}" for label, text in entries.items())]


def _trials(snapshot: Snapshot) -> str:
    """``4 running, 2 paused, 30 of 40 ended (28 completed, 2 failed)``."""
    states = {state: count for state, count in snapshot.states.items() if state != "ended"}
    of = "" if snapshot.wanted is None else f" of {snapshot.wanted:,}"
    ended = f"{snapshot.states.get('ended', 0):,}{of} ended"
    outcomes = counts(snapshot.outcomes)
    return ", ".join(filter(None, [counts(states), ended])) + (f" ({outcomes})" if outcomes else "")


def counts(amounts: Mapping[str, int]) -> str:
    """Return ``4 running, 2 paused``."""
    return ", ".join(f"{amount:,} {name}" for name, amount in amounts.items() if amount)


def _best(best: Best) -> str:
    return f"{best.metric} {number(best.value)} (trial {best.trial}: {settings(best.config)})"


def settings(config: Mapping[str, object]) -> str:
    """Return a config as ``lr=0.0123 model/width=128``, cut off where it gets long."""
    text = _plain(" ".join(f"{name}={shown(value)}" for name, value in flatten(config).items()))
    return text if len(text) <= CONFIG_LENGTH else text[: CONFIG_LENGTH - 3] + "..."


def _used(name: str, used: float, total: float) -> str:
    if name == "memory":
        return f"{number(used / 2**30)} of {number(total / 2**30)} GiB"
    return f"{number(used)} of {number(total)}"


def shown(value: object) -> str:
    """Return a value as a string: a float with four significant digits."""
    return number(value) if isinstance(value, float) else str(value)


def number(value: float) -> str:
    """Return four significant digits; thousands keep theirs."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a time span in the units that a person would choose."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us" if seconds else "0 s"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _plain(text: str) -> str:
    """Return one printable line: control characters could move the cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
