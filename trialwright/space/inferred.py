"""A space inferred from trials: which parameters exist only if another one has certain values.

A define-by-run program asks for its parameters one by one, and its trials are flat: ``{"model": "svm", "C": 3.0}``, or
``{"model": "forest", "depth": 4}``. Here ``C`` exists if and only if ``model`` is ``"svm"``, in all trials so far. So
it becomes part of that option: ``choice([{"value": "svm", "C": ...}, {"value": "forest", "depth": ...}])``. Models then
know which parameters a configuration has. If a later trial shows something else, the space is inferred again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trialwright.space.domains import Category, Domain
from trialwright.space.make import choice
from trialwright.space.plain import as_config
from trialwright.space.space import Space
from trialwright.space.values import Config

VALUE, ABSENT = "value", "absent"  # VALUE gets underscores where a parameter has this name
_MISSING = object()  # no value of any domain

Params = Mapping[str, object]  # a flat trial: a value for each parameter that it has


@dataclass(frozen=True)
class Condition:
    """A parameter exists if the parent has one of these options (by number); any, if it has no parent."""

    parent: str | None = None
    options: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Inferred:
    """A space, and how flat trials become configurations of it.

    Args:
        domains: of every parameter that was seen, in the order in which they were first asked for.
        conditions: of the parameters that other parameters decide about.
        optional: parameters that some trials lack, without another parameter that explains it.
    """

    domains: Mapping[str, Domain]
    conditions: Mapping[str, Condition]
    optional: frozenset[str]
    space: Space = field(init=False)
    _value: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        key = VALUE
        while key in self.domains:
            key += "_"
        object.__setattr__(self, "_value", key)
        definition = {name: self._node(name) for name in self._children(Condition())}
        object.__setattr__(self, "space", Space(definition))

    def nested(self, params: Params) -> Config | None:
        """Return the configuration of a flat trial; None if this space does not have it."""
        used: set[str] = set()
        config = {name: self._nest(name, params, used) for name in self._children(Condition())}
        is_whole = used == params.keys() and not self.space.validate(config)
        return as_config(config) if is_whole else None

    def known(self, params: Params) -> dict[str, object]:
        """Return a flat trial without parameters that the space does not have, as those with a single value."""
        return {name: value for name, value in params.items() if name in self.domains}

    def flat(self, config: Config) -> dict[str, object]:
        """Return the flat trial of a configuration: the parameters that it has, in the order of ``domains``."""
        params: dict[str, object] = {}
        self._flatten(config, params)
        return {name: params[name] for name in self.domains if name in params}

    def _children(self, wanted: Condition) -> Iterator[str]:
        """Yield the parameters that exist without a parent; or below one of the options of a parent."""
        for name in self.domains:
            condition = self.conditions.get(name, Condition())
            if condition.parent == wanted.parent and wanted.options <= condition.options:
                yield name

    def _inside(self, name: str, option: int) -> list[str]:
        return [*self._children(Condition(name, frozenset({option})))]

    def _node(self, name: str) -> object:
        domain = self.domains[name]
        if isinstance(domain, Category):
            domain = self._branched(name, domain)
        return choice([ABSENT, {self._value: domain}]) if name in self.optional else domain

    def _branched(self, name: str, domain: Category) -> Domain:
        """Return the choice with the parameters that depend on it inside its options."""
        inside = [self._inside(name, option) for option in range(len(domain.options))]
        if not any(inside):
            return domain
        options = [
            {self._value: value, **{child: self._node(child) for child in children}} if children else value
            for value, children in zip(domain.options, inside, strict=True)
        ]
        return choice(options)

    def _nest(self, name: str, params: Params, used: set[str]) -> object:
        if name not in params:
            return ABSENT if name in self.optional else _MISSING
        used.add(name)
        value, domain = params[name], self.domains[name]
        option = domain.index(value) if isinstance(domain, Category) else None
        if option is not None and (children := self._inside(name, option)):
            value = {self._value: value, **{child: self._nest(child, params, used) for child in children}}
        return {self._value: value} if name in self.optional else value

    def _flatten(self, config: Mapping[str, object], params: dict[str, object]) -> None:
        for name, given in config.items():
            if name in self.optional and given == ABSENT:
                continue
            value = given[self._value] if name in self.optional else given  # type: ignore[index]
            if isinstance(value, dict):
                self._flatten({key: item for key, item in value.items() if key != self._value}, params)
                value = value[self._value]
            params[name] = value


def infer(trials: Sequence[Params], domains: Mapping[str, Domain]) -> Inferred:
    """Return the space of these trials.

    A parameter that some trials lack belongs to options of a choice if, in all trials, it exists exactly where the
    choice has one of these options. If several choices explain it, it is the one that was asked for last before it. If
    none does, the parameter is optional.

    Args:
        trials: flat, each in the order in which its parameters were asked for.
        domains: of every parameter, in the order in which they were first asked for.

    Raises:
        ValueError: the space cannot be built.
    """
    having = {name: {place for place, params in enumerate(trials) if name in params} for name in domains}
    conditions: dict[str, Condition] = {}
    optional: set[str] = set()
    names = [*domains]
    for place, name in enumerate(names):
        if len(having[name]) == len(trials):
            continue
        found = (_explained(name, parent, domains[parent], trials, having) for parent in reversed(names[:place]))
        condition = next((each for each in found if each is not None), None)
        if condition is None:
            optional.add(name)
        else:
            conditions[name] = condition
    return Inferred(domains, conditions, frozenset(optional))


def _explained(
    name: str, parent: str, domain: Domain, trials: Sequence[Params], having: Mapping[str, set[int]]
) -> Condition | None:
    """Return the options of the parent with which trials have the parameter, if none with these options lacks it."""
    if not isinstance(domain, Category) or not having[name] <= having[parent]:
        return None
    option = {place: domain.index(trials[place][parent]) for place in having[parent]}
    options = {option[place] for place in having[name]}
    if any(option[place] in options for place in having[parent] - having[name]) or None in options:
        return None
    return Condition(parent, frozenset(each for each in options if each is not None))
