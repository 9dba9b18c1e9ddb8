"""Commands that run something: ``run`` and ``resume``, here or detached."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from trialwright import runs
from trialwright.cli.act import config_of, value_of
from trialwright.cli.command import FAILED, Json, Run, Storage, command
from trialwright.cli.printing import escaped, print_json

_STOP = ("<=", ">=", "=")

Detach: TypeAlias = Annotated[
    bool, typer.Option("-d", "--detach", help="Start it in the background, and print the run's path.")
]
Announce: TypeAlias = Annotated[int | None, typer.Option(hidden=True, help="A file descriptor for the run's path.")]
Objective: TypeAlias = Annotated[str, typer.Argument(metavar="FILE.py:OBJECTIVE", help="What is tuned.")]
Executor: TypeAlias = Annotated[
    str | None, typer.Option(help="ray, processes, local; or local(cpus=4).", show_default=False)
]
Samples: TypeAlias = Annotated[
    int | None, typer.Option("-n", "--num-samples", help="How many trials; -1 for unlimited.", show_default=False)
]
Verbose: TypeAlias = Annotated[int, typer.Option(min=0, help="0 shows nothing, 1 the progress and a summary.")]


def _option(text: str, *names: str) -> Any:  # noqa: ANN401 - typer's
    return typer.Option(*names, help=text, show_default=False)


@command(
    "run",
    "trialwright run train.py:objective --space space.yaml --metric loss -n 50 --scheduler 'asha(max_t=20)'\n"
    "trialwright run experiment.yaml --executor processes\n"
    "trialwright run -d experiment.yaml --num-samples 200",
)
def run(
    what: Annotated[
        str, typer.Argument(metavar="FILE.py:OBJECTIVE|FILE.yaml", help="A function; or an experiment in YAML or JSON.")
    ],
    *,
    space: Annotated[str | None, _option("A file in YAML or JSON, JSON itself, or FILE.py:SPACE.")] = None,
    metric: Annotated[list[str] | None, _option("What is optimised; several times for several objectives.")] = None,
    mode: Annotated[list[str] | None, _option("min or max, for each metric.")] = None,
    num_samples: Samples = None,
    searcher: Annotated[str | None, _option("auto, gp, tpe, random...; or tpe(...) with options.")] = None,
    scheduler: Annotated[str | None, _option("fifo, asha...; or asha(max_t=20).")] = None,
    resource: Annotated[list[str] | None, _option("What a trial needs: cpu=1, gpu=0.25.")] = None,
    executor: Executor = None,
    storage: Annotated[str | None, _option("The directory in which the run's own is made.")] = None,
    name: Annotated[str | None, _option("Of the run.")] = None,
    link: Annotated[str | None, _option("The name of a link to the run's directory.")] = None,
    note: Annotated[list[str] | None, _option("NAME=VALUE that is kept with the run.")] = None,
    seed: Annotated[int | None, _option("Of every random draw.")] = None,
    stop: Annotated[list[str] | None, _option("When a trial ends: 'accuracy>=0.95'.")] = None,
    max_concurrent_trials: Annotated[int | None, _option("How many trials run at a time at most.")] = None,
    time_budget_s: Annotated[float | None, _option("End the run after so many seconds.")] = None,
    trial_timeout_s: Annotated[float | None, _option("End a trial after so many seconds.")] = None,
    max_failures: Annotated[int | None, _option("How often a trial that failed is tried again.")] = None,
    fail_fast: Annotated[bool | None, _option("End the run at the first failure.", "--fail-fast")] = None,
    point: Annotated[list[str] | None, _option("A configuration to try first, in JSON.")] = None,
    outcome_constraint: Annotated[list[str] | None, _option("What the best must meet: 'memory <= 8e9'.")] = None,
    prefetch: Annotated[int | None, _option("How many suggestions to ask for ahead.")] = None,
    keep_checkpoints: Annotated[int | None, _option("How many checkpoints of a trial to keep.")] = None,
    verbose: Verbose = 1,
    detach: Detach = False,
    announce: Announce = None,
    json: Json = False,
) -> None:
    """Tune a function, or start an experiment from a file. Options replace what the file says; its keys
    are the Engine's keywords, and `objective`."""
    told: dict[str, Any] = {
        "space": space,
        "metric": _single(metric),
        "mode": _single(mode),
        "num_samples": num_samples,
        "searcher": searcher,
        "scheduler": scheduler,
        "resources": resource and _pairs(resource),
        "executor": executor,
        "storage": storage,
        "name": name,
        "link": link,
        "notes": note and _pairs(note),
        "seed": seed,
        "stop": stop and dict(map(_threshold, stop)),
        "max_concurrent_trials": max_concurrent_trials,
        "time_budget_s": time_budget_s,
        "trial_timeout_s": trial_timeout_s,
        "max_failures": max_failures,
        "fail_fast": fail_fast,
        "points_to_evaluate": point and [config_of([each]) for each in point],
        "outcome_constraints": outcome_constraint,
        "prefetch": prefetch,
        "keep_checkpoints": keep_checkpoints,
    }
    job, directory = _job(what)
    job |= {key: value for key, value in told.items() if value not in (None, [])}
    if space is not None and directory != Path():  # options are read from here, the file's keys from its directory
        job["space"] = _from_here(space)
    _start(job, directory, verbose, detach=detach, announce=announce, json=json)


