"""Reports: the tables of populations, JSON for programs, and the page ``docs/fidelity.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.fidelity.populations import Duel, Outcome
from trialwright.bench.statistics import Line
from trialwright.bench.tables import machine

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
END = "<!-- end -->"  # of what is written into the page; "<!-- NAME: ..." is its beginning


def populations(outcomes: Sequence[Outcome]) -> str:
    """Return the table of PBT on fixed dynamics."""
    head = ["dynamics", "method", "score", "random search", "best constant"]
    head += ["seeds better than random", "p", "than constant", "p"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows += [
        f"| {o.dynamics} | {o.method} | {o.score:.4g} ({o.low:.4g} to {o.high:.4g}) | {o.random:.4g} "
        f"| {o.constant:.4g} | {o.wins_random} | {o.p_random:.1g} | {o.wins_constant} | {o.p_constant:.1g} |"
        for o in outcomes
    ]
    return "\n".join(rows)


def duels(found: Sequence[Duel]) -> str:
    """Return the table of PB2 against PBT, with few members."""
    head = ["dynamics, 4 members", "PB2", "PBT", "seeds better : worse", "p"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for each in found:
        cells = [f"{mean:.4g} ({low:.4g} to {high:.4g})" for mean, low, high in (each.pb2, each.pbt)]
        rows.append(f"| {each.dynamics} | {' | '.join(cells)} | {each.better} : {each.worse} | {each.p:.1g} |")
    return "\n".join(rows)


def as_json(
    lines: Sequence[Line], outcomes: Sequence[Outcome], duels: Sequence[Duel], told: Mapping[str, object]
) -> str:
    """Return everything that was compared."""
    results = {
        "schedulers": [line.plain() for line in lines],
        "populations": [asdict(each) for each in outcomes],
        "few members": [asdict(each) for each in duels],
    }
    return json.dumps({"machine": machine(), "told": told, **results}, indent=1)


def write(text: str, part: str) -> None:
    """Put results into a part of the page, in place of those that are there."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(f"<!-- {part}: ")
    told, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{begin}{told.partition('-->')[0]}-->\n\n{text}\n\n{END}{after}", encoding="utf-8")
