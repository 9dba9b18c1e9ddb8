"""Ray Tune's classes of domains, for spaces that are written as ``Float(0.001, 0.1).loguniform()``.

Each is a value that says what to draw and how; ``domain()`` is the engine's domain for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np

from trialwright import space as engine
from trialwright.space import Category, Domain, samplers
from trialwright.space.samplers import Sampled, Sampler

Axis = Literal["uniform", "loguniform", "normal"]


class Described(Sampled):
    """A domain that is described, and can be drawn from."""

    def domain(self) -> Domain:
        """Return the engine's domain.

        Raises:
            ValueError: there is none.
        """
        raise NotImplementedError

    def sample(
        self, config: object = None, size: int = 1, random_state: int | np.random.Generator | None = None
    ) -> Any:  # noqa: ANN401 - as the domain has it
        """Draw a value; a list of them if size is not 1. A run never draws in this way.

        Args:
            config: has no effect: it is for functions, and here is no config for them.
            size: how many.
            random_state: a seed, or a generator; NumPy's global one by default.
        """
        return self.domain().sample(size=size, random_state=random_state)

    def get_sampler(self) -> Sampler:
        return self.domain().get_sampler()

    def is_function(self) -> bool:
        return self.domain().is_function()

    def cast(self, value: Any) -> Any:  # noqa: ANN401 - as the domain has it
        return self.domain().cast(value)

    def is_valid(self, value: object) -> bool:
        return self.domain().is_valid(value)

    @property
    def domain_str(self) -> str:
        return self.domain().domain_str


@dataclass(frozen=True)
class _Number(Described):
    lower: float | None
    upper: float | None
    axis: Axis | None = None
    q: float | None = None

    def uniform(self) -> Self:
        """Draw evenly; so it is anyway."""
        return self._on("uniform")

    def loguniform(self, base: float = 10) -> Self:
        """Draw evenly on a logarithmic axis; the base makes no difference.

        Raises:
            ValueError: a bound is missing or not above 0, or something else has been said.
        """
        if not (self.lower is not None and self.upper is not None and 0 < self.lower <= self.upper):
            raise ValueError(f"loguniform: both bounds must be above 0, not {self.lower!r} and {self.upper!r}")
        return self._on("loguniform")

    def set_sampler(self, sampler: Sampler, allow_override: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """Draw in this way from now on.

        Args:
            sampler: ``Uniform()``, ``LogUniform()``, ``Normal(mean, sd)``, or one of these in a ``Quantized``.
            allow_override: even if a way was said before.

        Raises:
            ValueError: a way was said before, or there is no such one.
        """
        changed = _drawn_by(sampler, replace(self, axis=None, q=None) if allow_override else self)
        for each in fields(self):
            object.__setattr__(self, each.name, getattr(changed, each.name))

    def quantized(self, q: float) -> Self:
        """Draw multiples of q only.

        Raises:
            ValueError: a bound of a Float is no multiple.
        """
        return replace(self, q=q)

    def _on(self, axis: Axis) -> Self:
        if self.axis is not None:
            raise ValueError(f"{self!r} has its {self.axis}() already: one is all that it can have")
        return replace(self, axis=axis)

    def _bounds(self) -> tuple[float, float]:
        if self.lower is None or self.upper is None:
            raise ValueError(f"{self!r} needs a lower and an upper bound")
        return self.lower, self.upper


@dataclass(frozen=True)
class Float(_Number):
    """Floats from lower to upper, evenly unless something else is said.

    Args:
        lower: None for no bound, where the numbers are normal.
        upper: likewise.
    """

    mean: float = 0.0
    sd: float = 1.0

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> Self:
        """Draw normally distributed numbers; the bounds must be None.

        Raises:
            ValueError: something else has been said.
        """
        return replace(self._on("normal"), mean=mean, sd=sd)

    def quantized(self, q: float) -> Self:
        for bound in (self.lower, self.upper):
            if bound is not None and not np.isclose(bound / q, round(bound / q)):
                raise ValueError(f"quantized({q!r}): the bound {bound!r} is no multiple of it")
        return super().quantized(q)

    def domain(self) -> Domain:
        if self.axis == "normal":
            if (self.lower, self.upper) != (None, None):
                raise ValueError(f"{self!r}: normal numbers have no bounds here; use tune.randn, or uniform()")
            return engine.randn(self.mean, self.sd) if self.q is None else engine.qrandn(self.mean, self.sd, self.q)
        low, high = self._bounds()
        if self.axis == "loguniform":
            return engine.loguniform(low, high) if self.q is None else engine.qloguniform(low, high, self.q)
        return engine.uniform(low, high) if self.q is None else engine.quniform(low, high, self.q)


@dataclass(frozen=True)
class Integer(_Number):
    """Whole numbers from lower to upper, which is not among them, except where they are quantized."""

    def domain(self) -> Domain:
        low, high = (int(bound) for bound in self._bounds())
        if self.axis == "loguniform":
            return engine.lograndint(low, high) if self.q is None else engine.qlograndint(low, high, int(self.q))
        return engine.randint(low, high) if self.q is None else engine.qrandint(low, high, int(self.q))


@dataclass(frozen=True)
class Categorical(Described):
    """One of the categories, which may be domains or hold some."""

    categories: Sequence[Any]

    def uniform(self) -> Self:
        """Draw each as often as the others; so it is anyway."""
        return self

    def grid(self) -> Category:
        """Try each in turn."""
        return engine.grid_search(self.categories)

    def __len__(self) -> int:
        return len(self.categories)

    def __getitem__(self, item: int) -> Any:  # noqa: ANN401 - whatever a category is
        return self.categories[item]

    def domain(self) -> Domain:
        return engine.choice(converted(list(self.categories)))


@dataclass(frozen=True)
class Function(Described):
    """What a function returns, from the config so far if it has an argument."""

    func: Callable[..., Any]

    def domain(self) -> Domain:
        return engine.sample_from(self.func)


def _drawn_by(sampler: Sampler, numbers: _Number) -> _Number:
    """Return these numbers as the sampler draws them."""
    if isinstance(sampler, samplers.Quantized):
        return _drawn_by(sampler.sampler, numbers).quantized(sampler.q)
    if isinstance(sampler, samplers.Uniform):
        return numbers.uniform()
    if isinstance(sampler, samplers.LogUniform):
        return numbers.loguniform()
    if isinstance(sampler, samplers.Normal) and isinstance(numbers, Float):
        return numbers.normal(sampler.mean, sampler.sd)
    raise ValueError(f"{numbers!r} cannot be drawn from by {sampler!r}")


def converted(value: Any) -> Any:  # noqa: ANN401 - whatever a space may hold
    """Return a space, or part of one, with the engine's domains in place of those that are described."""
    if isinstance(value, Described):
        return value.domain()
    if isinstance(value, Mapping):
        return {name: converted(inner) for name, inner in value.items()}
    return [converted(inner) for inner in value] if type(value) is list else value
