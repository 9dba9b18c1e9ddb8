"""The domains: frozen values that map a number of the unit interval to a value, and back.

Every domain with a column is its inverse CDF. Discrete ones divide [0, 1] into one cell a value; a value
is encoded as the centre of its cell. Users make domains with the functions of `trialwright.space`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from trialwright.space import samplers
from trialwright.space.beliefs import Belief, bell, weights
from trialwright.space.samplers import Sampled, Sampler
from trialwright.space.values import (
    Floats,
    brief,
    is_finite,
    is_number,
    is_structure,
    items,
    loosely_equal,
    python_value,
    token,
)

DEEPEST_SD = 5.0  # further out, neighbouring units are so far apart that a value would not survive a round trip
_CLOSE = 1e-9


class Domain(Sampled, ABC):
    """What one parameter may be. `belief` says where a user expects good values, if anything was said."""

    belief: Belief | None = None

    @property
    def cardinality(self) -> int | None:
        """The number of values, or None where they cannot be counted."""
        return None

    def snap(self, units: Floats) -> Floats:
        """Return the units, shape (n,), of the very values that lie there: a discrete one owns a whole cell."""
        return units

    def sample(
        self,
        config: Mapping[str, Any] | None = None,
        size: int = 1,
        random_state: int | np.random.Generator | None = None,
    ) -> Any:  # noqa: ANN401
        """Draw a value; a list of them if size is not 1.

        For functions that compute a value from others, and for people. A run never draws in this way. The config is
        what the function of a `sample_from` reads. Without a random_state, NumPy's global random generator is used:
        inside `sample_from` it is seeded.
        """
        if random_state is None:
            random_state = int(np.random.randint(2**31))  # noqa: NPY002 - these are what a user of globals has seeded
        values = self._within(config).draw(size, np.random.default_rng(random_state))
        return values[0] if size == 1 else values

    def _within(self, config: Mapping[str, Any] | None) -> "Domain":
        """Return the domain as it is beside the values of this config."""
        return self

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Sequence[object]:
        """Return n values: those that a space of this domain alone draws, except inside the options of a category."""

    def _draw_units(self, n: int, rng: np.random.Generator) -> Floats:
        units = rng.random(n)
        return self.belief.quantile(units) if self.belief else units


class Numeric(Domain):
    """A domain of numbers. `call` is the call that made it, which is also its repr."""

    call: tuple[str, tuple[float, ...]]

    @abstractmethod
    def decode(self, units: Floats) -> list[float]:
        """Return the n Python numbers at the units, shape (n,), all within [0, 1]."""

    @abstractmethod
    def encode(self, value: float) -> float:
        """Return the unit of a number; one outside the range is taken to the nearest edge."""

    @abstractmethod
    def problem(self, value: object) -> str | None:
        """Return what is wrong with the value, or None."""

    def draw(self, n: int, rng: np.random.Generator) -> Sequence[object]:
        return self.decode(self._draw_units(n, rng))

    def cast(self, value: Any) -> float:  # noqa: ANN401 - what a number can be made of
        """Return the value as a float."""
        return float(value)

    def is_valid(self, value: object) -> bool:
        """Tell whether it is a value of the domain."""
        return self.problem(value) is None

    @property
    def domain_str(self) -> str:
        """Its bounds, as they were given."""
        lower, upper, *_ = self.call[1]
        return f"({lower}, {upper})"

    def prior(self, mean: float, sd: float) -> Self:
        """Return the same domain with the belief that good values are near the mean, give or take sd.

        It tilts what is drawn and what models suggest, and excludes nothing. On a logarithmic axis sd counts powers of
        ten. Raises ValueError or TypeError for a mean outside the domain, and an sd that is not above 0.
        """
        belief = bell(repr(self), mean, sd, self.encode(mean), self._width(sd))
        if problem := self.problem(mean if self.cardinality is None else self._nearest(mean)):
            raise ValueError(f"prior: {problem}")
        return replace(self, belief=belief)  # type: ignore[type-var]  # all that can be made are dataclasses

    def _width(self, sd: float) -> float:
        """Return a standard deviation in units."""
        raise ValueError(f"{self!r} is normal already: set its mean and sd instead of a prior")

    def _nearest(self, value: float) -> float:
        """Return the value of this domain that is nearest."""
        return self.decode(np.array([self.encode(value)]))[0]

    def __repr__(self) -> str:
        name, arguments = self.call
        said = f".prior({', '.join(map(repr, self.belief.said))})" if self.belief else ""
        return f"{name}({', '.join(map(repr, arguments))}){said}"

    def _problem_of_kind(self, value: object, *, integer: bool = False) -> str | None:
        wanted = "an int" if integer else "a number"
        right = is_number(value) and (isinstance(value, int) or not integer)
        if not right:
            return f"{brief(value)} is of type {type(value).__name__}; {self!r} needs {wanted}"
        return None if integer or is_finite(value) else f"{brief(value)} is not finite; {self!r} needs {wanted}"


@dataclass(frozen=True, repr=False)
class Continuous(Numeric):
    """All floats from lower to upper, evenly on a linear or a logarithmic axis."""

    call: tuple[str, tuple[float, ...]]
    lower: float
    upper: float
    log: bool = False
    belief: Belief | None = None

    def _width(self, sd: float) -> float:
        low, high = self._ends
        return sd * (math.log(10) if self.log else 1.0) / (high - low)

    def get_sampler(self) -> Sampler:
        """Return how it is drawn from."""
        return samplers.LogUniform() if self.log else samplers.Uniform()

    def decode(self, units: Floats) -> list[float]:
        low, high = self._ends
        points = low + (high - low) * units
        if self.log:
            points = np.maximum(np.exp(points), self.lower)  # the arithmetic may miss both ends by a last digit,
        values: list[float] = np.minimum(points, self.upper).tolist()  # and on a linear axis the upper one
        return values

    def encode(self, value: float) -> float:
        low, high = self._ends
        point = self._axis(float(min(max(value, self.lower), self.upper)))
        return (point - low) / (high - low) if high > low else 0.5  # ends may meet in log space

    def problem(self, value: object) -> str | None:
        value = python_value(value)
        wrong = self._problem_of_kind(value)
        if wrong or self.lower <= value <= self.upper:  # type: ignore[operator]
            return wrong
        return f"{brief(value)} is outside {self!r}"

    def _axis(self, value: float) -> float:
        return math.log(value) if self.log else value

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self._axis(self.lower), self._axis(self.upper)


@dataclass(frozen=True)
class Grain:
    """The multiples of q: turns step numbers into values and back."""

    q: float
    integer: bool = False

    def values(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return steps * q, in floats as near to the decimal as can be: 3 * 0.1 is 0.3."""
        if self.integer:
            return steps * np.int64(self.q)
        decimals = self._decimals
        return steps * self.q if decimals is None else np.round(steps * self.q, decimals)

    def value(self, step: int) -> float:
        """Return the value of one step as a Python number."""
        if self.integer:
            return step * int(self.q)
        return step * self.q if self._decimals is None else round(step * self.q, self._decimals)

    def step(self, value: float) -> int:
        """Return the step nearest to the value."""
        if self.integer:  # exact beyond 2**53 too
            return (2 * round(value) + int(self.q)) // (2 * int(self.q))
        return round(value / self.q)

    @cached_property
    def _decimals(self) -> int | None:
        text = np.format_float_positional(self.q, trim="-")
        decimals = len(text.partition(".")[2])
        return decimals if decimals <= 15 else None


