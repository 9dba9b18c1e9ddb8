"""How long a run will still take, as far as can be told, and what it has used."""

from __future__ import annotations

from trialwright.progress.formatting import amount, number, rough
from trialwright.progress.snapshot import Snapshot

ENDED_LEAST = 2  # fewer ended trials say nothing about how long a trial takes


def time_left(snapshot: Snapshot) -> str:
    """Return ``about 2 min left``; a bound where only the time budget is known; an empty string if nothing is known
    that a reader could use."""
    if snapshot.stopped or snapshot.starting:
        return ""
    by_trials, by_budget = seconds_left(snapshot), budget_left(snapshot)
    if by_trials == 0:  # all trials have ended
        return ""
    if by_budget is not None and (by_trials is None or by_budget < by_trials):
        return f"{'at most' if by_trials is None else 'about'} {rough(by_budget)} left of the time budget"
    if by_trials is not None:
        return f"about {rough(by_trials)} left"
    return "no end planned" if snapshot.wanted is None else f"time left unknown before {ENDED_LEAST} trials have ended"


def budget_left(snapshot: Snapshot) -> float | None:
    """Return the seconds that are left of the time budget; None without one."""
    return None if snapshot.time_budget_s is None else max(snapshot.time_budget_s - snapshot.elapsed_s, 0.0)


def seconds_left(snapshot: Snapshot) -> float | None:
    """Estimate the seconds until all planned trials have ended; None if it is not known.

    Graham's bound for list scheduling (Bounds on certain multiprocessing anomalies, 1966): the trials that have not
    begun take as long, on average, as the pace so far says; then the last one may run for as long as the longest. The
    pace alone would be too low where most trials are stopped early, because those that are not stopped run at the end,
    when most slots are empty.

    It is assumed that later trials take as long as earlier ones, on average, and that one of the last is not stopped
    early; so towards the end of such a run the estimate is rather too high.
    """
    states, wanted, ended = snapshot.states, snapshot.wanted, snapshot.states.get("ended", 0)
    if not wanted or ended < min(ENDED_LEAST, wanted):
        return None
    running = states.get("running", 0) + states.get("stopping", 0)
    waiting = states.get("waiting", 0) + states.get("paused", 0)
    ahead = max(wanted - ended - running, waiting)  # enqueued trials come on top of those planned
    last_s = longest_s(snapshot, running, ended)
    if not ahead:
        last_s = max(last_s - (snapshot.youngest_s or 0.0), 0.0) if running else 0.0
    return ahead * snapshot.elapsed_s / ended + last_s


def longest_s(snapshot: Snapshot, running: int, ended: int) -> float:
    """Estimate how long the longest trial runs: as long as the longest so far; and before any has been completed, as
    long as it takes to reach the scheduler's ``max_t``."""
    busy_s = snapshot.busy_s or running * snapshot.elapsed_s
    known_s = max(snapshot.longest_s, busy_s / ended)
    if snapshot.max_t is None or snapshot.outcomes.get("completed") or not snapshot.reports:
        return known_s
    return max(known_s, snapshot.max_t * busy_s / snapshot.reports)


def used(snapshot: Snapshot) -> str:
    """Return what the trials have used: ``1.3 slot-hours (cpu 2.6, gpu 0.65)``; an empty string if it is less than a
    minute of one slot."""
    if snapshot.busy_s < 60:
        return ""
    unit_s, unit = (3600.0, "hours") if snapshot.busy_s >= 3600 else (60.0, "minutes")
    named = [f"{name} {amount(name, seconds / unit_s)}" for name, seconds in snapshot.busy_resource_s.items()]
    return f"{number(snapshot.busy_s / unit_s)} slot-{unit}" + (f" ({', '.join(named)})" if named else "")
