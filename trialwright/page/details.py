"""One trial: why it ended, what was decided on it, its configuration, where that came from, its error, its curve."""

from __future__ import annotations

import json
from typing import Any, cast

import apsw

from trialwright.page import queries
from trialwright.page.queries import Answer
from trialwright.page.run import ShownRun
from trialwright.storage.checkpoints import trial_directory
from trialwright.storage.comments import comments
from trialwright.storage.database import reading
from trialwright.storage.tables import FRAMES

EVENTS = 20_000  # that are looked through for what happened to a trial
DECISIONS = 200  # that are shown
POINTS = 2_000  # of a curve


def details(run: ShownRun, trial: int) -> Answer:
    """Return what is known of a trial.

    Raises:
        ValueError: there is no such trial.
    """
    with reading(run.index.path) as database:  # not by the index, which must not wait
        rows = database.execute("SELECT line FROM trials WHERE id = ?", (trial,)).fetchall()
    if not rows:
        raise ValueError(f"there is no trial {trial} in this run")
    known = dict(zip(_NAMES, json.loads(str(rows[0][0])), strict=False))
    with reading(run.index.path) as database:
        frames = [json.loads(str(line)) for (line,) in database.execute(FRAMES, (trial,))]
        others = _others(database, trial, known)
    lines = sorted([*frames, *others], key=lambda line: line[0])
    return {
        "id": trial,
        "state": known["state"],
        "outcome": known["outcome"],
        "reason": known["reason"],
        "attempt": known["attempt"],
        "step": known["step"],
        "config": {name: queries.shown(_flat(value)) for name, value in queries.flat(known["config"]).items()},
        "tags": {name: _flat(value) for name, value in (known["tags"] or {}).items()},
        "metrics": {name: _number(value) for name, value in known["metrics"].items()},
        "best": None if not known.get("best") else [_number(value) for value in known["best"]],
        "checkpoint": known["checkpoint"],
        "comments": [[each.written, each.text] for each in comments(run.path) if each.trial == trial],
        "directory": str(trial_directory(run.path, trial)),
        "error": known["error"],
        "traceback": known["traceback"],
        "started": known["started"],
        "ended": known["ended"],
        "worker": known["worker"],
        "decisions": [said for line in lines for said in _decisions(line, trial)][-DECISIONS:],
        "lineage": _lineage(lines, trial),
        "curve": _curve(run, frames),
    }


_NAMES = (
    *("id", "state", "outcome", "reason", "attempt", "step", "config", "tags", "metrics", "checkpoint", "error"),
    *("traceback", "started", "ended", "worker", "best", "best_checkpoint", "best_metrics", "periods"),
)


def _others(database: apsw.Connection, trial: int, known: Answer) -> list[Any]:
    """Return the events, besides reports, that are about a trial: they are in its lifetime."""
    if known["started"] is None:
        return []
    first = _seq_at(database, known["started"])
    statement = """
        SELECT line FROM events WHERE seq BETWEEN :first AND :first + :most AND now <= :until
           AND NOT (kind = 'Reported' AND trial = :trial) AND (trial = :trial OR decisions LIKE :named)"""
    until = known["ended"] if known["ended"] is not None else 1e300
    named = f'%"trial":{trial},%'
    bindings = {"first": first, "most": EVENTS, "until": until, "trial": trial, "named": named}
    return [json.loads(str(line)) for (line,) in database.execute(statement, bindings)]


def _seq_at(database: apsw.Connection, now: float) -> int:
    """Return the number of the first event at this time or later, by bisection."""
    [(low, high)] = database.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 1) FROM events").fetchall()
    low, high = int(cast(int, low)), int(cast(int, high))
    while low < high:
        middle = (low + high) // 2
        [(at,)] = database.execute("SELECT now FROM events WHERE seq = ?", (middle,)).fetchall()
        low, high = (middle + 1, high) if cast(float, at) < now else (low, middle)
    return low


