"""Reports: what a comparison found, as text, JSON, a picture, and tables in docs/quality.md."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.quality.base import Task
from benchmarks.quality.comparison import Duel, Result, Standing, complete, regrets
from trialwright.bench.searches import Trace
from trialwright.bench.tables import figure

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"
WHOLE = ("regret", "loss")  # what a result of all tasks is of; others are named by their family
_HEADINGS = {
    "regret": "mean rank, mean and median of the normalised regret",
    "loss": "mean rank, mean and median of what was lost to asking for many at a time",
}


def text(results: Sequence[Result], traces: Sequence[Trace]) -> str:
    """Return all there is to print."""
    lines = [costs(traces)]
    for each in (each for each in results if each.what in WHOLE):
        lines += ["", f"after {each.at} evaluations, {each.tasks} tasks: {_HEADINGS[each.what]}"]
        lines += [f"  {s.method:<12} {s.rank:5.2f}  {s.mean:8.4f}  {s.median:8.4f}" for s in each.standings]
        lines += [f"    {duel.one} - {duel.other:<12} {_interval(duel)}  {_verdict(duel)}" for duel in each.duels]
    for each in (each for each in results if each.what not in WHOLE):
        placed = ", ".join(f"{standing.method} {standing.rank:.2f}" for standing in each.standings)
        lines += ["", f"{each.what}, after {each.at}, {each.tasks} tasks: {placed}"]
        lines += [f"    auto - {duel.other} {_interval(duel)}" for duel in each.duels if _of_auto(duel)]
    return "\n".join(lines)


def costs(traces: Sequence[Trace]) -> str:
    """Return how many runs there are of each method, and what they took."""
    methods = dict.fromkeys(trace.method for trace in traces)
    own = {method: [trace for trace in traces if trace.method == method] for method in methods}
    return "\n".join(
        f"{method:<12} {len(runs):4} runs, {len({run.seed for run in runs}):2} seeds, {_seconds(runs):8.2f} s a run"
        for method, runs in own.items()
    )


def as_json(results: Sequence[Result], traces: Sequence[Trace]) -> str:
    """Return the results, and where they were computed."""
    seeds = {trace.method: len({t.seed for t in traces if t.method == trace.method}) for trace in traces}
    found = {"measured": measured(), "seeds": seeds, "results": [asdict(each) for each in results]}
    return json.dumps(found, indent=1)


def measured() -> str:
    """Return the sentence that says where and when."""
    tools = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    return f"Measured {time.strftime('%Y-%m-%d')}: {os.cpu_count()} CPUs, Python {platform.python_version()}, {tools}."


def write(results: Sequence[Result], traces: Sequence[Trace], tasks: Sequence[Task], *, batch: int) -> None:
    """Put the tables into the page, in place of those it has."""
    methods = list(dict.fromkeys(trace.method for trace in traces))
    done = complete(traces, tasks, methods)
    families = ", ".join(f"{_count(done, family)} {family}" for family in dict.fromkeys(task.family for task in done))
    said = f"{measured()} {len(done)} tasks: {families}."
    tables = [_table(results, traces, methods), _duels(results)]
    tables += [] if batch > 1 else [_by_family(results, methods)]
    section = "sequential" if batch == 1 else "parallel"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page, section, "\n\n".join([said, *filter(None, tables)])), encoding="utf-8")


def written(page: str, section: str, tables: str) -> str:
    """Return the page with these tables between the marks of a section.

    Raises:
        ValueError: the page has no such marks.
    """
    marks = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"the page has no marks <!-- {section} --> and <!-- /{section} -->")
    return marks.sub(lambda found: f"{found[1]}\n{tables}\n\n{found[2]}", page)


def draw(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str], path: Path) -> None:
    """Draw the mean regret of each method against the evaluations."""
    done, steps = complete(traces, tasks, methods), range(1, max(trace.evaluations for trace in traces) + 1)
    means = np.stack([regrets(traces, done, methods, at) for at in steps], axis=-1)  # (tasks, methods, steps)
    curves = {method: means[:, [place]] for place, method in enumerate(methods)}
    figure({1: curves}, "evaluations", np.arange(1.0, len(steps) + 1)).savefig(path, dpi=120)


# Tables of the page ------------------------------------------------------------------------------------------------


def _table(results: Sequence[Result], traces: Sequence[Trace], methods: Sequence[str]) -> str:
    """Return a row for each method, a column for each number after each count of evaluations. How long it took is not
    told: other programs ran beside some of these, and ``benchmarks.speed`` measures that better."""
    whole = {(each.what, each.at): _by_method(each) for each in results if each.what in WHOLE}
    last = max(whole, key=lambda key: key[1])
    heads = [f"{what}, {at}" for what, at in whole]
    rows = []
    for method in sorted(methods, key=lambda method: whole[last][method].rank):
        own = [trace for trace in traces if trace.method == method]
        cells = [f"{found[method].rank:.2f} ({found[method].mean:.3f})" for found in whole.values()]
        rows.append([f"`{method}`", str(len({trace.seed for trace in own})), *cells])
    return _markdown(["mean rank (mean) of", "seeds", *heads], rows)


def _duels(results: Sequence[Result]) -> str:
    """Return a row for each pair, a column for each count of evaluations but the first."""
    whole = [each for each in results if each.what in WHOLE and each.at > min(r.at for r in results) and each.duels]
    if not whole:
        return ""
    cells = [[f"{_interval(duel)}, {_verdict(duel)}" for duel in each.duels] for each in whole]
    names = [f"`{duel.one}` - `{duel.other}`" for duel in whole[0].duels]
    rows = [[name, *row] for name, *row in zip(names, *cells, strict=True)]
    return _markdown(["difference of mean rank", *(f"{each.what}, {each.at}" for each in whole)], rows)


def _by_family(results: Sequence[Result], methods: Sequence[str]) -> str:
    """Return the mean ranks in each family, after the last count of evaluations."""
    last = max(each.at for each in results)
    found = {each.what: _by_method(each) for each in results if each.at == last and each.what not in WHOLE}
    rows = [[name, *(f"{ranked[method].rank:.2f}" for method in methods)] for name, ranked in found.items()]
    return _markdown([f"mean rank, {last}", *(f"`{method}`" for method in methods)], rows)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


def _by_method(result: Result) -> dict[str, Standing]:
    return {standing.method: standing for standing in result.standings}


def _interval(duel: Duel) -> str:
    return f"{duel.difference:+.2f} [{duel.low:+.2f}, {duel.high:+.2f}]"


def _verdict(duel: Duel) -> str:
    return f"{duel.wins}:{duel.losses}, p {duel.p:.3f}"


def _of_auto(duel: Duel) -> bool:
    return duel.one == "auto" and duel.other in ("gp", "tpe")


def _seconds(traces: Sequence[Trace]) -> float:
    return float(np.mean([trace.seconds for trace in traces]))


def _count(tasks: Sequence[Task], family: str) -> int:
    return sum(task.family == family for task in tasks)
