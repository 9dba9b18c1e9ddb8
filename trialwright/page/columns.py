"""The columns of a run's table: what is known of each trial, its parameters, and its metrics, each with its SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from trialwright.messages import Plain

Kind = Literal["trial", "parameter", "metric"]
MOST = 400  # parameters and metrics that become columns: SQLite has at most 2,000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the index.

    ``name`` is what people see: "id", or "model/lr". ``sql`` is the column's name in the index, which holds only
    letters and digits: no name of a user gets into a statement. ``path`` is where its value is in a journal's line.
    """

    name: str
    kind: Kind
    sql: str
    path: str

    @property
    def value(self) -> str:
        """The expression that reads it out of ``line``."""
        return "line ->> '{}'".format(self.path.replace("'", "''"))


FIXED = (
    Column("id", "trial", "id", "$[0]"),
    Column("state", "trial", "state", "$[1]"),
    Column("outcome", "trial", "outcome", "$[2]"),
    Column("reason", "trial", "reason", "$[3]"),
    Column("attempt", "trial", "attempt", "$[4]"),
    Column("step", "trial", "step", "$[5]"),
    Column("error", "trial", "error", "$[10]"),
    Column("started", "trial", "started", "$[12]"),
    Column("ended", "trial", "ended", "$[13]"),
    Column("worker", "trial", "worker", "$[14]"),
    Column("best", "trial", "best", "$[15][0]"),
    Column("best step", "trial", "best_step", "$[15][1]"),
)
_CONFIG, _METRICS = 6, 8  # places in a line


def found(configs: Iterable[Mapping[str, Plain]], metrics: Iterable[Mapping[str, Plain]]) -> tuple[Column, ...]:
    """Return the columns of parameters and metrics that these trials have, in the order in which they appear."""
    parameters = dict.fromkeys(path for config in configs for path in paths(config))
    reported = dict.fromkeys((name,) for each in metrics for name in each if name not in ("step", "time_s"))
    columns = [_column("parameter", "p", place, path) for place, path in enumerate(parameters)]
    columns += [_column("metric", "m", place, path) for place, path in enumerate(reported)]
    return tuple(column for column in columns if _can_be_asked(column))[:MOST]


def paths(config: Mapping[str, Plain]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of a config's values, in its plain form; dicts whose names begin with $ are values."""
    for name, value in config.items():
        if isinstance(value, dict) and value and not any(key.startswith("$") for key in value):
            yield from ((name, *rest) for rest in paths(cast("Mapping[str, Plain]", value)))
        else:
            yield (name,)


def _column(kind: Kind, letter: str, place: int, path: tuple[str, ...]) -> Column:
    top = _CONFIG if kind == "parameter" else _METRICS
    return Column("/".join(path), kind, f"{letter}{place}", f"$[{top}]" + "".join(f'."{part}"' for part in path))


def _can_be_asked(column: Column) -> bool:
    # SQLite's paths have no way to write these in a name: such a value is shown with its trial, and has no column.
    return column.path.count('"') % 2 == 0 and "\\" not in column.name and '"' not in column.name
