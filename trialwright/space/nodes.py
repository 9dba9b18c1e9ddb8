"""A definition, compiled to a tree of nodes: one small class for each thing a definition is made of.

Each node decodes a whole column of trials at once; the tree is walked once for n trials, not n times.
"""

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trialwright.space.domains import Category, Numeric, Stepped
from trialwright.space.functions import Derived, Pending
from trialwright.space.values import (
    Bools,
    Floats,
    brief,
    fresh,
    is_number,
    is_structure,
    items,
    loosely_equal,
    python_value,
    token,
)


@dataclass(frozen=True)
class Row:
    """The encoding of one config, filled in by the nodes; both arrays have shape (d,)."""

    units: Floats
    active: Bools
    partial: bool = False

    def put(self, column: int, unit: float) -> None:
        """Write one column."""
        self.units[column] = unit
        self.active[column] = True


@dataclass(frozen=True)
class Node(ABC):
    """One place of the definition."""

    path: str

    @property
    def count(self) -> int | None:
        """The number of values of this place, None if infinite."""
        return 1

    @abstractmethod
    def decode(self, units: Floats) -> Sequence[object]:
        """Return the n values of this place at the units, shape (n, d)."""

    @abstractmethod
    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        """Yield what is wrong with a value for this place; with `partial` nothing has to be there."""

    def misfits(self, value: object) -> Iterator[str]:
        """Yield what is wrong with the values of parameters; constants, and what the space lacks, are not looked at."""
        yield from ()

    def encode(self, value: object, row: Row) -> None:  # noqa: B027 - most places without a column write nothing
        """Write the columns of this place for a value that fits it."""

    def place(self, index: int, units: Floats) -> None:  # noqa: B027
        """Write the columns, shape (d,), of the index-th of `count` values."""

    def activate(self, units: Floats, rows: Bools, active: Bools) -> None:  # noqa: B027
        """Mark in `active`, shape (n, d), the columns that this place has at the units, shape (n, d), in these rows."""

    def missing(self) -> Iterator[str]:
        """Yield what is wrong with a config that leaves this place out."""
        yield from ()

    def takes(self, value: object) -> bool:
        """Return True if the value looks as if it was meant for this place."""
        return not any(self.problems(value, partial=True))


@dataclass(frozen=True)
class ConstantNode(Node):
    """A part without domains: the same in every config, in containers of its own."""

    value: object

    def decode(self, units: Floats) -> Sequence[object]:
        if is_structure(self.value):
            return [fresh(self.value) for _ in range(len(units))]
        return [self.value] * len(units)

    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        if token(value) != token(self.value) and not loosely_equal(self.value, value):
            yield f"{self.path}: {brief(value)} is given, but the space has the constant {brief(self.value)}"


@dataclass(frozen=True)
class DerivedNode(Node):
    """A sample_from place: left pending here, computed when the rest of the config is known."""

    domain: Derived

    def decode(self, units: Floats) -> Sequence[object]:
        return [Pending(self.path, self.domain)] * len(units)

    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        yield from ()


@dataclass(frozen=True)
class NumberNode(Node):
    """A number: one column."""

    column: int
    domain: Numeric

    @property
    def count(self) -> int | None:
        return self.domain.cardinality

    def decode(self, units: Floats) -> Sequence[object]:
        return self.domain.decode(units[:, self.column])

    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        problem = self.domain.problem(value)
        if problem:
            yield f"{self.path}: {problem}"

    def misfits(self, value: object) -> Iterator[str]:
        yield from self.problems(value, partial=True)

    def encode(self, value: object, row: Row) -> None:
        number = python_value(value)
        if not is_number(number) or number != number:  # noqa: PLR0124 - NaN
            raise ValueError(next(self.problems(value, partial=False)))
        row.put(self.column, self.domain.encode(number))  # type: ignore[arg-type]

    def place(self, index: int, units: Floats) -> None:
        if isinstance(self.domain, Stepped):
            units[self.column] = self.domain.centre(index)

    def activate(self, units: Floats, rows: Bools, active: Bools) -> None:
        active[:, self.column] = rows

    def missing(self) -> Iterator[str]:
        yield f"{self.path}: missing; it must be from {brief(self.domain)}"


