"""Failures: which kinds of them a run has had, how often, and where the user's own code was."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from trialwright.core.trial import Trial

_FRAME = re.compile(r'^[ |]*File "(?P<file>.+?)", line (?P<line>\d+)(?:, in (?P<function>.+))?$', re.MULTILINE)
_OURS = __file__.removesuffix("core/failures.py")
_LIBRARY = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d[^/\\]*[/\\]|<frozen ", re.IGNORECASE
)


@dataclass(frozen=True)
class Failure:
    """One kind of failure: the first one's error, place (empty where none is known) and trial; how many there were."""

    error: str
    where: str
    trial: int
    count: int = 1


class Failures:
    """Counts failures by kind: the type of the exception, and the line of the user's code that led to it."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Failure] = {}

    @property
    def kinds(self) -> tuple[Failure, ...]:
        """All kinds, in the order of their first failures."""
        return tuple(self._kinds.values())

    def note(self, trial: Trial) -> None:
        """A trial has failed."""
        where = own_frame(trial.traceback)
        # Without a line, messages are compared but for their numbers: a lost worker's message names its process.
        kind = trial.error.partition(":")[0] if where else re.sub(r"\d+", "0", trial.error)
        known = self._kinds.get((kind, where), Failure(trial.error, where, trial.id, 0))
        self._kinds[kind, where] = replace(known, count=known.count + 1)


def own_frame(traceback: str) -> str:
    """Return the last frame of a traceback in the user's own code, as ``train.py:12, in train``: not in a library, nor
    in Trialwright. If there is none, return the last frame in a library; if that is missing too, an empty string."""
    frames = [found for found in _FRAME.finditer(traceback) if not found["file"].startswith(_OURS)]
    own = [frame for frame in frames if not _LIBRARY.search(frame["file"])]
    last = (own or frames)[-1:]
    return "".join(f"{at['file']}:{at['line']}" + (f", in {at['function']}" if at["function"] else "") for at in last)
