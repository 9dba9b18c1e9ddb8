"""The numbers behind the page's charts, already reduced to what a screen can show."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

import apsw

from trialwright.page import queries
from trialwright.page.columns import Column
from trialwright.page.queries import Answer, numbers
from trialwright.page.run import ShownRun
from trialwright.scopes import undominated
from trialwright.storage.database import reading

WIDEST = 2_000  # pixel columns
BEST, OTHERS = 50, 70  # curves that are drawn: the best, and a sample of all others
GOOD, SAMPLE = 500, 1_000  # trials of the parallel coordinates and slices: the best, and a sample
FRONT = 5_000  # trials among which a front of three objectives is looked for


def history(run: ShownRun, width: int) -> Answer:
    """Return the values of trials by the time at which they ended: the least and the greatest for each pixel column."""
    width, end = max(1, min(width, WIDEST)), max(run.index.now, 1e-9)
    rows = run.index.rows(
        """SELECT cast(coalesce(ended, :end) * :width / :end AS integer) AS place, min(best), max(best), count(*)
             FROM trials WHERE best IS NOT NULL GROUP BY place""",
        {"end": end, "width": width},
    )
    return {
        "end": end,
        "at_s": [(cast(int, place) + 0.5) * end / width for place, _, _, _ in rows],
        "least": [*numbers([row[1] for row in rows])],
        "greatest": [*numbers([row[2] for row in rows])],
        "improvements": [list(each) for each in run.index.improvements[-queries.IMPROVEMENTS :]],
    }


def curves(run: ShownRun, metric: str, width: int) -> Answer:
    """Return the learning curves of the best trials, and of a sample of the others, by step.

    Raises:
        ValueError: there is no such metric.
    """
    chosen = metric or (run.objectives[0][0] if run.objectives else "")
    if '"' in chosen or "\\" in chosen:
        raise ValueError(f"metric {chosen!r} cannot be drawn")
    width = max(2, min(width, WIDEST))
    drawn = []
    with reading(run.index.path) as database:  # not by the index, which must not wait
        for trial, rank, outcome, length in _chosen(run, BEST, OTHERS):
            points = _curve(database, trial, chosen, max(1, (length or 0) // (4 * width)))
            kept = decimated(points, width)
            drawn.append({"trial": trial, "rank": rank, "outcome": outcome, "points": kept})
    return {"metric": chosen, "of": run.index.total, "curves": [each for each in drawn if each["points"]]}


def _curve(database: apsw.Connection, trial: int, metric: str, every: int) -> list[tuple[float, float | None]]:
    """Return the values of a trial by step; of a long one, only frames that hold a step which ``every`` divides."""
    statement = """
        SELECT line ->> '$[1].first_step' AS first, line -> :path FROM events
         WHERE kind = 'Reported' AND trial = :trial AND (:every = 1
               OR (first - 1 + json_array_length(line, '$[1].time_s')) / :every > (first - 1) / :every) ORDER BY seq"""
    steps: dict[int, float | None] = {}
    bindings = {"path": f'$[1].columns."{metric}"', "trial": trial, "every": every}
    for first, column in database.execute(statement, bindings):
        if column is not None:
            steps.update(enumerate(numbers(json.loads(str(column))), cast(int, first)))
    return [(step, steps[step]) for step in sorted(steps)]


def decimated(points: Sequence[tuple[float, float | None]], width: int) -> list[tuple[float, float]]:
    """Return at most two points for each of so many columns: the least and the greatest, in their order."""
    finite = [(x, y) for x, y in points if y is not None]
    if len(finite) <= 2 * width:
        return finite
    low, high = finite[0][0], finite[-1][0]
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in finite:
        columns.setdefault(int((point[0] - low) * width / (high - low or 1)), []).append(point)
    kept = []
    for column in columns.values():
        ends = {min(column, key=lambda point: point[1]), max(column, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


class Chosen(NamedTuple):
    """A trial that is drawn: its rank if it is one of the best, how it ended, and its last step."""

    trial: int
    rank: int | None
    outcome: str | None
    step: int | None


def _chosen(run: ShownRun, best: int, others: int) -> list[Chosen]:
    """Return trials to draw: the best, and a sample of the others."""
    order = "ASC" if run.index.sign > 0 else "DESC"
    good = run.index.rows(
        f"SELECT id, outcome, step FROM trials WHERE best IS NOT NULL ORDER BY best {order} LIMIT {best}"
    )
    every = max(1, run.index.total // others)
    sample = run.index.rows(
        "SELECT id, outcome, step FROM trials WHERE id IN (SELECT value FROM json_each(?)) AND started IS NOT NULL",
        (json.dumps([place * every for place in range(others)]),),
    )
    taken = {row[0] for row in good}
    ranked = [Chosen(cast(int, row[0]), rank, *cast("tuple[str, int]", row[1:])) for rank, row in enumerate(good)]
    rest = [row for row in sample if row[0] not in taken]
    return ranked + [Chosen(cast(int, row[0]), None, *cast("tuple[str, int]", row[1:])) for row in rest]


def rungs(run: ShownRun) -> Answer:
    """Return how many trials have reached each step of the scheduler, and how many ended there."""
    rows = run.index.rows("SELECT step, outcome, count(*) FROM trials WHERE started IS NOT NULL GROUP BY step, outcome")
    ended: dict[int, dict[str, int]] = {}
    for step, outcome, count in rows:
        ended.setdefault(cast(int, step), {})[str(outcome or "alive")] = cast(int, count)
    levels = _levels(run) or sorted(ended)
    if len(levels) > 24:
        levels = levels[:: math.ceil(len(levels) / 24)]
    total = sum(sum(each.values()) for each in ended.values())
    answer = []
    for place, level in enumerate(levels):
        above = levels[place + 1] if place + 1 < len(levels) else math.inf
        here = [outcomes for step, outcomes in ended.items() if level <= step < above]
        reached = total - sum(sum(outcomes.values()) for step, outcomes in ended.items() if step < level)
        counts = {
            kind: sum(outcomes.get(kind, 0) for outcomes in here)
            for kind in ("stopped", "completed", "failed", "lost", "alive")
        }
        answer.append({"step": level, "reached": reached, **counts})
    return {"rungs": answer, "scheduler": queries.told(run.settings.get("scheduler")), "total": total}


def _levels(run: ShownRun) -> list[int]:
    """Return the rungs that the scheduler's settings name: grace_period times powers of eta, up to max_t."""
    scheduler = run.settings.get("scheduler")
    options = scheduler.get("options", {}) if isinstance(scheduler, dict) else {}
    most, eta = options.get("max_t"), options.get("reduction_factor") or options.get("eta")
    least = options.get("grace_period") or options.get("min_t") or 1
    numbers = [each for each in (most, eta, least) if isinstance(each, int | float)]
    if len(numbers) < 3 or numbers[1] <= 1 or numbers[2] < 1:
        return []
    most, eta, least = numbers
    levels, level = [], least
    while level < most:
        levels.append(int(level))
        level *= eta
    return [*levels, int(most)]


