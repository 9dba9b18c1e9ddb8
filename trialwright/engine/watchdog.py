"""A watchdog: detects a scheduler or stop rule that does not return, warns of it, and ends the run.

Schedulers and stop rules are called on the run's loop, because another thread would cost more than the calls do. So
while one of them hangs, the whole run stands still. The watchdog samples the stack of the loop's thread from another
thread, once a second: that costs the calls themselves nothing.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from trialwright.core.experiment import Experiment
from trialwright.errors import PolicyError

LOOK_S, LOOK_MIN_S = 1.0, 0.01
HURRY_S = 2.0  # how long a hook may go on once the run should end
LEAVE_S = 1.0  # how long it is waited for after it was interrupted

_HANDLE = Experiment.handle.__code__  # schedulers and stop rules are asked in here, about one event in one call
_OURS = str(Path(__file__).parents[1])


class Overdue(BaseException):
    """Raised inside a hook that does not return."""


class Patience:
    """How long a hook may take until there is a warning, and until the run ends. Anything but a number means never: the
    engine refuses it elsewhere."""

    def __init__(self, warning_s: object, timeout_s: object) -> None:
        self.warning_s, self.timeout_s = (
            float(given) if isinstance(given, int | float) else math.inf for given in (warning_s, timeout_s)
        )
        self.period_s = min(LOOK_S, max(min(self.warning_s, self.timeout_s) / 4, LOOK_MIN_S))


class Watchdog:
    """Watches the thread in which it is entered, until it is left.

    Args:
        patience: with hooks.
        others: other functions that call user code on the loop. They may take long for good reasons: they are ended
            only if the run should end.
        warn: called with the hook that does not return, and its stack.
        is_late: tells whether the run should end: then a hook has only ``HURRY_S`` left.
        leave: called with the error that ends the run if the hook cannot be interrupted; None if the thread cannot be
            abandoned.
    """

    def __init__(
        self,
        patience: Patience,
        others: Sequence[Callable[..., object]],
        warn: Callable[[str], None],
        is_late: Callable[[], bool],
        leave: Callable[[PolicyError], None] | None,
    ) -> None:
        self.error: PolicyError | None = None  # why it ended the run
        self._patience, self._warn, self._is_late, self._leave = patience, warn, is_late, leave
        self._calls = {_HANDLE, *(getattr(each, "__code__", None) for each in others)}
        self._over = threading.Event()
        self._watched = threading.get_ident()
        self._call: FrameType | None = None  # that went on when it looked last
        self._since = 0.0
        self._is_named = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="trialwright-watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # What it raised arrives as it is, or in the experiment's PolicyError; another error has its own reason.
        if self.error is not None and isinstance(error, PolicyError | Overdue):
            raise self.error from error

    def _watch(self) -> None:
        while self.error is None and not self._over.wait(self._patience.period_s):
            self._look(time.monotonic())
        self._call = None  # a frame keeps all its variables alive

    def _look(self, now: float) -> None:
        stack = self._stack()
        if stack is None or stack[0] is not self._call:  # another call than a moment ago, so that one has returned
            self._call, self._since, self._is_named = stack[0] if stack else None, now, False
            return
        lasts_s = now - self._since
        limit_s = self._patience.timeout_s if stack[0].f_code is _HANDLE else math.inf
        if lasts_s > self._patience.warning_s and not self._is_named:
            self._is_named = True
            self._warn(
                f"{_name(stack)} has not returned for {lasts_s:.0f} s, and the run waits for it:\n{_shown(stack)}"
            )
        if lasts_s > min(limit_s, HURRY_S if self._is_late() else limit_s):
            self._end(f"{_name(stack)} did not return within {lasts_s:.0f} s:\n{_shown(stack)}")

    def _stack(self) -> list[FrameType] | None:
        """Return the thread's stack from the function that calls hooks to the innermost call; None if it is not in such
        a function."""
        stack: list[FrameType] = []
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - as it is documented
        while frame is not None:
            stack.append(frame)
            if frame.f_code in self._calls:
                return stack[::-1]
            frame = frame.f_back
        return None

    def _end(self, text: str) -> None:
        self.error = PolicyError(text)
        # Raised once the thread runs Python code again: it has no effect inside C code that does not return.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._watched), ctypes.py_object(Overdue))
        if not self._over.wait(LEAVE_S) and self._leave is not None:
            self._leave(
                PolicyError(f"{text}It could not be interrupted: its thread is abandoned, and what waits for it too")
            )


def _name(stack: list[FrameType]) -> str:
    code = _users(stack)[0].f_code
    role = "scheduler" if stack[0].f_code is _HANDLE else "function"
    # Both are asked by the experiment's judge: stop rules in ``Judge._overrule``.
    if any(frame.f_code.co_name == "_overrule" for frame in stack):
        role = "stop rule"
    return f"the {role} {code.co_qualname} ({code.co_filename}, line {code.co_firstlineno})"


def _users(stack: list[FrameType]) -> list[FrameType]:
    """Return the frames of the user's code; if there are none (it is in C), the frame that calls it."""
    theirs = [frame for frame in stack if not frame.f_code.co_filename.startswith(_OURS)]
    return theirs or stack[-1:]


def _shown(stack: list[FrameType]) -> str:
    return "".join(traceback.format_list(traceback.StackSummary.extract((f, f.f_lineno) for f in _users(stack))))
