"""Process: a searcher in a process of its own, which gets what is new in the history, and answers, over two pipes.

It is Python started afresh, not a fork, and shares neither locks nor memory with the run. Both ends only ever unpickle
what the other has sent. It ends when its pipes do, however the process that started it has ended.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeAlias, cast

import cloudpickle

from trialwright.errors import named
from trialwright.history import Entry, History, HistoryLog
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Searcher
from trialwright.streams import Streams

START_S = 60.0  # how long it may take to start
REAP_S = 5.0
CHUNK = 500  # entries a message: to pickle more at once would hold the interpreter for milliseconds

_COMMAND = "import sys; sys.path[:] = sys.argv[1:]; from trialwright.searchers.process import serve; serve()"


class Died(Exception):
    """The process has ended, or never began."""


class _Question(NamedTuple):
    requests: tuple[Request, ...]
    seed: int


class _Answer(NamedTuple):
    suggestions: tuple[Suggestion | None, ...] = ()
    error: BaseException | None = None


_Message: TypeAlias = "bytes | list[Entry] | None | _Question"  # a searcher; what is new; forget all; a question


# The run's end -------------------------------------------------------------------------------------------------------


class Process:
    """A process that begins to start. ``ready`` comes once it has the searcher, or with what went wrong.

    Args:
        searcher: pickled by cloudpickle, as it is after ``setup``.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, searcher: bytes) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - what is run is Python, on a module of ours
            [sys.executable, "-c", _COMMAND, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run; and what the searcher starts ends with it
        )
        self._told: History | None = None
        self.ready: Future[None] = Future()
        threading.Thread(target=self._greet, args=(searcher,), name="trialwright-searcher-start", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            Died: it has ended, or did not answer in time.
            Exception: whatever loading the searcher raised.
        """
        try:
            self.ready.result(START_S)
        except TimeoutError:
            raise Died(f"no answer within {START_S:g} s") from None

    def ask(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Tell the process what is new, and have it answer.

        Raises:
            Died: it has ended.
            Exception: whatever the searcher raised, with a note that says where.
        """
        self.wait()
        if not history.follows(self._told):
            self._send(None)
        news = history.entries(self._told)
        while some := [*islice(news, CHUNK)]:
            self._send(some)
        self._told = history
        self._send(_Question(tuple(requests), rng.seed))
        return self._receive()

    def close(self) -> None:
        """End the process at once, whatever it does. From any thread."""
        if self._child.poll() is None:  # else its number may be another's by now
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL) if hasattr(os, "killpg") else self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(REAP_S)
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):
                cast(BinaryIO, pipe).close()

    def _greet(self, searcher: bytes) -> None:
        try:
            self._send(searcher)
            self._receive()
        except BaseException as error:  # loading a searcher runs its module
            self.ready.set_exception(error)
        else:
            self.ready.set_result(None)

    def _send(self, message: _Message) -> None:
        pipe = cast(BinaryIO, self._child.stdin)
        try:
            pickle.dump(message, pipe)
            pipe.flush()
        except (OSError, ValueError) as error:  # ValueError: the pipe is closed
            raise self._death() from error

    def _receive(self) -> Sequence[Suggestion | None]:
        try:
            answer: _Answer = pickle.load(cast(BinaryIO, self._child.stdout))  # noqa: S301 - from a process of ours
        except (OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise self._death() from error
        if answer.error is not None:
            raise answer.error
        return answer.suggestions

    def _death(self) -> Died:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(REAP_S)
        code = self._child.returncode
        return Died(f"signal {-code}" if code is not None and code < 0 else f"exit code {code}")


# The process's end ---------------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer questions until the pipe closes."""
    inbox, outbox = _pipes()
    messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox, messages), daemon=True).start()
    try:
        searcher: Searcher = pickle.loads(cast(bytes, messages.get()))  # noqa: S301 - from the process that started us
    except BaseException as error:  # loading a searcher runs its module
        _send(outbox, _failed(error))
        return
    _send(outbox, cloudpickle.dumps(_Answer()))
    log = HistoryLog()
    while True:
        match messages.get():
            case None:
                log = HistoryLog()
            case _Question() as question:
                _send(outbox, _answered(searcher, log.until(len(log)), question))
            case list() as news:
                for entry in news:
                    log.write(entry)


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the messages: what a searcher prints goes to standard error."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return inbox, outbox


def _listen(inbox: BinaryIO, messages: queue.SimpleQueue[_Message]) -> None:
    """Hand on what comes; at the end of the pipe, end, also in the midst of an answer."""
    try:
        while True:
            messages.put(pickle.load(inbox))  # noqa: S301 - from the process that started us
    except (EOFError, pickle.UnpicklingError):  # the latter: it was killed while it sent
        pass
    finally:
        os._exit(0)


def _answered(searcher: Searcher, history: History, question: _Question) -> bytes:
    try:
        suggestions = searcher.suggest(history, question.requests, Streams(question.seed))
        return cast(bytes, cloudpickle.dumps(_Answer(tuple(suggestions))))
    except BaseException as error:  # whatever a searcher raises ends the run
        return _failed(error)


def _failed(error: BaseException) -> bytes:
    """Return the error as an answer; in place of one that cannot be sent, its text."""
    where = f"in the searcher's process:\n{traceback.format_exc()}"
    error.add_note(where)
    with suppress(BaseException):  # it runs the error's own methods
        sent: bytes = cloudpickle.dumps(_Answer(error=error))
        pickle.loads(sent)  # noqa: S301 - our own
        return sent
    instead = RuntimeError(named(error))
    instead.add_note(where)
    return cast(bytes, cloudpickle.dumps(_Answer(error=instead)))


def _send(outbox: BinaryIO, answer: bytes) -> None:
    outbox.write(answer)
    outbox.flush()
