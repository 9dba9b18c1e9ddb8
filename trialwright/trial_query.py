"""Questions to the trials of a run: those that meet a condition, sorted, by SQL over the journal's table.

A condition is an SQL expression over names that people know: the columns of the table, metrics, and parameters:
``loss < 0.1 and outcome = 'completed' and model/width in (64, 128)``. SQLite answers it, and no row that is not wanted
is decoded. It can only read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from trialwright.errors import nearest
from trialwright.messages import Reported
from trialwright.nested import flatten
from trialwright.runs import shown, values_of
from trialwright.storage import formats, place, tables
from trialwright.storage.base import TrialRow
from trialwright.storage.database import reading

COLUMNS = ("id", "state", "outcome", "reason", "attempt", "step", "error", "started", "ended", "worker", "value")
"""What a trial has besides its metrics and parameters; ``value`` is its best value of the run's first metric."""
SAMPLE, ALL = 500, 2**62  # trials whose names are looked at: first, and where a name is not among these
_NAMES = "SELECT metrics, config FROM trials WHERE id % max((SELECT max(id) FROM trials) / ?, 1) = 0"
_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_ALLOWED = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION}


def query_trials(
    run: str | os.PathLike[str], where: str = "", sort: str = "id", limit: int | None = None, offset: int = 0
) -> list[TrialRow]:
    """Return trials of a run as its journal shows them now.

    Args:
        run: its directory.
        where: an SQL expression over ``COLUMNS``, metrics, and parameters ("model/width"); empty for all trials.
        sort: a name, ``-loss`` for the largest first; trials without the value come last.
        limit: how many at most; None for all.
        offset: how many are skipped before.

    Raises:
        ValueError: there is no run, or a name is not known (the message has the nearest one), or the expression is
            wrong.
        StorageError: the journal is damaged.
    """
    path = place.find_run(run) / place.JOURNAL
    with _asking(path) as (database, version):
        rows = _found(database, _Question(("id",), where, sort, limit, offset))
        numbers = [int(str(number)) for (number,) in rows]
        return [*tables.chosen_trials(database, path, numbers, marked=version >= formats.FIRST)]


def query_values(
    run: str | os.PathLike[str], names: Sequence[str], where: str = "", sort: str = "id"
) -> list[tuple[object, ...]]:
    """Return some values of each trial, without reading the rest: by the names that ``query_trials`` knows. A missing
    value is None; a number that JSON lacks is a string.

    Raises:
        ValueError, StorageError: as ``query_trials``.
    """
    with _asking(place.find_run(run) / place.JOURNAL) as (database, _):
        return _found(database, _Question(names, where, sort))


def query_reports(run: str | os.PathLike[str], trial: int) -> Iterator[Reported]:
    """Yield the reports of a trial, in the order in which they arrived, of all attempts.

    Raises:
        ValueError: there is no run.
        StorageError: the journal is damaged.
    """
    with _asking(place.find_run(run) / place.JOURNAL) as (database, version):
        yield from tables.frames(database, trial, formats.reader(version))


@contextmanager
def _asking(path: Path) -> Iterator[tuple[apsw.Connection, int]]:
    """Give a connection, and the format of the journal."""
    try:
        with reading(path) as database:
            yield database, formats.recognised(database, path)
    except _RefusedError as error:  # not a ValueError: within ``reading`` that means a damaged journal
        raise ValueError(str(error)) from error


class _RefusedError(Exception):
    """The question is wrong."""


class _UnknownNameError(_RefusedError):
    """It has a name that no trial that was looked at has."""


class _Question(NamedTuple):
    """What is asked of the trials: values, and of which trials, in which order."""

    wanted: Sequence[str]
    where: str
    sort: str
    limit: int | None = None
    offset: int = 0


def _found(database: apsw.Connection, question: _Question) -> list[tuple[object, ...]]:
    """Return these values of the trials that are wanted, in order."""
    try:
        return _answer(database, _names(database, SAMPLE), question)
    except _UnknownNameError:  # it may be a rare one: only then is every trial looked at
        return _answer(database, _names(database, ALL), question)


