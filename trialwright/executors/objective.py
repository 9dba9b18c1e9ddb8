"""Calls the user's objective, and makes one event of how it ended.

An objective is a function of the config that reports; or a generator, whose yields are reports; or an ``async def``; or
a function that returns its result: a dict of metrics, or the one metric's number. A returned result is one last report.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from typing import cast

from trialwright.errors import said
from trialwright.messages import Failed, Finished, Halted
from trialwright.reporting import ERROR_LENGTH_MAX, Reply, Session, TrialStopped
from trialwright.storage.files import is_of_disk_at

TRACEBACK_LENGTH_MAX = 65_536

Ending = Finished | Failed | Halted


def perform(objective: Callable[[dict[str, object]], object], session: Session) -> Ending:
    """Run one attempt to its end, in this thread. The session must be serving."""
    trial, attempt = session.launch.trial, session.launch.attempt
    try:
        with session.exits:
            result = objective(session.config)
            if inspect.isgenerator(result):
                # Calling a generator function has run nothing yet: its body runs here.
                result = _iterate(cast("Generator[object, None, object]", result), session)
            elif inspect.iscoroutine(result):
                import asyncio  # here: with ssl and subprocess it is a seventh of what a worker process would import

                result = asyncio.run(cast("Coroutine[object, object, object]", result))
            conclude(session, result)
    # It derives from BaseException, so that ``except Exception`` in an objective does not swallow it.
    except TrialStopped as stop:
        leave_if_forked(session, stop)
        session.flush()
        return Halted(trial, attempt)
    except BaseException as error:
        leave_if_forked(session, error)
        return concluded_by(error, session)
    return Finished(trial, attempt)


def concluded_by(error: BaseException, session: Session) -> Ending:
    """Return the end of an attempt that raised: its trial has failed; or, if a disk has failed, the run stops, and the
    attempt is repeated when it is resumed."""
    launch = session.launch
    session.flush()
    # A full disk is not the trial's fault: counting it would fail every trial, one after another.
    if not is_of_disk_at(error, session.directory):
        return failure(launch.trial, launch.attempt, error)
    session.fail(error)
    return Halted(launch.trial, launch.attempt)


def _iterate(generator: Generator[object, None, object], session: Session) -> object:
    """Report what a generator yields. If the trial is stopped, the generator is closed, so that its ``finally``
    runs."""
    try:
        while True:
            try:
                item = next(generator)
            except StopIteration as stop:
                return stop.value
            if not isinstance(item, Reply):  # `yield report(...)` has been reported already
                session.report(as_metrics(item, session))
    finally:
        generator.close()


def conclude(session: Session, result: object) -> None:
    """Make a returned result the last report; send what is left. What ``report()`` returns is not a result, so that
    ``lambda config: report(...)`` is an objective."""
    leave_if_forked(session)
    session.returned = True
    if result is not None and not isinstance(result, Reply):
        session.report(as_metrics(result, session))
    session.flush()
    if session.metrics and session.step == 0:
        raise ValueError(f"no result: the objective neither reported nor returned {session.metrics[0]!r}")


def leave_if_forked(session: Session, error: BaseException | None = None) -> None:
    """End this process if the trial has forked it and its code has reached the end of the objective: only the trial's
    own process may go on from here."""
    if not session.is_forked:
        return
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a user may have closed or replaced them
            stream.flush()
    # Not sys.exit: it would unwind into the code of the worker, which this copy must not run, and run its exit
    # handlers.
    os._exit(code & 0xFF)


def as_metrics(result: object, session: Session) -> Mapping[str, object]:
    """Read a returned or yielded result: a dict of metrics, or a number if there is one metric."""
    if isinstance(result, Mapping):
        return result
    # ``item`` is how arrays and tensors of one element give their number.
    if len(session.metrics) == 1 and (isinstance(result, int | float) or hasattr(result, "item")):
        return {session.metrics[0]: result}
    kind = type(result).__name__
    raise TypeError(f"the objective returned a {kind}, not a dict of metrics: {repr(result)[:80]}")


def failure(trial: int, attempt: int, error: BaseException) -> Failed:
    """Return what the user's code raised: in one line, and as a traceback from the user's first frame on."""
    if isinstance(error, SystemExit):
        line = f"SystemExit: the objective called sys.exit({error.code!r})"
    else:
        line = next(iter(said(error).splitlines()), "").removesuffix(": ")
    # The first frame is our own call.
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    text = "".join(traceback.format_exception(type(error), error, frames))
    return Failed(trial, attempt, line[:ERROR_LENGTH_MAX], _middle_out(text, TRACEBACK_LENGTH_MAX))


def _middle_out(text: str, length: int) -> str:
    """Shorten a string in the middle: a traceback's beginning and end say most."""
    if len(text) <= length:
        return text
    half = length // 2 - 40
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
