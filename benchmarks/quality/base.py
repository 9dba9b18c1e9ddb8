"""What a task is here: a function on a flat space, for developing or for judging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from trialwright import space
from trialwright.bench.functions import Function
from trialwright.space import Category, Domain, Stepped


@dataclass(frozen=True)
class Task(Function):
    """One problem. Its name begins with its family: ``forms/ackley-6``."""

    space: Mapping[str, Domain]
    judging: bool = field(kw_only=True)

    @property
    def family(self) -> str:
        """What its name begins with."""
        return self.name.partition("/")[0]


def judged(function: Function, family: str, *, judging: bool) -> Task:
    """Return a function as a task of a family."""
    domains = cast("Mapping[str, Domain]", function.space)
    return Task(f"{family}/{function.name}", domains, function.make, function.optimum, judging=judging)


def plain_space(definition: Mapping[str, Domain]) -> list[dict[str, object]]:
    """Describe a flat space to other people's searchers: floats, integers (both ends included), choices."""
    return [{"name": name, **_plain(domain)} for name, domain in definition.items()]


def _plain(domain: Domain) -> dict[str, object]:
    if isinstance(domain, Category):
        return {"kind": "choice", "options": [*domain.options]}
    if isinstance(domain, Stepped):
        return {"kind": "int", "lower": int(domain.lower), "upper": int(domain.upper), "log": domain.log}
    continuous = cast("space.Continuous", domain)
    return {"kind": "float", "lower": continuous.lower, "upper": continuous.upper, "log": continuous.log}
