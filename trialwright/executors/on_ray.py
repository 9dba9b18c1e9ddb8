"""Trials in processes that Ray places, starts, and supervises: on this machine, or on a cluster.

A slot (see ``slots.py``, ``pool.py``) is a Ray actor. It makes one long call, ``serve`` (see ``worker.py``), dials the
driver, and all that is said between them travels over that one connection (see ``wire.py``). That the pending call
fails is Ray's way to say that the slot has died, and of what.

On a Ray that we started, the ledger is the only one who books: slots ask Ray for nothing, so that none ever waits for
Ray's own books, and what trials start on Ray themselves finds room. On a cluster that we joined, slots ask Ray for what
their trials were granted, and every five seconds Ray is asked which machines there are and what others hold on them
(see ``ray_state.py``).

This is the one file that imports Ray, and only when an executor is opened. Calls into Ray block, so they are made in a
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
_WIRE = {"wire": 2}  # where slots cannot dial: one call that waits for what they say, one that tells them something
AGAIN_S = 1.0  # between the first two looks: what a run before this one held may just be about to become free
SWEEP_S = 5.0
_STARVED = (
    "a Ray task or actor waits for {}, which the trials of this run hold: trials that start it and wait for it never "
    "end. Keep room for what a trial starts: OnRay(children=[...]), and resources= for it and the trial together (in "
    "trialwright.tune a PlacementGroupFactory of several bundles); or give trials less, or lower max_concurrent_trials"
)


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
    ours: bool = False  # we started it, or another engine in this process did
    connected: bool = False  # an engine connected this process to it

    @property
    def where(self) -> str:
        """The address; Ray's own variable tells its jobs where they are."""
        return self.address or os.environ.get("RAY_ADDRESS") or "local"

    def open(self, payload: bytes, root: str, shared: bool) -> None:
        """Join or start, and deposit what every slot needs."""
        starts = self.where == "local" and not is_running()
        self.ours = starts  # as far as is known, for the error that may come
        if not starts and (self.num_cpus, self.num_gpus) != (None, None):
            raise ValueError("num_cpus and num_gpus are for a Ray that is started here; this one is joined as it is")
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
        """Open this process's connection; tell whether that has started a Ray."""
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
        """Return the machines that are up, and what is free on them and waits for room, as far as Ray says."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        if self.ours:  # the ledger alone books
            return Cluster(tuple(RayNode(node["NodeID"], node["Resources"]) for node in alive), {})
        with suppress(Exception):  # what only some versions of Ray tell, and none through its client
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
        """Where slots can reach this process."""
        return "127.0.0.1" if self.ours else str(self._ray.util.get_node_ip_address())

    def can_dial(self) -> bool:
        """Tell whether slots may be expected to reach this process. Where Ray encrypts, we do not go past it in the
        clear."""
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
        """Say what failed, and what is known to help."""
        if self.ours:
            return f"Ray cannot be started on this machine: {error!r}"
        advice = "if the cluster wants a token, set RAY_AUTH_MODE=token in this process's environment"
        return f"the Ray cluster at {self.where} cannot be joined: {error!r}; {advice}"

    def close(self) -> None:
        """Stop what we started; leave what we joined."""
        self._payload = None  # Ray counts references by names that the next session in this process will use again
        if self.connected:
            self.connected = False
            SESSION.leave()

    def remove(self, directory: str) -> None:
        """Remove a directory on all machines on which slots were, but this one."""
        here = self._ray.get_runtime_context().get_node_id()
        there = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]} & self._used - {here}
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        task = self._ray.remote(num_cpus=0, max_retries=0)(shutil.rmtree)
        options = [{"scheduling_strategy": affinity(node, soft=False)} for node in sorted(there)]
        done = [task.options(**each).remote(directory, ignore_errors=True) for each in options]
        if done:
            self._ray.wait(done, num_returns=len(done), timeout=SWEEP_S)

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
            [to_bundle(share) for share in shares],
            strategy="STRICT_PACK",
            bundle_label_selector=[there] * len(shares),
        )


def _slot_class() -> type:
    """Make the actor's class. A local class travels by value, so that a slot's process sets its environment before it
    imports us."""

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
        self._seen: tuple[Node, ...] = ()  # the machines as they were at the last look
        self._starved: tuple[Amounts, ...] = ()  # likewise
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
            with suppress(Exception):  # Ray may be gone, or never have been there
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
        """See which machines there are. A cluster that is gone for good shows in slots that cannot be started."""
        if not self._cluster.ours:
            with suppress(Exception):
                self._take_in(await self._deputy.call(self._cluster.look))

    def _take_in(self, cluster: Cluster) -> None:
        held = self._pool.held()
        before, self._seen = self._seen, machines(cluster, held)
        self._take_note(lasting(before, self._seen), to_come(cluster) if not self._cluster.ours else ())
        self._say_who_starves(cluster, held)

    def _say_who_starves(self, cluster: Cluster, held: Held) -> None:
        """What a trial starts on Ray never begins if trials hold all that there is, and wait for it."""
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
    """Pickle as Ray does, so that its object references and actor handles work in slots. What the user has told
    cloudpickle to pickle by value is so pickled here too."""
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
