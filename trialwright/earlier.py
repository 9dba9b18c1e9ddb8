"""Results of other programs, and of runs over other spaces, as the earlier results of a run.

    known = earlier.from_optuna(study, space, metric="loss")
    print(known)                                     # 58 results; 2 are missing: ...
    Engine(objective, space, metric="loss", earlier=known)

Each function reads one kind of source. What cannot be used is not an error: it is listed in ``missing``, with the
reason.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from ast import literal_eval
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trialwright.errors import nearest
from trialwright.loading import load
from trialwright.messages import Metric
from trialwright.nested import flatten, unflatten
from trialwright.results import Result
from trialwright.space import Domain, Space
from trialwright.space.values import python_value
from trialwright.study import names_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    import pandas as pd

_BRANCH = re.compile(r"\[\d+\]")  # in a path: "model[1]/C" is in option 1 of "model"
SHOWN = 5  # reasons that are printed
PARAMETER, METRIC = ("config/", "params_", "params."), ("metrics/", "metrics.")  # how tables of others name columns

ENDINGS = {  # what our outcomes, and the states of Optuna and MLflow, say of a trial that has no result
    "fail": "failed",
    "failed": "failed",
    "lost": "was lost",
    "cancelled": "was cancelled",
    "pruned": "was pruned",
    "killed": "was killed",
}

Pair = tuple[dict[str, object], dict[str, Metric]]


@dataclass(frozen=True)
class Missing:
    """A trial that cannot be used, and why."""

    trial: str
    why: str


class Earlier(list[Pair]):
    """Pairs of a configuration and its metrics, for ``Engine(earlier=...)``.

    Attributes:
        space: of the configurations.
        missing: trials that cannot be used, each with the reason.
        unknown: parameters of the source that the space does not have. They are ignored.
    """

    def __init__(
        self, space: Space, pairs: Iterable[Pair], missing: Sequence[Missing] = (), unknown: Sequence[str] = ()
    ) -> None:
        super().__init__(pairs)
        self.space = space
        self.missing, self.unknown = tuple(missing), tuple(unknown)

    def __str__(self) -> str:
        lines = [f"{len(self)} results"]
        if self.missing:
            lines[0] += f"; {len(self.missing)} {'is' if len(self.missing) == 1 else 'are'} missing:"
            lines += [f"  {each.trial}: {each.why}" for each in self.missing[:SHOWN]]
            lines += [f"  and {len(self.missing) - SHOWN} more"] if len(self.missing) > SHOWN else []
        if self.unknown:
            lines.append(f"parameters that the space does not have: {', '.join(self.unknown)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Row:
    """A trial of a source. ``why`` says why it has no result, if it has none."""

    trial: str
    params: Mapping[str, object]  # nested, or by path
    metrics: Mapping[str, object]
    why: str = ""


def from_run(
    run: Result | str | os.PathLike[str], space: Space | Mapping[str, object], *, default: Mapping[str, object] = {}
) -> Earlier:
    """Read a run of ours, over another space.

    Args:
        run: its result, or its directory.
        space: of the new run.
        default: values of parameters that the earlier run did not have.

    Raises:
        ValueError: there is no such run; ``default`` does not fit the space.
    """
    result = run if isinstance(run, Result) else load(run)
    rows = (
        Row(
            f"trial {trial.id}",
            trial.config,
            trial.metrics,
            ""
            if trial.outcome in ("completed", "stopped")
            else f"it {ENDINGS.get(str(trial.outcome), 'has not ended')}",
        )
        for trial in result
    )
    return fitted(rows, space, default)


def from_optuna(
    study: optuna.Study,
    space: Space | Mapping[str, object] | None = None,
    *,
    metric: str | Sequence[str] = (),
    default: Mapping[str, object] = {},
) -> Earlier:
    """Read a study of Optuna's. A name such as "model/lr" is a path of the space.

    Args:
        study: with its trials.
        space: of the new run; by default the space that the trials show, ``earlier.space``. There, a parameter that
            exists only for some values of a categorical one is inside them: ``{"model": {"value": "svm", "C": 3.0}}``.
        metric: what the values of the study are called in the new run; by default the study's names of its metrics, or
            "value".
        default: values of parameters that the study does not have.

    Raises:
        ValueError: ``metric`` has another number of names than the study has values; ``default`` does not fit, or is
            given without a space.
    """
    if space is None and default:
        raise ValueError("default= is for parameters of a space that the study does not have: give the space, too")
    names = names_of(study, metric)
    trials = study.get_trials(deepcopy=False)
    rows = (
        Row(
            f"trial {trial.number}",
            trial.params,
            dict(zip(names, trial.values or (), strict=False)),  # noqa: PD011 - no data frame
            "" if trial.state.name == "COMPLETE" else f"it {ENDINGS.get(trial.state.name.lower(), 'has not ended')}",
        )
        for trial in trials
    )
    if space is not None:
        return fitted(rows, space, default)
    from trialwright.integrations.optuna_history import space_of  # here, because it imports Optuna

    _, seen = space_of(trials)
    return _collected(rows, seen.space, lambda row: seen.nested(seen.known(row.params)) or {}, {})


def from_ray_tune(
    source: object, space: Space | Mapping[str, object], *, default: Mapping[str, object] = {}
) -> Earlier:
    """Read a run of Ray Tune's: its directory, or its ``ResultGrid``. Ray need not be installed for a directory.

    Raises:
        ValueError: the directory has no trials; ``default`` does not fit the space.
    """
    if isinstance(source, str | os.PathLike):
        return fitted(_ray_rows(Path(source).expanduser()), space, default)
    results = cast("Iterable[Any]", source)
    rows = (
        Row(f"trial {number}", each.config or {}, each.metrics or {}, "it failed" if each.error else "")
        for number, each in enumerate(results)
    )
    return fitted(rows, space, default)


def _ray_rows(directory: Path) -> Iterator[Row]:
    """Yield the trials: each has its configuration in params.json, and a line for each result in result.json."""
    trials = sorted(path.parent for path in directory.glob("*/params.json"))
    if not trials:
        raise ValueError(f"there are no trials of Ray Tune in {str(directory)!r}: no */params.json")
    for trial in trials:
        params = json.loads((trial / "params.json").read_text(encoding="utf-8"))
        results = trial / "result.json"
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        failed = "it failed" if (trial / "error.txt").exists() else "" if lines else "it has no result"
        yield Row(trial.name, params, json.loads(lines[-1]) if lines else {}, failed)


def from_mlflow(
    experiment: str,
    space: Space | Mapping[str, object],
    *,
    tracking_uri: str | None = None,
    default: Mapping[str, object] = {},
) -> Earlier:
    """Read the runs of an experiment of MLflow's, the oldest first. Needs mlflow.

    Raises:
        ValueError: there is no such experiment; ``default`` does not fit the space.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        known = [each.name for each in client.search_experiments()]
        raise ValueError(f"there is no MLflow experiment {experiment!r}{nearest(experiment, known)}")
    rows = (
        Row(
            f"run {run.info.run_name}",
            run.data.params,
            run.data.metrics,
            "" if run.info.status == "FINISHED" else f"it {ENDINGS.get(run.info.status.lower(), 'has not ended')}",
        )
        for run in _pages(client, found.experiment_id)
    )
    return fitted(rows, space, default)


