"""How a domain is drawn from, as values that programs for Ray Tune compare and look into; and what else these ask it.

A run draws by the domains themselves: nothing here draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Sampler:
    """How a domain is drawn from."""


class BaseSampler(Sampler):
    """In its own way, as a function is."""

    def __str__(self) -> str:
        return "Base"


@dataclass(frozen=True)
class Uniform(Sampler):
    """Evenly."""

    def __str__(self) -> str:
        return "Uniform"


@dataclass(frozen=True)
class LogUniform(Sampler):
    """Evenly on a logarithmic axis."""

    def __str__(self) -> str:
        return "LogUniform"


@dataclass(frozen=True)
class Normal(Sampler):
    """Normally distributed.

    Raises:
        ValueError: the standard deviation is not above 0.
    """

    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise ValueError(f"sd must be above 0, not {self.sd!r}")

    def __str__(self) -> str:
        return "Normal"


@dataclass(frozen=True)
class Grid(Sampler):
    """Every value in turn."""


@dataclass(frozen=True)
class Quantized(Sampler):
    """As another sampler, but only multiples of q."""

    sampler: Sampler
    q: float

    def get_sampler(self) -> Sampler:
        """Return the other sampler."""
        return self.sampler


class Sampled:
    """What Ray Tune's users ask a domain."""

    def get_sampler(self) -> Sampler:
        """Return how it is drawn from."""
        return BaseSampler()

    def set_sampler(self, sampler: Sampler, allow_override: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """Refuse it: a domain is drawn from in one way.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"{self!r} is drawn from in one way, and cannot become {sampler}: write another domain, such as "
            "loguniform(lower, upper)"
        )

    def is_grid(self) -> bool:
        """Tell whether every value is tried in turn."""
        return isinstance(self.get_sampler(), Grid)

    def is_function(self) -> bool:
        """Tell whether a function computes the value."""
        return False

    def cast(self, value: Any) -> Any:  # noqa: ANN401 - whatever a domain may hold
        """Return the value as what the domain holds: an int, a float, or the value itself."""
        return value

    def is_valid(self, value: object) -> bool:
        """Tell whether it is a value of the domain. Unlike in Ray Tune, the upper end of ``randint`` and what is no
        multiple of q are not."""
        raise NotImplementedError

    @property
    def domain_str(self) -> str:
        """Its bounds or its options, as they were given."""
        return "(unknown)"
