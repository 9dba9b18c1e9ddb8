"""Trials in processes that Ray places, starts, and supervises: on this machine, or on a cluster.

A slot (see ``slots.py``, ``pool.py``) is a Ray actor. It runs one long call, ``serve`` (see ``worker.py``), connects to
the driver, and all their messages travel over that one connection (see ``wire.py``). The pending call fails when the
slot has died, with the cause.

On a Ray that we started, only the ledger counts resources: slots request none from Ray, so that they never wait for
Ray's scheduler, and tasks that trials start on Ray find room. On a cluster that we joined, slots request from Ray what
their trials were granted, and every five seconds Ray is asked which machines there are and what others hold on them
(see ``ray_state.py``). Ray itself is called in ``ray_cluster.py``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Literal

from trialwright.executors.in_slots import InSlots
from trialwright.executors.ray_cluster import RayCluster, dumps, is_running, signals_kept
from trialwright.executors.ray_state import Cluster, Held, lasting, machines, starved, to_come
from trialwright.executors.slots import BEAT_S, Rules
from trialwright.messages import Node
from trialwright.resources import Amounts, describe, to_units

JOIN_S = 60.0
AGAIN_S = 1.0  # between the first two looks: resources of an earlier run may be about to become free
_OF_DASHBOARD = "aiohttp_cors"  # a package that only Ray's dashboard needs
_DASHBOARD = "Ray's dashboard is at http://{}; the token that it asks for: ray get-auth-token"
_STARVED = (
    "a Ray task or actor waits for {}, which the trials of this run hold: a trial that started it and waits for it "
    "will not end. Reserve resources for what trials start: OnRay(children=[...]), with resources= for a trial and its "
    "children together (in trialwright.tune a PlacementGroupFactory of several bundles); or give trials less, or lower "
    "max_concurrent_trials"
)


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
        dashboard: start Ray's dashboard with a Ray that is started here, and print its address and how to get the token
            that it asks for. It needs ``pip install 'ray[default]'``.
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
        dashboard: bool = False,
        grace_s: float = 10.0,
        reuse_workers: bool | None = None,
        carrier: Literal["tcp", "ray"] = "tcp",
        start_s: float = 60.0,
        silence_s: float = 120.0,
        host: str | None = None,
        port: int = 0,
    ) -> None:
        self.options = {name: told for name, told in locals().items() if name not in ("self", "__class__")}
        if dashboard and find_spec(_OF_DASHBOARD) is None:
            raise ValueError("dashboard=True needs more of Ray: pip install 'ray[default]'")
        self._cluster = RayCluster(address, num_cpus, num_gpus, tuple(map(to_units, children)), dashboard)
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

    @property
    def more_hint(self) -> str:
        """How a user says which resources there are."""
        return "OnRay(num_cpus=8, num_gpus=1)" if self._cluster.ours else ""

    async def _begin(self, payload: bytes) -> None:
        self._seen: tuple[Node, ...] = ()  # the machines as they were at the last look
        self._starved: tuple[Amounts, ...] = ()  # what could not be placed then
        with signals_kept():
            opened = self._deputy.call(self._cluster.open, payload, str(self._root), self._shared)
            await asyncio.wait_for(opened, JOIN_S)
        cluster = await asyncio.wait_for(self._deputy.call(self._cluster.look), JOIN_S)
        if self._carrier == "tcp" and self._cluster.can_dial():
            await self._pool.launcher.listen(self._host or await self._deputy.call(self._cluster.host), self._port)
        self._take_in(cluster)
        if self._cluster.dashboard_url:
            print(_DASHBOARD.format(self._cluster.dashboard_url), file=sys.stderr, flush=True)  # noqa: T201 - asked for
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
        # Taken at the same moment as Ray's amounts, as nearly as possible: the difference counts as held by others.
        held = self._pool.held()
        before, self._seen = self._seen, machines(cluster, held)
        self._take_note(lasting(before, self._seen), to_come(cluster) if not self._cluster.ours else ())
        self._say_who_starves(cluster, held)

    def _say_who_starves(self, cluster: Cluster, held: Held) -> None:
        """Warn of tasks that trials have started on Ray and that never begin, because trials hold all resources."""
        before, self._starved = self._starved, starved(cluster, held)
        for wanted in self._starved:
            # At two looks in a row: what is starting now looks the same as what never will.
            if wanted in before:
                self._warn(_STARVED.format(describe((to_units(wanted),))))

    def _pickled(self, value: object) -> bytes:
        return dumps(value) if is_running() else super()._pickled(value)

    @property
    def _advice(self) -> str:
        return "let it load its data from a file, or ray.put() it and ray.get() it in the objective"
