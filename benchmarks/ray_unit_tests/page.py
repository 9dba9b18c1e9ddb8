"""``docs/ray-tune-tests.md``: how many of Ray Tune's own tests pass, and why the others do not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.ray_unit_tests.reasons import REASONS

PAGE = Path(__file__).parents[2] / "docs" / "ray-tune-tests.md"
ROWS = PAGE.with_suffix(".json")
ABOUT = """# Ray Tune's own unit tests

How much of Ray Tune's public behaviour does `trialwright.tune` have? Ray's own unit tests tell: `python -m
benchmarks.ray_unit_tests --tests DIR --write-docs WHAT` runs them with changed imports (`ray.tune` becomes
`trialwright.tune`, and `ray.train` and `ray.air` likewise) and writes this page. `DIR` is `python/ray` of a checkout of
Ray; nothing of it is kept here. The outcome of each file is in `docs/ray-tune-tests.json`, so a file can be run alone.

A test counts if it passes on the installed Ray, in the same environment, and uses no module that is internal to Ray
(`benchmarks/ray_unit_tests/internal.py` has the list and the rule). Tests whose libraries are not installed do not pass
on Ray, and so do not count. Tests in a row share one Ray, as most of their time is else Ray's start.
"""


@dataclass(frozen=True)
class File:
    """One test file.

    Args:
        name: the file's, without ``.py``.
        internal: how many tests use internals of Ray; those that differ only in parameters are one.
        control: outcome on Ray of each other test.
        ours: outcome and last words on Trialwright of each.
    """

    name: str
    internal: int
    control: Mapping[str, str]
    ours: Mapping[str, tuple[str, str]]

    @property
    def counted(self) -> list[str]:
        """The tests that count."""
        return [test for test, outcome in self.control.items() if outcome == "passed"]

    def __str__(self) -> str:
        passed = f"{len(self.counted) - len(self.failed)} of {len(self.counted)}" if self.control else "?"
        ours = sum(outcome == "passed" for outcome, _ in self.ours.values())
        return f"{self.name}: {len(self.counted)} on Ray, {ours} here, {passed} of both; {self.internal} use internals"

    @property
    def failed(self) -> list[str]:
        """Those of them that do not pass on Trialwright."""
        return [test for test in self.counted if self.ours.get(test, ("not collected", ""))[0] != "passed"]


@dataclass(frozen=True)
class Row:
    """What the page keeps of a test file.

    Args:
        date: when it was run, as ``2026-11-30``.
        internal: how many tests use internals of Ray.
        others: how many do not.
        counted: how many of these pass on Ray.
        failed: those of them that do not pass on Trialwright, with the last words of each.
    """

    date: str
    internal: int
    others: int
    counted: int
    failed: Mapping[str, str]


def row(file: File, date: str) -> Row:
    """Return what the page keeps of a test file that ran on this date."""
    outcomes = {test: file.ours.get(test, ("not collected", "")) for test in file.failed}
    failed = {test: why or outcome for test, (outcome, why) in outcomes.items()}
    return Row(date, file.internal, len(file.control), len(file.counted), failed)


def rows() -> dict[str, Row]:
    """Return what is known of each test file, from its last run."""
    return {name: Row(**kept) for name, kept in json.loads(ROWS.read_text(encoding="utf-8")).items()}


def write(known: Mapping[str, Row], missing: Sequence[str], snapshot: str) -> None:
    """Write the page, and what it is made from."""
    kept = {name: asdict(each) for name, each in known.items()}
    ROWS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(known, missing, snapshot), encoding="utf-8")


def reason(test: str, why: str) -> str:
    """Return why a test fails: what is known about it, else the first line of its error."""
    name = test.removesuffix("]").replace("[", "::")
    known = next(
        (text for text, names in REASONS.items() if any(re.search(rf"\b{key}\b", name) for key in names)), None
    )
    return known or f"not looked into: `{' '.join(why.split())[:150]}`".replace("|", "\\|")


def page(known: Mapping[str, Row], missing: Sequence[str], snapshot: str) -> str:
    """Return the page.

    Args:
        known: the test files that have been run, in order.
        missing: the names of those that have not.
        snapshot: what was run where, in words.
    """
    counted, failed = sum(row.counted for row in known.values()), sum(len(row.failed) for row in known.values())
    share = 100 * (counted - failed) / max(counted, 1)
    total = f"**{counted - failed} of {counted} pass: {share:.0f} %.** {snapshot}"
    lines = ["| file | run on | use internals | pass on Ray | of these on Trialwright |", "|---|---|---|---|---|"]
    lines += [
        f"| `{name}` | {row.date} | {row.internal} | {row.counted} of {row.others} | {row.counted - len(row.failed)} |"
        for name, row in known.items()
    ]
    lines += ["", f"Not run: {', '.join(f'`{name}`' for name in missing)}."] if missing else []
    reasons = ["| test | why it does not pass |", "|---|---|"]
    for name, row in known.items():
        for test, why in row.failed.items():
            short = test.removeprefix(f"{name}.py::").replace("::", ".").replace("|", "\\|")
            reasons.append(f"| `{name}`: `{short}` | {reason(test, why)} |")
    return "\n".join([ABOUT, total, "", *lines, "", "## Those that do not pass", "", *reasons, ""])
