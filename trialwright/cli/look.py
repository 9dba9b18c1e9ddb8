"""Commands that look at runs: ``ls``, ``show``, ``best``, ``trials``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from trialwright import runs
from trialwright.cli import comment
from trialwright.cli.command import Json, Run, Storage, command
from trialwright.cli.printing import brief, print_json, print_pairs, print_table
from trialwright.nested import flatten
from trialwright.progress import duration
from trialwright.runs import RunInfo, Unreadable
from trialwright.storage.base import TrialRow
from trialwright.trial_query import COLUMNS, query_trials

HEADS = ("run", "state", "trials", "of", "failed", "best", "metric", "took", "created")


@command("ls", "trialwright ls\ntrialwright ls runs --json | jq '.[0].best'")
def ls(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A directory of runs.", show_default=False)
    ] = None,
    *,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """List the runs in a directory, the newest first."""
    found = runs.runs_in(directory or storage)
    if json:
        print_json([about(run) for run in found])
    else:
        print_table((_line(run) for run in found), HEADS)


def about(run: RunInfo | Unreadable) -> dict[str, Any]:
    """Return a run as JSON shows it."""
    if isinstance(run, Unreadable):
        return {"id": run.id, "path": str(run.path), "state": "unreadable", "problem": run.problem}
    driver = run.driver and run.driver._asdict()
    told = {"created": run.created.isoformat(), "driver": driver, "trials": run.trials, "metric": run.metric}
    return {"id": run.id, **asdict(run), "path": str(run.path), **told}


def _line(run: RunInfo | Unreadable) -> tuple[object, ...]:
    if isinstance(run, Unreadable):
        return (run.id, "unreadable", "", "", "", "", "", "", run.problem)
    best = run.best and run.best.value
    failed = run.outcomes.get("failed", 0) + run.outcomes.get("lost", 0)
    created = run.created.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    planned = "unlimited" if run.planned is None else run.planned
    return (run.id, run.state, run.trials, planned, failed, best, run.metric, _took(run.elapsed_s), created)


def _took(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


@command("show", "trialwright show digits-2026\ntrialwright show runs/latest --json")
def show(run: Run, *, storage: Storage = None, json: Json = False) -> None:
    """Show one run: its state, best trial, errors, and settings."""
    info = runs.describe(runs.find(run, storage))
    errors = runs.failures(info.path)
    if json:
        print_json({**about(info), "errors": [asdict(each) for each in errors]})
        return
    print_pairs(_facts(info))
    print_pairs(comment.lines(info.path, None))
    print_pairs(("error", f"{each.count} times {each.error}, first in trial {each.first}") for each in errors)


def _facts(run: RunInfo) -> Iterator[tuple[str, object]]:
    yield "run", run.id
    yield "path", str(run.path)
    yield "state", _state(run)
    yield "created", f"{run.created.isoformat(sep=' ', timespec='seconds')} on {run.host}"
    yield "took", duration(run.elapsed_s)
    yield "trials", f"{run.trials} of {'unlimited' if run.planned is None else run.planned} samples"
    yield "states", run.states
    yield "outcomes", run.outcomes
    for metric, mode in run.objectives:
        yield "metric", f"{metric} ({mode})"
    if run.best:
        yield "best value", run.best.value
        yield "best trial", f"{run.best.trial}, at step {run.best.step}"
        yield "best config", flatten(run.best.config)
    for name in ("searcher", "scheduler", "seed", "stop", "resources", "notes"):
        if (value := run.settings.get(name)) is not None:
            yield name, _told(value)
    yield "versions", f"Trialwright {run.version}, Python {run.python}, format {run.format}"


def _told(value: object) -> object:
    """Return a setting; an object that was written as a name with options is shown as ``asha(max_t=20)``."""
    if isinstance(value, dict) and value.keys() == {"name", "options"}:
        return f"{value['name']}({', '.join(f'{key}={brief(item)}' for key, item in value['options'].items())})"
    return value


def _state(run: RunInfo) -> str:
    if run.driver is not None:
        return f"{run.state}, in process {run.driver.pid} on {run.driver.host}, since {run.driver.since}"
    if run.state == "interrupted":
        return f"interrupted; trialwright resume {run.id} FILE.py:objective continues it"
    return run.state


@command("best", "trialwright best digits-2026\ntrialwright best digits-2026 --json | jq .config")
def best(run: Run, *, storage: Storage = None, json: Json = False) -> None:
    """Show the best trial and its configuration. It has the best value of the first metric, at any step."""
    info = runs.describe(runs.find(run, storage))
    if info.best is None:
        why = "it has no metric" if info.metric is None else f"no trial has reported a finite {info.metric!r}"
        raise typer.Exit(_none(f"there is no best trial in {info.id!r}: {why}"))
    if json:
        print_json({"metric": info.metric, **asdict(info.best)})
        return
    told = {"trial": info.best.trial, str(info.metric): info.best.value, "step": info.best.step}
    print_pairs([*told.items(), *flatten(info.best.config).items()])


def _none(text: str) -> int:
    typer.echo(f"error: {brief(text)}", err=True)
    return 1


@command(
    "trials",
    "trialwright trials digits-2026 --sort -accuracy --limit 5\n"
    "trialwright trials digits-2026 --where \"outcome = 'failed' and model/width > 64\"",
)
def trials(
    run: Run,
    *,
    sort: Annotated[str, typer.Option(help="A column, metric or parameter; -NAME for the largest first.")] = "id",
    where: Annotated[str, typer.Option(help=f"SQL over {', '.join(COLUMNS)}, metrics, and parameters.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.", show_default=False)] = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """List trials: last report and configuration of each."""
    found = query_trials(runs.find(run, storage), where, sort, limit)
    if json:
        print_json([trial_facts(row) for row in found])
        return
    lines = [columns_of(row) for row in found]
    heads = [*dict.fromkeys(name for line in lines for name in line)] or list(COLUMNS)
    print_table(([line.get(head) for head in heads] for line in lines), heads)


def trial_facts(row: TrialRow) -> dict[str, Any]:
    """Return a trial as JSON shows it."""
    best = None if row.best is None else {"value": row.best[0], "step": row.best[1]}
    return {**asdict(row), "config": runs.shown(row.config), "best": best}


def columns_of(row: TrialRow) -> dict[str, object]:
    """Return a trial as a line of the table; of names that come twice, the parameter's has ``config/`` in front."""
    about = {"id": row.id, "state": row.outcome or row.state, "step": row.step, "attempt": row.attempt}
    metrics = {name: value for name, value in row.metrics.items() if name not in about}
    line: dict[str, object] = {**about, **metrics}
    for name, value in flatten(runs.shown(row.config)).items():
        line[f"config/{name}" if name in line else name] = value
    return {**line, "reason": row.error or row.reason}
