"""One slot as the driver sees it: a process for one trial at a time, from the request for it to its end.

A slot serves one shape of placement: this node, this much of each resource, these GPUs. It knows one launch at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from trialwright.executors.connections import Peer
from trialwright.executors.wire import Beat, Bye, Interrupt, Spent, ToDriver, Unwritable, WireError, encode
from trialwright.messages import (
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Placement,
    Reported,
    Returned,
    Started,
    TrialEvent,
)

BEAT_S = 5.0
LAST_WORDS_S = 2.0  # after a process is reported dead, how long its connection may take to end
FAREWELL_S = 0.1  # between closing the connection, which makes a process end its children, and killing it
DEATH_S = 30.0  # after a process was killed, how long it may take until its death is reported
LEAVE_S = 2.0
_ENDINGS = (Finished, Failed, Halted)

Shape: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Time limits for slots, and whether they are used again: see the arguments of ``OnRay``."""

    grace_s: float
    start_s: float
    silence_s: float
    reuse: bool | None


class Owner(Protocol):
    """The owner of the slots: a ``Pool``."""

    @property
    def rules(self) -> Rules:
        """Time limits for slots."""

    @property
    def cause_s(self) -> float:
        """After a connection has ended, how long it may take until the cause is known."""

    def begun(self, event: Started) -> None:
        """Its trial was handed over."""

    def returned(self, slot: Slot, event: Returned) -> None:
        """A trial that waited in it came back."""

    def pass_on(self, slot: Slot, event: TrialEvent, size: int) -> None:
        """Something happened in its trial."""

    def freed(self, slot: Slot) -> None:
        """Its trial has ended."""

    def halted_early(self, slot: Slot) -> None:
        """Its trial was halted before it could begin."""

    def withdraw(self, slot: Slot) -> None:
        """No trial can come to it any more."""

    def lost(self, slot: Slot, reason: str) -> None:
        """It is dead."""

    def cannot_dial(self, slot: Slot, error: OSError) -> None:
        """It could not connect."""

    def destroy(self, slot: Slot) -> None:
        """Its process is to be ended."""

    def fail_to_store(self, reason: str) -> None:
        """It cannot write to the run's directory."""


