"""What has happened to trials: the last transitions, for people to read, and a digest of them all."""

from __future__ import annotations

import struct
from collections import deque
from hashlib import sha256

from trialwright.core.trial import TABLE, State, Trial
from trialwright.messages import RetryRequested

STORY_LENGTH = 10_000  # how many of the last transitions, of all trials, are kept for an error's story

_STEP = struct.Struct("<qiqbbb")
_LATER = (RetryRequested,)  # came after the first journals: the digests of these know the codes of the others
_FIRST = {message for row in TABLE.values() for message in row}.difference(_LATER)
_MESSAGES = [*sorted(_FIRST, key=lambda message: message.__name__), *_LATER]
_CODES: dict[object, int] = {item: code for code, item in enumerate([*State, *_MESSAGES])}


class TransitionLog:
    """The transitions so far."""

    def __init__(self) -> None:
        self._story: deque[tuple[float, int, int, type, State, State | None]] = deque(maxlen=STORY_LENGTH)
        self._digest = sha256()

    def note(self, now: float, trial: Trial, message: type, after: State | None) -> None:
        """Write down a transition from the trial's state; ``after`` is None if the table has no such row."""
        before = trial.state
        self._story.append((now, trial.id, trial.attempt, message, before, after))
        if after is not None:
            step = _STEP.pack(trial.id, trial.attempt, trial.step, _CODES[message], _CODES[before], _CODES[after])
            self._digest.update(step)

    def story(self, trial: int) -> str:
        """Return the last transitions of a trial, a line each."""
        lines = (
            f"  {now:.3f}s attempt {attempt}: {before} --{message.__name__}--> {after or 'nowhere'}"
            for now, number, attempt, message, before, after in self._story
            if number == trial
        )
        return "\n".join([f"the story of trial {trial}:", *lines])

    @property
    def digest(self) -> str:
        """A fingerprint of every transition: equal for a replay that went the same way."""
        return self._digest.hexdigest()[:16]
