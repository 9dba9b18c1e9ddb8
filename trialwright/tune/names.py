"""The names of Ray Tune and those of the engine, and the one place that translates between them.

The engine counts ``step`` and ``time_s``; users know these as ``training_iteration`` and ``time_total_s``, and may well
report a ``step`` of their own, which is ``_step`` inside. The engine takes numbers and strings, and joins nested names
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trialwright.metrics import spelled
from trialwright.nested import items
from trialwright.tune import resources

DONE = "done"  # a trial that reports it is over
SHOULD_CHECKPOINT = "should_checkpoint"
TRAINING_ITERATION = "training_iteration"
TIME_TOTAL_S = "time_total_s"
TIME_THIS_ITER_S = "time_this_iter_s"
TRIAL_ID = "trial_id"
EXPERIMENT_TAG = "experiment_tag"
HOSTNAME = "hostname"
PID = "pid"
NODE_IP = "node_ip"  # these are the names that ray.tune.result has for the automatic metrics

COUNTED = {TRAINING_ITERATION: "step", TIME_TOTAL_S: "time_s"}
ANONYMOUS = "_metric"  # the name of a metric that is reported as a bare number
AUTO = "_auto"  # hidden: when, how long, how many since the restore, and where
NESTS = "_nests"  # hidden: which names were dicts and lists, as ``_shape`` says it
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
    """Return what is reported to the engine for what a user reports: nested names are untouched below the first level.

    Raises:
        TypeError: an own ``training_iteration`` or ``time_total_s`` is no number, or a key has no string.
    """
    for name in COUNTED.keys() & metrics.keys():
        if isinstance(metrics[name], str | Mapping | list | tuple):
            raise TypeError(f"a report's own {name!r} must be a number, not {metrics[name]!r}")
    row = {to_engine(name) if isinstance(name, str) else name: _opened(value) for name, value in metrics.items()}
    if not any(isinstance(value, Mapping) for value in row.values()):
        return row
    return {**row, NESTS: json.dumps(_shape(row))}


def unescape(row: Mapping[str, Any]) -> dict[str, Any]:
    """Undo ``escape``: nested again, with the user's names, and without what is hidden. Arrays and tuples are lists;
    a trial's resources, of which a journal has the string, are a ``PlacementGroupFactory`` again."""
    flat = {
        name: resources.read(value) if isinstance(value, str) else value
        for name, value in row.items()
        if name not in (AUTO, NESTS)
    }
    nested = _nested(flat, json.loads(row[NESTS])) if NESTS in row else flat
    return Shown((from_engine(name), value) for name, value in nested.items())


_NOTHING: Any = object()


def found(values: dict[Any, Any], name: object, default: Any = None) -> Any:  # noqa: ANN401 - whatever was reported
    """Return the value of a name, or of the names that it is joined of; the default if there is none."""
    if not isinstance(name, str) or dict.__contains__(values, name):
        return dict.get(values, name, default)
    for slash in (place for place, character in enumerate(name) if character == "/"):
        inner = dict.get(values, name[:slash])
        if isinstance(inner, list):
            inner = {str(place): item for place, item in enumerate(inner)}
        value = found(inner, name[slash + 1 :], _NOTHING) if isinstance(inner, dict) else _NOTHING
        if value is not _NOTHING:
            return value
    return default


class Shown(dict[str, Any]):
    """A report as users see it. What is nested is found by its joined name as well: ``result["val/loss"]``."""

    def __missing__(self, name: object) -> Any:  # noqa: ANN401 - as above
        value = found(self, name, _NOTHING)
        if value is _NOTHING:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return found(self, name, _NOTHING) is not _NOTHING

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as above
        """Return the value of this name; the default if there is none."""
        return found(self, name, default)


