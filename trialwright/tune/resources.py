"""What a trial asks for, in Ray Tune's words."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

_NAMES = {"CPU": "cpu", "GPU": "gpu"}
_STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


class PlacementGroupFactory:
    """A trial of several bundles: the first for the trial itself, the others for the Ray tasks and actors it starts.

    The ledger books their sum, on one machine. On a cluster that is joined, the others are kept free for what the trial
    starts; on a Ray that Trialwright has started, that finds room in any case.

    Args:
        bundles: of resources each: ``[{"CPU": 1}, {"CPU": 2, "GPU": 1}]``.
        strategy: "PACK" or "STRICT_PACK": all on one machine. There is no "SPREAD".

    Raises:
        ValueError: no bundle, an amount that is none, or a strategy that there is not.
    """

    def __init__(self, bundles: Sequence[Mapping[str, float]], strategy: str = "PACK") -> None:
        if not bundles:
            raise ValueError("a PlacementGroupFactory needs at least one bundle")
        if strategy not in _STRATEGIES[::2]:
            advice = "; a trial's bundles are on one machine: use 'PACK'" if strategy in _STRATEGIES else ""
            raise ValueError(f"strategy={strategy!r} is not supported{advice}")
        self._bundles = [dict(bundle) for bundle in bundles]
        self._strategy = strategy
        if any(amount < 0 for bundle in self._bundles for amount in bundle.values()):
            raise ValueError(f"bundles={self._bundles!r}: an amount cannot be less than 0")

    @property
    def bundles(self) -> list[dict[str, float]]:
        """The bundles that ask for something."""
        return [dict(bundle) for bundle in self._bundles if any(bundle.values())]

    @property
    def strategy(self) -> str:
        return self._strategy

    @property
    def head_bundle_is_empty(self) -> bool:
        """The trial itself asks for nothing."""
        return not any(self._bundles[0].values())

    @property
    def head_cpus(self) -> float:
        """The CPUs of the trial itself."""
        return self._bundles[0].get("CPU", 0.0)

    @property
    def required_resources(self) -> dict[str, float]:
        """The sum of all bundles."""
        total: dict[str, float] = {}
        for bundle in self._bundles:
            for name, amount in bundle.items():
                total[name] = total.get(name, 0) + amount
        return total

    def to_placement_group(self) -> object:
        """Refuse.

        Raises:
            NotImplementedError: always: the executor places trials.
        """
        raise NotImplementedError("a trial is placed by its executor; Ray's own are made by ray.util.placement_group()")

    def __call__(self) -> PlacementGroupFactory:
        return self

    def __eq__(self, other: object) -> bool:
        """Compare amounts, not how they are written: 1 CPU is 1.0 CPUs."""
        if not isinstance(other, PlacementGroupFactory):
            return False
        return (self._bundles, self._strategy) == (other._bundles, other._strategy)

    def __hash__(self) -> int:
        return hash((self._strategy, *(frozenset(bundle.items()) for bundle in self._bundles)))

    def __repr__(self) -> str:
        return f"PlacementGroupFactory({self._bundles!r}, strategy={self._strategy!r})"


def read(text: str) -> PlacementGroupFactory | str:
    """Return the factory that a string shows; the string itself if it shows none."""
    found = _SHOWN.fullmatch(text)
    if found is None:
        return text
    try:
        return PlacementGroupFactory(ast.literal_eval(found[1]), found[2])
    except (SyntaxError, ValueError):  # a user's string that begins and ends like one
        return text


_SHOWN = re.compile(r"PlacementGroupFactory\((\[.*\]), strategy='(\w+)'\)")

Resources = Mapping[str, object] | PlacementGroupFactory


def to_engine(given: Resources) -> dict[str, float]:
    """Return what the ledger books.

    Raises:
        TypeError: it is neither a dict nor a ``PlacementGroupFactory``.
        ValueError: ``extra_cpu`` and the like, which Ray Tune has given up as well.
    """
    if isinstance(given, PlacementGroupFactory):
        return {_NAMES.get(name, name): amount for name, amount in given.required_resources.items() if amount}
    if not isinstance(given, Mapping):
        raise TypeError(f"resources must be a dict or a PlacementGroupFactory, not {given!r}")
    extra = sorted(name for name in given if name.startswith("extra_"))
    if extra:
        raise ValueError(f"{', '.join(extra)}: give what a trial starts as bundles of a PlacementGroupFactory")
    custom = given.get("custom_resources", {})
    assert isinstance(custom, Mapping), f"custom_resources must be a dict, not {custom!r}"
    named = {name: amount for name, amount in given.items() if name != "custom_resources"}
    return {_NAMES.get(name, name): amount for name, amount in {**named, **custom}.items() if amount}


def children(given: object) -> list[dict[str, float]]:
    """Return the bundles for what a trial starts itself."""
    if not isinstance(given, PlacementGroupFactory):
        return []
    bundles = given.bundles if given.head_bundle_is_empty else given.bundles[1:]
    return [{_NAMES.get(name, name): amount for name, amount in bundle.items()} for bundle in bundles]


def factory(given: object, config: dict[str, Any]) -> PlacementGroupFactory:
    """Return what a trial of a config asks for.

    Args:
        given: a dict, a ``PlacementGroupFactory``, or a function of the config that returns one of these; None is one
            CPU.
        config: the trial's.
    """
    if isinstance(given, PlacementGroupFactory):
        return given
    if callable(given):
        return factory(given(config), config)
    return resource_dict_to_pg_factory(cast("Mapping[str, float] | None", given))


def from_engine(amounts: Mapping[str, float]) -> PlacementGroupFactory:
    """Return what a trial was granted, in Ray Tune's words."""
    back = {engine: user for user, engine in _NAMES.items()}
    return PlacementGroupFactory([{back.get(name, name): amount for name, amount in amounts.items()}])


def resource_dict_to_pg_factory(spec: Mapping[str, float] | None = None) -> PlacementGroupFactory:
    """Return a dict of resources as one bundle; None is one CPU."""
    return from_engine(to_engine({"cpu": 1.0} if spec is None else spec))
