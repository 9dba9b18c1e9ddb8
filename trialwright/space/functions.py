"""`sample_from`: values that a user's functions compute, in whatever order these functions need one another.

A function may return domains, also inside dicts and lists: they are drawn from in a further round.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trialwright.space.domains import Domain
from trialwright.space.values import Config, items, python_value


@dataclass(frozen=True, repr=False)
class Derived(Domain):
    """A value computed by a user's function from the rest of the config; it has no column."""

    function: Callable[..., Any]
    takes_config: bool
    beside: Mapping[str, Any] = field(default_factory=dict)

    def _within(self, config: Mapping[str, Any] | None) -> "Derived":
        return replace(self, beside=config or {})

    def is_function(self) -> bool:
        """It is."""
        return True

    def is_valid(self, value: object) -> bool:
        """Any value is: only the function knows."""
        return True

    @property
    def domain_str(self) -> str:
        """Its function."""
        return f"{self.function}()"

    def draw(self, n: int, rng: np.random.Generator) -> Sequence[object]:
        """Return n values, each computed beside the values of `beside`.

        Raises ValueError for a function that raises, or asks for another value.
        """
        configs: list[Config] = [{**self.beside, _VALUE: Pending(_VALUE, self)} for _ in range(n)]
        for config in configs:
            fill(config, rng)
        return [config[_VALUE] for config in configs]

    def __repr__(self) -> str:
        return f"sample_from({getattr(self.function, '__qualname__', repr(self.function))})"


@dataclass(frozen=True)
class Pending:
    """Stands in a config for a value that is not computed yet."""

    path: str
    domain: Derived


_VALUE = "(value)"  # the name of a value that has none
ROUNDS = 20  # of functions that return functions


class RecursiveDependencyError(ValueError):
    """Functions of `sample_from` need one another's values."""


class _NotYet(Exception):
    """A function asked for a value that is itself still pending."""


@dataclass(frozen=True)
class _Place:
    """A pending value, the container that waits for it, and the seed of its function."""

    container: Any
    key: str | int
    pending: Pending
    seed: int
    round: int = 0

    def further(self) -> "list[_Place]":
        """Return the places inside the value that are pending in turn: the function returned a sample_from.

        Raises ValueError if that does not come to an end.
        """
        value = self.container[self.key]
        found = [(self.container, self.key, value)] if isinstance(value, Pending) else list(_pending(value))
        if found and self.round >= ROUNDS:
            raise ValueError(f"{self.pending.path}: its sample_from function keeps returning another sample_from")
        seeds = np.random.default_rng(self.seed).integers(2**32, size=len(found)).tolist()
        return [_Place(*place, seed, self.round + 1) for place, seed in zip(found, seeds, strict=True)]


def fill(config: Config, rng: np.random.Generator | None) -> None:
    """Compute the pending values of one config, in place.

    Raises ValueError if there are any and no rng is given, if a function raises or asks for a key that does not
    exist, or if functions wait for one another.
    """
    waiting = _places(config, rng)
    while waiting:
        stuck = [place for place in waiting if not _computed(place, config)]
        if len(stuck) == len(waiting):
            raise RecursiveDependencyError(_cycle(stuck, config))
        done = [place for place in waiting if place not in stuck]
        waiting = [*stuck, *(further for place in done for further in place.further())]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's and NumPy's global random generators, and restore their state at the end."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - user functions draw from it
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _places(config: Config, rng: np.random.Generator | None) -> list[_Place]:
    found = list(_pending(config))
    if found and rng is None:
        message = f"{found[0][2].path}: sample_from needs an rng to be computed with"
        raise ValueError(message)
    seeds = [] if rng is None or not found else rng.integers(2**32, size=len(found)).tolist()
    return [_Place(*place, seed) for place, seed in zip(found, seeds, strict=True)]


def _pending(container: object) -> Iterator[tuple[object, str | int, Pending]]:
    for key, value in items(container):
        if isinstance(value, Pending):
            yield container, key, value
        else:
            yield from _pending(value)


def _computed(place: _Place, config: Config) -> bool:
    """Put the value in its place; False if it needs another one first."""
    try:
        place.container[place.key] = _drawn(_call(place, config), place.pending.path, np.random.default_rng(place.seed))
    except _NotYet:
        return False
    except (KeyError, AttributeError) as error:
        message = f"{place.pending.path}: its sample_from function asked for a key that does not exist: {error}"
        raise ValueError(message) from error
    except Exception as error:
        message = f"{place.pending.path}: its sample_from function raised {type(error).__name__}: {error}"
        raise ValueError(message) from error
    return True


def _call(place: _Place, config: Config) -> object:
    domain = place.pending.domain
    with seeded(place.seed):
        value = domain.function(ConfigView(config, root=True)) if domain.takes_config else domain.function()
        return _unwrapped(value)


def _drawn(value: Any, path: str, rng: np.random.Generator) -> object:  # noqa: ANN401 - as users return it
    """Return what a function gave with a value in place of each domain; a sample_from becomes pending."""
    if isinstance(value, Derived):
        return Pending(path, value)
    if isinstance(value, Domain):
        return _drawn(value.draw(1, rng)[0], path, rng)
    if type(value) is dict:
        return {key: _drawn(item, f"{path}/{key}", rng) for key, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_drawn(item, f"{path}/{index}", rng) for index, item in enumerate(value))
    return value


def _cycle(stuck: list[_Place], config: Config) -> str:
    return "; ".join(f"`{place.pending.path}` recursively depends on `{_wanted(place, config)}`" for place in stuck) + (
        " (sample_from functions depend on one another in a cycle)"
    )


def _wanted(place: _Place, config: Config) -> str:
    try:
        _call(place, config)
    except _NotYet as signal:
        return str(signal)
    return "nothing"  # pragma: no cover - a stuck function has just shown that it waits


class ConfigView(Mapping[str, Any]):
    """A read-only view of a config; `view["lr"]` and `view.lr` are the same. At the root `.config` is the root."""

    def __init__(self, data: Config, *, root: bool = False) -> None:
        self._data = data
        self._root = root

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a config holds anything
        if self._root and key == "config" and key not in self._data:
            return self
        return _seen(self._data[key])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("_"):  # also keeps copy and pickle, which look before __init__, from going round in circles
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __repr__(self) -> str:
        return f"ConfigView({self._data!r})"


class _ListView(Sequence[Any]):
    """A read-only view of a list in a config."""

    def __init__(self, data: list[object]) -> None:
        self._data = data

    def __getitem__(self, index: int | slice) -> Any:  # noqa: ANN401
        found = self._data[index]
        return [_seen(value) for value in found] if isinstance(index, slice) else _seen(found)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._data)


def _seen(value: object) -> object:
    if isinstance(value, Pending):
        raise _NotYet(value.path)
    if type(value) is dict:
        return ConfigView(value)
    return _ListView(value) if type(value) is list else value


def _unwrapped(value: object) -> object:
    """Return what a function gave, with views turned into dicts and lists of their own."""
    if isinstance(value, ConfigView):
        return {key: _unwrapped(item) for key, item in value.items()}
    if isinstance(value, _ListView):
        return [_unwrapped(item) for item in value]
    return python_value(value)