@dataclass(eq=False)
class Slot:
    """One process, from the request for it to its end. It is the ``Listener`` of its connection."""

    number: int
    placement: Placement
    shape: Shape
    pool: Owner
    launch: Launch | None = None
    frame: bytes = b""  # the same, for the wire
    grant: tuple[int, int] = (-1, -1)  # whose placement this is: the first of the trials that follow each other here
    queue: deque[tuple[Launch, bytes]] = field(default_factory=deque)  # trials that wait in the process, and frames
    handle: Any = None
    peer: Peer | None = None
    pid: int = 0
    worker: str = ""  # the name of its process, for people
    next_steps: tuple[int, ...] = ()  # where its next reports may begin
    silent: int = 0  # beats without an answer
    spent: str = ""  # why it must not run another trial
    resting: int = 0  # beats without a trial
    leaving: bool = False  # it has been told to end
    halting: bool = False
    killed: bool = False  # its trial was halted, and did not stop
    hung: bool = False  # the connection has ended: all its messages have been received
    gone: bool = False
    reason: str = ""  # why it had to be killed
    cause: str = ""  # the cause of its death, from its starter
    preempted: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def assign(self, launch: Launch, frame: bytes) -> None:
        """Run this trial, as soon as there is a connection."""
        self._take(launch, frame)
        if self.peer is not None:
            self._begin(self.peer, launch)

    def _take(self, launch: Launch, frame: bytes) -> None:
        self.launch, self.frame, self.halting, self.resting = launch, frame, False, 0
        self.next_steps = (1,) if launch.checkpoint is None else (1, launch.checkpoint.step + 1)

    def add(self, launch: Launch, frame: bytes) -> None:
        """Run this trial after those that it has."""
        self.queue.append((launch, frame))
        if self.peer is not None:
            self.peer.write(frame)

    def go_on(self) -> Launch:
        """The first trial has ended; the next one has begun already, if there is a connection."""
        launch, frame = self.queue.popleft()
        self._take(launch, frame)
        return launch

    def drop(self, launch: Launch) -> None:
        """A trial that waits here will not run."""
        self.queue = deque(item for item in self.queue if item[0] != launch)
        if self.peer is not None:
            self.peer.write(encode(Halt(launch.trial, launch.attempt)))

    def connected(self, peer: Peer, pid: int, worker: str = "") -> None:
        """It is connected, and can be sent messages."""
        self.peer, self.pid, self.worker, self.silent = peer, pid, worker, 0
        self._cancel_timers()
        # It was retired while it was starting.
        if self.leaving:
            peer.write(encode(Bye()))
        elif self.launch is not None:
            self._begin(peer, self.launch)
            for _, frame in self.queue:
                peer.write(frame)

    def heard(self, message: ToDriver, size: int) -> None:
        """Part of ``Listener``.

        Raises:
            WireError: its reports do not follow each other.
        """
        self.silent = 0
        if isinstance(message, Spent):
            self.spent = message.reason
        elif isinstance(message, Unwritable):
            self.pool.fail_to_store(message.reason)
        elif isinstance(message, Returned):
            self._take_back(message)
        elif not isinstance(message, Beat) and self._is_about_mine(message):
            if isinstance(message, Reported):
                self._follow(message)
            self.pool.pass_on(self, message, size)
            if isinstance(message, _ENDINGS):
                self._cancel_timers()
                self.pool.freed(self)
                if self.cause:  # this was the last message of a process that has died
                    self.end()

    def _take_back(self, event: Returned) -> None:
        """A trial takes long, and the slot hands back those that wait behind it, in their order."""
        if self.launch is not None and (event.trial, event.attempt) == (self.launch.trial, self.launch.attempt):
            self.preempted = True
            self.put_down("its process was busy with a trial that was cancelled")
        # In order: one that does not match was moved or cancelled meanwhile.
        elif self.queue and (event.trial, event.attempt) == (self.queue[0][0].trial, self.queue[0][0].attempt):
            self.queue.popleft()
            self.pool.returned(self, event)

    def hung_up(self, reason: str) -> None:
        """Part of ``Listener``: it is dead, or soon will be."""
        self.hung = True
        self.pool.withdraw(self)
        if self.cause:
            self.end()
        # It died by itself. Its starter will say why; the connection only ends sooner.
        elif not self.leaving and not self.killed:
            what = f"its worker (process {self.pid}) {self.spent or 'has ended: ' + reason}"
            self._later(self.pool.cause_s, self.put_down, what)

    def left(self, call: asyncio.Future[None]) -> None:
        """The process has left, or died. Its last messages may still be on their way."""
        if self.gone:
            return
        error = call.exception()
        if isinstance(error, OSError) and self.peer is None:  # a RayTaskError is an instance of what was raised
            self.pool.cannot_dial(self, error)
            return
        self.cause, self.preempted = _cause(error, self.pid, self.spent), bool(getattr(error, "preempted", False))
        # Nothing more can come that matters; else its last reports are still in the connection, and would be lost.
        if self.hung or self.peer is None or self.launch is None or self.reason:
            self.end()
        else:
            self._later(LAST_WORDS_S, self.end)

    def extend(self, extend: Extend) -> None:
        """Answer a waiting report: the trial goes on."""
        if self.peer is not None:
            self.peer.write(encode(extend))

    def halt(self, halt: Halt) -> None:
        """Stop the trial: with a Halt, then a signal, then by killing the process."""
        # It has not begun: there is nothing to stop, and the process may take another trial.
        if self.peer is None or self.launch is None:
            self.pool.halted_early(self)
        elif not self.halting:
            self.halting = True
            self.peer.write(encode(halt))
            self._later(self.pool.rules.grace_s / 2, self._interrupt, self.peer, self.launch)

    def retire(self) -> None:
        """End an idle process."""
        self.leaving = True
        if self.peer is not None:
            self.peer.write(encode(Bye()))
            self._later(LEAVE_S, self.end)
        else:
            self.end()

    def put_down(self, reason: str) -> None:
        """Kill the process. Its trial counts as ended only when the process is known to be dead: until then it may
        hold a GPU's memory."""
        # The first reason counts: killing it causes others.
        self.reason = self.reason or reason
        self._hang_up()
        self._later(DEATH_S, self.end)

    def end(self, reason: str = "") -> None:
        """The process is dead, or no longer waited for."""
        if not self.gone:
            self.gone = True
            self._cancel_timers()
            self._hang_up()
            self.pool.lost(self, reason or self.reason or self.cause)

    def beat(self) -> None:
        """Ask for a sign of life. Silence is counted in beats, not in seconds: a driver that was suspended has sent
        none meanwhile."""
        self.silent += 1
        self.resting += self.launch is None
        if self.silent * BEAT_S > self.pool.rules.silence_s and not self.reason:
            silence = f"{self.pool.rules.silence_s:g} s"
            self.put_down(f"its worker (process {self.pid}) has given no sign of life for {silence}")
        elif self.peer is not None:
            self.peer.write(encode(Beat()))

    def expect_call(self) -> None:
        """Give up if it does not connect in time: Ray waits without end for resources, and reports nothing."""
        start_s = self.pool.rules.start_s
        self._later(start_s, self.end, f"no worker could be started within {start_s:g} s for {self.placement}")

    def _begin(self, peer: Peer, launch: Launch) -> None:
        """Hand the trial over, and report it as started. A process that hangs before it could say so would escape the
        trial's timeout."""
        peer.write(self.frame)
        self.pool.begun(Started(launch.trial, launch.attempt, self.worker))

    def _follow(self, frame: Reported) -> None:
        if frame.first_step not in self.next_steps:
            expected = " or ".join(map(str, self.next_steps))
            raise WireError(f"its reports go on at step {frame.first_step}, not {expected}")
        # Steps that were lost or sent twice would silently shift everything that is decided by them.
        self.next_steps = (frame.last_step + 1,)

    def _interrupt(self, peer: Peer, launch: Launch) -> None:
        peer.write(encode(Interrupt(launch.trial, launch.attempt)))
        self._later(self.pool.rules.grace_s / 2, self._kill)

    def _kill(self) -> None:
        self.killed = True
        self.put_down("it was halted and did not stop")

    def _hang_up(self) -> None:
        if self.peer is not None:
            self.peer.close()
        # Not at once: when its connection ends a process ends its own children, which nothing else finds on another
        # machine.
        asyncio.get_running_loop().call_later(FAREWELL_S, self.pool.destroy, self)

    def _is_about_mine(self, event: TrialEvent) -> bool:
        mine = self.launch
        return mine is not None and (event.trial, event.attempt) == (mine.trial, mine.attempt)

    def _later(self, delay_s: float, function: Callable[..., None], *arguments: object) -> None:
        self.timers.append(asyncio.get_running_loop().call_later(delay_s, function, *arguments))

    def _cancel_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


def _cause(error: BaseException | None, pid: int, said: str) -> str:
    """Return the cause of a death: what the process has sent before, or the useful part of Ray's message."""
    if said:
        return f"its worker (process {pid}) {said}"
    if error is None:
        return f"its worker (process {pid}) left"
    # Ray's message is a page of possible causes; the real one is a sentence in it.
    text = str(error).split("The actor is dead because", 1)[-1].split("Some common causes", 1)[0]
    return f"its worker (process {pid}) died: {' '.join(text.split())[:500]}"
