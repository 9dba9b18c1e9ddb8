"""What a person can do from the page: requests to a run, by its inbox, and what-if replays, which change nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, cast

from trialwright.engine import catalogue
from trialwright.messages import Plain
from trialwright.nested import unflatten
from trialwright.page.queries import Answer
from trialwright.page.run import ShownRun
from trialwright.runs import ACTIVE
from trialwright.schedulers import ASHA, Scheduler
from trialwright.storage import inbox
from trialwright.what_if import what_if

REPLAYED = 3_000  # trials that a replay may have: more would take minutes
_replaying = threading.Lock()  # one at a time


def stop(run: ShownRun, body: Mapping[str, Any]) -> Answer:
    """Ask the run to stop a trial, or (``{"trial": null}``) itself.

    Raises:
        ValueError: there is no such trial, or it has ended; or the run is over.
        TypeError: the body does not name a trial.
    """
    _check_running(run)
    return {"request": inbox.stop(run.path, _trial_of(body))}


def pause(run: ShownRun, body: Mapping[str, Any]) -> Answer:
    """Ask the run to pause a trial, or (``{"trial": null}``) to start no more trials.

    Raises:
        ValueError, TypeError: as for ``stop``.
    """
    _check_running(run)
    return {"request": inbox.pause(run.path, _trial_of(body))}


def go_on(run: ShownRun, body: Mapping[str, Any]) -> Answer:
    """Ask the run to continue what was paused by a request.

    Raises:
        ValueError, TypeError: as for ``stop``.
    """
    _check_running(run)
    return {"request": inbox.unpause(run.path, _trial_of(body))}


def enqueue(run: ShownRun, body: Mapping[str, Any]) -> Answer:
    """Ask the run to try a configuration, given by paths: ``{"config": {"model/lr": 0.1}}``.

    Raises:
        ValueError: it is not in the space; the message lists all problems.
        TypeError: there is no configuration.
    """
    config = body.get("config")
    if not isinstance(config, Mapping):
        raise TypeError("a request to enqueue has a config")
    return {"request": inbox.enqueue(run.path, unflatten(config)), "waits": run.state not in ACTIVE}


def add_samples(run: ShownRun, body: Mapping[str, Any]) -> Answer:
    """Ask the run for more new trials than planned: ``{"count": 50}``.

    Raises:
        ValueError: the run is over, its number of trials is unlimited, or the count is below 1.
        TypeError: the count is not a whole number.
    """
    _check_running(run)
    return {"request": inbox.add_samples(run.path, cast(int, body.get("count")))}  # the inbox checks it


def replayed(run: ShownRun, eta: int, max_t: int) -> Answer:
    """Return what the run would have been under its scheduler with another ``eta`` and ``max_t``.

    Raises:
        ValueError: the scheduler has no such settings, the run is too large, or a replay is being made.
    """
    scheduler = changed(run.settings.get("scheduler"), eta, max_t)
    if run.index.total > REPLAYED:
        raise ValueError(f"a replay takes too long for more than {REPLAYED:,} trials: call trialwright.what_if")
    if not _replaying.acquire(blocking=False):
        raise ValueError("another replay is being made: try again when it is done")
    try:
        answer = what_if(run.path, scheduler)
    finally:
        _replaying.release()
    return {
        "words": str(answer),
        "saved_steps": answer.saved_steps,
        "recorded_steps": sum(fate.recorded_steps for fate in answer.fates),
        "saved_s": answer.saved_s,
        "wall_s": answer.wall_s,
        "recorded_wall_s": run.index.now,
        "best": answer.best[0],
        "best_trial": answer.best[1],
        "recorded_best": answer.recorded_best[0],
        "winner": answer.winner.trial,
        "kept_winner": answer.kept_winner,
        "censored": len(answer.censored),
    }


def can_replay(told: Plain) -> bool:
    """Tell whether a scheduler, as the journal keeps it, has an ``eta`` and a ``max_t``, or stops nothing."""
    if _is_fifo(told):
        return True
    if not isinstance(told, dict):
        return False
    options = told.get("options")
    return isinstance(options, dict) and {"max_t", "reduction_factor"} <= options.keys()


def changed(told: Plain, eta: int, max_t: int) -> Scheduler:
    """Return a scheduler with another ``eta`` and ``max_t``: of a run that stopped nothing, ASHA.

    Raises:
        ValueError: the scheduler has no such settings, or a value is out of range.
    """
    if not can_replay(told):
        raise ValueError("the scheduler of this run has no eta and max_t that could be changed")
    if not 2 <= eta <= 20 or not 1 <= max_t <= 1_000_000:
        raise ValueError(f"eta must be from 2 to 20 and max_t from 1 to 1,000,000, not {eta} and {max_t}")
    if _is_fifo(told):
        return ASHA(max_t=max_t, reduction_factor=eta)
    assert isinstance(told, dict)
    options = cast("dict[str, Plain]", told["options"])
    least = options.get("grace_period")
    within = {"grace_period": min(least, max_t)} if isinstance(least, int | float) else {}
    plain = {**told, "options": {**options, **within, "max_t": max_t, "reduction_factor": eta}}
    return cast(Scheduler, catalogue.from_plain(plain))


def _trial_of(body: Mapping[str, Any]) -> int | None:
    if body.keys() != {"trial"}:
        raise TypeError("a request names a trial, or null for the whole run")
    return cast("int | None", body["trial"])  # the inbox checks it


def _is_fifo(told: Plain) -> bool:
    return told in (None, "fifo") or (isinstance(told, dict) and told.get("name") == "fifo")


def _check_running(run: ShownRun) -> None:
    if run.state not in ACTIVE:
        raise ValueError("the run is over: no request reaches it")
