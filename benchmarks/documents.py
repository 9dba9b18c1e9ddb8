"""The documents' listings (``examples/documents``) on Trialwright and, by changed imports, on Ray Tune: wall times.

    python -m benchmarks.documents                # all of them, as the table in docs/ray-tune.md
    python -m benchmarks.documents --write        # ... written into that page; so does the test run:
                                                  # pytest tests/examples/test_documents.py --write-table
    python -m benchmarks.documents doc004 --json  # those whose names have this in them

Each listing is a program of its own, timed from its start to its end, with a home directory that is empty. What Ray
Tune no longer runs as printed is timed once more after the changes that Ray's own users had to make.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples" / "documents"
PAGE = FOLDER.parents[1] / "docs" / "ray-tune.md"
LIMIT_S = 300
PEER = ((r"\bfrom trialwright", "from ray"),)
PORT = (  # what Ray Tune's users had to change since
    *PEER,
    (r"tune\.suggest\b", "tune.search"),
    (r"tune\.report\(score=score, step=step, more_metrics=\{\}\)", 'tune.report({"score": score, "step": step})'),
    (r"(?:tune\.report|tune\.track\.log)\((\w+)=(\w+)\)", r'tune.report({"\1": \2})'),
    (r"from ray\.air import session", "from ray import tune"),
    (r"session\.report\(", "tune.report("),
)


@dataclass
class Timing:
    """How long one listing took.

    Args:
        seconds: the median of its runs; None if it failed.
        error: what went wrong.
    """

    seconds: float | None
    error: str = ""


@dataclass
class Row:
    """One listing: on Trialwright, on Ray Tune as printed, and on Ray Tune after changes, if those were needed."""

    listing: str
    ours: Timing
    theirs: Timing
    ported: Timing | None


def measure(listing: str, changes: Sequence[tuple[str, str]], options: argparse.Namespace) -> Timing:
    """Run a listing some times, with changes to the source."""
    times = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as home:
            folder = copy(Path(home), changes)
            began = time.perf_counter()
            error = run([str(folder / f"{listing}.py"), *(["--smoke"] if options.smoke else [])], home)
            if error:
                return Timing(None, error)
            times.append(time.perf_counter() - began)
    return Timing(statistics.median(times))


def copy(home: Path, changes: Sequence[tuple[str, str]]) -> Path:
    """Copy the listings, changed."""
    folder = home / "listings"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for pattern, replacement in changes:
            text = re.sub(pattern, replacement, text)
        path.write_text(text, encoding="utf-8")
    return folder


def run(program: Sequence[str], home: str) -> str:
    """Run a program; return its error, or nothing."""
    environment = {**os.environ, "HOME": home, "TRIALWRIGHT_HOME": f"{home}/trialwright", "MPLBACKEND": "Agg"}
    try:
        done = subprocess.run(  # noqa: S603 - our own listings
            [sys.executable, *program],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {LIMIT_S} s"
    return "" if done.returncode == 0 else cause(done.stdout + done.stderr)


def cause(output: str) -> str:
    """Return the first error that a program, or one of its trials, has told of."""
    found = re.findall(r"^(?:\S* pid=\d+\)\S* )?([\w.]*(?:Error|Warning): .+)", output, re.MULTILINE)
    first = sorted(found, key=lambda line: "TuneError" in line or "Warning: " in line)  # these tell of others
    told = (first or output.strip().splitlines()[-1:] or ["no output"])[0]
    return re.sub(r"'/[^']*/([^'/]+)'", r"'\1'", told)  # without the temporary directories


def row(listing: str, options: argparse.Namespace) -> Row:
    """Measure one listing everywhere."""
    ours, theirs = measure(listing, (), options), measure(listing, PEER, options)
    return Row(listing, ours, theirs, measure(listing, PORT, options) if theirs.seconds is None else None)


def cells(each: Row) -> list[str]:
    """Return the cells of a row of the table."""
    ported = each.ported
    same = ported is not None and ported.error == each.theirs.error
    return [shown(each.ours), shown(each.theirs), "no" if same else "" if ported is None else shown(ported)]


def shown(timing: Timing) -> str:
    """Return a time, or why there is none."""
    return f"{timing.seconds:.1f} s" if timing.seconds is not None else f"no longer runs: `{timing.error}`"


def table(rows: Sequence[Row]) -> str:
    """Return the table of the page."""
    lines = [f"| `{each.listing}` | {' | '.join(cells(each))} |" for each in rows]
    return "\n".join(["| listing | Trialwright | Ray Tune | Ray Tune, ported |", "|---|---|---|---|", *lines])


def listings(part: str = "") -> list[str]:
    """Return the names of the listings that have this in them."""
    return sorted(path.stem for path in FOLDER.glob("doc*.py") if path.stem != "doc000_model" and part in path.stem)


def said(repeats: int) -> str:
    """Return the sentence before the table: where and when its times were taken."""
    found = importlib.util.find_spec("ray")
    ray = f", Ray {importlib.metadata.version('ray')}" if found else ""
    runs = "one run each" if repeats == 1 else f"medians of {repeats} runs"
    return (
        f"Measured {time.strftime('%Y-%m-%d')}: {os.cpu_count()} CPUs, Python {platform.python_version()}{ray}; {runs}."
    )


def written(page: str, rows: Sequence[Row], repeats: int) -> str:
    """Return the page with these times in place of those it has."""
    begin, table_begin = page.index("Measured "), page.index("| listing |")
    return page[:begin] + f"{said(repeats)}\n\n{table(rows)}" + page[page.index("\n\n", table_begin) :]


def write(options: argparse.Namespace) -> None:
    """Measure all listings, and write the times into the page."""
    rows = [row(name, options) for name in listings()]
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows, options.repeats), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.documents", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    made.add_argument("part", nargs="?", default="", help="only listings with this in their names")
    made.add_argument("--repeats", type=int, default=1)
    made.add_argument("--smoke", action="store_true", help="with the small budget, as the tests do")
    made.add_argument("--json", action="store_true")
    made.add_argument("--write", action="store_true", help="all of them, into docs/ray-tune.md")
    return made


def main() -> None:
    """Parse the command line, run, print a table or JSON."""
    options = parser().parse_args()
    if options.write:
        write(options)
        return
    rows = [row(name, options) for name in listings(options.part)]
    if options.json:
        print(json.dumps({"measured": said(options.repeats), "rows": [asdict(each) for each in rows]}))
        return
    print(f"{said(options.repeats)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