def _decisions(line: list[Any], trial: int) -> list[Answer]:
    """Return what a line of the journal says about a trial: what happened, and what was decided, in words."""
    now, event, decisions, _ = line
    of_trial = event.get("trial") == trial
    said = [] if not of_trial or event["kind"] == "Reported" else [_said(now, None, event["kind"], event)]
    step = event["first_step"] + len(event["time_s"]) - 1 if of_trial and event["kind"] == "Reported" else None
    for each in decisions or ():
        if not isinstance(each, dict):
            continue
        own = of_trial and each["kind"] in ("Continue", "Pause", "Stop", "Clone", "Resize")
        if own or each.get("trial") == trial:
            said.append(_said(now, step if own else None, each["kind"], each))
    return said


def _said(now: float, step: int | None, what: str, facts: Answer) -> Answer:
    shown = {name: value for name, value in facts.items() if name not in ("kind", "trial", "traceback")}
    return {"at_s": now, "step": step, "what": what, "words": _words(what, facts), "facts": shown}


def _words(what: str, facts: Answer) -> str:
    """Say a decision or an event in a sentence."""
    until = " or ".join(f"{metric} {op} {value:g}" for metric, op, value in facts.get("until") or ())
    places = facts.get("placements") or ()
    where = ", ".join(f"{node}{' GPU ' + ', '.join(map(str, gpus)) if gpus else ''}" for node, _, gpus in places)
    sentences = {
        "Continue": f"continues until {until}" if until else "continues to its end",
        "Start": f"runs until {until}" if until else "runs to its end",
        "Pause": "is paused: its slot is given to another trial",
        "Stop": f"is stopped: {facts.get('reason', '')}",
        "Clone": f"starts again from the checkpoint of trial {facts.get('donor')}, with a varied configuration",
        "Resize": f"starts again with other resources: {facts.get('resources')}",
        "Resume": f"is resumed{f' until {until}' if until else ''}",
        "Drop": f"will not be resumed: {facts.get('reason', '')}",
        "Granted": f"is launched on {where}" if where else "is launched",
        "Queued": f"waits in the slot of trial {facts.get('after')}",
        "Started": f"starts{' in ' + facts['worker'] if facts.get('worker') else ''}",
        "Finished": "returns",
        "Halted": "has stopped",
        "Failed": f"fails: {facts.get('error', '')}",
        "Lost": f"is lost: {facts.get('reason', '')}",
        "StopRequested": "is to be stopped, by a request",
        "RetryRequested": "is to be tried again, by a request",
    }
    return sentences.get(what, what)


def _lineage(lines: list[Any], trial: int) -> list[Answer]:
    """Return from which trials this one was cloned, and when."""
    donors = []
    for now, event, decisions, _ in lines:
        for each in decisions or ():
            clones = isinstance(each, dict) and each.get("donor") is not None
            if clones and ((each["kind"] == "Clone" and event.get("trial") == trial) or each.get("trial") == trial):
                donors.append({"at_s": now, "donor": each["donor"]})
    return donors


def _curve(run: ShownRun, frames: list[Any]) -> Answer:
    """Return the values of each objective by step; of a repeated step, the last."""
    metrics = [metric for metric, _ in run.objectives]
    steps: dict[int, list[float | None]] = {}
    for _, event, _, _ in frames:
        columns = [event["columns"].get(metric) or [] for metric in metrics]
        for place in range(len(event["time_s"])):
            values = [column[place] if place < len(column) else None for column in columns]
            steps[event["first_step"] + place] = [*queries.numbers(values)]
    kept = sorted(steps)[:: max(1, len(steps) // POINTS)]
    return {
        "metrics": metrics,
        "steps": kept,
        "values": [[steps[step][place] for step in kept] for place in range(len(metrics))],
    }


def _number(value: object) -> object:
    return value["float"] if isinstance(value, dict) and "float" in value else value


def _flat(value: Any) -> Any:  # noqa: ANN401 - plain data
    return value if isinstance(value, int | float | str | None) else json.dumps(value)
