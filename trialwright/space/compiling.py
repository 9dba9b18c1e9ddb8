"""From a definition to a tree of nodes; every problem of the definition is collected on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from trialwright.errors import import_instead
from trialwright.space import make
from trialwright.space.domains import Category, Domain, Numeric
from trialwright.space.functions import Derived
from trialwright.space.nodes import CategoryNode, ConstantNode, DerivedNode, GroupNode, Node, NumberNode, join
from trialwright.space.values import brief, is_json_scalar, is_number, is_structure, items, python_value

REFERENCE = "$ref"
"""The key that marks a reference in the plain form of a config."""
RESERVED = frozenset({REFERENCE, "$domain", "$tuple", "$float"})
_DEEPEST = 100
_FACTORIES: tuple[Callable[..., Domain], ...] = (
    *(make.uniform, make.quniform, make.loguniform, make.qloguniform, make.randn, make.qrandn, make.randint),
    *(make.qrandint, make.lograndint, make.qlograndint, make.choice, make.ordinal, make.grid_search),
    make.sample_from,
)


class Condition(NamedTuple):
    """A parameter exists only where the category `parent` (a path) has taken its option number `option`."""

    parent: str
    option: int


@dataclass(frozen=True)
class Parameter:
    """One domain of a space. `column` is None for sample_from; `condition` is the innermost branch it lies in."""

    path: str
    domain: Domain
    column: int | None
    condition: Condition | None = None


@dataclass(frozen=True)
class _Place:
    """Where in the definition the compiler is."""

    path: str = ""
    condition: Condition | None = None
    ancestors: tuple[int, ...] = ()

    def entry(self, key: object) -> "_Place":
        return replace(self, path=join(self.path, str(key)))

    def inside(self, container: object) -> "_Place":
        return replace(self, ancestors=(*self.ancestors, id(container)))

    def branch(self, option: int) -> "_Place":
        return replace(self, path=f"{self.path}[{option}]", condition=Condition(self.path, option))


@dataclass
class Compiled:
    """What a definition amounts to; `problems` must be empty before the rest is used."""

    problems: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    references: dict[str, object] = field(default_factory=dict)
    """Each value that JSON cannot hold, by its path."""
    doubts: list[str] = field(default_factory=list)
    """What can be used, but was perhaps not meant."""
    dimension: int = 0
    _paths: set[str] = field(default_factory=set)

    def node(self, value: object, place: _Place) -> Node:
        """Compile one part of the definition."""
        if id(value) in place.ancestors or len(place.ancestors) > _DEEPEST:
            return self._refused(place, f"is nested more than {_DEEPEST} levels deep or contains itself")
        if isinstance(value, Domain):
            return self._domain(value, place)
        if not holds_domain(value):
            return self._constant(value, place)
        if is_structure(value):
            return self.group(value, place)
        return self._refused(place, _misplaced(value))

    def group(self, value: object, place: _Place) -> GroupNode:
        """Compile a dict or a list, entry by entry."""
        inside = place.inside(value)
        children = {key: self._entry(key, item, inside) for key, item in items(value)}
        return GroupNode(place.path, children, is_list=isinstance(value, list))

    def _entry(self, key: str | int, item: object, place: _Place) -> Node:
        entry = place.entry(key)
        if key in RESERVED:
            return self._refused(entry, f"the key {key!r} is reserved for the journal")
        return self.node(item, entry)

    def _domain(self, domain: Domain, place: _Place) -> Node:
        self._claim(place)
        column = None if isinstance(domain, Derived) else self.dimension
        self.parameters.append(Parameter(place.path, domain, column, place.condition))
        self.dimension += column is not None
        if isinstance(domain, Category):
            return self._category(domain, place, self.dimension - 1)
        if isinstance(domain, Numeric):
            return NumberNode(place.path, self.dimension - 1, domain)
        if isinstance(domain, Derived):
            return DerivedNode(place.path, domain)
        return self._refused(place, f"{domain!r} is not a domain of this library")

    def _category(self, domain: Category, place: _Place, column: int) -> Node:
        if domain.kind == "grid_search" and place.condition:
            self._refused(
                place, f"grid_search is not possible inside a branch of {place.condition.parent!r}; use choice"
            )
        inside, branches = place.inside(domain), {}
        for index, option in enumerate(domain.options):
            if is_json_scalar(option):
                continue
            if not holds_domain(option):
                self._register(option, f"{place.path}[{index}]")
            elif domain.kind == "ordinal":
                self._refused(place, f"option {index} of an ordinal holds a domain; only choice can branch")
            else:
                branches[index] = self.node(option, inside.branch(index))
        return CategoryNode(place.path, column, domain, branches)

    def _constant(self, value: object, place: _Place) -> Node:
        self._claim(place)
        value = python_value(value)
        if any(value is factory for factory in _FACTORIES):
            return self._refused(place, f"{getattr(value, '__name__', value)} is not called; add its arguments")
        if type(value) is list and len(value) > 1 and place.condition is None and _look_like_options(value):
            self.doubts.append(f"{place.path} is a constant list; to try each value: space.choice({brief(value, 80)})")
        self._register(value, place.path)
        return ConstantNode(place.path, value)

    def _register(self, value: object, path: str) -> None:
        """Note what in a constant needs a reference in the plain form."""
        if is_structure(value):
            for key, item in items(value):
                if key in RESERVED:
                    self.problems.append(f"{join(path, key)}: the key {key!r} is reserved for the journal")
                self._register(item, join(path, key))
        elif not is_json_scalar(value):
            if import_instead(value):
                kind = type(value).__name__
                self.problems.append(f"{path}: this {kind} is from Ray Tune; use trialwright.tune or trialwright.space")
            if path in self.references:
                self.problems.append(f"{path}: two entries have this path; rename one")
            self.references[path] = value

    def _claim(self, place: _Place) -> None:
        if place.path in self._paths:
            self._refused(place, "two entries have this path; rename one")
        self._paths.add(place.path)

    def _refused(self, place: _Place, why: str) -> Node:
        self.problems.append(f"{place.path}: {why}")
        return ConstantNode(place.path, None)


def compile_definition(definition: object) -> tuple[GroupNode, Compiled]:
    """Compile a whole definition. Problems are in the second result, not raised."""
    compiled = Compiled()
    if is_structure(definition) and isinstance(definition, dict):
        return compiled.group(definition, _Place()), compiled
    compiled.problems.append(f"a definition is a dict with string keys, got {brief(definition)}")
    return GroupNode("", {}), compiled


def holds_domain(value: object, ancestors: tuple[int, ...] = ()) -> bool:
    """Return True for a domain, and for a built-in container or mapping with one in it at any depth."""
    if is_json_scalar(value):  # most are, and this is the cheapest to see
        return False
    if isinstance(value, Domain):
        return True
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return False
    if id(value) in ancestors or len(ancestors) > _DEEPEST:  # let the compiler look, and refuse it by its path
        return True
    inside = value.values() if isinstance(value, Mapping) else value
    return any(holds_domain(item, (*ancestors, id(value))) for item in inside)


def _look_like_options(values: list[object]) -> bool:
    """Return True for different numbers or strings, all of one kind: [64, 64] is rather what was meant."""
    kinds = {float if is_number(value) else type(value) for value in values}
    return kinds in ({float}, {str}) and len(set(values)) == len(values)


def _misplaced(value: object) -> str:
    if type(value) is dict:
        odd = next(key for key in value if type(key) is not str)
        return f"a dict that holds a domain needs string keys, got {odd!r}"
    wanted = "dict" if isinstance(value, Mapping) else "list"
    return f"a {type(value).__name__} holds a domain; use a plain {wanted} there"
