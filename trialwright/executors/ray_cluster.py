"""Ray itself: this process's connection to it, and the slots that it starts.

This is the only file that imports Ray, and only when an executor is opened. Calls into Ray block, so they are made in a
thread. A process has one connection to Ray, so all engines in it share it (``Session``). Some of the functions keep Ray
from changing this process.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from trialwright.executors.base import Deputy
from trialwright.executors.in_slots import environment
from trialwright.executors.launcher import Dial
from trialwright.executors.ray_state import Cluster, RayNode, own_share, to_bundle, to_request
from trialwright.messages import Placement
from trialwright.resources import Units, to_amounts

KNOCK_S = 5.0
SWEEP_S = 5.0
_WIRE = {"wire": 2}  # for slots that cannot connect: one call waits for their frames, the other brings them some


class Session:
    """This process's connection to Ray. A process has one, so all engines in it share it: the first opens it, and the
    last one closes it. One that the user has opened stays open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._keeper: Deputy | None = None  # Ray's processes end with the thread that has started them
        self.started = False  # it is a Ray of ours; else we have joined one

    def join(self, connect: Callable[[], bool]) -> bool:
        """Share the connection; ``connect`` opens it, and returns whether it has started a Ray. Return whether
        ``leave``
        must be called: not if the connection is the user's own."""
        with self._lock:
            # Asked under the lock: two engines that open at once would both start a Ray, and the second call raises.
            if not is_running():
                self._open(connect)
            # It is running and no engine of ours has opened it: it is the user's, and is not ours to close.
            elif not self._users:
                self.started = False
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """Leave it; the last one closes it."""
        with self._lock:
            self._users -= 1
            if not self._users and self._keeper is not None:
                self._keeper.tell(sys.modules["ray"].shutdown).result()
                self._close(self._keeper)

    def _open(self, connect: Callable[[], bool]) -> None:
        # A thread of its own that lives as long as the connection: see Deputy.
        keeper = self._keeper = self._keeper or Deputy("trialwright-ray")
        try:
            self.started = keeper.tell(connect).result()
        except BaseException:
            self._close(keeper)
            raise

    def _close(self, keeper: Deputy) -> None:
        keeper.close()
        self._keeper = None


SESSION = Session()  # as global to the process as Ray's own state


def _knock(address: str) -> None:
    """Raise an OSError at once where Ray would try for a minute."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.rpartition("/")[2], int(port)), KNOCK_S).close()


def _settings_of_ours() -> dict[str, str]:
    """Return the variables for a Ray that we start. Ray reads the authentication mode when it is imported: after that,
    setting it has no effect."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    # With a token, because a Ray without one lets every user of this machine run code as us.
    return settings if "ray" in sys.modules else {**settings, "RAY_AUTH_MODE": "token"}


def is_running() -> bool:
    """Tell whether this process is connected to a Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Suppress Ray's warning that it cannot handle SIGTERM in this thread, which is what we want."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for Ray and the processes that it starts meanwhile. Variables that are set already are kept."""
    before = os.environ.copy()
    os.environ.update({name: value for name, value in variables.items() if name not in before})
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":  # ours, and those that Ray itself has set
                del os.environ[name]


