"""From a snapshot to strings: the rows, tables and lines that all displays show. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trialwright.core.limits import Failure
from trialwright.progress.formatting import (
    amount,
    counts,
    cut,
    duration,
    number,
    plain,
    rough,
    settings,
    several,
    shown,
    values,
)
from trialwright.progress.snapshot import Best, Ended, Running, Snapshot
from trialwright.progress.time_left import time_left, used

WARNINGS_SHOWN = 2
FAILURES_SHOWN = 5  # kinds
REASON_LENGTH = 120
GAP = 2  # characters between two columns
CELL_LEAST = 16  # characters: what a column is not cut below
ENGINE_DETAILS = 3  # from this verbosity on, numbers about the engine are shown
LINE_A_TRIAL = 2  # from this verbosity on, each trial gets a line when it ends


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of trials: its title, heads, rows, and a line on the trials that it does not show. The columns that
    matter least come last."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""

    def fitted(self, width: int) -> Grid:
        """Return the table with those of its first columns that fit into a width in characters. The first one that does
        not fit is cut, if enough of it remains to be read."""
        lengths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        room, kept = width, list[int]()
        for length in lengths:
            if kept and room < min(length, CELL_LEAST):
                break
            kept.append(min(length, room))
            room -= length + GAP
        return replace(self, head=_cut_to(self.head, kept), rows=tuple(_cut_to(row, kept) for row in self.rows))


def _cut_to(cells: Sequence[str], lengths: Sequence[int]) -> tuple[str, ...]:
    return tuple(cut(cell, length) for cell, length in zip(cells, lengths, strict=False))


def rows(snapshot: Snapshot, verbose: int = 1) -> list[tuple[str, str]]:
    """Return the facts of a display: pairs of a label and a value, both strings."""
    told = [(plain(snapshot.name), _times(snapshot)), ("trials", _trials(snapshot))]
    told += [("starting", plain(snapshot.starting)), ("waiting", plain(snapshot.waits)), *_about_best(snapshot)]
    told += [("slots", _slots(snapshot)), ("stopping", plain(snapshot.stopped or ""))]
    told += _engine(snapshot) if verbose >= ENGINE_DETAILS else []
    told += [("error", failure_text(failure)) for failure in most_frequent(snapshot.failures)]
    told += [("warning", plain(text)) for text in snapshot.warnings[-WARNINGS_SHOWN:]]
    told.append(("kept in", plain(snapshot.directory or "")))
    return [(label, text) for label, text in told if text]


def _times(snapshot: Snapshot) -> str:
    return ", ".join(filter(None, [duration(snapshot.elapsed_s), time_left(snapshot)]))


def _about_best(snapshot: Snapshot) -> list[tuple[str, str]]:
    best = snapshot.best
    front = "" if snapshot.front is None else f"{several(snapshot.front, 'trial')} on the Pareto front"
    if best is None:
        return [("best", front)]
    return [("best", best_text(best)), ("", improvement(best, snapshot.elapsed_s)), ("", front)]


def _slots(snapshot: Snapshot) -> str:
    parts = [f"{name} {_used(name, *amounts)}" for name, amounts in snapshot.resources.items()]
    so_far = used(snapshot)
    return ", ".join(parts) + (f"; used so far: {so_far}" if so_far else "")


def _engine(snapshot: Snapshot) -> list[tuple[str, str]]:
    share = snapshot.handle_s / snapshot.elapsed_s if snapshot.elapsed_s else 0.0
    idle = ", ".join(f"{plain(cause)} {duration(idle_s)}" for cause, idle_s in snapshot.idle_s.items() if idle_s)
    return [
        ("reports", f"{snapshot.reports:,} ({number(snapshot.reports_per_s)}/s)"),
        ("deciding", f"{duration(snapshot.handle_s)} ({share:.1%}); searcher {duration(snapshot.searcher_s)}"),
        ("idle slots", idle),
    ]


def running_grid(snapshot: Snapshot, most: int) -> Grid | None:
    """Return the table of the trials that run, those that reported last first; None if none runs.

    Args:
        snapshot: the run.
        most: how many trials to show.
    """
    trials = snapshot.running[:most]
    if not trials:
        return None
    metrics = list(dict.fromkeys(name for trial in trials for name in trial.values))
    head = ("trial", "step", *map(plain, metrics), "runs for", "last report", "resources")
    total = snapshot.states.get("running", 0) + snapshot.states.get("stopping", 0)
    hidden = total - len(trials)
    cells = tuple(_running(trial, metrics) for trial in trials)
    return Grid("running", head, cells, f"and {hidden:,} more" if hidden > 0 else "")


def _running(trial: Running, metrics: Sequence[str]) -> tuple[str, ...]:
    since = "is starting" if trial.runs_s is None else rough(trial.runs_s)
    last = "" if trial.silent_s is None else f"{rough(trial.silent_s)} ago" if trial.step else "none yet"
    needs = ", ".join(f"{plain(name)} {amount(name, value)}" for name, value in trial.resources.items())
    held = f"{trial.trial} (stopping)" if trial.state == "stopping" else str(trial.trial)
    return (held, str(trial.step), *(_cell(trial.values, name) for name in metrics), since, last, needs)


def _cell(metrics: Mapping[str, object], name: str) -> str:
    return plain(shown(metrics[name])) if name in metrics else ""


def ended_grid(snapshot: Snapshot, most: int) -> Grid | None:
    """Return the table of the trials that ended last, the last one first, with how and why; None if none has."""
    trials = snapshot.ended[: -most - 1 : -1]
    if not trials:
        return None
    metrics = list(dict.fromkeys(name for trial in trials for name in trial.values))
    head = ("trial", "outcome", "step", *map(plain, metrics), "ran for", "reason")
    return Grid("ended last", head, tuple(_ended(trial, metrics) for trial in trials))


def _ended(trial: Ended, metrics: Sequence[str]) -> tuple[str, ...]:
    cells = (_cell(trial.values, name) for name in metrics)
    reason = cut(plain(trial.reason), REASON_LENGTH)
    return (str(trial.trial), plain(trial.outcome), str(trial.step), *cells, rough(trial.ran_s), reason)


def ended_line(trial: Ended) -> str:
    """Return one line on a trial that has ended: ``trial 3 stopped after 4 steps, 2.1 s: loss 0.2 (lr=0.1); why``."""
    told = values(trial.values) or "no value"
    reason = f"; {cut(plain(trial.reason), REASON_LENGTH)}" if trial.reason else ""
    ran = f"after {several(trial.step, 'step')}, {duration(trial.ran_s)}"
    return f"trial {trial.trial} {plain(trial.outcome)} {ran}: {told} ({settings(trial.config)}){reason}"


def ended_since(snapshot: Snapshot, number: int) -> Iterator[str]:
    """Yield a line for each trial that has ended after this many ends, and one on those that a snapshot does not have
    any more."""
    new = [trial for trial in snapshot.ended if trial.number > number]
    if missed := snapshot.ends - number - len(new):
        yield f"{several(missed, 'trial')} ended; the next lines are on those that ended after"
    yield from map(ended_line, new)


def trouble(snapshot: Snapshot) -> Iterator[str]:
    """Yield what has gone wrong so far, a line each: the first failure of each kind, and the warnings."""
    for failure in snapshot.failures:
        yield f"{plain(snapshot.name)}: trial {failure.trial} failed: {plain(failure.error)}{_where(failure)}"
    yield from (f"{plain(snapshot.name)}: warning: {plain(text)}" for text in snapshot.warnings)


def most_frequent(failures: Sequence[Failure]) -> Sequence[Failure]:
    """Return the kinds of failures to show."""
    return sorted(failures, key=lambda failure: -failure.count)[:FAILURES_SHOWN]


def failure_text(failure: Failure) -> str:
    """Return ``3 times ValueError: bad value (train.py:12, in train), first in trial 4``."""
    times, first = (f"{failure.count:,} times ", "first ") if failure.count > 1 else ("", "")
    return f"{times}{plain(failure.error)}{_where(failure)}, {first}in trial {failure.trial}"


def _where(failure: Failure) -> str:
    return f" ({plain(failure.where)})" if failure.where else ""


def line(snapshot: Snapshot, verbose: int = 1) -> str:
    """Return a snapshot as one line."""
    if snapshot.starting:
        return f"{plain(snapshot.name)} {duration(snapshot.elapsed_s)}: starting {plain(snapshot.starting)}"
    parts = [f"{plain(snapshot.name)} {_times(snapshot)}: {_trials(snapshot)}"]
    if snapshot.best:
        parts.append(f"best {best_text(snapshot.best)}")
    if snapshot.front is not None:
        parts.append(f"{snapshot.front:,} on the Pareto front")
    parts += [f"{name} {_used(name, *amounts)}" for name, amounts in snapshot.resources.items()]
    if snapshot.waits:
        parts.append(f"waiting: {plain(snapshot.waits)}")
    if verbose >= ENGINE_DETAILS:
        parts += [f"{label} {text}" for label, text in _engine(snapshot) if text]
    return " | ".join(parts)


def _trials(snapshot: Snapshot) -> str:
    """``4 running, 2 paused, 30 of 40 ended (28 completed, 2 failed)``."""
    states = {state: count for state, count in snapshot.states.items() if state != "ended"}
    of = "" if snapshot.wanted is None else f" of {snapshot.wanted:,}"
    ended = f"{snapshot.states.get('ended', 0):,}{of} ended"
    outcomes = counts(snapshot.outcomes)
    return ", ".join(filter(None, [counts(states), ended])) + (f" ({outcomes})" if outcomes else "")


def best_text(best: Best) -> str:
    """Return ``accuracy 0.98, size 12 (trial 3: lr=0.1)``: the first objective, then the others."""
    others = {name: value for name, value in best.values.items() if name != best.metric}
    told = values({best.metric: float(best.value), **others})
    return f"{told} (trial {best.trial}: {settings(best.config)})"


def improvement(best: Best, now_s: float) -> str:
    """Return ``improved 12 s ago, from 0.97 (trial 3)``; an empty string if it is the first value."""
    if best.before is None or best.found_s is None:
        return ""
    whose = "" if best.before_trial in (None, best.trial) else f" (trial {best.before_trial})"
    return f"improved {rough(max(now_s - best.found_s, 0.0))} ago, from {number(best.before)}{whose}"


def _used(name: str, used: float, total: float) -> str:
    if name == "memory":
        return f"{number(used / 2**30)} of {number(total / 2**30)} GiB"
    return f"{number(used)} of {number(total)}"