@command(
    "resume",
    "trialwright resume digits-2026 train.py:objective\n"
    "trialwright resume digits-2026 train.py:objective --num-samples 200 --retry-failed checkpoint",
)
def resume(
    run: Run,
    objective: Objective,
    *,
    num_samples: Samples = None,
    executor: Executor = None,
    retry_failed: Annotated[str | None, _option("Try failed trials again, from their checkpoint or scratch.")] = None,
    space: Annotated[str | None, _option("FILE.py:SPACE, if it holds functions.")] = None,
    storage: Storage = None,
    verbose: Verbose = 1,
    detach: Detach = False,
    announce: Announce = None,
    json: Json = False,
) -> None:
    """Resume an interrupted run, or add trials to a finished one."""
    given = {"num_samples": num_samples, "executor": executor, "retry_failed": retry_failed, "space": space}
    job: dict[str, Any] = {"resume": str(runs.find(run, storage).absolute()), "objective": objective}
    job |= {key: value for key, value in given.items() if value is not None}
    _start(job, Path(), verbose, detach=detach, announce=announce, json=json)


def _job(what: str) -> tuple[dict[str, Any], Path]:
    """Return an experiment as plain data, and the directory from which its paths are read."""
    if what == "-":  # as a detached run is started
        told = jsonlib.load(sys.stdin)
        return told, Path(told.pop("directory", ""))
    if what.endswith((".yaml", ".yml", ".json")):
        from trialwright.cli.experiment import read

        return read(Path(what)), Path(what).parent
    return {"objective": what}, Path()


def _from_here(space: str) -> str:
    if space.lstrip().startswith("{"):  # JSON, no path
        return space
    place, colon, name = space.rpartition(":")
    return f"{Path(place).absolute()}:{name}" if colon else str(Path(space).absolute())


def _single(values: Sequence[str] | None) -> str | list[str] | None:
    return values[0] if values and len(values) == 1 else [*values] if values else None


def _pairs(values: Sequence[str]) -> dict[str, Any]:
    pairs = [value.partition("=") for value in values]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise ValueError(f"{wrong[0]!r} is not NAME=VALUE")
    return {name: value_of(text) for name, _, text in pairs}


def _threshold(text: str) -> tuple[str, Any]:
    """Read ``accuracy>=0.95``, ``loss<=0.1``, or ``accuracy=0.95``."""
    for sign in _STOP:
        metric, found, value = text.partition(sign)
        if found and metric.strip():
            bound = value_of(value.strip())
            return metric.strip(), bound if sign == "=" else [sign, bound]
    raise ValueError(f"{text!r} is not METRIC>=NUMBER or METRIC<=NUMBER")


def _start(
    job: Mapping[str, Any], directory: Path, verbose: int, *, detach: bool, announce: int | None, json: bool
) -> None:
    if "objective" not in job:
        raise ValueError("the experiment has no objective: objective: FILE.py:name")
    if detach:
        from trialwright.cli.detached import start

        path = start({**job, "directory": str(directory.absolute())}, verbose)
        print_json({"id": path.name, "path": str(path)}) if json else print(escaped(str(path)))
        return
    from trialwright.cli.driving import drive

    result = drive(job, directory, verbose, announce)
    if json and result.path is not None:
        from trialwright.cli.look import about

        print_json(about(runs.describe(result.path)))
    if result.errors and not any(trial.outcome in ("completed", "stopped") for trial in result):
        raise typer.Exit(FAILED)
