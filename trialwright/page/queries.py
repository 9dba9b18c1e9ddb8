"""What the page asks of a run: SQL on its index and its journal, and plain values as answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from trialwright.nested import flatten
from trialwright.page.columns import Column
from trialwright.page.conditions import where
from trialwright.page.index import Row, Value
from trialwright.page.run import ShownRun
from trialwright.progress import Snapshot
from trialwright.progress.time_left import seconds_left
from trialwright.space.plain import shown_of

Answer = dict[str, Any]  # what becomes JSON
PAGE = 200  # rows of a table at most
RUNNING, ENDED, IMPROVEMENTS = 12, 6, 400  # of each, how many the summary has


def summary(run: ShownRun) -> Answer:
    """Return the head of the page: whether it goes well, and what runs."""
    index, totals = run.index, run.index.totals
    best = _best(run)
    metric = run.objectives[0][0] if run.objectives else None
    return {
        "id": run.path.name,
        "name": run.name,
        "path": str(run.path),
        "created": run.created,
        "state": run.state,
        "seq": index.seq,
        "now": index.now,
        "read": None if index.is_filled else {"done": index.filled, "of": index.total},
        "metric": metric,
        "mode": run.objectives[0][1] if run.objectives else "min",
        "objectives": [{"metric": name, "mode": mode} for name, mode in run.objectives],
        "wanted": run.planned,
        "trials": index.total,
        "states": {name: count for name, count in totals.states.items() if count},
        "outcomes": {name: count for name, count in totals.outcomes.items() if count},
        "trial_s": totals.trial_s,
        "cost": cost(run.settings.get("resources"), totals.trial_s),
        "eta_s": eta_s(run, run.planned),
        "best": best,
        "improvements": [list(each) for each in index.improvements[-IMPROVEMENTS:]],
        "running": _few(
            run, "ended IS NULL AND started IS NOT NULL AND state IN ('running', 'stopping') ORDER BY id DESC", RUNNING
        ),
        "lately": _lately(run),
        "columns": [{"name": column.name, "kind": column.kind} for column in index.columns],
        "settings": {name: told(run.settings.get(name)) for name in ("searcher", "scheduler", "seed", "resources")},
    }


def _best(run: ShownRun) -> Answer | None:
    order = "ASC" if run.index.sign > 0 else "DESC"
    rows = run.index.rows(
        f"SELECT id, best, best_step FROM trials WHERE best IS NOT NULL ORDER BY best {order}, id LIMIT 1"
    )
    for trial, value, step in rows:
        improvements = run.index.improvements
        return {
            "trial": trial,
            "value": value,
            "step": step,
            "at_s": improvements[-1].at_s if improvements else None,
            "config": config_of(run, cast(int, trial)),
        }
    return None


def config_of(run: ShownRun, trial: int) -> Answer:
    """Return the configuration of a trial, flat, by the index."""
    columns = [column for column in run.index.columns if column.kind == "parameter"]
    if not columns:
        return {}
    [row] = run.index.rows(f"SELECT {_names(columns)} FROM trials WHERE id = ?", (trial,)) or [()]
    return {column.name: shown(value) for column, value in zip(columns, row, strict=False) if value is not None}


def _lately(run: ShownRun) -> list[Answer]:
    since = run.index.rows("SELECT max(id) FROM trials")[0][0]
    low = max(0, int(cast(int, since or 0)) - 2_000)  # the latest to end are among the latest to start
    return _few(run, f"id >= {low} AND ended IS NOT NULL ORDER BY ended DESC, id DESC", ENDED)


def _few(run: ShownRun, which: str, most: int) -> list[Answer]:
    """Return a few trials with what a line about each says."""
    last = _metric_column(run)
    rows = run.index.rows(
        f"""SELECT id, state, outcome, reason, attempt, step, best, {last}, started, ended, worker, error
            FROM trials WHERE {which} LIMIT {most}"""
    )
    names = (
        "id",
        "state",
        "outcome",
        "reason",
        "attempt",
        "step",
        "best",
        "last",
        "started",
        "ended",
        "worker",
        "error",
    )
    return [dict(zip(names, map(shown, row), strict=True)) for row in rows]


def _metric_column(run: ShownRun) -> str:
    name = run.objectives[0][0] if run.objectives else None
    return next((c.sql for c in run.index.columns if c.kind == "metric" and c.name == name), "NULL")


def cost(resources: object, trial_s: float) -> dict[str, float]:
    """Return what was used of each resource, in hours; memory is left out."""
    if not isinstance(resources, Mapping):
        return {}
    amounts = {name: each for name, each in resources.items() if isinstance(each, int | float) and name != "memory"}
    return {name: amount * trial_s / 3600 for name, amount in amounts.items()}


def eta_s(run: ShownRun, planned: int | None) -> float | None:
    """Return how many seconds are left, as the terminal estimates it; None if that is not known."""
    totals, now = run.index.totals, run.index.now
    running = run.index.rows(
        "SELECT started FROM trials WHERE (outcome IS NULL OR ended IS NULL) AND state IN ('running', 'stopping')"
    )
    ages = [now - cast(float, started) for (started,) in running if started is not None]
    known = Snapshot(
        name=run.name,
        elapsed_s=now,
        wanted=planned,
        states=totals.states,
        outcomes=totals.outcomes,
        busy_s=totals.trial_s + sum(ages),
        longest_s=max([totals.longest_s, *ages]),
        youngest_s=min(ages, default=None),
    )
    return seconds_left(known) or None  # 0: all have ended


def told(setting: object) -> object:
    """Return a setting as people write it: ``asha(max_t=20)``."""
    if isinstance(setting, Mapping) and setting.keys() == {"name", "options"}:
        options = ", ".join(f"{name}={value}" for name, value in setting["options"].items())
        return f"{setting['name']}({options})"
    return setting


# Tables ---------------------------------------------------------------------------------------------------------------


def trials(
    run: ShownRun, *, filter_: str = "", sort: str = "best", direction: str = "", offset: int = 0, limit: int = 50
) -> Answer:
    """Return a page of the table of trials: ``{"columns", "rows", "count", "total"}``.

    Args:
        run: the run.
        filter_: conditions, see ``conditions.where``.
        sort: the name of a column.
        direction: "asc" or "desc"; by default the better ones of "best" come first, and else the smaller ones.
        offset: how many rows to skip.
        limit: how many rows at most.

    Raises:
        ValueError: the filter cannot be read, or there is no such column.
    """
    columns = run.index.columns
    which, bindings = where(filter_, columns)
    by = next((column for column in columns if column.name == sort), None)
    if by is None:
        raise ValueError(f"there is no column {sort!r}")
    descends = direction == "desc" if direction else sort == "best" and run.index.sign < 0
    order = f"{by.sql} IS NULL, {by.sql} {'DESC' if descends else 'ASC'}, id"
    if by.sql == "best" and which == "1":
        rows = _by_best(run, descends, offset, min(limit, PAGE))
        count = run.index.total
    else:
        rows = run.index.rows(
            f"SELECT {_names(columns)} FROM trials WHERE {which} ORDER BY {order} LIMIT ? OFFSET ?",
            (*bindings, min(limit, PAGE), offset),
        )
        count = cast(int, run.index.rows(f"SELECT count(*) FROM trials WHERE {which}", bindings)[0][0])
    return {
        "columns": [{"name": column.name, "kind": column.kind} for column in columns],
        "rows": [[shown(value) for value in row] for row in rows],
        "count": count,
        "total": run.index.total,
        "sort": sort,
        "direction": "desc" if descends else "asc",
    }


def _by_best(run: ShownRun, descends: bool, offset: int, limit: int) -> list[Row]:
    """The most frequent question, by an index: first those with a best value, then the others."""
    names, order = _names(run.index.columns), "DESC" if descends else "ASC"
    rows = run.index.rows(
        f"SELECT {names} FROM trials WHERE best IS NOT NULL ORDER BY best {order} LIMIT ? OFFSET ?",
        (limit, offset),
    )
    if len(rows) < limit:
        valued = cast(int, run.index.rows("SELECT count(*) FROM trials WHERE best IS NOT NULL")[0][0])
        rows += run.index.rows(
            f"SELECT {names} FROM trials WHERE best IS NULL ORDER BY id LIMIT ? OFFSET ?",
            (limit - len(rows), max(0, offset - valued)),
        )
    return rows


def failures(run: ShownRun, most: int = 50) -> list[Answer]:
    """Return the errors of trials, grouped by message, the most frequent first."""
    rows = run.index.rows(
        """SELECT error, count(*), min(id), max(id), sum(outcome IN ('failed', 'lost')) FROM trials
            WHERE error <> '' GROUP BY error ORDER BY count(*) DESC LIMIT 5000"""
    )
    groups: dict[str, Answer] = {}
    for error, count, first, last, ended in rows:
        group = groups.setdefault(
            _without_numbers(str(error)),
            {"message": error, "count": 0, "first": first, "last": last, "ended": 0, "kinds": 0},
        )
        group["count"] += count
        group["ended"] += ended
        group["kinds"] += 1
        group["first"], group["last"] = min(group["first"], first), max(group["last"], last)
    return sorted(groups.values(), key=lambda group: -group["count"])[:most]


def _without_numbers(text: str) -> str:
    return "".join("#" if character.isdigit() else character for character in text)


# Values ---------------------------------------------------------------------------------------------------------------


def shown(value: Value) -> Value:
    """Return a value of the index for JSON: numbers that JSON lacks, and references, are strings there."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and value.startswith('{"'):
        try:
            inside = json.loads(value)
        except ValueError:
            return value
        if len(inside) == 1 and next(iter(inside)) in ("float", "$float", "$ref", "$tuple"):
            return str(next(iter(inside.values())))
    return value


def flat(config: Mapping[str, Any]) -> Answer:
    """Return a config in its plain form as pairs of a path and what people read."""
    return flatten(shown_of(dict(config)))


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.sql for column in columns)


def numbers(values: Sequence[Value]) -> Iterator[float | None]:
    """Yield finite numbers; None for all else."""
    for value in values:
        yield float(value) if isinstance(value, int | float) and math.isfinite(value) else None
