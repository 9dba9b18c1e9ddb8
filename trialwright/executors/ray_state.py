"""Converts Ray's data about its cluster for the ledger, and requests to Ray into Ray's terms.

Pure: ``ray_cluster.py`` asks Ray, and passes plain values.

Ray counts resources by its own names, in its users' amounts: a *bundle* is such a dict, ``{"CPU": 2.0}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trialwright.messages import Node
from trialwright.resources import Amounts, Units, to_amounts

Bundle: TypeAlias = Mapping[str, float]
Held: TypeAlias = Mapping[str, Units]  # what trials of this run hold, by the machine's name

_NAMES = {"CPU": "cpu", "GPU": "gpu", "memory": "memory"}
_OF_A_GROUP = re.compile(r"(.+_group|bundle_group)_(\d+_)?[0-9a-f]{36}")  # what placement groups name their shares
_LEAST = 1e-4  # Ray's amounts are sums of floats

# For a cluster with only a head, which does not tell what may be added: larger than any real machine.
UNKNOWN = Node("a machine that is to be added", {"cpu": 1024.0, "gpu": 64.0, "memory": 2.0**46})


@dataclass(frozen=True)
class RayNode:
    """A machine of the cluster that is up: what it has, and what is free on it; None if Ray does not tell."""

    name: str
    total: Bundle
    free: Bundle | None = None


@dataclass(frozen=True)
class Cluster:
    """The cluster at one moment: its machines, what its autoscaler may add, and what waits for room, how often."""

    nodes: tuple[RayNode, ...]
    types: Mapping[str, Bundle]
    pending: tuple[tuple[Bundle, int], ...] = ()


def machines(cluster: Cluster, held: Held) -> tuple[Node, ...]:
    """Return the machines, in order of their names, with what others hold on them: what is neither free nor ours."""
    nodes = []
    for node in cluster.nodes:
        total, free = amounts(node.total), amounts(node.total if node.free is None else node.free)
        ours = to_amounts(held.get(node.name, {}))
        rest = {name: amount - free.get(name, 0.0) - ours.get(name, 0.0) for name, amount in total.items()}
        others = {name: round(amount, 4) for name, amount in rest.items() if amount > _LEAST}
        nodes.append(Node(node.name, total, others))
    return tuple(sorted(nodes, key=lambda node: node.name))


def lasting(before: Iterable[Node], now: Iterable[Node]) -> tuple[Node, ...]:
    """Return the present machines, with what others held at both moments. Resources that a process of ours has just
    got, or just released, are for a moment neither free nor known to be ours."""
    earlier = {node.name: node.others for node in before}
    return tuple(
        Node(node.name, node.resources, _both(earlier.get(node.name, node.others), node.others)) for node in now
    )


def to_come(cluster: Cluster) -> tuple[Node, ...]:
    """Return the machines that may still be added, one of each type. With only a head without CPUs and GPUs, and no
    autoscaler that tells its types, return one that can hold any request."""
    types = tuple(Node(name, amounts(bundle)) for name, bundle in sorted(cluster.types.items()))
    has_workers = any(amounts(node.total).keys() & {"cpu", "gpu"} for node in cluster.nodes)
    return types if types or has_workers else (UNKNOWN,)


def starved(cluster: Cluster, held: Held) -> tuple[Amounts, ...]:
    """Return the pending requests that fit on no machine now, but would if trials of this run released what they
    hold."""
    return tuple(
        bundle
        for bundle in _waiting(cluster)
        if not _has_room(bundle, cluster, {}) and _has_room(bundle, cluster, held)
    )


def _waiting(cluster: Cluster) -> list[Amounts]:
    """Return the pending requests, except those with a placement group of their own."""
    return [
        amounts(bundle) for bundle, count in cluster.pending if not any(map(_is_internal, bundle)) for _ in range(count)
    ]


def amounts(bundle: Bundle) -> Amounts:
    """Return a bundle by the ledger's names, without Ray's internal resources."""
    return {_NAMES.get(name, name): float(amount) for name, amount in bundle.items() if not _is_internal(name)}


def to_request(units: Units) -> dict[str, object]:
    """Return the arguments of Ray's ``options``."""
    rest = to_amounts(units)
    asked = {"num_cpus": rest.pop("cpu", 0), "num_gpus": rest.pop("gpu", 0)}
    memory = int(rest.pop("memory", 0))
    return {**asked, **({"memory": memory} if memory else {}), "resources": rest}


def to_bundle(units: Units) -> dict[str, float]:
    """Return a bundle for Ray's placement groups."""
    back = {own: theirs for theirs, own in _NAMES.items()}
    return {back.get(name, name): amount for name, amount in to_amounts(units).items() if amount}


def own_share(granted: Mapping[str, int], children: Sequence[Units]) -> Units:
    """Return a trial's own share: what it was granted, less its children's shares."""
    rest = {name: amount - sum(child.get(name, 0) for child in children) for name, amount in granted.items()}
    return {name: max(amount, 0) for name, amount in rest.items()}


def _has_room(wanted: Amounts, cluster: Cluster, held: Held) -> bool:
    """Tell whether it would fit on a machine if trials held nothing of ``held``."""
    for node in cluster.nodes:
        free, ours = amounts(node.total if node.free is None else node.free), to_amounts(held.get(node.name, {}))
        if all(free.get(name, 0.0) + ours.get(name, 0.0) > amount - _LEAST for name, amount in wanted.items()):
            return True
    return False


def _both(before: Mapping[str, float], now: Mapping[str, float]) -> Amounts:
    return {name: min(amount, before[name]) for name, amount in now.items() if name in before}


def _is_internal(name: str) -> bool:
    own = name.startswith(("node:", "accelerator_type:")) or name == "object_store_memory"
    return own or _OF_A_GROUP.fullmatch(name) is not None
