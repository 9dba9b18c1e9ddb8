"""Commands that act on a run of another process, by its inbox: ``enqueue``, ``add-samples``, ``stop``, ``pause``,
``continue``."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from trialwright import runs
from trialwright.cli.command import Json, Run, Storage, command
from trialwright.cli.printing import escaped, print_json
from trialwright.nested import unflatten
from trialwright.storage import inbox, lock
from trialwright.trial_query import query_trials

Trials: TypeAlias = Annotated[
    list[int] | None,
    typer.Option("--trial", help="The number of a trial; may be given several times.", show_default=False),
]


@command(
    "enqueue",
    "trialwright enqueue digits-2026 lr=0.01 model/width=64\n"
    'trialwright enqueue digits-2026 \'{"lr": 0.01, "model": {"width": 64}}\'',
)
def enqueue(
    run: Run,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Or one JSON object.")],
    *,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Add a trial with this configuration, or a part of one."""
    path = runs.find(run, storage)
    _report(path, {"request": inbox.enqueue(path, config_of(values)), "kind": "enqueue"}, json=json)


@command("add-samples", "trialwright add-samples digits-2026 50")
def add_samples(
    run: Run,
    count: Annotated[int, typer.Argument(min=1, help="How many more.", show_default=False)],
    *,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Ask a run for more new trials than planned."""
    path = runs.find(run, storage)
    _report(path, {"request": inbox.add_samples(path, count), "kind": "add-samples", "count": count}, json=json)


@command("stop", "trialwright stop digits-2026\ntrialwright stop digits-2026 --trial 3 --trial 7")
def stop(run: Run, *, trial: Trials = None, storage: Storage = None, json: Json = False) -> None:
    """Stop one trial, several, or the whole run."""
    _send(runs.find(run, storage), "stop", inbox.stop, trial, json=json)


@command("pause", "trialwright pause digits-2026\ntrialwright pause digits-2026 --trial 3")
def pause(run: Run, *, trial: Trials = None, storage: Storage = None, json: Json = False) -> None:
    """Pause the run, or some of its trials. A paused run starts no more trials, and those that run continue; a paused
    trial frees its resources."""
    path = runs.find(run, storage)
    for number in trial or ():
        if [row for row in query_trials(path, where=f"id = {number}") if row.checkpoint is None]:
            _note(f"trial {number} has no checkpoint: when it is continued, it starts from its beginning")
    _send(path, "pause", inbox.pause, trial, json=json)


@command("continue", "trialwright continue digits-2026\ntrialwright continue digits-2026 --trial 3")
def continue_(run: Run, *, trial: Trials = None, storage: Storage = None, json: Json = False) -> None:
    """Continue a run that was paused, or some of its trials."""
    _send(runs.find(run, storage), "continue", inbox.unpause, trial, json=json)


def _send(
    path: Path, kind: str, send: Callable[[Path, int | None], int], trials: Sequence[int] | None, *, json: bool
) -> None:
    for trial in trials or (None,):
        _report(path, {"request": send(path, trial), "kind": kind, "trial": trial}, json=json)


def _report(path: Path, request: Mapping[str, Any], *, json: bool) -> None:
    is_running = lock.driver(path) is not None
    if json:
        print_json({**request, "run": path.name, "running": is_running})
        return
    print(f"request {request['request']} was sent to {escaped(path.name)}")
    if not is_running and request["kind"] in ("stop", "pause") and request["trial"] is None:
        _note("no process drives this run, so it is not active; a resume starts it again")
    elif not is_running:
        _note("no process drives this run: the request is carried out when the run is resumed")


def _note(text: str) -> None:
    typer.echo(f"note: {escaped(text)}", err=True)


def config_of(values: Sequence[str]) -> dict[str, Any]:
    """Return a configuration from ``lr=0.1 model/width=64``, or from one JSON object. A value is JSON, else a string.

    Raises:
        ValueError: it is neither.
    """
    if len(values) == 1 and values[0].lstrip().startswith("{"):
        return _object(values[0])
    pairs = [value.partition("=") for value in values]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise ValueError(f"{wrong[0]!r} is not NAME=VALUE, such as lr=0.1, or a JSON object")
    return unflatten({name: value_of(text) for name, _, text in pairs})


def _object(text: str) -> dict[str, Any]:
    try:
        found = _json(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no JSON object, and not NAME=VALUE: {error}") from error
    assert isinstance(found, dict), "it begins with a brace"
    return found


def value_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON has
    """Return what a value on the command line means: JSON, else the string itself."""
    try:
        return _json(text)
    except ValueError:
        return text


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON has
    return jsonlib.loads(text)