@contextmanager
def signals_kept() -> Iterator[None]:
    """Restore the handlers of SIGINT and SIGTERM: Ray replaces the latter, below Python, where any thread may restore
    it."""
    python = ctypes.pythonapi
    python.PyOS_getsig.restype = python.PyOS_setsig.restype = ctypes.c_void_p
    handlers = {int(number): python.PyOS_getsig(int(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if python.PyOS_getsig(number) != handler:
                python.PyOS_setsig(number, ctypes.c_void_p(handler))


# Slots on Ray ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Handle:
    """A slot's actor, and the placement group that reserves resources for what its trial starts, if there is one."""

    actor: Any
    group: Any = None


@dataclass
class RayCluster:
    """Ray itself. All methods block, and are called in one thread."""

    address: str | None
    num_cpus: float | None
    num_gpus: int | None
    children: tuple[Units, ...]
    dashboard: bool = False  # whether a Ray that is started here has one
    dashboard_url: str = ""  # of that
    ours: bool = False  # we started it, or another engine in this process did
    connected: bool = False  # an engine connected this process to it

    @property
    def where(self) -> str:
        """The address; RAY_ADDRESS gives it to Ray's own jobs."""
        return self.address or os.environ.get("RAY_ADDRESS") or "local"

    def open(self, payload: bytes, root: str, shared: bool) -> None:
        """Join a cluster or start one, and store there what every slot needs."""
        starts = self.where == "local" and not is_running()
        self.ours = starts  # ``describe`` needs it if the next steps fail
        if not starts and (self.num_cpus, self.num_gpus) != (None, None):
            raise ValueError(
                "num_cpus and num_gpus are only for a Ray that is started here, not for one that is joined"
            )
        if not starts and self.dashboard:
            raise ValueError("dashboard=True is only for a Ray that is started here, not for one that is joined")
        # After the checks: what is refused must not have started a Ray.
        self.connected = SESSION.join(self._connect)
        self.ours = self.connected and SESSION.started
        import ray

        self._ray: Any = ray
        self._dialling: Any = self._ray.remote(_slot_class())
        self._called: Any = self._ray.remote(concurrency_groups=_WIRE)(_slot_class())
        # Once for all slots: as an argument it would be copied for each of them.
        self._payload: Any = ray.put(payload)
        self._root, self._shared = root, shared
        self._devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if self.ours else []
        self._used = set[str]()  # machines on which slots were started

    def _connect(self) -> bool:
        """Open this process's connection; return whether that has started a Ray."""
        address = self.where
        starts = address == "local"
        settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if starts:
            settings |= {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "include_dashboard": self.dashboard}
        _knock(address)
        with _environment(_settings_of_ours() if starts else {}):
            import ray

            with _quiet(logging.getLogger("ray")):
                self.dashboard_url = getattr(ray.init(address=address, **settings), "dashboard_url", None) or ""
        return starts

    def look(self) -> Cluster:
        """Return the machines that are up, what is free on them, and what waits for resources, as far as Ray tells."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        if self.ours:  # only the ledger counts
            return Cluster(tuple(RayNode(node["NodeID"], node["Resources"]) for node in alive), {})
        with suppress(Exception):  # only some versions of Ray tell this, and none through its client
            return self._look_closely(alive)
        return Cluster(tuple(RayNode(node["NodeID"], node["Resources"]) for node in alive), {})

    def _look_closely(self, alive: Sequence[Mapping[str, Any]]) -> Cluster:
        from ray._private.state import state
        from ray._private.worker import global_worker
        from ray.autoscaler.v2.sdk import get_cluster_resource_state

        process: Any = global_worker
        said = get_cluster_resource_state(process.gcs_client)
        free = {node.node_id.hex(): dict(node.available_resources) for node in said.node_states}
        groups = getattr(state.get_cluster_config(), "node_group_configs", ())
        pending = [(dict(each.request.resources_bundle), each.count) for each in said.pending_resource_requests]
        return Cluster(
            tuple(RayNode(node["NodeID"], node["Resources"], free.get(node["NodeID"])) for node in alive),
            {group.name or f"type {index}": dict(group.resources) for index, group in enumerate(groups)},
            tuple(pending),
        )

    def host(self) -> str:
        """Return the address at which slots can reach this process."""
        return "127.0.0.1" if self.ours else str(self._ray.util.get_node_ip_address())

    def can_dial(self) -> bool:
        """Tell whether slots can be expected to reach this process. If Ray encrypts, there must be no plain connection
        beside it."""
        return os.environ.get("RAY_USE_TLS", "0") != "1" and not self.where.startswith("ray://")

    def start(self, placement: Placement, dial: Dial | None) -> tuple[Any, Future[None]]:
        """Part of ``Starter``: the handle is the actor."""
        self._used.add(placement.node)
        own = own_share(placement.units, self.children)
        group = self._group(placement, own) if self.children and not self.ours else None
        # Ray must not restart anything: the core counts attempts, and a second life of a slot would run a trial twice.
        options = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": self._strategy(placement, group)}
        variables = environment(to_amounts(own).get("cpu", 0.0), self._visible(placement))
        slot_class = self._called if dial is None else self._dialling
        actor = slot_class.options(**options, **to_request({} if self.ours else own)).remote(variables)
        return _Handle(actor, group), actor.serve.remote(dial, self._payload, self._root, self._shared).future()

    def exchange(self, handle: object, data: bytes, wait_s: float) -> Future[bytes]:
        """Part of ``Starter``."""
        assert isinstance(handle, _Handle), handle
        future: Future[bytes] = handle.actor.exchange.options(concurrency_group="wire").remote(data, wait_s).future()
        return future

    def kill(self, handle: object) -> None:
        """Part of ``Starter``: what the trial has started in its room ends with it."""
        assert isinstance(handle, _Handle), handle
        # Before the group: removing that first would kill the actor with another cause.
        self._ray.kill(handle.actor)
        if handle.group is not None:
            self._ray.util.remove_placement_group(handle.group)

    def describe(self, error: Exception) -> str:
        """Return what failed, and what may help."""
        if self.ours:
            return f"Ray cannot be started on this machine: {error!r}"
        advice = "if the cluster requires a token, set RAY_AUTH_MODE=token in this process's environment"
        return f"the Ray cluster at {self.where} cannot be joined: {error!r}; {advice}"

    def close(self) -> None:
        """Stop what we started; leave what we joined."""
        self._payload = None  # Ray counts references by names that the next session in this process will use again
        if self.connected:
            self.connected = False
            SESSION.leave()

    def remove(self, directory: str) -> None:
        """Remove a directory on all machines that had slots, except this one."""
        here = self._ray.get_runtime_context().get_node_id()
        there = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]} & self._used - {here}
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        task = self._ray.remote(num_cpus=0, max_retries=0)(shutil.rmtree)
        options = [{"scheduling_strategy": affinity(node, soft=False)} for node in sorted(there)]
        done = [task.options(**each).remote(directory, ignore_errors=True) for each in options]
        if done:
            self._ray.wait(done, num_returns=len(done), timeout=SWEEP_S)

    def _visible(self, placement: Placement) -> str | None:
        """Return the GPUs that the slot may see: those that were granted; None where Ray assigns them."""
        # There Ray knows which devices are free on that machine, and the ledger does not.
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
        """Reserve a trial's resources together, on the machine that the ledger chose: the trial's own share first. This
        is not waited for: the slot's actor waits for its bundle."""
        shares = [share for share in (own, *self.children) if any(share.values())]
        there = {"ray.io/node-id": placement.node}
        return self._ray.util.placement_group(
            [to_bundle(share) for share in shares],
            strategy="STRICT_PACK",
            bundle_label_selector=[there] * len(shares),
        )


def _slot_class() -> type:
    """Make the actor's class. A local class is pickled by value, so that a slot's process sets its environment before
    it imports this package."""

    class Slot:
        def __init__(self, environment: dict[str, str]) -> None:
            import os

            os.environ.update(environment)
            from trialwright.executors import carriers

            self.carrier = carriers.Exchange()

        def serve(self, dial: tuple[Any, ...] | None, payload: bytes, root: str, shared: bool) -> None:
            from trialwright.executors import carriers, worker

            wire = self.carrier if dial is None else carriers.dial(*dial)
            worker.serve(wire, payload, Path(root), shared=shared)

        def exchange(self, data: bytes, wait_s: float) -> bytes:
            return self.carrier.exchange(data, wait_s)

    return Slot


def dumps(value: object) -> bytes:
    """Pickle as Ray does, so that its object references and actor handles work in slots. Modules that the user has
    registered with cloudpickle to be pickled by value are so pickled here too."""
    from ray import cloudpickle as untyped

    rays: Any = untyped
    # Ray has a cloudpickle of its own, with its own registry.
    added = cloudpickle.list_registry_pickle_by_value() - rays.list_registry_pickle_by_value()
    modules = [sys.modules[name] for name in added if name in sys.modules]
    for module in modules:
        rays.register_pickle_by_value(module)
    try:
        return bytes(rays.dumps(value))
    finally:
        for module in modules:
            rays.unregister_pickle_by_value(module)