def _pages(client: Any, experiment: str) -> Iterator[Any]:  # noqa: ANN401 - MLflow's types are there only if it is
    token = None
    while True:
        page = client.search_runs([experiment], order_by=["attributes.start_time ASC"], page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def from_table(
    table: pd.DataFrame | str | os.PathLike[str],
    space: Space | Mapping[str, object],
    *,
    default: Mapping[str, object] = {},
) -> Earlier:
    """Read a data frame or a CSV file with a row for each trial.

    A column is a parameter if the space has its name, alone or after "config/", ``"params_"`` or "params."; a path of
    the space is "model/lr". The other columns with numbers are metrics. Empty cells are no values. Where there is a
    column "outcome" (ours) or "state" (Optuna's), trials that were not completed are missing.

    Raises:
        ValueError: no column is a parameter; ``default`` does not fit the space.
    """
    records = _records(table)
    space = as_space(space)
    names = {path.split("/")[0] for path in _paths(space)}
    columns = [*dict.fromkeys(column for record in records for column in record)]
    parameters = {column: plain for column in columns if (plain := _without(column, PARAMETER)).split("/")[0] in names}
    if records and not parameters:
        raise ValueError(f"no column is a parameter: the columns are {columns}, and the space has {sorted(names)}")
    rows = (
        Row(
            f"row {number}",
            {parameters[column]: value for column, value in record.items() if column in parameters},
            {_without(column, METRIC): value for column, value in record.items() if column not in parameters},
            _ended(record),
        )
        for number, record in enumerate(records)
    )
    return fitted(rows, space, default)


def _ended(record: Mapping[str, object]) -> str:
    """Return why a row has no result, by the column that says how its trial ended."""
    state = str(record.get("outcome", record.get("state", "completed"))).lower()
    is_done = state in ("complete", "completed", "stopped", "finished")
    return "" if is_done else f"it {ENDINGS.get(state, 'has not ended')}"


def _records(table: pd.DataFrame | str | os.PathLike[str]) -> list[dict[str, object]]:
    if isinstance(table, str | os.PathLike):
        with Path(table).expanduser().open(newline="", encoding="utf-8") as file:
            given: list[dict[str, object]] = [*csv.DictReader(file)]
    else:
        given = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    return [{name: value for name, value in row.items() if not _is_empty(value)} for row in given]


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _without(column: str, prefixes: Sequence[str]) -> str:
    return next((column[len(prefix) :] for prefix in prefixes if column.startswith(prefix)), column)


# What all sources have in common --------------------------------------------------------------------------------------


def fitted(rows: Iterable[Row], space: Space | Mapping[str, object], default: Mapping[str, object] = {}) -> Earlier:
    """Return the rows as configurations of a space, for a source of your own.

    Strings and whole floats become what the space has in their place: "0.1" is 0.1, and 3.0 is 3.

    Raises:
        ValueError: ``default`` does not fit the space.
    """
    space = as_space(space)
    problems = space.validate(unflatten(flatten(default)), partial=True)
    if problems:
        raise ValueError(f"default: {'; '.join(problems)}")
    read, unknown = _reader(space), dict[str, None]()

    def as_config(row: Row) -> dict[str, object]:
        given = flatten({**flatten(default), **flatten(row.params)})
        exact, parsed = (
            _known(unflatten({path: read(path, value, parse=parse) for path, value in given.items()}), space, unknown)
            for parse in (False, True)
        )
        return parsed if space.validate(exact) else exact

    return _collected(rows, space, as_config, unknown)


def _collected(
    rows: Iterable[Row], space: Space, as_config: Callable[[Row], dict[str, object]], unknown: Mapping[str, None]
) -> Earlier:
    """Return the rows that have a configuration of the space and a metric, and why the others are missing."""
    pairs: list[Pair] = []
    missing: list[Missing] = []
    for row in rows:
        config = as_config(row)
        numbers = {name: _number(value) for name, value in flatten(row.metrics).items()}
        metrics: dict[str, Metric] = {name: number for name, number in numbers.items() if number is not None}
        why = row.why or "; ".join(space.validate(config)) or ("" if metrics else "it has no metrics")
        if why:
            missing.append(Missing(row.trial, why))
        else:
            pairs.append((config, metrics))
    return Earlier(space, pairs, missing, [*unknown])


def as_space(space: Space | Mapping[str, object]) -> Space:
    """Return the space of a definition."""
    return space if isinstance(space, Space) else Space(space)


def _paths(space: Space) -> list[str]:
    return [each.path for each in space.parameters]


def _reader(space: Space) -> Callable[..., object]:
    """Return what reads the value at a path: the first reading of it that a domain there has, in any branch.

    Where there is no domain (a constant, as the name of a branch), it is the value, or, to ``parse`` a string, what it
    means: a table has only strings, but the constant of a run may be the string "1.0".
    """
    domains: dict[str, list[Domain]] = {}
    for each in space.parameters:
        domains.setdefault(_BRANCH.sub("", each.path), []).append(each.domain)

    def read(path: str, value: object, *, parse: bool) -> object:
        readings = [*_readings(value)]
        valid = (each for domain in domains.get(path, ()) for each in readings if domain.is_valid(each))
        return next(valid, readings[-1 if parse and path not in domains and isinstance(value, str) else 0])

    return read


def _readings(value: object) -> Iterator[object]:
    """Yield a value as it is, and as what it may be meant to be."""
    value = python_value(value)
    yield value
    if isinstance(value, str):
        try:
            value = literal_eval(value)
        except (ValueError, SyntaxError):
            return
        yield value
    if isinstance(value, float) and value.is_integer():
        yield int(value)


def _number(value: object) -> float | None:
    """Return a metric; None for what is none."""
    for each in _readings(value):
        if isinstance(each, int | float) and not isinstance(each, bool):
            return each
    return None


def _known(config: dict[str, object], space: Space, unknown: dict[str, None]) -> dict[str, object]:
    """Return a configuration without the names that the space does not have; they are added to ``unknown``."""
    return _within(config, space.definition, "", unknown)


def _within(
    config: Mapping[str, object], definition: Mapping[str, Any], prefix: str, unknown: dict[str, None]
) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in config.items():
        if name not in definition:
            unknown[f"{prefix}{name}"] = None
        elif isinstance(value, dict) and isinstance(definition[name], dict):
            kept[name] = _within(value, definition[name], f"{prefix}{name}/", unknown)
        else:
            kept[name] = value
    return kept
