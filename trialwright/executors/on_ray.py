"""Trials in processes that Ray places, starts, and supervises: on this machine, or on a cluster.

A slot (see ``slots.py``, ``pool.py``) is a Ray actor. It makes one long call, ``serve`` (see ``worker.py``), dials the
driver, and all that is said between them travels over that one connection (see ``wire.py``). That the pending call
fails is Ray's way to say that the slot has died, and of what.

On a Ray that we started, the ledger is the only one who books: slots ask Ray for nothing, so that none ever waits for
Ray's own books, and what trials start on Ray themselves finds room. On a cluster that we joined, slots ask Ray for what
their trials were granted.

This is the one file that imports Ray, and only when an executor is opened. Calls into Ray block, so they are made in a
thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import cloudpickle

from trialwright.errors import ExecutorError
from trialwright.executors import worker
from trialwright.executors.base import Asker, Inbox, Run
from trialwright.executors.deputy import Deputy
from trialwright.executors.pool import Dial, Pool
from trialwright.executors.process_state import in_main_thread
from trialwright.executors.slots import BEAT_S, Rules
from trialwright.messages import Ask, CapacityChanged, Command, Discard, Event, Extend, Halt, Launch, Node, Placement
from trialwright.resources import Units, to_amounts, to_units
from trialwright.storage import checkpoints

JOIN_S = 60.0
KNOCK_S = 5.0
SHUTDOWN_S = 8.0
PAYLOAD_BYTES_MAX = 256 * 2**20
_WIRE = {"wire": 2}  # where slots cannot dial: one call that waits for what they say, one that tells them something
_NAMES = {"CPU": "cpu", "GPU": "gpu", "memory": "memory"}


@dataclass(frozen=True)
class _Handle:
    """A slot's actor, and the placement group that holds room for what its trial starts, if there is one."""

    actor: Any
    group: Any = None


@dataclass
class _Cluster:
    """Ray itself. All methods block, and are called in one thread."""

    address: str | None
    num_cpus: float | None
    num_gpus: int | None
    children: tuple[Units, ...]
    ours: bool = False  # we started it
    connected: bool = False  # we connected this process to it

    def open(self, payload: bytes, root: str) -> None:
        """Join or start, and deposit what every slot needs."""
        address = (
            self.address or os.environ.get("RAY_ADDRESS") or "local"
        )  # Ray's own way to tell its jobs where they are
        self.ours = address == "local" and not _is_running()
        if not self.ours and (self.num_cpus, self.num_gpus) != (None, None):
            raise ValueError("num_cpus and num_gpus are for a Ray that is started here; this one is joined as it is")
        with _environment(_settings() if self.ours else {}):
            import ray

            if not ray.is_initialized():
                self._connect(ray, address)
                self.connected = True
        self._ray: Any = ray
        self._dialling: Any = self._ray.remote(_slot_class())
        self._called: Any = self._ray.remote(concurrency_groups=_WIRE)(_slot_class())
        self._payload: Any = ray.put(payload)
        self._root = root
        self._devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if self.ours else []

    def _connect(self, ray: ModuleType, address: str) -> None:
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
        present = [node for node in self._ray.nodes() if node["Alive"]]
        return tuple(
            sorted((Node(node["NodeID"], _amounts(node["Resources"])) for node in present), key=lambda n: n.name)
        )

    def host(self) -> str:
        """Where slots can reach this process."""
        return "127.0.0.1" if self.ours else str(self._ray.util.get_node_ip_address())

    def can_dial(self) -> bool:
        """Tell whether slots may be expected to reach this process. Where Ray encrypts, we do not go past it in the
        clear."""
        return os.environ.get("RAY_USE_TLS", "0") != "1" and not (self.address or "").startswith("ray://")

    def start(self, placement: Placement, dial: Dial | None) -> tuple[Any, Future[None]]:
        """Part of ``Starter``: the handle is the actor."""
        own = _less(placement.units, self.children)
        group = self._group(placement, own) if self.children and not self.ours else None
        options = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": self._strategy(placement, group)}
        environment = worker.environment(to_amounts(own).get("cpu", 0.0), self._visible(placement))
        slot_class = self._called if dial is None else self._dialling
        actor = slot_class.options(**options, **_request({} if self.ours else own)).remote(environment)
        return _Handle(actor, group), actor.serve.remote(dial, self._payload, self._root).future()

    def exchange(self, handle: object, data: bytes, wait_s: float) -> Future[bytes]:
        """Part of ``Starter``."""
        assert isinstance(handle, _Handle), handle
        future: Future[bytes] = handle.actor.exchange.options(concurrency_group="wire").remote(data, wait_s).future()
        return future

    def kill(self, handle: object) -> None:
        """Part of ``Starter``: what the trial has started in its room ends with it."""
        assert isinstance(handle, _Handle), handle
        self._ray.kill(handle.actor)
        if handle.group is not None:
            self._ray.util.remove_placement_group(handle.group)

    def describe(self, error: Exception) -> str:
        """Say what failed, and what is known to help."""
        if self.ours:
            return f"Ray cannot be started on this machine: {error!r}"
        advice = "if the cluster wants a token, set RAY_AUTH_MODE=token in this process's environment"
        return (
            f"the Ray cluster at {self.address or os.environ.get('RAY_ADDRESS')} cannot be joined: {error!r}; {advice}"
        )

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

    def _strategy(self, placement: Placement, group: object) -> object:
        strategies = self._ray.util.scheduling_strategies
        if group is None:
            return strategies.NodeAffinitySchedulingStrategy(placement.node, soft=False)
        return strategies.PlacementGroupSchedulingStrategy(group, 0, placement_group_capture_child_tasks=True)

    def _group(self, placement: Placement, own: Units) -> object:
        """Have Ray keep a trial's room together, on the machine that the ledger chose: the trial's own share first. It
        is not waited for: the slot's actor waits in it."""
        shares = [share for share in (own, *self.children) if any(share.values())]
        there = {"ray.io/node-id": placement.node}
        return self._ray.util.placement_group(
            [_bundle(share) for share in shares],
            strategy="STRICT_PACK",
            bundle_label_selector=[there] * len(shares),
        )


