"""The content of log files: trials, their rows and names, and the interface of a format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Row:
    """One report: when it came (seconds since 1970), at which step, and what was in it, flat and as a user sees it;
    and what is left out of it, because no log file can be written with that."""

    time: float
    step: int
    flat: dict[str, Any]
    nested: dict[str, Any]
    left_out: dict[str, Any] = field(default_factory=dict)


@dataclass
class Logged:
    """A trial as the formats see it. Times are seconds since 1970."""

    id: int
    directory: Path
    config: dict[str, Any] = field(default_factory=dict)
    varied: dict[str, Any] = field(default_factory=dict)  # flat
    started: float = 0.0  # its first attempt
    ended: float = 0.0
    outcome: str = ""

    def begin(self, config: dict[str, Any], varied: dict[str, Any]) -> None:
        """Take its configuration, the first or another one, and write it beside its rows."""
        self.config, self.varied = config, varied
        self.directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config, indent=2, sort_keys=True, default=str)
        (self.directory / "params.json").write_text(text, encoding="utf-8")

    def fail(self, attempt: int, error: str) -> None:
        """Write what went wrong."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "error.txt").write_text(f"attempt {attempt}:\n{error}\n", encoding="utf-8")


@dataclass(frozen=True)
class Naming:
    """How things are called in the files. Plain data, because another process goes by it.

    Args:
        rows: ``module:function`` of a ``Names``, for rows with other names than the engine's.
        prefix: what the names of TensorBoard's scalars begin with.
        varied: the paths of the parameters that vary; None where they are not known: then all count.
    """

    rows: str | None = None
    prefix: str = ""
    varied: Sequence[str] | None = None


Names = Callable[[Logged, Mapping[str, Any], int, float], Row]
"""Makes a row of a report with the engine's names, its step, and the time when it came."""


class Format(Protocol):
    """One kind of log file. It is new whenever a process begins to write, and may throw away what it finds."""

    def start(self, trial: Logged) -> None:
        """A trial's configuration is known, for the first time or as another one."""

    def keep(self, trial: Logged) -> None:
        """Add to what is there of a trial, which comes from an earlier process."""

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """A trial reported."""

    def end(self, trial: Logged) -> None:
        """A trial ended, for good."""