def _answer(database: apsw.Connection, names: dict[str, str], question: _Question) -> list[tuple[object, ...]]:
    for name in (*question.wanted, question.sort.removeprefix("-")):
        if name not in names:
            raise _UnknownNameError(f"the trials have no {name!r}{nearest(name, names)}")
    bindings = (-1 if question.limit is None else question.limit, question.offset)
    try:
        with _only_reading(database):
            return [*database.execute(_select(names, question), bindings)]
    except (apsw.SQLError, apsw.AuthError, apsw.BindingsError) as error:
        raise _explained(str(error), names) from error


def names_of(run: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """Return the names of the metrics and of the parameters of a run, from some of its trials.

    Raises:
        ValueError, StorageError: as ``query_trials``.
    """
    with reading(place.find_run(run) / place.JOURNAL) as database:
        metrics, parameters = _paths(database, SAMPLE)
    return [*metrics], [*parameters]


def _paths(database: apsw.Connection, sample: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return the SQL expressions of the metrics and of the parameters, by their names."""
    metrics: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for reported, config in database.execute(_NAMES, (sample,)):
        for name in values_of(str(reported)):
            metrics[name] = metrics.get(name) or _json("metrics", [name])
        plain = values_of(str(config))
        for name in flatten(shown(plain)):
            if name not in parameters:
                parameters[name] = _json("config", _keys(plain, name))
    return metrics, parameters


def _keys(plain: dict[str, object], path: str) -> list[str]:
    """Return the keys that lead to a parameter; a key may itself have a slash in it."""
    inside: object = plain
    keys, rest = list[str](), path
    while isinstance(inside, dict) and rest:
        key = next((key for key in inside if rest == key or rest.startswith(f"{key}/")), rest)
        keys.append(key)
        inside, rest = inside.get(key), rest[len(key) + 1 :]
    return keys


def _json(column: str, keys: Iterable[str]) -> str:
    path = "$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys)
    return f"{column} ->> {_literal(path)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _names(database: apsw.Connection, sample: int) -> dict[str, str]:
    """Return all names, with what each stands for: of two equal ones the column's, then the metric's."""
    metrics, parameters = _paths(database, sample)
    apart = {f"config/{name}": text for name, text in parameters.items()}
    columns = {name: "best ->> 0" if name == "value" else name for name in COLUMNS}
    return {**apart, **parameters, **{f"metrics/{name}": text for name, text in metrics.items()}, **metrics, **columns}


def _select(names: dict[str, str], question: _Question) -> str:
    wanted, sort = question.wanted, question.sort
    by, order = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
    condition = _with_quotes(question.where, names) or "1"
    used = {name: text for name, text in names.items() if _name(name) in condition or name in (by, "id", *wanted)}
    used |= {name: text for name, text in names.items() if re.search(rf"\b{re.escape(name)}\b", condition)}
    columns = ", ".join(f"{text} AS {_name(name)}" for name, text in used.items())
    key = _name(by)
    return (
        f"SELECT {', '.join(map(_name, wanted))} FROM (SELECT {columns} FROM trials) WHERE ({condition}\n) "  # noqa: S608 - only reading
        f"ORDER BY {key} IS NULL, typeof({key}) = 'text', {key} {order}, {_name('id')} LIMIT ? OFFSET ?"
    )


def _with_quotes(where: str, names: Iterable[str]) -> str:
    """Put names that SQL would not read as names, such as ``model/width``, in double quotes."""
    odd = sorted((name for name in names if not re.fullmatch(r"[^\W\d]\w*", name)), key=len, reverse=True)
    known = "|".join(rf"(?<![\w/]){re.escape(name)}(?![\w/])" for name in odd)
    parts = re.compile(f"{_QUOTED}|(?P<name>{known})" if known else _QUOTED)
    return parts.sub(lambda found: _name(found[0]) if found.groupdict().get("name") else found[0], where)


@contextmanager
def _only_reading(database: apsw.Connection) -> Iterator[None]:
    """Let a statement do nothing but read; and take a name in double quotes that is not known for an error."""

    def allowed(operation: int, *_: object) -> int:
        return apsw.SQLITE_OK if operation in _ALLOWED else apsw.SQLITE_DENY

    database.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    database.authorizer = allowed
    try:
        yield
    finally:
        database.authorizer = None


def _explained(problem: str, names: Iterable[str]) -> _RefusedError:
    missing = re.search(r'no such column: "?([^"\s]+)', problem)
    if missing:
        return _UnknownNameError(f"the trials have no {missing[1]!r}{nearest(missing[1], names)}")
    return _RefusedError(f"the condition cannot be used: {problem}")
