"""A run as one HTML file: the page with its files and its answers inside, which needs no server and no network.

The modules are joined into one script. Its hash, and that of the styles, are in the file's policy: nothing else runs.
The answers are JSON in a script element that is no script, in which ``<`` is escaped: no name of a user can end it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping

from trialwright.page import charts, queries, timeline
from trialwright.page.details import details
from trialwright.page.importance import told_importance
from trialwright.page.queries import Answer
from trialwright.page.run import ShownRun

ROWS = 2_000  # of the table that are kept
TRIALS = 60  # whose details are kept: the best, and the last that failed
MODULES = (
    *("api.js", "dom.js", "plot.js", "going.js", "now.js", "curves.js", "table.js", "detail.js", "parallel.js"),
    *("slices.js", "matters.js", "act.js", "failures.js", "list.js", "main.js"),
)  # each after those that it imports
_IMPORT = re.compile(r"^import .*?;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def saved(run: ShownRun, assets: Mapping[str, bytes]) -> str:
    """Return the HTML file of a run.

    Args:
        run: the run.
        assets: the files of the page, by name.
    """
    files = {name: content.decode() for name, content in assets.items()}
    script = "\n".join([files["uPlot.iife.min.js"], *(joined(files[name]) for name in MODULES)])
    style = files["uPlot.min.css"] + files["page.css"]
    policy = f"default-src 'none'; img-src data:; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Trialwright</title>'
        f"<style>{style}</style>"
    )
    body = re.search(r"<body>(.*)</body>", files["index.html"], re.DOTALL)
    assert body is not None
    data = f'<script type="application/json" id="saved">{escaped(answers(run))}</script>'
    last = f'<script type="module">{script}</script>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body[1]}{data}{last}</body></html>'


def answers(run: ShownRun) -> Answer:
    """Return what the page would ask for, by the names of the answers."""
    columns = [{"name": column.name, "kind": column.kind} for column in run.index.columns]
    known: dict[str, Callable[[], object]] = {
        "summary": lambda: queries.summary(run) | {"control": False, "replays": False, "is_one": True},
        "history": lambda: charts.history(run, 600),
        "curves": lambda: charts.curves(run, "", 200),
        "rungs": lambda: charts.rungs(run),
        "timeline": lambda: timeline.timeline(run),
        "points": lambda: charts.points(run),
        "front": lambda: charts.front(run),
        "failures": lambda: queries.failures(run),
        "importance": lambda: told_importance(run),
        "trials": lambda: {**_table(run), "columns": columns},
    }
    found: Answer = {"run": run.path.name, **{name: answer() for name, answer in known.items()}}
    found["details"] = {f"trials/{trial}": details(run, trial) for trial in _shown_in_full(found)}
    return found


def joined(module: str) -> str:
    """Return a module as a part of one script. Its top-level names are unique among all modules."""
    return _EXPORT.sub("", _IMPORT.sub("", module))


def escaped(answer: Answer) -> str:
    """Return JSON that can stand in a script element: whatever a name holds, it cannot end the element."""
    text = json.dumps(answer, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _table(run: ShownRun) -> Answer:
    first = queries.trials(run, limit=queries.PAGE)
    while len(first["rows"]) < min(ROWS, first["count"]):
        more = queries.trials(run, limit=queries.PAGE, offset=len(first["rows"]))["rows"]
        if not more:
            break
        first["rows"] += more
    return {**first, "count": len(first["rows"])}


def _shown_in_full(found: Answer) -> list[int]:
    best = [row[0] for row in found["trials"]["rows"][:TRIALS]]
    failed = [trial for group in found["failures"] for trial in (group["first"], group["last"])]
    return list(dict.fromkeys([*best, *failed[:TRIALS], *(each["id"] for each in found["summary"]["lately"])]))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
