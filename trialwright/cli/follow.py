"""Commands that follow a run of another process, by its journal: ``tail`` and ``attach``."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import typer

from trialwright import runs
from trialwright.cli.command import FAILED, Json, Run, Storage, command
from trialwright.cli.printing import brief, escaped, print_json
from trialwright.progress import Best, Snapshot, choose_progress, line
from trialwright.runs import RunInfo
from trialwright.storage import lock
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL

LOOK_S = 0.5  # between two looks at the journal
_LAST = "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM events {of} ORDER BY seq DESC LIMIT 1 OFFSET ?)"
_AFTER = "SELECT seq, now, kind, trial, body, decisions FROM events WHERE seq > ? {of} ORDER BY seq LIMIT 10000"


class _Row(NamedTuple):
    """An event of the journal, with its decisions, as JSON."""

    seq: int
    now: float
    kind: str
    trial: int | None
    body: str
    decisions: str | None


@command("tail", "trialwright tail digits-2026\ntrialwright tail digits-2026 --trial 3 --json --no-follow")
def tail(
    run: Run,
    *,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the past events.")] = 10,
    trial: Annotated[int | None, typer.Option(help="Only events of this trial.", show_default=False)] = None,
    follow: Annotated[bool, typer.Option(help="Go on while the run is active.")] = True,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Print the events of a run, one a line. It prints the last ones, then each new one; with --json, JSON objects."""
    path = runs.find(run, storage)
    for row in _events(path, lines, trial, follow=follow):
        print(_json(row) if json else _text(row), flush=True)


def _events(path: Path, lines: int, trial: int | None, *, follow: bool) -> Iterator[_Row]:
    seq, is_active = _first(path, lines, trial), True
    while is_active:
        is_active = follow and lock.driver(path) is not None  # before the look: the last events are not missed
        while rows := _after(path, seq, trial):
            yield from rows
            seq = rows[-1].seq
        if is_active:
            time.sleep(LOOK_S)


def _first(path: Path, lines: int, trial: int | None) -> int:
    """Return the number of the event before the last so many ones."""
    of = "" if trial is None else f"WHERE trial = {trial:d}"
    with reading(path / JOURNAL) as database:
        [(seq,)] = database.execute(_LAST.format(of=of), (lines,)).fetchall()
        return int(str(seq))


def _after(path: Path, seq: int, trial: int | None) -> list[_Row]:
    of = "" if trial is None else f"AND trial = {trial:d}"
    with reading(path / JOURNAL) as database:
        return [_Row(*cast("Any", row)) for row in database.execute(_AFTER.format(of=of), (seq,))]


def _json(row: _Row) -> str:
    event, decided = jsonlib.loads(row.body), jsonlib.loads(row.decisions or "null")
    return jsonlib.dumps({"seq": row.seq, "now": row.now, "event": event, "decisions": decided})


def _text(row: _Row) -> str:
    body = jsonlib.loads(row.body)
    what = _report(body) if row.kind == "Reported" else brief(_rest(body))
    where = "" if row.trial is None else f"trial {row.trial}"
    decided = "; ".join(_decision(each) for each in jsonlib.loads(row.decisions or "[]"))
    return "\t".join((f"{row.now:.3f} s", where, row.kind, what, decided)).rstrip("\t")


def _rest(body: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in body.items() if name not in ("kind", "trial", "traceback")}
    return {name: _short(value) for name, value in told.items() if value not in (None, "", [], {})}


def _short(value: object) -> object:
    return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}" if isinstance(value, list) else value


def _report(body: Mapping[str, Any]) -> str:
    """``steps 1 to 5: loss=0.2``: the last report of a frame."""
    count, first = len(body["time_s"]), body["first_step"]
    steps = f"step {first}" if count == 1 else f"steps {first} to {first + count - 1}"
    return f"{steps}: {brief({name: column[-1] for name, column in body['columns'].items()})}"


def _decision(told: Mapping[str, Any]) -> str:
    reason = f" ({escaped(str(told['reason']))})" if told.get("reason") else ""
    trial = f" {told['trial']}" if "trial" in told else ""
    return f"{told['kind']}{trial}{reason}"


@command("attach", "trialwright attach digits-2026")
def attach(run: Run, *, storage: Storage = None, json: Json = False) -> None:
    """Show the live display of a run of another process. Ctrl-C ends the display, not the run."""
    path = runs.find(run, storage)
    info = _watched(path)
    if json:
        from trialwright.cli.look import about

        print_json(about(info))
    else:
        print(line(snapshot(info)))
    if info.state == "interrupted":
        raise typer.Exit(FAILED)


def _watched(path: Path) -> RunInfo:
    """Show the run until it ends, or the user has seen enough; return its last state."""
    info, display = runs.describe(path), choose_progress(1)
    try:
        while info.state in runs.ACTIVE:
            display.update(snapshot(info))
            time.sleep(LOOK_S)
            info = runs.describe(path)
    except KeyboardInterrupt:
        typer.echo("the run continues", err=True)
    finally:
        display.close(snapshot(info))
    return info


def snapshot(info: RunInfo) -> Snapshot:
    """Return a run as the displays show it. The number of reports is the sum of the trials' steps."""
    found = info.best
    best = None if found is None else Best(found.trial, info.metric or "", found.value, found.config)
    return Snapshot(
        name=info.name,
        directory=str(info.path),
        elapsed_s=info.elapsed_s,
        states=info.states,
        outcomes=info.outcomes,
        wanted=info.planned,
        best=best,
        reports=info.steps,
        reports_per_s=info.steps / info.elapsed_s if info.elapsed_s else 0.0,
    )