# What is where in the space -------------------------------------------------------------------------------------------


def points(run: ShownRun, metric: str = "") -> Answer:
    """Return configurations with their values: of the best trials, and of a sample of the others."""
    columns = [column for column in run.index.columns if column.kind == "parameter"]
    value = _value(run, metric)
    trials = [each.trial for each in _chosen(run, GOOD, SAMPLE)]
    names = "".join(f", {column.sql}" for column in columns)
    rows = run.index.rows(
        f"SELECT id, outcome, {value}{names} FROM trials WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(trials),),
    )
    kept = [[queries.shown(each) for each in row] for row in rows if isinstance(row[2], int | float)]
    return {
        "metric": metric or (run.objectives[0][0] if run.objectives else None),
        "parameters": [_axis(run, column, place, kept) for place, column in enumerate(columns)],
        "rows": kept,
        "of": run.index.total,
    }


def _value(run: ShownRun, metric: str) -> str:
    """Return the SQL name of what trials are judged by: the best value of the first metric, or the last of another."""
    if not metric or (run.objectives and metric == run.objectives[0][0]):
        return "best"
    for column in run.index.columns:
        if column.kind == "metric" and column.name == metric:
            return column.sql
    raise ValueError(f"there is no metric {metric!r}")


def _axis(run: ShownRun, column: Column, place: int, rows: Sequence[Sequence[object]]) -> Answer:
    """Return what an axis of a parameter needs: whether it has numbers or categories, and whether it is logarithmic."""
    values = [row[place + 3] for row in rows if row[place + 3] is not None]
    is_numeric = bool(values) and all(isinstance(value, int | float) for value in values)
    categories = [] if is_numeric else sorted({str(value) for value in values})[:40]
    return {"name": column.name, "numeric": is_numeric, "categories": categories, "log": is_logarithmic(run, column)}


def is_logarithmic(run: ShownRun, column: Column) -> bool:
    """Tell whether a parameter was drawn on a logarithmic axis."""
    domain: Any = run.settings.get("space")
    for part in column.name.split("/"):
        domain = domain.get(part) if isinstance(domain, dict) else None
    named = domain.get("$domain") if isinstance(domain, dict) else None
    return isinstance(named, list) and "log" in str(named[0])


def front(run: ShownRun) -> Answer:
    """Return the last values of all objectives, and which trials no other dominates."""
    known = {column.name: column for column in run.index.columns if column.kind == "metric"}
    goals = [(known[metric], mode) for metric, mode in run.objectives if metric in known]
    if len(goals) < 2:
        return {"objectives": [], "rows": []}
    names = ", ".join(column.sql for column, _ in goals)
    finite = " AND ".join(f"typeof({column.sql}) IN ('real', 'integer')" for column, _ in goals)
    order = ", ".join(f"{column.sql} {'DESC' if mode == 'max' else 'ASC'}" for column, mode in goals)
    rows = run.index.rows(f"SELECT id, {names} FROM trials WHERE {finite} ORDER BY {order}")
    best = _undominated(rows, [-1.0 if mode == "max" else 1.0 for _, mode in goals])
    every = max(1, len(rows) // SAMPLE)
    sample = [row for row in rows[::every] if row[0] not in best]
    return {
        "objectives": [{"metric": column.name, "mode": mode} for column, mode in goals],
        "rows": [[*row, row[0] in best] for row in sample] + [[*row, True] for row in rows if row[0] in best],
    }


def _undominated(rows: Sequence[Sequence[Any]], signs: Sequence[float]) -> set[int]:
    """Return the trials of the front. Rows come in the order of their objectives, the better first."""
    costs = {row[0]: tuple(sign * value for sign, value in zip(signs, row[1:], strict=True)) for row in rows}
    if len(signs) > 2:
        return set(undominated(dict(islice(costs.items(), FRONT))))
    front, last = set(), (math.inf, math.inf)
    for trial, (first, second) in costs.items():
        # In this order a trial can be dominated only by the last one of the front; an equal one is not.
        if second < last[1] or (first, second) == last:
            front.add(trial)
            last = (first, second)
    return front
