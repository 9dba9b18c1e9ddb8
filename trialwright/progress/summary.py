"""The summary at the end of a run, as strings. Pure."""

from __future__ import annotations

import math

from trialwright.progress.formatting import counts, duration, number, plain, several
from trialwright.progress.rendering import (
    ENGINE_DETAILS,
    WARNINGS_SHOWN,
    best_text,
    failure_text,
    most_frequent,
)
from trialwright.progress.snapshot import Snapshot, Statistics
from trialwright.progress.time_left import used

HINT_S = 10.0  # a searcher that took longer, and more than half of a run, gives a hint


def summary_lines(snapshot: Snapshot, statistics: Statistics, verbose: int = 1) -> list[str]:
    """Return the summary of a run: its results, what went wrong, where it is kept and how to see it. From ``verbose=3``
    on, also where the time went."""
    lines = [_headline(snapshot)]
    if snapshot.stopped:
        lines.append(f"the run was stopped: {plain(snapshot.stopped)}")
    lines += _best(snapshot)
    lines += _errors(snapshot)
    lines += [f"warning: {plain(text)}" for text in snapshot.warnings[-WARNINGS_SHOWN:]]
    lines += [f"hint: {text}" for text in _hints(statistics)]
    if so_far := used(snapshot):
        lines.append(f"used: {so_far}")
    lines += _where_time_went(statistics, snapshot.reports) if verbose >= ENGINE_DETAILS else []
    if snapshot.directory:
        lines += [f"kept in {snapshot.directory}", f"to see it: trialwright show {snapshot.directory}"]
    return lines


def _headline(snapshot: Snapshot) -> str:
    ended = snapshot.states.get("ended", 0)
    outcomes = counts(snapshot.outcomes) or "none"
    unended = sum(snapshot.states.values()) - ended
    rest = f"; {unended} not ended" if unended else ""
    return f"{plain(snapshot.name)}: {ended:,} trials in {duration(snapshot.elapsed_s)}: {outcomes}{rest}"


def _best(snapshot: Snapshot) -> list[str]:
    told = best_text(snapshot.best) if snapshot.best else "no trial has reported a finite value"
    if snapshot.front is None:
        return [f"best: {told}"]
    return [f"best: {told}", f"Pareto front: {several(snapshot.front, 'trial')}, in result.pareto_front()"]


def _errors(snapshot: Snapshot) -> list[str]:
    """Return a line for each kind of failure, the most frequent first, and one on where to find all."""
    lines = [f"error: {failure_text(failure)}" for failure in most_frequent(snapshot.failures)]
    if more := len(snapshot.failures) - len(lines):
        lines.append(f"and {more} more kinds of errors")
    if lines and (snapshot.outcomes.get("failed") or snapshot.outcomes.get("lost")):
        lines.append("the failed trials are in result.errors")
    return lines


def _hints(spent: Statistics) -> list[str]:
    """Return what would make the next run faster."""
    hints = []
    if spent.searcher_s > max(HINT_S, spent.wall_s / 2):
        share = f"{duration(spent.searcher_s)} of {duration(spent.wall_s)}"
        hints.append(f'the searcher took {share}; with trials this short, searcher="tpe" or "random" is faster')
    if spent.open_hint and spent.open_s > spent.wall_s / 10:
        hints.append(f"trials could start after {duration(spent.open_s)}; {spent.open_hint}")
    return hints


def _where_time_went(spent: Statistics, reports: int) -> list[str]:
    wall_s = spent.wall_s or math.inf  # a run of 0 s has no rates
    lag, lag_max = duration(spent.loop_lag_p99_s), duration(spent.loop_lag_max_s)
    commit, commit_max = duration(spent.commit_s / max(spent.commits, 1)), duration(spent.commit_max_s)
    idle = sorted(spent.idle_s.items(), key=lambda item: -item[1])
    causes = ", ".join(f"{plain(cause)} {duration(seconds)}" for cause, seconds in idle if seconds > 0)
    entries = {
        "deciding": f"{duration(spent.handle_s)} ({spent.handle_s / wall_s:.1%}); {reports:,} reports, "
        f"{number(reports / wall_s)}/s",
        "event loop": f"late by {lag} at p99, {lag_max} at most; up to {spent.queue_max:,} events a turn",
        "commits": f"{spent.commits:,} in {duration(spent.commit_s)}; {commit} each, {commit_max} at most",
        "elsewhere": f"searcher {duration(spent.searcher_s)}; launches {duration(spent.launch_mean_s)} each",
        "idle slots": causes or "none",
    }
    return [f"where {duration(spent.wall_s)} went:", *(f"  {label:<11} {text}" for label, text in entries.items())]
