"""Records what a nox session saw of a library, and writes the page of integrations.

python -m benchmarks.integrations record NAME  run the library's example, and put what was seen into docs/adapters.json
python -m benchmarks.integrations page         write the tables of docs/integrations.md from docs/adapters.json
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SESSIONS = Path(__file__).parent / "sessions.toml"
ROWS = ROOT / "docs" / "adapters.json"
PAGE = ROOT / "docs" / "integrations.md"
BEGIN, END = "<!-- table: python -m benchmarks.integrations page -->", "<!-- end -->"
KINDS = {"searcher": "Searchers", "framework": "Frameworks", "tracker": "Trackers"}


def record(name: str, failed: str | None) -> None:
    """Run a library's example in this environment, and put what was seen into the rows.

    Raises:
        CalledProcessError: the example failed.
    """
    entry = tomllib.loads(SESSIONS.read_text(encoding="utf-8"))[name]
    row: dict[str, Any] = {
        "kind": entry["kind"],
        "package": entry["package"],
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
    }
    row |= {"failed": failed} if failed else _seen(name, entry)
    rows = json.loads(ROWS.read_text(encoding="utf-8")) if ROWS.exists() else {}
    rows[name] = row
    ROWS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _seen(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    begin = time.perf_counter()
    command = [sys.executable, entry["example"]]
    example = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    row = {
        "version": metadata.version(entry["package"]),
        "example": entry["example"],
        "prints": example.stdout.strip().splitlines()[-1],
        "seconds": round(time.perf_counter() - begin, 1),
    }
    if "peer" in entry:
        from benchmarks.integrations.comparison import compare

        row |= compare(entry.get("searcher", name), entry.get("options", {}), entry["peer"], entry.get("seeds", 10))
    return row


def write_page() -> None:
    """Write the tables between the marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    table = tables(json.loads(ROWS.read_text(encoding="utf-8")))
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", f"{BEGIN}\n\n{table}\n{END}", page, flags=re.DOTALL), encoding="utf-8")


def tables(rows: dict[str, dict[str, Any]]) -> str:
    """Return a table for each kind of library."""
    parts = []
    for kind, title in KINDS.items():
        chosen = {name: row for name, row in rows.items() if row["kind"] == kind}
        if chosen:
            lines = [_line(name, row) for name, row in sorted(chosen.items())]
            parts += [f"### {title}", "", *_head(kind), *lines, ""]
    return "\n".join(parts)


def _head(kind: str) -> list[str]:
    columns = ["session", "package", "tried", "example", "its last line"]
    if kind == "searcher":
        columns += ["best through Trialwright", "best by itself", "ratio", "seeds", "ms an ask", "by itself"]
    return ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]


def _line(name: str, row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"| {name} | {row['package']} | {row['date']} | {row['failed']} |"
    example = row["example"]
    cells = [name, f"{row['package']} {row['version']}", row["date"], f"[{Path(example).name}](../{example})"]
    cells += [f"`{row['prints']}`"]
    if row["kind"] == "searcher":
        ratio = "{} ({} to {})".format(*row["ratio"]) if "ratio" in row else "not compared"
        cells += [str(row.get(key, "")) for key in ("best", "best_alone")]
        cells += [ratio, *(str(row.get(key, "")) for key in ("seeds", "ask_ms", "ask_alone_ms"))]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.integrations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run a library's example and record it")
    recording.add_argument("name")
    recording.add_argument("--failed", metavar="WHY", help="the library could not be tried, for this reason")
    commands.add_parser("page", help="write the tables of docs/integrations.md")
    given = parser.parse_args()
    if given.command == "record":
        record(given.name, given.failed)
    else:
        write_page()


if __name__ == "__main__":
    main()
