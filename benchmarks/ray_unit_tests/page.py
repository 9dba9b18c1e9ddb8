"""``docs/ray-tune-tests.md``: how many of Ray Tune's own tests pass, and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ray_unit_tests.reasons import REASONS

PAGE = Path(__file__).parents[2] / "docs" / "ray-tune-tests.md"
ABOUT = """# Ray Tune's own unit tests

How much of Ray Tune's public behaviour does `trialwright.tune` have? Ray's own unit tests tell: `python -m
benchmarks.ray_unit_tests --tests DIR --write-docs WHAT` runs them with changed imports (`ray.tune` becomes
`trialwright.tune`, and `ray.train` and `ray.air` likewise) and writes this page. `DIR` is `python/ray` of a checkout of
Ray; nothing of it is kept here.

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


def reason(test: str, why: str) -> str:
    """Return why a test fails: what is known about it, else the first line of its error."""
    name = test.removesuffix("]").replace("[", "::")
    known = next(
        (text for text, names in REASONS.items() if any(re.search(rf"\b{key}\b", name) for key in names)), None
    )
    return known or f"not looked into: `{' '.join(why.split())[:150]}`".replace("|", "\\|")


def page(files: Sequence[File], snapshot: str) -> str:
    """Return the page.

    Args:
        files: the test files, in order.
        snapshot: what was run where, in words.
    """
    counted, failed = sum(len(file.counted) for file in files), sum(len(file.failed) for file in files)
    share = 100 * (counted - failed) / max(counted, 1)
    total = f"**{counted - failed} of {counted} pass: {share:.0f} %.** {snapshot}"
    rows = ["| file | use internals | pass on Ray | of these on Trialwright |", "|---|---|---|---|"]
    rows += [
        f"| `{file.name}` | {file.internal} | {len(file.counted)} of {len(file.control)} | "
        f"{len(file.counted) - len(file.failed)} |"
        for file in files
    ]
    reasons = ["| test | why it does not pass |", "|---|---|"]
    for file in files:
        for test in file.failed:
            short = test.removeprefix(f"{file.name}.py::").replace("::", ".").replace("|", "\\|")
            outcome, why = file.ours.get(test, ("not collected", ""))
            reasons.append(f"| `{file.name}`: `{short}` | {reason(test, why or outcome)} |")
    return "\n".join([ABOUT, total, "", *rows, "", "## Those that do not pass", "", *reasons, ""])
