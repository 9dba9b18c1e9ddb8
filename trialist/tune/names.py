"""Two vocabularies, and the one place that translates: what Ray Tune's users call things, and what the engine does.

The engine counts ``step`` and ``time_s``; users know these as ``training_iteration`` and ``time_total_s``, and may well
report a ``step`` of their own, which is ``_step`` inside. The engine joins nested metrics with ``/``; which names were
dicts rides along in a hidden metric, so that users get back what they gave. So does what only the worker knows: when
and where a report was made.
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
DICTS = "_dicts"  # hidden: which names were dicts
_BACK = {engine: user for user, engine in COUNTED.items()}
_TAKEN = re.compile(r"(?:_*(?:step|time_s)|_+(?:auto|dicts))(?=/|$)")
_MOVED = re.compile(r"(?:_+(?:step|time_s)|__+(?:auto|dicts))(?=/|$)")


@functools.lru_cache(4096)  # asked for each metric of each report
def to_engine(name: str) -> str:
    """Return what the engine calls a user's metric."""
    return COUNTED.get(name) or ("_" + name if _TAKEN.match(name) else name)


def from_engine(name: str) -> str:
    """Undo ``to_engine``."""
    return _BACK.get(name) or (name[1:] if _MOVED.match(name) else name)


def escape(metrics: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what is reported to the engine for what a user reports: nested dicts are untouched below the first
    level, and so is what is no name: the engine says so."""
    row = {to_engine(name) if isinstance(name, str) else name: value for name, value in metrics.items()}
    dicts = list(_dicts(row, ""))
    return {**row, DICTS: json.dumps(dicts)} if dicts else row


def unescape(row: Mapping[str, Any]) -> dict[str, Any]:
    """Undo ``escape``: nested again, with the user's names, and without what is hidden."""
    flat = {name: value for name, value in row.items() if name not in (AUTO, DICTS)}
    nested = _nested(flat, json.loads(row[DICTS])) if DICTS in row else flat
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


def _dicts(metrics: Mapping[Any, Any], prefix: str) -> Iterator[str]:
    """Name the dicts in a report, each before those in it."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield f"{prefix}{name}"
            yield from _dicts(value, f"{prefix}{name}/")


def _nested(flat: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    made: dict[str, dict[str, Any]] = {}
    for path, value in [*((path, None) for path in paths), *flat.items()]:
        holder = next((held for held in reversed(made) if path.startswith(held + "/")), None)
        inside, name = (root, path) if holder is None else (made[holder], path[len(holder) + 1 :])
        inside[name] = made.setdefault(path, {}) if value is None and path in paths else value
    return root
