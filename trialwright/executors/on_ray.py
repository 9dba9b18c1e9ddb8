"""Trials in processes that Ray places, starts, and supervises: on this machine, or on a cluster.

A slot (see ``slots.py``, ``pool.py``) is a Ray actor. It runs one long call, ``serve`` (see ``worker.py``), connects to
the driver, and all their messages travel over that one connection (see ``wire.py``). The pending call fails when the
slot has died, with the cause.

On a Ray that we started, only the ledger counts resources: slots request none from Ray, so that they never wait for
Ray's scheduler, and tasks that trials start on Ray find room. On a cluster that we joined, slots request from Ray what
their trials were granted, and every five seconds Ray is asked which machines there are and what others hold on them
(see ``ray_state.py``).

This is the only file that imports Ray, and only when an executor is opened. Calls into Ray block, so they are made in a
thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cloudpickle

from trialwright.executors import worker
from trialwright.executors.in_slots import InSlots
from trialwright.executors.pool import Dial
from trialwright.executors.ray_session import (
    SESSION,
    environment,
    is_running,
    knock,
    quiet,
    settings_of_ours,
    signals_kept,
)
from trialwright.executors.ray_state import (
    Cluster,
    Held,
    RayNode,
    lasting,
    machines,
    own_share,
    starved,
    to_bundle,
    to_come,
    to_request,
)
from trialwright.executors.slots import BEAT_S, Rules
from trialwright.messages import Node, Placement
from trialwright.resources import Amounts, Units, describe, to_amounts, to_units

JOIN_S = 60.0
_WIRE = {"wire": 2}  # for slots that cannot connect: one call waits for their frames, the other brings them some
AGAIN_S = 1.0  # between the first two looks: resources of an earlier run may be about to become free
SWEEP_S = 5.0
_STARVED = (
    "a Ray task or actor waits for {}, which the trials of this run hold: a trial that started it and waits for it "
    "will not end. Reserve resources for what trials start: OnRay(children=[...]), with resources= for a trial and its "
    "children together (in trialwright.tune a PlacementGroupFactory of several bundles); or give trials less, or lower "
    "max_concurrent_trials"
)


@dataclass(frozen=True)
class _Handle:
    """A slot's actor, and the placement group that reserves resources for what its trial starts, if there is one."""

    actor: Any
    group: Any = None


@dataclass
class _Cluster:
    """Ray itself. All methods block, and are called in one thread."""

    address: str | None
    num_cpus: float | None
    num_gpus: int | None
    children: tuple[Units, ...]
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
        self.connected = SESSION.join(self._connect)
        self.ours = self.connected and SESSION.started
        import ray

        self._ray: Any = ray
        self._dialling: Any = self._ray.remote(_slot_class())
        self._called: Any = self._ray.remote(concurrency_groups=_WIRE)(_slot_class())
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
            settings |= {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "include_dashboard": False}
        knock(address)
        with environment(settings_of_ours() if starts else {}):
            import ray

            with quiet(logging.getLogger("ray")):
                ray.init(address=address, **settings)
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
        options = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": self._strategy(placement, group)}
        variables = worker.environment(to_amounts(own).get("cpu", 0.0), self._visible(placement))
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
            from trialwright.executors import worker

            self.carrier = worker.Exchange()

        def serve(self, dial: tuple[Any, ...] | None, payload: bytes, root: str, shared: bool) -> None:
            from trialwright.executors import worker

            wire = self.carrier if dial is None else worker.dial(*dial)
            worker.serve(wire, payload, Path(root), shared=shared)

        def exchange(self, data: bytes, wait_s: float) -> bytes:
            return self.carrier.exchange(data, wait_s)

    return Slot


