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
    """Estimate the seconds until all planned trials have ended, from the pace so far; None if it is not known.

    A trial that has begun and not ended counts as half a trial. The estimate is wrong where later trials take longer
    than earlier ones, as under schedulers that stop most trials early.
    """
    states, wanted = snapshot.states, snapshot.wanted
    ended = states.get("ended", 0)
    if not wanted or ended < min(ENDED_LEAST, wanted):
        return None
    begun = sum(states.get(state, 0) for state in ("running", "stopping", "paused"))
    total = max(wanted, ended + begun + states.get("waiting", 0))  # enqueued trials come on top of those planned
    done = ended + begun / 2
    return snapshot.elapsed_s * (total / done - 1)


def used(snapshot: Snapshot) -> str:
    """Return what the trials have used: ``1.3 slot-hours (cpu 2.6, gpu 0.65)``; an empty string if it is less than a
    minute of one slot."""
    if snapshot.busy_s < 60:
        return ""
    unit_s, unit = (3600.0, "hours") if snapshot.busy_s >= 3600 else (60.0, "minutes")
    named = [f"{name} {amount(name, seconds / unit_s)}" for name, seconds in snapshot.busy_resource_s.items()]
    return f"{number(snapshot.busy_s / unit_s)} slot-{unit}" + (f" ({', '.join(named)})" if named else "")
