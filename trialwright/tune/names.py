"""Two vocabularies, and the one place that translates: what Ray Tune's users call things, and what the engine does.

The engine counts ``step`` and ``time_s``; users know these as ``training_iteration`` and ``time_total_s``, and may well
report a ``step`` of their own, which is ``_step`` inside. The engine takes numbers and texts, and joins nested names
with ``/``; which names were dicts and which were lists rides along in a hidden metric, so that users get back what they
gave. So does what only the worker knows: when and where a report was made.
"""

from __future__ import annotations

import functools
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

COUNTED = {"training_iteration": "step", "time_total_s": "time_s"}
ANONYMOUS = "_metric"  # what a bare number is called that somebody reports
AUTO = "_auto"  # hidden: when, how long, how many since the restore, and where
DONE = "done"  # a trial that reports it is over
NESTS = "_nests"  # hidden: which names were dicts, and (with [] behind) which were lists
_BACK = {engine: user for user, engine in COUNTED.items()}
_TAKEN = re.compile(r"(?:_*(?:step|time_s)|_+(?:auto|nests))(?=/|$)")
_MOVED = re.compile(r"(?:_+(?:step|time_s)|__+(?:auto|nests))(?=/|$)")


@functools.lru_cache(4096)  # asked for each metric of each report
def to_engine(name: str) -> str:
    """Return what the engine calls a user's metric."""
    return COUNTED.get(name) or ("_" + name if _TAKEN.match(name) else name)


def from_engine(name: str) -> str:
    """Undo ``to_engine``."""
    return _BACK.get(name) or (name[1:] if _MOVED.match(name) else name)


def escape(metrics: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what is reported to the engine for what a user reports: nested names are untouched below the first level,
    and so is what is no name: the engine says so."""
    row = {to_engine(name) if isinstance(name, str) else name: _opened(value) for name, value in metrics.items()}
    nests = list(_nests(row, ""))
    return {**row, NESTS: json.dumps(nests)} if nests else row


def unescape(row: Mapping[str, Any]) -> dict[str, Any]:
    """Undo ``escape``: nested again, with the user's names, and without what is hidden. Arrays and tuples are lists."""
    flat = {name: value for name, value in row.items() if name not in (AUTO, NESTS)}
    nested = _nested(flat, json.loads(row[NESTS])) if NESTS in row else flat
    return {from_engine(name): value for name, value in nested.items()}


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the names of nested dicts with ``/``; an empty dict has no name."""
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        flat.update(flatten(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {f"{prefix}{name}": value})
    return flat


def result_of(row: Mapping[str, Any], *, done: bool = False, **facts: object) -> dict[str, Any]:
    """Return a report as users see it: what was reported, and the automatic metrics beside it.

    Args:
        row: the report with the engine's names.
        done: this is the trial's last one.
        facts: what is known of the trial, by the users' names (``trial_id``, ``config``, ...); what the worker said
            goes first.
    """
    result = unescape(row)
    automatic = {**facts, **_said(row.get(AUTO)), "done": done}
    return {**automatic, **result}


@dataclass
class Stamp:
    """Marks the reports of one attempt, in its worker, with what only the worker knows."""

    count: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._last = self.began

    def on(self, row: dict[str, Any]) -> dict[str, Any]:
        """Mark a report that is about to be made."""
        now, self.count = time.monotonic(), self.count + 1
        text = f"{time.time():.3f} {now - self._last:.6f} {now - self.began:.6f} {self.count} {place(os.getpid())}"
        self._last = now
        return {**row, AUTO: text}


@functools.cache
def place(process: int) -> str:
    """Say where this process is: host, process, and address, with blanks between."""
    return f"{socket.gethostname()} {process} {_address()}"


def _address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:  # a machine need not know its own name
        return "127.0.0.1"


def _said(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    at, iteration_s, since_s, count, host, process, address = text.split(" ")
    return {
        "timestamp": int(float(at)),
        "date": datetime.fromtimestamp(float(at)).astimezone().strftime("%Y-%m-%d_%H-%M-%S"),
        "time_this_iter_s": float(iteration_s),
        "time_since_restore": float(since_s),
        "iterations_since_restore": int(count),
        "hostname": host,
        "pid": int(process),
        "node_ip": address,
    }


class _List(dict[str, Any]):
    """A list, as the engine takes it: with its places as names."""


def _opened(value: Any) -> Any:  # noqa: ANN401 - whatever is reported
    """Turn lists, tuples, and arrays into dicts."""
    if getattr(value, "ndim", 0) and hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return _List((str(index), _opened(item)) for index, item in enumerate(value))
    return {name: _opened(item) for name, item in value.items()} if isinstance(value, Mapping) else value


def _nests(metrics: Mapping[Any, Any], prefix: str) -> Iterator[str]:
    """Name the dicts and lists in a report, each before those in it."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield f"{prefix}{name}" + ("[]" if isinstance(value, _List) else "")
            yield from _nests(value, f"{prefix}{name}/")


def _nested(flat: Mapping[str, Any], nests: list[str]) -> dict[str, Any]:
    """Put values into dicts and lists again."""
    root: dict[str, Any] = {}
    made: dict[str, dict[str, Any]] = {}
    for nest in nests:
        path = nest.removesuffix("[]")
        inside, name = _place(path, root, made)
        inside[name] = made[path] = _List() if nest.endswith("[]") else {}
    for path, value in flat.items():
        inside, name = _place(path, root, made)
        inside[name] = value
    closed: dict[str, Any] = _closed(root)
    return closed


def _place(path: str, root: dict[str, Any], made: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """Return the innermost dict that a path leads into, and the name there."""
    for holder in reversed(made):
        if path.startswith(holder + "/"):
            return made[holder], path[len(holder) + 1 :]
    return root, path


def _closed(value: Any) -> Any:  # noqa: ANN401 - whatever was reported
    """Turn what stands for lists into lists. A place that nothing came for held None."""
    if isinstance(value, _List):
        places = {int(index): _closed(item) for index, item in value.items()}
        return [places.get(index) for index in range(max(places, default=-1) + 1)]
    return {name: _closed(item) for name, item in value.items()} if isinstance(value, dict) else value