class OnRay(InSlots):
    """Runs trials on Ray: in processes of this machine, or of a cluster.

    If this process is connected to Ray already, or an address is given (here or in ``RAY_ADDRESS``), that Ray is used
    and left running; else a Ray is started for this run on this machine, with authentication, and stopped at the end.

    Args:
        address: of a cluster to join, as for ``ray.init``.
        num_cpus: the number of CPUs of a Ray that is started here; by default all.
        num_gpus: the number of GPUs; by default those that are found.
        children: shares of a trial's resources that are reserved for Ray tasks and actors that it starts itself: with
            ``resources={"cpu": 3}`` and ``children=[{"cpu": 1}, {"cpu": 1}]`` a trial has one CPU, and two of its
            actors have one each. On a cluster that is joined each trial gets a placement group for that; on a Ray that
            is started here they find room in any case.
        grace_s: how long a trial may take to stop before its process is killed; after half of it, it is interrupted.
        reuse_workers: run one trial after another in the same process; by default, except for those with a GPU.
        carrier: "tcp" for a connection that processes open to the driver, or "ray" for calls through Ray, which are
            slower. If processes cannot connect, calls are used.
        start_s: how long the start of a process may take.
        silence_s: after how long without a sign of life a process counts as dead. One that computes without ever
            releasing Python's interpreter lock gives no sign.
        host: the address to listen on; by default the loopback on a Ray started here, else this node's address in the
            cluster.
        port: to listen on; 0 for any.
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
        """What has to start when this is opened."""
        address = self._cluster.where
        return "Ray on this machine (a few seconds)" if address == "local" else f"on the Ray cluster at {address}"

    @property
    def open_hint(self) -> str:
        """How trials could start sooner."""
        return 'on one machine, executor="processes" starts at once' if self._cluster.ours else ""

    async def _begin(self, payload: bytes) -> None:
        self._seen: tuple[Node, ...] = ()  # the machines as they were at the last look
        self._starved: tuple[Amounts, ...] = ()  # what could not be placed then
        with signals_kept():
            opened = self._deputy.call(self._cluster.open, payload, str(self._root), self._shared)
            await asyncio.wait_for(opened, JOIN_S)
        cluster = await asyncio.wait_for(self._deputy.call(self._cluster.look), JOIN_S)
        if self._carrier == "tcp" and self._cluster.can_dial():
            await self._pool.listen(self._host or await self._deputy.call(self._cluster.host), self._port)
        self._take_in(cluster)
        if not self._cluster.ours:
            self._tasks.append(asyncio.create_task(self._watch()))

    async def _end(self) -> None:
        if self._temporary and not self._cluster.ours:
            with suppress(Exception):  # Ray may be gone, or may not have started
                await self._deputy.call(self._cluster.remove, self._temporary)
        with signals_kept():
            await self._deputy.call(self._cluster.close)

    def _describe(self, error: Exception) -> str:
        return self._cluster.describe(error)

    async def _watch(self) -> None:
        await asyncio.sleep(AGAIN_S)
        while True:
            await self._look()
            await asyncio.sleep(BEAT_S)

    async def _look(self) -> None:
        """Look which machines there are. Errors are ignored: if the cluster is gone, slots cannot be started, which
        ends the run."""
        if not self._cluster.ours:
            with suppress(Exception):
                self._take_in(await self._deputy.call(self._cluster.look))

    def _take_in(self, cluster: Cluster) -> None:
        held = self._pool.held()
        before, self._seen = self._seen, machines(cluster, held)
        self._take_note(lasting(before, self._seen), to_come(cluster) if not self._cluster.ours else ())
        self._say_who_starves(cluster, held)

    def _say_who_starves(self, cluster: Cluster, held: Held) -> None:
        """Warn of tasks that trials have started on Ray and that never begin, because trials hold all resources."""
        before, self._starved = self._starved, starved(cluster, held)
        for wanted in self._starved:
            if wanted in before:
                self._warn(_STARVED.format(describe((to_units(wanted),))))

    def _pickled(self, value: object) -> bytes:
        return _dumps(value) if is_running() else super()._pickled(value)

    @property
    def _advice(self) -> str:
        return "let it load its data from a file, or ray.put() it and ray.get() it in the objective"


def _dumps(value: object) -> bytes:
    """Pickle as Ray does, so that its object references and actor handles work in slots. Modules that the user has
    registered with cloudpickle to be pickled by value are so pickled here too."""
    from ray import cloudpickle as untyped

    rays: Any = untyped
    added = cloudpickle.list_registry_pickle_by_value() - rays.list_registry_pickle_by_value()
    modules = [sys.modules[name] for name in added if name in sys.modules]
    for module in modules:
        rays.register_pickle_by_value(module)
    try:
        return bytes(rays.dumps(value))
    finally:
        for module in modules:
            rays.unregister_pickle_by_value(module)
