"""A plugin that measures line and branch coverage of the package: ``python -m pytest -p tests.line_coverage ...``.

It measures what runs in pytest's own processes; the processes of trials are not measured. Slipcover instruments the
code and removes what it has seen, so the suite takes about a third longer, not three times as long as with a tracer.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import slipcover

PACKAGE = Path(__file__).parents[1] / "trialwright"
LISTED = ("core", "engine", "storage")  # folders whose unreached lines are listed
EXCLUDED = [
    r"if TYPE_CHECKING:",
    r": \.\.\.$",  # the bodies of a protocol, and of overloads
    r"assert_never\(",  # a type checker proves that it is never reached
]
FOUND: list[dict[str, Any]] = []  # in the process that prints: what each process has seen

_measure = slipcover.Slipcover(branch=True, source=[str(PACKAGE)], exclude_also=EXCLUDED)
slipcover.ImportManager(_measure, slipcover.FileMatcher(sources=[str(PACKAGE)])).__enter__()


def pytest_collection_modifyitems(items):
    for item in items:
        if {"count_calls", "count_lines"} & vars(item.module).keys():
            item.add_marker(pytest.mark.skip(reason="it counts calls, and instrumented code makes more of them"))


def pytest_sessionfinish(session):
    seen = _measure.get_coverage()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["coverage"] = json.dumps(seen)
    else:
        FOUND.append(seen)


def pytest_testnodedown(node):
    FOUND.append(json.loads(node.workeroutput["coverage"]))


def pytest_terminal_summary(terminalreporter):
    first, *others = FOUND
    for other in others:
        slipcover.merge_coverage(first, other)
    folders = Counter[tuple[str, str]]()
    unreached = []
    for name, file in sorted(first["files"].items()):
        inside = Path(name).resolve().relative_to(PACKAGE)
        folder = inside.parts[0] if len(inside.parts) > 1 else "(its own files)"
        for what in ("executed_lines", "missing_lines", "executed_branches", "missing_branches"):
            folders[folder, what] += len(file[what])
        if folder in LISTED and (file["missing_lines"] or file["missing_branches"]):
            branches = [f"{begin}->{end}" for begin, end in file["missing_branches"]]
            unreached.append(f"{inside}: {' '.join(map(str, [*file['missing_lines'], *branches]))}")
    terminalreporter.section("coverage of trialwright, lines and branches")
    for folder in sorted({folder for folder, _ in folders}):
        terminalreporter.line(f"{folder:16} {_share(folders, folder, 'lines')} {_share(folders, folder, 'branches')}")
    terminalreporter.section(f"not reached in {', '.join(LISTED)}")
    for line in unreached:
        terminalreporter.line(line)


def _share(folders: Counter[tuple[str, str]], folder: str, what: str) -> str:
    executed, missing = folders[folder, f"executed_{what}"], folders[folder, f"missing_{what}"]
    return f"{100 * executed / max(executed + missing, 1):6.1f} % of {executed + missing:5} {what}"