@dataclass(frozen=True)
class CategoryNode(Node):
    """A choice, ordinal or grid_search: one column for the option, and the columns of options that hold domains."""

    column: int
    domain: Category
    branches: Mapping[int, Node]

    @cached_property
    def count(self) -> int | None:
        widths = [branch.count for branch in self.branches.values()]
        plain = self.domain.cardinality - len(widths)
        return None if None in widths else plain + sum(width or 0 for width in widths)

    def decode(self, units: Floats) -> Sequence[object]:
        cells = self.domain.cells(units[:, self.column])
        options = self.domain.options
        values = [options[cell] for cell in cells.tolist()]
        if self._has_structures:
            values = [fresh(value) for value in values]
        for index, branch in self.branches.items():
            rows = np.flatnonzero(cells == index)
            for row, value in zip(rows.tolist(), branch.decode(units[rows]), strict=True):
                values[row] = value
        return values

    def find(self, value: object) -> int | None:
        """Return the option the value is: one without domains, else the branch with the fewest problems."""
        index = self.domain.index(value)
        if index is not None:
            return index
        problems = {i: self._misfit(branch, value) for i, branch in self.branches.items() if branch.takes(value)}
        return min(problems, key=problems.__getitem__) if problems else None

    @staticmethod
    def _misfit(branch: Node, value: object) -> int:
        return sum(1 for _ in branch.problems(value, partial=True))

    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        index = self.find(value)
        if index is None:
            hint = _hint(value, self.domain.options)
            yield f"{self.path}: {brief(value)} is not one of the options of {brief(self.domain)}{hint}"
        elif index in self.branches:
            yield from self.branches[index].problems(value, partial=partial)

    def misfits(self, value: object) -> Iterator[str]:
        yield from self.problems(value, partial=True)

    def encode(self, value: object, row: Row) -> None:
        index = self.find(value)
        if index is None:
            raise ValueError(next(self.problems(value, partial=False)))
        row.put(self.column, self.domain.centre(index))
        if index in self.branches:
            self.branches[index].encode(value, row)

    def place(self, index: int, units: Floats) -> None:
        option = index
        for option in range(self.domain.cardinality) if self.branches else ():
            width = (self.branches[option].count or 0) if option in self.branches else 1
            if index < width:
                break
            index -= width
        units[self.column] = self.domain.centre(option)
        if option in self.branches:
            self.branches[option].place(index, units)

    def activate(self, units: Floats, rows: Bools, active: Bools) -> None:
        active[:, self.column] = rows
        cells = self.domain.cells(units[:, self.column]) if self.branches else np.empty(0)
        for option, branch in self.branches.items():
            branch.activate(units, rows & (cells == option), active)

    def missing(self) -> Iterator[str]:
        yield f"{self.path}: missing; it must be from {brief(self.domain)}"

    @cached_property
    def _has_structures(self) -> bool:
        return any(is_structure(option) for i, option in enumerate(self.domain.options) if i not in self.branches)


@dataclass(frozen=True)
class GroupNode(Node):
    """A dict or a list that holds domains somewhere; a list's keys are its positions."""

    children: Mapping[str | int, Node]
    is_list: bool = False

    @cached_property
    def count(self) -> int | None:
        counts = [child.count for child in self.children.values()]
        return None if None in counts else math.prod(count or 0 for count in counts)

    def decode(self, units: Floats) -> Sequence[object]:
        columns = [child.decode(units) for child in self.children.values()]
        if not columns:
            return [{} for _ in range(len(units))]
        if self.is_list:
            return [*map(list, zip(*columns, strict=True))]
        keys = tuple(self.children)
        return [dict(zip(keys, values)) for values in zip(*columns, strict=True)]  # noqa: B905 - strict costs a third here

    def problems(self, value: object, *, partial: bool) -> Iterator[str]:
        if not self.takes(value):
            yield f"{self._label}: {brief(value)} is of type {type(value).__name__}; it must be a {self._kind}"
        elif self.is_list and len(value) != len(self.children):  # type: ignore[arg-type]
            yield f"{self._label}: {brief(value)} has {len(value)} items; it must have {len(self.children)}"  # type: ignore[arg-type]
        else:
            yield from self._problems_inside(dict(items(value)), partial=partial)

    def _problems_inside(self, given: dict[str | int, object], *, partial: bool) -> Iterator[str]:
        for key, value in given.items():
            if key in self.children:
                yield from self.children[key].problems(value, partial=partial)
            else:
                yield f"{join(self.path, key)}: the space has no such key{_hint(key, self.children)}"
        for key, child in self.children.items():
            if key not in given and not partial:
                yield from child.missing()

    def misfits(self, value: object) -> Iterator[str]:
        if not self.takes(value):
            yield from self.problems(value, partial=True)
        for key, item in items(value):
            if key in self.children:
                yield from self.children[key].misfits(item)

    def encode(self, value: object, row: Row) -> None:
        if not self.takes(value):
            raise ValueError(next(self.problems(value, partial=False)))
        given = dict(items(value))
        for key, child in self.children.items():
            if key in given:
                child.encode(given[key], row)
            elif not row.partial:
                for problem in child.missing():
                    raise ValueError(problem)

    def place(self, index: int, units: Floats) -> None:
        for child in reversed(
            tuple(self.children.values())
        ):  # the first-declared varies slowest, as in itertools.product
            index, digit = divmod(index, child.count or 1)
            child.place(digit, units)

    def activate(self, units: Floats, rows: Bools, active: Bools) -> None:
        for child in self.children.values():
            child.activate(units, rows, active)

    def missing(self) -> Iterator[str]:
        for child in self.children.values():
            yield from child.missing()

    def takes(self, value: object) -> bool:
        return isinstance(value, list if self.is_list else dict)

    @property
    def _kind(self) -> str:
        return "list" if self.is_list else "dict"

    @property
    def _label(self) -> str:
        return self.path or "config"


def join(path: str, key: Hashable) -> str:
    """Return the path of an entry of a dict or list."""
    return f"{path}/{key}" if path else str(key)


def _hint(value: object, known: Mapping[str | int, Node] | tuple[object, ...]) -> str:
    names = [name for name in known if isinstance(name, str)]
    close = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""