def _request(units: Units) -> dict[str, Any]:
    """What Ray's ``options`` are told."""
    amounts = to_amounts(units)
    request = {"num_cpus": amounts.pop("cpu", 0), "num_gpus": amounts.pop("gpu", 0)}
    memory = int(amounts.pop("memory", 0))
    return {**request, **({"memory": memory} if memory else {}), "resources": amounts}


def _bundle(units: Units) -> dict[str, float]:
    """What Ray's placement groups are told."""
    back = {own: theirs for theirs, own in _NAMES.items()}
    return {back.get(name, name): amount for name, amount in to_amounts(units).items() if amount}


def _less(granted: Mapping[str, int], children: Sequence[Units]) -> Units:
    """Return what a trial has for itself: what it was granted, less what its children get."""
    rest = {name: amount - sum(child.get(name, 0) for child in children) for name, amount in granted.items()}
    return {name: max(amount, 0) for name, amount in rest.items()}


def _slot_class() -> type:
    """Make the actor's class. A local class travels by value, so that a slot's process sets its environment before it
    imports us."""

    class Slot:
        def __init__(self, environment: dict[str, str]) -> None:
            import os

            os.environ.update(environment)
            from trialwright.executors import worker

            self.carrier = worker.Exchange()

        def serve(self, dial: tuple[Any, ...] | None, payload: bytes, root: str) -> None:
            from pathlib import Path

            from trialwright.executors import worker

            worker.serve(self.carrier if dial is None else worker.dial(*dial), payload, Path(root))

        def exchange(self, data: bytes, wait_s: float) -> bytes:
            return self.carrier.exchange(data, wait_s)

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
    """How a Ray of ours is to be. It reads how to authenticate when it is imported: if it has been, it has made up its
    mind."""
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


