"""Trials in processes that Ray places, starts, and supervises: on this machine, or on a cluster.

A *slot* is a Ray actor with room for one trial. It makes one long call, ``serve`` (see ``worker.py``), dials the driver, and all that is
said between them travels over that one connection (see ``wire.py``); that the pending call fails is Ray's way to say that the slot
has died, and of what. A slot serves one shape of placement: this node, this much of each resource, these GPUs.

On a Ray that we started, the ledger is the only one who books: slots ask Ray for nothing, so that none ever waits for Ray's own books,
and what trials start on Ray themselves finds room. On a cluster that we joined, slots ask Ray for what their trials were granted.

This is the one file that imports Ray, and only when an executor is opened. Calls into Ray block, so they are made in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import cloudpickle

from trialist.engine.ledger import to_amounts, to_units
from trialist.errors import ExecutorError
from trialist.executors import worker
from trialist.executors.base import Asker, Inbox, Run
from trialist.executors.isolation import in_main_thread
from trialist.executors.wire import (
    Beat,
    Bye,
    Caller,
    Frames,
    Hello,
    Interrupt,
    Listener,
    Spent,
    ToDriver,
    WireError,
    encode,
    from_worker,
)
from trialist.messages import (
    Ask,
    CapacityChanged,
    Command,
    Discard,
    Event,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Node,
    Placement,
    Reported,
    Started,
)
from trialist.storage import checkpoints

BEAT_S = 5.0
CAUSE_S = 0.2  # after the connection ends, how long Ray may take to say why
LAST_WORDS_S = 2.0  # after Ray says that it is dead, how long the connection may take to end
FAREWELL_S = 0.1  # between hanging up, which lets a slot end its children, and killing it
JOIN_S = 60.0
KNOCK_S = 5.0
LEAVE_S = 8.0
MISSES_MAX = 3
POLL_S = 1.0
PAYLOAD_BYTES_MAX = 256 * 2**20
UNREAD_BYTES_MAX = 8 * 2**20  # of frames that nobody took yet: beyond it the slots are made to wait
_ENDINGS = (Finished, Failed, Halted)
_NAMES = {"CPU": "cpu", "GPU": "gpu", "memory": "memory"}

Shape: TypeAlias = tuple[object, ...]


class _Thread:
    """One daemon thread for calls that block. Ray's own processes die with the thread that started them, so it stays."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have this called; whatever comes of it, nobody asks."""
        self._calls.put((Future(), function, arguments))

    def call(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Have this called, after all that was handed over before."""
        future: Future[Any] = Future()
        self._calls.put((future, function, arguments))
        return asyncio.wrap_future(future)

    def close(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, function, arguments = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # Ray calls sys.exit in places
                future.set_exception(error)


# Ray -----------------------------------------------------------------------------------------------------------------------


@dataclass
class _Cluster:
    """Ray itself. All methods block, and are called in one thread."""

    address: str | None
    num_cpus: float | None
    num_gpus: int | None
    ours: bool = False  # we started it
    connected: bool = False  # we connected this process to it

    def open(self, payload: bytes) -> None:
        """Join or start, and deposit what every slot needs."""
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"  # Ray's own way to tell its jobs where they are
        self.ours = address == "local" and not _is_running()
        with _environment(_settings() if self.ours else {}):
            import ray

            if not ray.is_initialized():
                self._connect(ray, address)
                self.connected = True
        self._ray: Any = ray
        self._payload: Any = ray.put(payload)
        self._devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if self.ours else []

    def _connect(self, ray: Any, address: str) -> None:
        settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self.ours:
            settings |= {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "include_dashboard": False}
        _knock(address)
        logger = logging.getLogger("ray")
        level = logger.level
        logger.setLevel(logging.ERROR)  # it warns that it cannot handle SIGTERM in this thread: that is as we want it
        try:
            ray.init(address=address, **settings)
        finally:
            logger.setLevel(level)

    def nodes(self) -> tuple[Node, ...]:
        """Return the machines that are up, as the ledger counts them."""
        return tuple(Node(node["NodeID"], _amounts(node["Resources"])) for node in self._ray.nodes() if node["Alive"])

    def host(self) -> str:
        """Where slots can reach this process."""
        return "127.0.0.1" if self.ours else str(self._ray.util.get_node_ip_address())

    def start(self, placement: Placement, dial: tuple[Any, ...] | None, root: str) -> tuple[Any, Future[None]]:
        """Begin to start a slot; return the actor, and what its ``serve`` will come to."""
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(placement.node, soft=False)
        options: dict[str, Any] = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": affinity}
        groups = {"concurrency_groups": {"wire": 2}} if dial is None else {"max_concurrency": 1}
        environment = worker.environment(to_amounts(placement.units).get("cpu", 0.0), self._visible(placement))
        actor: Any = self._ray.remote(**groups)(_slot_class()).options(**options, **self._request(placement)).remote(environment)
        return actor, actor.serve.remote(dial, self._payload, root).future()

    def exchange(self, actor: Any, data: bytes, wait_s: float) -> Future[bytes]:
        """Call a slot that cannot dial."""
        future: Future[bytes] = actor.exchange.options(concurrency_group="wire").remote(data, wait_s).future()
        return future

    def kill(self, actor: Any) -> None:
        """End a slot, whatever it does."""
        self._ray.kill(actor)

    def describe(self, error: Exception) -> str:
        """Say what failed, and what is known to help."""
        if self.ours:
            return f"Ray cannot be started on this machine: {error!r}"
        advice = "if the cluster wants a token, set RAY_AUTH_MODE=token in this process's environment"
        return f"the Ray cluster at {self.address or os.environ.get('RAY_ADDRESS')} cannot be joined: {error!r}; {advice}"

    def close(self) -> None:
        """Stop what we started; leave what we joined."""
        self._payload = None  # Ray counts references by names that the next session in this process will use again
        if self.connected:
            self._ray.shutdown()

    def _visible(self, placement: Placement) -> str | None:
        """Which GPUs the slot may see: those that were granted, or those that Ray will assign, and never others."""
        if "gpu" in placement.units and not self.ours:
            return None
        known = dict(enumerate(filter(None, self._devices)))
        return ",".join(known.get(index, str(index)) for index in placement.gpus)

    def _request(self, placement: Placement) -> dict[str, Any]:
        amounts = {} if self.ours else to_amounts(placement.units)
        request = {"num_cpus": amounts.pop("cpu", 0), "num_gpus": amounts.pop("gpu", 0)}
        memory = int(amounts.pop("memory", 0))
        return {**request, **({"memory": memory} if memory else {}), "resources": amounts}


def _slot_class() -> type:
    """Make the actor's class. A local class travels by value, so that a slot's process sets its environment before it imports us."""

    class Slot:
        def __init__(self, environment: dict[str, str]) -> None:
            import os

            os.environ.update(environment)
            from trialist.executors import worker

            self.letters = worker.Exchange()

        def serve(self, dial: tuple[Any, ...] | None, payload: bytes, root: str) -> None:
            from pathlib import Path

            from trialist.executors import worker

            worker.serve(self.letters if dial is None else worker.dial(*dial), payload, Path(root))

        def exchange(self, data: bytes, wait_s: float) -> bytes:
            return self.letters.exchange(data, wait_s)

    return Slot


def _amounts(resources: dict[str, float]) -> dict[str, float]:
    own = {name: amount for name, amount in resources.items() if not _is_internal(name)}
    return {_NAMES.get(name, name): amount for name, amount in own.items()}


def _is_internal(name: str) -> bool:
    return name.startswith(("node:", "accelerator_type:", "object_store_memory", "bundle_group")) or "_group_" in name


def _knock(address: str) -> None:
    """Raise an OSError at once where Ray would try for a minute."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.rpartition("/")[2], int(port)), KNOCK_S).close()


def _settings() -> dict[str, str]:
    """How a Ray of ours is to be. It reads how to authenticate when it is imported: if it has been, it has made up its mind."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    return settings if "ray" in sys.modules else {**settings, "RAY_AUTH_MODE": "token"}


def _is_running() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for Ray and the processes that it starts meanwhile. What is set already is somebody's wish."""
    before = os.environ.copy()
    os.environ.update({name: value for name, value in variables.items() if name not in before})
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":  # ours, and those that Ray itself has set
                del os.environ[name]


# Slots ---------------------------------------------------------------------------------------------------------------------


class _Peer(Protocol):
    """The driver's end of a slot's connection."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...


class _Polled:
    """The driver's end where a slot cannot dial: it is called again and again, for the same frames."""

    def __init__(self, slot: Listener, exchange: Callable[[bytes, float], Any]) -> None:
        self._slot, self._exchange = slot, exchange
        self._frames = Frames()
        self._outgoing: list[bytes] = []
        self._written, self._reading = asyncio.Event(), asyncio.Event()
        self._reading.set()
        self._tasks = [asyncio.create_task(self._pull()), asyncio.create_task(self._push())]

    def write(self, data: bytes) -> None:
        self._outgoing.append(data)
        self._written.set()

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _pull(self) -> None:
        reason = "the slot does not answer"
        with suppress(Exception):  # Ray's errors come by the pending call of serve, too, and there with their reasons
            while True:
                await self._reading.wait()
                data = await self._exchange(b"", POLL_S)
                try:
                    for body in self._frames.feed(data):
                        self._slot.heard(from_worker(body), len(body))
                except WireError as error:
                    reason = f"it broke the wire's rules: {error}"
                    break
        self._slot.hung_up(reason)

    async def _push(self) -> None:
        while await self._written.wait():
            self._written.clear()
            data, self._outgoing = b"".join(self._outgoing), []
            with suppress(Exception):  # as above
                await self._exchange(data, 0.0)


@dataclass(eq=False)
class _Slot:
    """One process with room for one trial, from its first thought to its end."""

    number: int
    placement: Placement
    shape: Shape
    pool: OnRay
    launch: Launch | None = None
    frame: bytes = b""  # the same, for the wire
    actor: Any = None
    peer: _Peer | None = None
    pid: int = 0
    silent: int = 0  # beats without an answer
    spent: bool = False  # it must not run another trial
    leaving: bool = False  # it has been told to go
    killed: bool = False  # its trial was halted, and would not stop
    hung: bool = False  # the connection has ended
    cause: str = ""  # what it died of, as Ray tells
    preempted: bool = False
    gone: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def assign(self, launch: Launch, frame: bytes) -> None:
        """Run this trial, as soon as there is a connection."""
        self.launch, self.frame = launch, frame
        if self.peer is not None:
            self.peer.write(frame)

    def connected(self, peer: _Peer, pid: int) -> None:
        """The slot has called."""
        self.pool.misses = 0
        self.peer, self.pid = peer, pid
        self._cancel_timers()
        if self.leaving:
            peer.write(encode(Bye()))
        elif self.launch is not None:
            peer.write(self.frame)

    def heard(self, message: ToDriver, size: int) -> None:
        """Part of ``Listener``."""
        self.silent = 0
        if isinstance(message, Spent):
            self.spent = True
        elif not isinstance(message, Beat) and self._is_about_mine(message):
            self.pool.pass_on(self, message, size)
            if isinstance(message, _ENDINGS):
                self._cancel_timers()
                self.pool.freed(self)

    def hung_up(self, reason: str) -> None:
        """Part of ``Listener``: it is dead, and all that it has said has been heard. Ray may soon know of what it died."""
        self.hung = True
        if self.cause:
            self.end(self.cause)
        elif not self.leaving:
            self._later(CAUSE_S, self.end, f"its worker (process {self.pid}) is gone: {reason}")

    def halt(self) -> None:
        """Have the trial stopped: by asking, by a signal, by death."""
        if self.peer is None or self.launch is None:
            return self.pool.halted_early(self)
        key = (self.launch.trial, self.launch.attempt)
        self.peer.write(encode(Halt(*key)))
        if not self.timers:
            self._later(self.pool.grace_s / 2, self.peer.write, encode(Interrupt(*key)))
            self._later(self.pool.grace_s, self.kill)
        return None

    def kill(self) -> None:
        """End the process and its children. The trial has been halted when the process is known to be dead."""
        self.killed = True
        self.hang_up()
        self._later(30.0, self.end, "")

    def retire(self) -> None:
        """Let an idle process go."""
        self.leaving = True
        if self.peer is not None:
            self.peer.write(encode(Bye()))
        self._later(2.0, self.end, "")

    def hang_up(self) -> None:
        """Close the connection: the slot ends its children and itself. A moment later Ray is asked to end it, if it has not."""
        if self.peer is not None:
            self.peer.close()
        asyncio.get_running_loop().call_later(FAREWELL_S, self.pool.destroy, self)

    def end(self, reason: str) -> None:
        """It is dead, or as good as dead."""
        if self.gone:
            return
        self.gone = True
        self._cancel_timers()
        self.hang_up()
        self.pool.lost(self, reason)

    def served(self, call: asyncio.Future[None]) -> None:
        """``serve`` has ended: the process has left, or died. Its last words may still be on their way."""
        error = call.exception()
        if isinstance(error, OSError) and self.peer is None:  # a RayTaskError is an instance of what was raised
            self.pool.cannot_dial(self, error)
            return
        self.cause, self.preempted = _cause(error, self.pid), bool(getattr(error, "preempted", False))
        if self.hung or self.peer is None or self.launch is None:
            self.end(self.cause)
        else:
            self._later(LAST_WORDS_S, self.end, self.cause)

    def beat(self) -> None:
        """Ask for a sign of life. Counted in beats, not in seconds: a driver that was suspended has not beaten meanwhile."""
        self.silent += 1
        if self.silent > self.pool.silence_s / BEAT_S:
            self.end(f"its worker (process {self.pid}) has given no sign of life for {self.pool.silence_s:g} s")
        elif self.peer is not None:
            self.peer.write(encode(Beat()))

    def expect_call(self, start_s: float) -> None:
        """Give up if it has not called by then: Ray waits for ever for room that will not come."""
        self._later(start_s, self.end, f"no worker could be started within {start_s:g} s for {self.placement}")

    def _is_about_mine(self, message: Started | Reported | Finished | Failed | Halted) -> bool:
        mine = self.launch
        return mine is not None and (message.trial, message.attempt) == (mine.trial, mine.attempt)

    def _later(self, delay_s: float, function: Callable[..., None], *arguments: Any) -> None:
        self.timers.append(asyncio.get_running_loop().call_later(delay_s, function, *arguments))

    def _cancel_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


def _cause(error: BaseException | None, pid: int) -> str:
    """Of what Ray says about a death, the part that says something."""
    text = str(error).split("The actor is dead because", 1)[-1].split("Some common causes", 1)[0]
    text = " ".join(text.replace("There are some potential root causes.", "").split())
    return f"its worker (process {pid}) died: {text[:500]}" if error else f"its worker (process {pid}) left"


# The executor --------------------------------------------------------------------------------------------------------------


class OnRay:
    """Runs trials on Ray: in processes of this machine, or of a cluster.

    If this process has Ray running already, or an address is given (here or in ``RAY_ADDRESS``), that Ray is joined, and left as it
    was; else one is started for this run on this machine, with authentication, and stopped at the end.

    Args:
        address: of a cluster to join, as ``ray.init`` takes it.
        num_cpus: how many CPUs a Ray that is started here counts; all by default.
        num_gpus: how many GPUs; those that are found by default.
        grace_s: how long a trial that is to stop may take before its process is killed; after half of it, it is interrupted.
        reuse_workers: run one trial after another in the same process; by default all but those with a GPU.
        carrier: how processes are talked to: over a connection that they dial, or by calls of Ray's, which is slower. Where dialling
            turns out to be impossible, Ray's calls are used.
        start_s: how long the start of a process may take.
        silence_s: how long a process may give no sign of life before it is taken for dead. One that computes for so long without
            once letting go of Python's interpreter lock gives none.
        host: where to listen for processes; by default the loopback on a Ray started here, else this node's address in the cluster.
        port: 0 for any.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        num_cpus: float | None = None,
        num_gpus: int | None = None,
        grace_s: float = 10.0,
        reuse_workers: bool | None = None,
        carrier: Literal["tcp", "ray"] = "tcp",
        start_s: float = 60.0,
        silence_s: float = 120.0,
        host: str | None = None,
        port: int = 0,
    ) -> None:
        self._cluster = _Cluster(address, num_cpus, num_gpus)
        self.grace_s, self.silence_s, self.start_s = grace_s, silence_s, start_s
        self._reuse, self._carrier, self._host, self._port = reuse_workers, carrier, host, port
        self._slots: dict[int, _Slot] = {}
        self._running: dict[tuple[int, int], _Slot] = {}
        self._idle: defaultdict[Shape, list[_Slot]] = defaultdict(list)
        self._nodes: dict[str, Node] = {}
        self._numbers = 0
        self.misses = 0  # slots in a row that could not be started
        self._unread, self._paused = 0, list[_Peer]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._token = secrets.token_bytes(32)
        self._closing = False

    # Executor ------------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Part of ``Executor``."""
        return self._run.began_s + time.monotonic() - self._opened

    async def open(self, run: Run) -> None:
        """Part of ``Executor``.

        Raises:
            ExecutorError: Ray cannot be started or joined.
            TypeError, ValueError: the objective cannot be sent to other processes.
        """
        payload = _pack(run)
        self._run, self._opened = run, time.monotonic()
        self._inbox = Inbox()
        self._asker = Asker(run.suggest, self._inbox)
        self._ray, self._cleaner = _Thread("trialist-ray"), _Thread("trialist-discard")
        self._temporary = None if run.directory else tempfile.mkdtemp(prefix="trialist-")
        self._root = Path(self._temporary or run.directory or "").resolve()
        nodes = await self._begin(payload)
        self._host = self._host or await self._ray.call(self._cluster.host)
        if self._carrier == "tcp":
            await self._listen()
        self._take_note(nodes)
        self._begin_task(self._beat())
        if not self._cluster.ours:
            self._begin_task(self._watch_nodes())

    def do(self, command: Command) -> None:
        """Part of ``Executor``."""
        match command:
            case Launch():
                self._launch(command)
            case Extend():
                self._extend(command)
            case Halt():
                if slot := self._running.get((command.trial, command.attempt)):
                    slot.halt()
            case Ask():
                self._asker.ask(command)
            case Discard():
                self._cleaner.tell(checkpoints.discard, Path(command.path), self._root)
            case _:
                pass  # Cancel: nothing was begun

    async def events(self, until: float | None) -> list[Event]:
        """Part of ``Executor``."""
        events = await self._inbox.take(None if until is None else max(0.0, until - self.now()))
        self._unread = 0
        while self._paused:
            self._paused.pop().resume()
        return events

    async def close(self) -> None:
        """Part of ``Executor``. Takes a few seconds at most, whatever Ray does."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        for slot in list(self._slots.values()):
            slot.end("the run is over")
        await asyncio.sleep(2 * FAREWELL_S)
        with suppress(Exception), _signals_kept():  # what cannot be shut down in time ends with this process
            await asyncio.wait_for(self._ray.call(self._cluster.close), LEAVE_S)
        for thread in (self._ray, self._cleaner, self._asker):
            thread.close()
        if self._temporary:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    # What slots tell ----------------------------------------------------------------------------------------------------

    def pass_on(self, slot: _Slot, event: Event, size: int) -> None:
        """Something happened in a trial."""
        self._inbox.put(event)
        self._unread += size
        if self._unread > UNREAD_BYTES_MAX and slot.peer is not None:
            slot.peer.pause()
            self._paused.append(slot.peer)

    def freed(self, slot: _Slot) -> None:
        """A slot's trial has ended."""
        self._forget(slot)
        if slot.spent or self._wants_fresh(slot.placement):
            slot.retire()
        else:
            self._idle[slot.shape].append(slot)

    def halted_early(self, slot: _Slot) -> None:
        """A trial was halted before its slot was there."""
        if launch := self._forget(slot):
            self._inbox.put(Halted(launch.trial, launch.attempt))
            self._idle[slot.shape].append(slot)

    def lost(self, slot: _Slot, reason: str) -> None:
        """A slot is dead. One that never lived is not its trial's fault."""
        self._slots.pop(slot.number, None)
        if slot in self._idle[slot.shape]:
            self._idle[slot.shape].remove(slot)
        launch = self._forget(slot)
        if self._closing:
            return
        stillborn = slot.peer is None and not slot.leaving
        if launch is not None and slot.killed:
            self._inbox.put(Halted(launch.trial, launch.attempt))
        elif launch is not None:
            self._inbox.put(Lost(launch.trial, launch.attempt, reason, slot.preempted or stillborn))
        self.misses += stillborn
        if self.misses >= MISSES_MAX:
            self._inbox.fail(ExecutorError(f"{self.misses} workers in a row could not be started; the last: {reason}"))

    def cannot_dial(self, slot: _Slot, error: OSError) -> None:
        """A slot could not connect: from now on they are called, and its trial gets another."""
        logging.getLogger(__name__).warning("workers cannot connect to %s: %s; using Ray's calls", self._host, error)
        self._carrier = "ray"
        launch = self._forget(slot)
        slot.leaving = True  # so that nobody counts it as lost
        slot.end("it could not connect")
        if launch is not None:
            self._launch(launch)

    def destroy(self, slot: _Slot) -> None:
        """End a slot's process; if it is on this machine and did not leave by itself, its children, too."""
        if slot.actor is not None:
            self._ray.tell(self._cluster.kill, slot.actor)
            slot.actor = None
        if slot.pid and self._cluster.ours and not slot.leaving:
            asyncio.get_running_loop().call_later(FAREWELL_S, _kill_group, slot.pid)

    # Slots ---------------------------------------------------------------------------------------------------------------

    def _launch(self, launch: Launch) -> None:
        try:
            frame = encode(launch)
        except WireError as error:
            self._inbox.put(Failed(launch.trial, launch.attempt, f"its config cannot be sent to a worker: {error}"))
            return
        shape = self._shape(launch.placement)
        slot = self._idle[shape].pop() if self._idle[shape] else self._make(launch.placement)
        self._running[launch.trial, launch.attempt] = slot
        slot.assign(launch, frame)
        if self._cluster.ours and self._wants_fresh(launch.placement) and not self._idle[shape]:
            self._idle[shape].append(self._make(launch.placement))  # the next one's process starts while this one works

    def _extend(self, extend: Extend) -> None:
        slot = self._running.get((extend.trial, extend.attempt))
        if slot is not None and slot.peer is not None:
            slot.peer.write(encode(extend))

    def _shape(self, placement: Placement) -> Shape:
        gpus = placement.gpus if self._cluster.ours else ()  # elsewhere Ray chooses the devices
        return (placement.node, *sorted(placement.units.items()), *gpus)

    def _wants_fresh(self, placement: Placement) -> bool:
        return "gpu" in placement.units if self._reuse is None else not self._reuse

    def _forget(self, slot: _Slot) -> Launch | None:
        launch, slot.launch = slot.launch, None
        if launch is not None:
            del self._running[launch.trial, launch.attempt]
        return launch

    def _make(self, placement: Placement) -> _Slot:
        self._make_room(placement)
        self._numbers += 1
        slot = _Slot(self._numbers, placement, self._shape(placement), self)
        self._slots[slot.number] = slot
        slot.expect_call(self.start_s)
        self._begin_task(self._attend(slot))
        return slot

    def _make_room(self, placement: Placement) -> None:
        """Let idle slots of other shapes go, the oldest first, as far as their node would be overbooked otherwise."""
        here = [slot for slot in self._slots.values() if slot.placement.node == placement.node and not slot.leaving]
        total = to_units(self._nodes[placement.node].resources)
        left = {name: total.get(name, 0) - units for name, units in placement.units.items()}
        for slot in here:
            for name in left:
                left[name] -= slot.placement.units.get(name, 0)
        for slot in here:
            if min(left.values(), default=0) >= 0:
                return
            if slot in self._idle[slot.shape] and slot.shape != self._shape(placement):
                self._idle[slot.shape].remove(slot)
                slot.retire()
                for name in left:
                    left[name] += slot.placement.units.get(name, 0)

    async def _attend(self, slot: _Slot) -> None:
        """Start a slot, and wait for its end."""
        dial = (self._host, self._port, self._token, slot.number) if self._carrier == "tcp" else None
        try:
            slot.actor, serving = await self._ray.call(self._cluster.start, slot.placement, dial, str(self._root))
        except Exception as error:
            return slot.end(f"Ray cannot start a worker: {error}")
        if slot.gone:
            return self.destroy(slot)
        if dial is None:
            self._begin_task(self._call(slot))
        end = asyncio.wrap_future(serving)
        end.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # somebody has looked, even after close()
        await asyncio.wait([end])
        return slot.served(end)

    async def _call(self, slot: _Slot) -> None:
        """Connect to a slot that cannot dial."""
        with suppress(Exception):  # the end of serve tells why
            await self._exchange(slot, b"", 0.0)
            slot.connected(_Polled(slot, partial(self._exchange, slot)), 0)

    async def _exchange(self, slot: _Slot, data: bytes, wait_s: float) -> bytes:
        answer: bytes = await asyncio.wrap_future(await self._ray.call(self._cluster.exchange, slot.actor, data, wait_s))
        return answer

    def _admit(self, hello: Hello, caller: Caller) -> Listener | None:
        slot = self._slots.get(hello.slot)
        if slot is None or slot.peer is not None:
            return None
        slot.connected(caller, hello.pid)
        return slot

    # Ray -----------------------------------------------------------------------------------------------------------------

    async def _begin(self, payload: bytes) -> tuple[Node, ...]:
        try:
            with _signals_kept():
                await asyncio.wait_for(self._ray.call(self._cluster.open, payload), JOIN_S)
            nodes: tuple[Node, ...] = await asyncio.wait_for(self._ray.call(self._cluster.nodes), JOIN_S)
        except Exception as error:
            raise ExecutorError(self._cluster.describe(error)) from error
        return nodes

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Caller(self._token, self._admit), self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def _take_note(self, nodes: tuple[Node, ...]) -> None:
        known = {node.name: node for node in nodes}
        if known == self._nodes:
            return
        self._nodes = known
        self._inbox.put(CapacityChanged(nodes))
        for slot in list(self._slots.values()):
            if slot.placement.node not in known:
                slot.end("its machine has left the cluster")

    async def _watch_nodes(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(Exception):  # a cluster that is gone for good shows in slots that cannot be started
                self._take_note(await self._ray.call(self._cluster.nodes))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            for slot in list(self._slots.values()):
                if slot.peer is not None and slot.peer not in self._paused:
                    slot.beat()

    def _begin_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _pack(run: Run) -> bytes:
    """Pickle what every slot needs."""
    try:
        payload: bytes = cloudpickle.dumps((run.objective, run.space, run.metrics))
    except Exception as error:  # pickling runs the user's own methods
        raise TypeError(f"the objective cannot be sent to other processes: {error!r}") from error
    if len(payload) > PAYLOAD_BYTES_MAX:
        size = f"{len(payload) / 2**20:.0f} MiB"
        raise ValueError(f"the objective and what it refers to take {size}; let it load its data from a file, or from Ray")
    return payload


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handlers of Ctrl-C and of a polite end back: Ray takes the latter for itself, below Python."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None and in_main_thread():
                signal.signal(number, handler)


def _kill_group(pid: int) -> None:
    """Ray gives each worker a process group: what is left in it are children."""
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
