"""Questions to the trials of a run: those that meet a condition, sorted, by SQL over the journal's table.

A condition is an SQL expression over names that people know: the columns of the table, metrics, and parameters:
``loss < 0.1 and outcome = 'completed' and model/width in (64, 128)``. SQLite answers it, and no row that is not wanted
is decoded. It can only read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import apsw

from trialwright.errors import nearest
from trialwright.nested import flatten
from trialwright.runs import shown, values_of
from trialwright.storage import formats, place, tables
from trialwright.storage.base import TrialRow
from trialwright.storage.database import reading

COLUMNS = ("id", "state", "outcome", "reason", "attempt", "step", "error", "started", "ended", "worker", "value")
"""What a trial has besides its metrics and parameters; ``value`` is its best value of the run's first metric."""
SAMPLE = 500  # trials whose names are looked at first
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
    try:
        with reading(path) as database:
            marked = formats.recognised(database, path) >= formats.FIRST
            numbers = _numbers(database, where, sort, (-1 if limit is None else limit, offset))
            return [*tables.chosen_trials(database, path, numbers, marked=marked)]
    except _RefusedError as error:  # not a ValueError: within ``reading`` that means a damaged journal
        raise ValueError(str(error)) from error


class _RefusedError(Exception):
    """The question is wrong."""


def _numbers(database: apsw.Connection, where: str, sort: str, bindings: tuple[int, int]) -> list[int]:
    """Return the numbers of the trials that are wanted, in order."""
    names = _names(database, SAMPLE)
    if _sought(f"{where} {sort.removeprefix('-')}") - names.keys():  # a rare one: only then is every trial looked at
        names = _names(database, 2**62)
    text = _select(names, where, sort)
    try:
        with _only_reading(database):
            return [int(str(number)) for (number,) in database.execute(text, bindings)]
    except (apsw.SQLError, apsw.AuthError, apsw.BindingsError) as error:
        raise _RefusedError(_explained(str(error), names)) from error


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
            metrics.setdefault(name, _json("metrics", [name]))
        plain = values_of(str(config))
        for name in flatten(shown(plain)):
            parameters.setdefault(name, _json("config", _keys(plain, name)))
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


def _sought(text: str) -> set[str]:
    """Return what may be a name in an expression."""
    return {*re.findall(r"[^\W\d][\w/.-]*", re.sub(r"'(?:[^']|'')*'", "", text))}


def _select(names: dict[str, str], where: str, sort: str) -> str:
    by, order = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
    if by not in names:
        raise _RefusedError(f"the trials have no {by!r} to sort by{nearest(by, names)}")
    condition = _with_quotes(where, names) or "1"
    used = {name: text for name, text in names.items() if _name(name) in condition or name in (by, "id")}
    used |= {name: text for name, text in names.items() if re.search(rf"\b{re.escape(name)}\b", condition)}
    columns = ", ".join(f"{text} AS {_name(name)}" for name, text in used.items())
    key = _name(by)
    return (
        f"SELECT {_name('id')} FROM (SELECT {columns} FROM trials) WHERE ({condition}\n) "  # noqa: S608 - only reading
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


def _explained(problem: str, names: Iterable[str]) -> str:
    missing = re.search(r'no such column: "?([^"\s]+)', problem)
    if missing:
        return f"the trials have no {missing[1]!r}{nearest(missing[1], names)}"
    return f"the condition cannot be used: {problem}"