@dataclass(frozen=True, repr=False)
class Stepped(Numeric):
    """`count` multiples of q from step `first` on; the value v owns the axis from v - q/2 to v + q/2."""

    call: tuple[str, tuple[float, ...]]
    grain: Grain
    first: int
    count: int
    log: bool = False
    belief: Belief | None = None

    def _width(self, sd: float) -> float:
        low, high = self._ends
        return sd * math.log(10) / (high - low) if self.log else sd / (self.grain.q * self.count)

    def get_sampler(self) -> Sampler:
        """Return how it is drawn from."""
        sampler = samplers.LogUniform() if self.log else samplers.Uniform()
        return samplers.Quantized(sampler, self.grain.q) if self.call[0].startswith("q") else sampler

    def cast(self, value: Any) -> float:  # noqa: ANN401 - what a number can be made of
        """Return the value as an int or a float, as the domain has them."""
        return int(value) if self.grain.integer else float(value)

    @property
    def cardinality(self) -> int:
        """The number of steps."""
        return self.count

    @cached_property
    def lower(self) -> float:
        """The smallest value."""
        return self.grain.value(self.first)

    @cached_property
    def upper(self) -> float:
        """The largest value."""
        return self.grain.value(self.first + self.count - 1)

    def decode(self, units: Floats) -> list[float]:
        values: list[float] = self.grain.values(self.indices(units) + self.first).tolist()
        return values

    def encode(self, value: float) -> float:
        inside = min(max(value, self.lower), self.upper)
        return self.centre(self.grain.step(inside) - self.first)

    def centre(self, index: int) -> float:
        """Return the unit in the middle of the cell of the index-th value."""
        return float(self._centres(np.array([index]))[0])

    def snap(self, units: Floats) -> Floats:
        return self._centres(self.indices(units))

    def _centres(self, indices: npt.NDArray[np.int64]) -> Floats:
        if not self.log:
            return (indices + 0.5) / self.count
        low, high = self._ends
        steps = self.first + indices
        centres: Floats = ((np.log(steps - 0.5) + np.log(steps + 0.5)) / 2 - low) / (high - low)
        return centres

    def indices(self, units: Floats) -> npt.NDArray[np.int64]:
        """Return which of the `count` values lies at each unit, both of shape (n,)."""
        low, high = self._ends
        steps = np.rint(np.exp(low + (high - low) * units)) - self.first if self.log else np.floor(units * self.count)
        indices: npt.NDArray[np.int64] = np.minimum(np.maximum(steps, 0), self.count - 1).astype(np.int64)
        return indices

    def problem(self, value: object) -> str | None:
        value = python_value(value)
        wrong = self._problem_of_kind(value, integer=self.grain.integer)
        return wrong or self._problem_of_place(value)  # type: ignore[arg-type]

    def _problem_of_place(self, value: float) -> str | None:
        slack = 0 if self.grain.integer else _CLOSE * self.grain.q
        if not self.lower - slack <= value <= self.upper + slack:
            return f"{brief(value)} is outside {self!r}, whose values go from {self.lower!r} to {self.upper!r}"
        return _problem_of_step(self, self.grain, value)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The outer edges of the first and last cell on the log axis, in steps."""
        return (math.log(self.first - 0.5), math.log(self.first + self.count - 0.5)) if self.log else (0.0, 1.0)


def _problem_of_step(domain: Numeric, grain: Grain, value: float) -> str | None:
    nearest = grain.value(grain.step(value))
    slack = 0 if grain.integer else _CLOSE * max(grain.q, abs(value))
    if abs(value - nearest) <= slack:
        return None
    return f"{brief(value)} is not a step of {domain!r}; the nearest is {nearest!r}"


@dataclass(frozen=True, repr=False)
class Normal(Numeric):
    """Normally distributed floats, cut off at 5 standard deviations; in multiples of q where there is a grain."""

    call: tuple[str, tuple[float, ...]]
    mean: float
    sd: float
    grain: Grain | None = None
    belief: Belief | None = None

    def get_sampler(self) -> Sampler:
        """Return how it is drawn from."""
        sampler = samplers.Normal(self.mean, self.sd)
        return sampler if self.grain is None else samplers.Quantized(sampler, self.grain.q)

    @property
    def domain_str(self) -> str:
        """It has no bounds."""
        return "(-inf, inf)"

    def decode(self, units: Floats) -> list[float]:
        from scipy.special import ndtri  # a third of a second: only who has normal parameters waits for it

        points = self.mean + self.sd * np.clip(ndtri(units), -DEEPEST_SD, DEEPEST_SD)
        if self.grain:
            points = self.grain.values(np.rint(points / self.grain.q).astype(np.int64))
        values: list[float] = points.tolist()
        return values

    def encode(self, value: float) -> float:
        deviation = (value - self.mean) / self.sd
        return math.erfc(-min(max(deviation, -DEEPEST_SD), DEEPEST_SD) / math.sqrt(2)) / 2

    def snap(self, units: Floats) -> Floats:
        return np.array([self.encode(value) for value in self.decode(units)]) if self.grain else units

    def problem(self, value: object) -> str | None:
        value = python_value(value)
        wrong = self._problem_of_kind(value)
        if wrong or self.grain is None:
            return wrong
        return _problem_of_step(self, self.grain, value)  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class Category(Domain):
    """One of the options, each with an equal cell; `kind` says whether they are ordered or enumerated."""

    kind: Literal["choice", "ordinal", "grid_search"]
    options: tuple[object, ...]
    belief: Belief | None = None

    def get_sampler(self) -> Sampler:
        """Return how it is drawn from."""
        return samplers.Grid() if self.kind == "grid_search" else samplers.Uniform()

    def is_valid(self, value: object) -> bool:
        """Tell whether it is one of the options."""
        return self.index(value) is not None

    @property
    def domain_str(self) -> str:
        """Its options."""
        return f"{list(self.options)}"

    def prior(self, likely: Sequence[float]) -> Self:
        """Return the same domain with the belief that its options are good in these proportions, all above 0.

        Raises ValueError for a wrong number of weights, and for a grid_search, which tries everything.
        """
        if self.kind == "grid_search":
            raise ValueError("grid_search tries every option, so a prior has no effect")
        return replace(self, belief=weights(self.kind, likely, len(self.options)))

    def draw(self, n: int, rng: np.random.Generator) -> Sequence[object]:
        cells = self.cells(self._draw_units(n, rng)).tolist()
        return [_drawn(self.options[cell], rng) for cell in cells]

    @property
    def cardinality(self) -> int:
        """The number of options; what their own domains add is counted by the space."""
        return len(self.options)

    def cells(self, units: Floats) -> npt.NDArray[np.int64]:
        """Return the option index, shape (n,), of each unit, shape (n,)."""
        return np.minimum(units * len(self.options), len(self.options) - 1).astype(np.int64)

    def centre(self, index: int) -> float:
        """Return the unit in the middle of an option's cell."""
        return (index + 0.5) / len(self.options)

    def snap(self, units: Floats) -> Floats:
        return (self.cells(units) + 0.5) / len(self.options)

    def index(self, value: object) -> int | None:
        """Return which option the value is, or None: the very same if there is one, else an equal one."""
        found = self._places.get(token(value))
        if found is not None:
            return found
        return next((place for place, option in enumerate(self.options) if loosely_equal(option, value)), None)

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {token(option): place for place, option in enumerate(self.options)}

    def __repr__(self) -> str:
        said = f".prior({[*self.belief.said]})" if self.belief else ""
        return f"{self.kind}([{', '.join(map(repr, self.options))}]){said}"


def _drawn(option: object, rng: np.random.Generator) -> object:
    """Return an option with a value in place of each domain that it holds."""
    if isinstance(option, Domain):
        return option.draw(1, rng)[0]
    if not is_structure(option):
        return option
    parts = {key: _drawn(item, rng) for key, item in items(option)}
    return parts if isinstance(option, dict) else list(parts.values())
