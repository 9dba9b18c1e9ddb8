"""Commands that draw: ``curves`` and ``plot``, into a file, or as characters in the terminal."""

from __future__ import annotations

import inspect
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from trialwright import runs
from trialwright.cli.act import value_of
from trialwright.cli.chart import Series, chart
from trialwright.cli.command import Json, Run, Storage, command
from trialwright.cli.printing import escaped, print_json
from trialwright.errors import nearest
from trialwright.runs import RunInfo
from trialwright.trial_query import query_reports, query_trials, query_values

Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("-o", "--output", help=".png, .svg, .pdf (matplotlib), or .html, .json (plotly).", show_default=False),
]
Metric: TypeAlias = Annotated[
    str | None, typer.Option(help="Which metric; by default the first of the run.", show_default=False)
]
_BY_PLOTLY = (".html", ".json")


@command("curves", "trialwright curves digits-2026\ntrialwright curves digits-2026 --metric accuracy -o curves.png")
def curves(
    run: Run,
    *,
    metric: Metric = None,
    trials: Annotated[int, typer.Option(min=1, help="In the terminal: how many of the best trials.")] = 5,
    output: Output = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Draw what trials reported, step by step."""
    path = runs.find(run, storage)
    if output is not None:
        _save(path, "learning_curves", {"metric": metric}, output)
        return
    info = runs.describe(path)
    series = curves_of(info, _metric(info, metric), trials)
    if json:
        print_json([each._asdict() for each in series])
    else:
        _print(series, "step", _metric(info, metric))


@command(
    "plot",
    "trialwright plot digits-2026 history\n"
    "trialwright plot digits-2026 parallel_coordinates -o parallel.html\n"
    "trialwright plot digits-2026 rung_survival -o survival.png x=time_s",
)
def plot(
    run: Run,
    kind: Annotated[str, typer.Argument(help="A function of trialwright.plots, or a part of its name.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Keywords of that function.")
    ] = None,
    *,
    metric: Metric = None,
    output: Output = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Draw a picture of a run into a file. The optimization history and learning curves are drawn in the terminal
    if no file is given."""
    path, name = runs.find(run, storage), kind_of(kind)
    if output is not None:
        _save(path, name, {**_keywords(options or ()), "metric": metric}, output)
        return
    info = runs.describe(path)
    if name not in ("optimization_history", "learning_curves"):
        raise ValueError(f"{name} cannot be drawn in the terminal: give a file, such as -o {name}.png")
    chosen = _metric(info, metric)
    series = history_of(info, chosen) if name == "optimization_history" else curves_of(info, chosen, 5)
    if json:
        print_json([each._asdict() for each in series])
    else:
        _print(series, "trials ended" if name == "optimization_history" else "step", chosen)


def kinds() -> dict[str, Callable[..., Any]]:
    """Return the functions of ``trialwright.plots`` that draw one result, by their names."""
    from trialwright import plots  # here: it imports the searchers, and a command should answer at once

    functions = {name: getattr(plots, name) for name in plots.__all__}
    functions = {name: each for name, each in functions.items() if inspect.isfunction(each)}
    return {name: each for name, each in functions.items() if "result" in inspect.signature(each).parameters}


def kind_of(given: str) -> str:
    """Return the name of a kind of picture.

    Raises:
        ValueError: there is none, or it may be several.
    """
    known, wanted = kinds(), given.replace("-", "_")
    found = [wanted] if wanted in known else [name for name in known if wanted in name]
    if "history" in wanted and "optimization_history" in found:  # the usual one of several
        found = ["optimization_history"]
    if len(found) != 1:
        several = f"; it may be {', '.join(found)}" if found else nearest(wanted, known)
        raise ValueError(f"there is no kind of picture {given!r}{several}")
    return found[0]


def _keywords(options: Sequence[str]) -> dict[str, Any]:
    pairs = [option.partition("=") for option in options]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise ValueError(f"{wrong[0]!r} is not NAME=VALUE")
    return {name: value_of(text) for name, _, text in pairs}


def _save(path: Path, name: str, keywords: dict[str, Any], output: Path) -> None:
    """Draw a result into a file, whose ending says how."""
    from trialwright.loading import load

    function, suffix = kinds()[name], output.suffix.lower()
    backend = "plotly" if suffix in _BY_PLOTLY else "matplotlib"
    if backend == "matplotlib" and "matplotlib" not in sys.modules:
        _draw_without_a_window()
    given = {key: value for key, value in keywords.items() if value is not None}
    if unknown := sorted(given.keys() - inspect.signature(function).parameters.keys()):
        raise ValueError(f"{name} has no {unknown[0]!r}{nearest(unknown[0], inspect.signature(function).parameters)}")
    drawn = function(load(path), backend=backend, **given)
    if backend == "plotly":
        (drawn.write_json if suffix == ".json" else drawn.write_html)(output)
    else:
        getattr(drawn, "figure", drawn).savefig(output, dpi=150, bbox_inches="tight")
    print(f"drawn into {escaped(str(output))}")


def _draw_without_a_window() -> None:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError("this picture needs matplotlib: pip install 'trialwright[plots]'") from error
    mpl.use("agg")


def _metric(info: RunInfo, metric: str | None) -> str:
    if chosen := metric or info.metric:
        return chosen
    raise ValueError(f"the run {info.id!r} has no metric: give --metric")


def curves_of(info: RunInfo, metric: str, count: int) -> list[Series]:
    """Return what the best trials of a run reported, the best first."""
    from trialwright.scopes import number as as_number
    from trialwright.trial_result import rows_of  # here, as above

    mode = dict(info.objectives).get(metric, "min")
    by = "value" if metric == info.metric else metric
    rows = query_trials(info.path, where="step > 0", sort=f"-{by}" if mode == "max" else by, limit=count)
    found = []
    for row in rows:
        reports = rows_of(query_reports(info.path, row.id))
        points = [(step, value) for step, told in reports.items() if (value := as_number(told.get(metric))) is not None]
        found.append(Series(f"trial {row.id}", [x for x, _ in points], [y for _, y in points]))
    return found


def history_of(info: RunInfo, metric: str) -> list[Series]:
    """Return what trials came to, in the order in which they ended, and the best so far."""
    modes = dict(info.objectives)
    name = "value" if metric == info.metric else metric
    values = query_values(info.path, [name], where="ended IS NOT NULL", sort="ended")
    numbers = [float(value) if isinstance(value, int | float) else math.nan for (value,) in values]
    order = [float(place) for place in range(1, len(numbers) + 1)]
    trials = Series("trials", order, numbers)
    if metric not in modes:
        return [trials]
    sign = -1.0 if modes[metric] == "max" else 1.0
    costs = [sign * value if math.isfinite(value) else math.inf for value in numbers]
    best = [sign * cost for cost in accumulate(costs, min)]
    return [Series("best so far", order, best), trials]


def _print(series: Sequence[Series], x: str, y: str) -> None:
    size = shutil.get_terminal_size((80, 24))
    named = [each._replace(name=escaped(each.name)) for each in series]
    print("\n".join([f"{escaped(y)} by {escaped(x)}", *chart(named, min(size.columns, 120), 16)]))
