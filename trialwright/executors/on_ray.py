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
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from trialwright.executors import worker
from trialwright.executors.in_slots import InSlots
from trialwright.executors.pool import Dial
from trialwright.executors.slots import BEAT_S, Rules
from trialwright.messages import Node, Placement
from trialwright.resources import Units, to_amounts, to_units

JOIN_S = 60.0
KNOCK_S = 5.0
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

    @property
    def where(self) -> str:
        """The address; Ray's own variable tells its jobs where they are."""
        return self.address or os.environ.get("RAY_ADDRESS") or "local"

    def open(self, payload: bytes, root: str) -> None:
        """Join or start, and deposit what every slot needs."""
        address = self.where
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


class OnRay(InSlots):
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
        self.options = {name: told for name, told in locals().items() if name not in ("self", "__class__")}
        self._cluster = _Cluster(address, num_cpus, num_gpus, tuple(map(to_units, children)))
        rules = Rules(grace_s=grace_s, start_s=start_s, silence_s=silence_s, reuse=reuse_workers)
        super().__init__(self._cluster, rules)
        self._carrier, self._host, self._port = carrier, host, port

    @property
    def starting(self) -> str:
        """What has to start when it is opened."""
        address = self._cluster.where
        return "Ray on this machine (a few seconds)" if address == "local" else f"on the Ray cluster at {address}"

    @property
    def open_hint(self) -> str:
        """Where this could be had sooner."""
        return 'on one machine, executor="processes" starts at once' if self._cluster.ours else ""

    async def _begin(self, payload: bytes) -> None:
        with _signals_kept():
            await asyncio.wait_for(self._deputy.call(self._cluster.open, payload, str(self._root)), JOIN_S)
        nodes = await asyncio.wait_for(self._deputy.call(self._cluster.nodes), JOIN_S)
        if self._carrier == "tcp" and self._cluster.can_dial():
            await self._pool.listen(self._host or await self._deputy.call(self._cluster.host), self._port)
        self._take_note(nodes)
        if not self._cluster.ours:
            self._tasks.append(asyncio.create_task(self._watch_nodes()))

    async def _end(self) -> None:
        with _signals_kept():
            await self._deputy.call(self._cluster.close)

    def _describe(self, error: Exception) -> str:
        return self._cluster.describe(error)

    async def _watch_nodes(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(Exception):  # a cluster that is gone for good shows in slots that cannot be started
                self._take_note(await self._deputy.call(self._cluster.nodes))


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handlers of Ctrl-C and of a polite end back: Ray takes the latter for itself, below Python. There any
    thread may put it back."""
    python = ctypes.pythonapi
    python.PyOS_getsig.restype = python.PyOS_setsig.restype = ctypes.c_void_p
    handlers = {int(number): python.PyOS_getsig(int(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if python.PyOS_getsig(number) != handler:
                python.PyOS_setsig(number, ctypes.c_void_p(handler))