def flatten(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Join the names of nested dicts with ``/``; an empty dict has no name. Where a metric is called like a parameter
    of ours (``config/lr``), ours has ``trial/`` before it."""
    flat: dict[str, Any] = {}
    for path, value in items(metrics):
        if path in flat:
            flat[f"trial/{path}"] = flat[path]
        flat[path] = value
    return flat


def result_of(row: Mapping[str, Any], *, done: bool = False, **facts: object) -> dict[str, Any]:
    """Return a report as users see it: what was reported, and the automatic metrics beside it.

    Args:
        row: the report with the engine's names.
        done: this is the trial's last one.
        facts: what is known of the trial, by the users' names (``trial_id``, ``config``, ...); what the worker said
            goes first.

    What the user calls like an automatic metric goes first; a fact that it hides has ``trial/`` before its name.
    """
    result, said = unescape(row), _said(row.get(AUTO))
    hidden = {f"trial/{name}": value for name, value in facts.items() if name in result and result[name] is not value}
    return Shown({**facts, **said, "done": done or said.get("done", False), **hidden, **result})


@dataclass
class Stamp:
    """Marks the reports of one attempt, in its worker, with what only the worker knows."""

    count: int = 0
    began: float = field(default_factory=time.monotonic)
    is_last: bool = False  # the next report is the trial's last

    def __post_init__(self) -> None:
        self._last = self.began

    def on(self, row: dict[str, Any]) -> dict[str, Any]:
        """Mark a report that is about to be made."""
        now, self.count = time.monotonic(), self.count + 1
        text = f"{time.time():.3f} {now - self._last:.6f} {now - self.began:.6f} {self.count} {place(os.getpid())}"
        text += " last" if self.is_last else ""
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
    at, iteration_s, since_s, count, host, process, address, *last = text.split(" ")
    return {
        **({"done": True} if last else {}),
        "timestamp": int(float(at)),
        "date": datetime.fromtimestamp(float(at)).astimezone().strftime("%Y-%m-%d_%H-%M-%S"),
        TIME_THIS_ITER_S: float(iteration_s),
        "time_since_restore": float(since_s),
        "iterations_since_restore": int(count),
        HOSTNAME: host,
        PID: int(process),
        NODE_IP: address,
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


def _shape(metrics: Mapping[Any, Any], *, is_listed: bool = False) -> dict[str, Any]:
    """Return what of a report its joined names do not tell: its dicts, and its lists as ``[dict of places]``; and as
    None each value with a slash in its own name, or in that of a dict around it."""
    shape: dict[str, Any] = {}
    for key, value in metrics.items():
        name = spelled(key)
        has_slash = is_listed or "/" in name
        if isinstance(value, Mapping):
            inner = _shape(value, is_listed=has_slash)
            shape[name] = [inner] if isinstance(value, _List) else inner
        elif has_slash:
            shape[name] = None
    return shape


def _nested(flat: Mapping[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """Put values into dicts and lists again."""
    root: dict[str, Any] = {}
    made: dict[str, dict[str, Any]] = {}  # by the path, where no name in it has a slash
    listed: dict[str, tuple[dict[str, Any], str]] = {}
    _make(shape, "", root, made, listed)
    for path, value in flat.items():
        holder, slash, name = path.rpartition("/")
        inside, name = listed.get(path) or ((made[holder], name) if slash and holder in made else (root, path))
        inside[name] = value
    closed: dict[str, Any] = _closed(root)
    return closed


def _make(
    shape: dict[str, Any],
    prefix: str,
    inside: dict[str, Any],
    made: dict[str, dict[str, Any]] | None,
    listed: dict[str, tuple[dict[str, Any], str]],
) -> None:
    """Make the dicts and lists of a shape; note which are found by their path, and where listed values belong."""
    for name, inner in shape.items():
        if inner is None:
            listed[prefix + name] = inside, name
            continue
        own = inside[name] = _List() if isinstance(inner, list) else {}
        known = None if "/" in name else made
        if known is not None:
            known[prefix + name] = own
        _make(inner[0] if isinstance(inner, list) else inner, f"{prefix}{name}/", own, known, listed)


def _closed(value: Any) -> Any:  # noqa: ANN401 - whatever was reported
    """Turn what stands for lists into lists. A place that nothing came for held None."""
    if isinstance(value, _List):
        places = {int(index): _closed(item) for index, item in value.items()}
        return [places.get(index) for index in range(max(places, default=-1) + 1)]
    return {name: _closed(item) for name, item in value.items()} if isinstance(value, dict) else value