class OnRay:
    """Runs trials on Ray: in processes of this machine, or of a cluster.

    If this process has Ray running already, or an address is given (here or in ``RAY_ADDRESS``), that Ray is joined,
    and left as it was; else one is started for this run on this machine, with authentication, and stopped at the end.

    Args:
        address: of a cluster to join, as ``ray.init`` takes it.
        num_cpus: how many CPUs a Ray that is started here counts; all by default.
        num_gpus: how many GPUs; those that are found by default.
        children: of what a trial is granted, the shares that are kept free for the Ray tasks and actors that it starts
            itself: with ``resources={"cpu": 3}`` and ``children=[{"cpu": 1}, {"cpu": 1}]`` a trial has one CPU, and two
            of its actors have one each. On a cluster that is joined each trial gets a placement group for that; on a
            Ray that is started here they find room in any case.
        grace_s: how long a trial that is to stop may take before its process is killed; after half of it, it is
            interrupted.
        reuse_workers: run one trial after another in the same process; by default all but those with a GPU.
        carrier: how processes are talked to: over a connection that they dial, or by calls of Ray's, which is slower.
            Where dialling turns out to be impossible, Ray's calls are used.
        start_s: how long the start of a process may take.
        silence_s: how long a process may give no sign of life before it is taken for dead. One that computes for so
            long without once letting go of Python's interpreter lock gives none.
        host: where to listen for processes; by default the loopback on a Ray started here, else this node's address in
            the cluster.
        port: 0 for any.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        num_cpus: float | None = None,
        num_gpus: int | None = None,
        children: Sequence[Mapping[str, float]] = (),
        grace_s: float = 10.0,
        reuse_workers: bool | None = None,
        carrier: Literal["tcp", "ray"] = "tcp",
        start_s: float = 60.0,
        silence_s: float = 120.0,
        host: str | None = None,
        port: int = 0,
    ) -> None:
        self._cluster = _Cluster(address, num_cpus, num_gpus, tuple(map(to_units, children)))
        self._rules = Rules(grace_s=grace_s, start_s=start_s, silence_s=silence_s, reuse=reuse_workers)
        self._carrier, self._host, self._port = carrier, host, port
        self._nodes: tuple[Node, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._temporary: str | None = None
        self._is_open = False

    def now(self) -> float:
        """Part of ``Executor``."""
        return self._began_s + time.monotonic() - self._opened

    async def open(self, run: Run) -> None:
        """Part of ``Executor``.

        Raises:
            ExecutorError: Ray cannot be started or joined.
            TypeError, ValueError: the objective cannot be sent to other processes.
        """
        payload = _pack(run)
        self._began_s, self._opened = run.began_s, time.monotonic()
        self._temporary = None if run.directory else tempfile.mkdtemp(prefix="trialwright-")
        self._root = _absolute(self._temporary or run.directory or "")
        self._nodes = ()
        self._inbox = Inbox()
        self._asker = Asker(run.suggest, self._inbox)
        self._ray, self._cleaner = Deputy("trialwright-ray"), Deputy("trialwright-discard")
        self._pool = Pool(self._cluster, self._ray, self._inbox, self._rules)
        self._is_open = True
        try:
            await self._open_ray(payload)
        except Exception as error:  # whatever Ray raises
            await self.close()
            raise ExecutorError(self._cluster.describe(error)) from error
        self._tasks = [asyncio.create_task(self._beat())]
        if not self._cluster.ours:
            self._tasks.append(asyncio.create_task(self._watch_nodes()))

    def do(self, command: Command) -> None:
        """Part of ``Executor``."""
        match command:
            case Launch():
                self._pool.launch(command)
            case Extend():
                if slot := self._pool.running(command.trial, command.attempt):
                    slot.extend(command)
            case Halt():
                if slot := self._pool.running(command.trial, command.attempt):
                    slot.halt()
            case Ask():
                self._asker.ask(command)
            case Discard():
                self._cleaner.tell(checkpoints.discard, Path(command.path), self._root)
            case _:
                pass  # Cancel: nothing was begun

    def tell(self, event: Event) -> None:
        """Part of ``Executor``."""
        self._inbox.put(event)

    async def events(self, until: float | None) -> list[Event]:
        """Part of ``Executor``."""
        events = await self._inbox.take(None if until is None else max(0.0, until - self.now()))
        self._pool.taken()
        return events

    async def close(self) -> None:
        """Part of ``Executor``. Takes a few seconds at most, whatever Ray does."""
        if not self._is_open:
            return
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await self._pool.close()
        with suppress(Exception), _signals_kept():  # what cannot be shut down in time ends with this process
            await asyncio.wait_for(self._ray.call(self._cluster.close), SHUTDOWN_S)
        for thread in (self._ray, self._cleaner, self._asker):
            thread.close()
        if self._temporary:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    async def _open_ray(self, payload: bytes) -> None:
        with _signals_kept():
            await asyncio.wait_for(self._ray.call(self._cluster.open, payload, str(self._root)), JOIN_S)
        nodes = await asyncio.wait_for(self._ray.call(self._cluster.nodes), JOIN_S)
        if self._carrier == "tcp" and self._cluster.can_dial():
            await self._pool.listen(self._host or await self._ray.call(self._cluster.host), self._port)
        self._take_note(nodes)

    def _take_note(self, nodes: tuple[Node, ...]) -> None:
        if nodes != self._nodes:
            self._nodes = nodes
            self._inbox.put(CapacityChanged(nodes))
            self._pool.set_nodes(nodes)

    async def _watch_nodes(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(Exception):  # a cluster that is gone for good shows in slots that cannot be started
                self._take_note(await self._ray.call(self._cluster.nodes))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._pool.beat()


def _absolute(path: str | Path) -> Path:
    """A worker's working directory is another."""
    return Path(path).resolve()


def _pack(run: Run) -> bytes:
    """Pickle what every slot needs."""
    try:
        payload: bytes = cloudpickle.dumps((run.objective, run.space, run.metrics))
    except Exception as error:  # pickling runs the user's own methods
        raise TypeError(f"the objective cannot be sent to other processes: {error!r}") from error
    if len(payload) > PAYLOAD_BYTES_MAX:
        size = f"{len(payload) / 2**20:.0f} MiB"
        raise ValueError(
            f"the objective and what it refers to take {size}; let it load its data from a file, or from Ray"
        )
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
