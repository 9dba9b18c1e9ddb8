"""The command line of ``python -m benchmarks.performance``; see the package."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.performance.measures import OURS, PEERS
from benchmarks.performance.rows import ROWS, Measured, Row, table

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
HISTORY = Path(__file__).parents[1] / "history"
BEGIN, END = "<!-- table: python -m benchmarks.performance --write-docs -->", "<!-- end -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rows that are wanted, each run in a process of its own, ours and the peer's in turn."""
    given = _parser().parse_args(arguments)
    if given.one:
        print(json.dumps({"figure": (PEERS if given.peer else OURS)[given.one]()}))
        return
    if given.plot:
        draw(given.plot)
        return
    wanted = [row for row in ROWS if row.name in (given.rows or OURS)]
    measured = [_measured(row, given.repeats, peer=given.peer, known=given.known) for row in wanted]
    head = f"Measured on {machine()}; medians of {given.repeats} runs."
    print(f"{head}\n\n{table(measured)}")
    if given.write_docs:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{head}\n\n{table(measured)}\n\n{END}{after}", encoding="utf-8")
    if given.history:
        _keep(given.history, measured)


def machine() -> str:
    """Say where and when this is."""
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({platform.machine()}), {python}"


def draw(target: Path) -> None:
    """Draw how the rates have changed, from the files in ``benchmarks/history``."""
    from matplotlib.figure import Figure

    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(HISTORY.glob("*.json"))]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in (row for row in ROWS if row.unit == "/s"):
        points = [(place, each["figures"][row.name]) for place, each in enumerate(kept) if row.name in each["figures"]]
        axes.plot([place for place, _ in points], [rate for _, rate in points], marker="o", label=row.name)
    axes.set(yscale="log", ylabel="a second", xticks=range(len(kept)))
    axes.set_xticklabels([f"{each['date']}\n{each['what']}" for each in kept], fontsize=7)
    axes.legend(fontsize=7)
    figure.savefig(target, dpi=120)


def _measured(row: Row, repeats: int, *, peer: bool, known: Path | None) -> Measured:
    """Measure a row, or take what an earlier call has kept of it."""
    kept = json.loads(known.read_text(encoding="utf-8")) if known and known.exists() else {}
    if row.name not in kept:
        kept[row.name] = ([], [])
        for _ in range(repeats):
            kept[row.name][0].append(_figure(row.name))
            kept[row.name][1].extend([_figure(row.name, "--peer")] if peer and row.name in PEERS else [])
        print(f"{row.name}: {kept[row.name]}", file=sys.stderr)
        if known:
            known.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return Measured(row, *kept[row.name])


def _figure(name: str, *flags: str) -> float:
    command = [sys.executable, "-m", "benchmarks.performance", "--one", name, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this program
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(json.loads(done.stdout.splitlines()[-1])["figure"])


def _keep(what: str, measured: Sequence[Measured]) -> None:
    """Write what was measured into a file of the history: one for each change that moved a figure."""
    figures = {each.row.name: round(each.median, 4) for each in measured}
    peers = {f"{each.row.name}, {each.row.peer}": round(each.beside, 3) for each in measured if each.beside is not None}
    kept = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "what": what, "machine": machine(), "figures": figures}
    HISTORY.mkdir(exist_ok=True)
    name = f"{kept['date']}-{re.sub('[^a-z0-9]+', '-', what.lower()).strip('-')}.json"
    (HISTORY / name).write_text(json.dumps({**kept, "beside": peers}, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*OURS, []], metavar="ROW", help=f"of {', '.join(OURS)}")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--peer", action="store_true", help="Ray Tune, Optuna, and Ray alone in the same run")
    parser.add_argument("--known", type=Path, help="a file that figures are added to, and taken from")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--history", metavar="WHAT", help="keep the figures, and what has changed them")
    parser.add_argument("--plot", type=Path, help="only draw the history")
    parser.add_argument("--one", metavar="ROW", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
