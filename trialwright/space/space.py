"""The space: what may vary, and the way from there to the unit cube and back."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial as with_first

import numpy as np
import numpy.typing as npt

from trialwright.html import html_table
from trialwright.space.beliefs import Belief
from trialwright.space.compiling import Parameter, compile_definition
from trialwright.space.constraints import Constraint, Constraints, problems_of_constraints
from trialwright.space.domains import Category
from trialwright.space.functions import fill
from trialwright.space.nodes import Row
from trialwright.space.plain import References, as_config, definition_from_plain, definition_to_plain, is_config
from trialwright.space.region import Region, pulled
from trialwright.space.values import Bools, Config, Floats, brief, fresh, items, python_value

_CONSTRAINTS, _DEFINITION = "$constraints", "$definition"  # of the plain form of a space that has constraints
GRID_REGIONS = 256  # so many grid points are kept in mind for which few draws meet the constraints


class Space:
    """Nested dicts and lists of domains and constants, with constraints on whole configs.

    A config is encoded as a row of d = `dimension` numbers in [0, 1]: one column for each number, choice, ordinal
    and grid_search, in the order of the definition. A choice whose options hold domains is a branching: the columns
    of the options not taken are inactive. Paths read "model/lr", "layers/0", and "model[1]/C" inside option 1.

    `doubts` says what can be used, but was perhaps not meant: a list of values without a choice.

    Raises ValueError, with all problems and their paths, for a definition that cannot be used.
    """

    def __init__(self, definition: Mapping[str, object], constraints: Sequence[Constraint] = ()) -> None:
        self._root, compiled = compile_definition(definition)
        problems = compiled.problems + problems_of_constraints(constraints, definition)
        if problems:
            raise ValueError(_listed("the space has", problems))
        self._definition = fresh(definition)  # the caller may go on changing theirs
        self._constraints = Constraints(constraints)
        self._parameters = tuple(compiled.parameters)
        self._dimension = compiled.dimension
        self.doubts = tuple(compiled.doubts)
        self._references = References(compiled.references)
        self._has_derived = any(each.column is None for each in self._parameters)
        self._has_branches = any(each.condition is not None for each in self._parameters)
        self._is_plain = not compiled.references and not self._has_derived
        self._regions: dict[int | None, Region] = {}
        self._grid = {
            each.column: each.domain.cardinality
            for each in self._parameters
            if each.column is not None and isinstance(each.domain, Category) and each.domain.kind == "grid_search"
        }

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every domain of the space, in the order of the definition; parameter of column j has `column == j`."""
        return self._parameters

    @property
    def logarithmic(self) -> frozenset[str]:
        """The places in configs ("kernel/gamma") whose numbers are drawn on a logarithmic axis."""
        on_log = [each.path for each in self._parameters if getattr(each.domain, "log", False)]
        return frozenset(re.sub(r"\[\d+\]", "", path) for path in on_log)

    @property
    def dimension(self) -> int:
        """The number d of encoded columns."""
        return self._dimension

    @property
    def grid_size(self) -> int:
        """The number of grid points: the product of the lengths of all grid_search, 1 without any."""
        return math.prod(self._grid.values())

    @property
    def cardinality(self) -> int | None:
        """The number of configs, before constraints; None if infinite. A sample_from adds none."""
        return self._root.count

    @property
    def is_plain(self) -> bool:
        """True if `plain` and `resolve` have nothing to replace in any config of this space."""
        return self._is_plain

    @property
    def has_functions(self) -> bool:
        """True if sample_from computes some values."""
        return self._has_derived

    @property
    def has_constraints(self) -> bool:
        """True if some configs of the unit cube are not allowed."""
        return bool(self._constraints)

    def decode(self, units: Floats, rng: np.random.Generator | None = None) -> list[Config]:
        """Return the n configs at the units, shape (n, d), each active one within [0, 1].

        The rng seeds the functions of sample_from; it is needed only where there are some. Constraints are not
        looked at. Raises ValueError for a wrong shape, units outside [0, 1], and sample_from that cannot be computed.
        """
        configs = self._undecided(self._checked(units))
        for config in configs if self._has_derived else ():
            fill(config, rng)
        return configs

    def encode(self, configs: Sequence[Config]) -> tuple[Floats, Bools]:
        """Return the units, shape (n, d), and which of them are active, shape (n, d); inactive units are 0.5.

        Integers and options become the centre of their cell; numbers off their steps the nearest step, numbers
        outside their range the nearest edge. Where a value fits two branches, it is taken to be of the first.
        Raises ValueError for a missing parameter, and a value that is of the wrong kind or not an option.
        """
        units, active = (
            np.full((len(configs), self._dimension), 0.5),
            np.zeros((len(configs), self._dimension), dtype=bool),
        )
        for config, own_units, own_active in zip(configs, units, active, strict=True):
            self._root.encode(config, Row(own_units, own_active))
        return units, active

    def active(self, units: Floats) -> Bools:
        """Return which columns the configs at the units have, both of shape (n, d)."""
        if not self._has_branches:
            return np.ones(units.shape, dtype=bool)
        active = np.zeros(units.shape, dtype=bool)
        self._root.activate(units, np.ones(len(units), dtype=bool), active)
        return active

    def snap(self, units: Floats) -> Floats:
        """Return the units, shape (n, d), as `encode` would give them for the configs there: discrete values in the
        middle of their cells, inactive columns at 0.5."""
        snapped = np.array(units, dtype=np.float64)
        for each in self._parameters:
            if each.column is not None:
                snapped[:, each.column] = each.domain.snap(snapped[:, each.column])
        if self._has_branches:
            snapped[~self.active(snapped)] = 0.5
        return snapped

    @property
    def has_prior(self) -> bool:
        """True if the user has said of some parameter where good values are to be expected."""
        return any(each.domain.belief for each in self._parameters)

    def log_prior(self, units: Floats) -> Floats:
        """Return the logarithm of the density of the user's beliefs, shape (n,), at the units, shape (n, d).

        It is 0 where nothing was said, and of inactive columns nothing is.
        """
        total = np.zeros(len(units))
        active = self.active(units) if self.has_prior else None
        for column, belief in self._beliefs():
            total += np.where(active[:, column], belief.log_density(units[:, column]), 0.0)  # type: ignore[index]
        return total

    def tilt(self, units: Floats) -> Floats:
        """Turn evenly drawn units, shape (n, d), into draws from the user's beliefs; the same without any."""
        tilted = np.array(units, dtype=np.float64)
        for column, belief in self._beliefs():
            tilted[:, column] = belief.quantile(tilted[:, column])
        return tilted

    def _beliefs(self) -> list[tuple[int, Belief]]:
        return [(p.column, p.domain.belief) for p in self._parameters if p.column is not None and p.domain.belief]

    def feasible(self, units: Floats) -> Bools:
        """Return which configs at the units, shape (n, d), satisfy the constraints, shape (n,).

        Values of sample_from are not known here: where constraints need them, every config counts as allowed.
        """
        if not self._constraints or self._has_derived:
            return np.ones(len(units), dtype=bool)
        return np.array([self.satisfies(config) for config in self.decode(units)], dtype=bool)

    def sample(
        self, n: int, rng: np.random.Generator, *, grid: npt.NDArray[np.int64] | Sequence[int] | None = None
    ) -> list[Config]:
        """Draw n configs that satisfy the constraints; the k-th at grid point `grid[k]` where grid, length n, is given.

        Where few draws satisfy them, it is a walk from configs that do (see `region`). At a grid point where none seems
        to, it is a config of another grid point. Raises ValueError if no config was found at all, with the constraint
        that rejected most.
        """
        if grid is not None and len(grid) != n:
            message = f"grid has {len(grid)} indices for {n} configs"
            raise ValueError(message)
        units = self.tilt(rng.random((n, self._dimension)))
        drawn = self.decode(units if grid is None else self.fix_grid(units, grid), rng)
        if not self._constraints:
            return drawn
        indices = [None] * n if grid is None else [int(index) % self.grid_size for index in grid]
        return [
            config if self.satisfies(config) else self._region(index).draw(rng)
            for config, index in zip(drawn, indices, strict=True)
        ]

    def allowed(self, n: int, rng: np.random.Generator, *, index: int | None = None) -> Floats:
        """Return n units that satisfy the constraints, shape (n, d), at grid point `index` if it is given and has any,
        by walks from known ones; none if none are known, or if constraints may need values of sample_from."""
        if self._has_derived:
            return np.empty((0, self._dimension))
        return self._region(None if index is None else index % self.grid_size).units(n, rng)

    def pulled(self, units: Floats, anchors: Floats) -> Floats:
        """Return the units, each moved towards its anchor, which satisfies the constraints, until it does too; both of
        shape (n, d). A few may not: those that would have to go nearly all the way."""
        return pulled(units, anchors, self.feasible) if self._constraints else units

    def grid_units(self, index: int) -> dict[int, float]:
        """Return the unit of every grid column at grid point index % grid_size; the first-declared varies slowest."""
        fixed = self.fix_grid(np.zeros((1, self._dimension)), [index % self.grid_size])
        return {column: float(fixed[0, column]) for column in self._grid}

    def fix_grid(self, units: Floats, indices: npt.NDArray[np.int64] | Sequence[int]) -> Floats:
        """Return units, shape (n, d), with the grid columns set for the n grid indices (each modulo grid_size)."""
        fixed, rest = np.array(units), np.asarray(indices)
        for column, size in reversed(self._grid.items()):
            rest, digits = np.divmod(rest, size)
            fixed[:, column] = (digits + 0.5) / size
        return fixed

    def at(self, index: int, rng: np.random.Generator | None = None) -> Config:
        """Return one of the `cardinality` configs, in the order of itertools.product; constraints are not looked at.

        Raises ValueError for an infinite space, IndexError for an index outside it.
        """
        size = self.cardinality
        if size is None:
            endless = [
                each.path for each in self._parameters if each.column is not None and each.domain.cardinality is None
            ]
            message = f"the space is infinite: {', '.join(endless)} cannot be enumerated"
            raise ValueError(message)
        if not 0 <= index < size:
            message = f"index {index} is outside a space of {size} configs"
            raise IndexError(message)
        units = np.full((1, self._dimension), 0.5)
        self._root.place(index, units[0])
        return self.decode(units, rng)[0]

    def validate(self, config: object, *, partial: bool = False) -> list[str]:
        """Return all problems of a user's config, each with path and value; none if it is right.

        Constants and sample_from places may be left out; with `partial` parameters too. Constraints are asked last,
        of whole configs without other problems.
        """
        if not is_config(config):
            return [f"a config is a dict with string keys, got {brief(config)}"]
        problems = list(self._root.problems(config, partial=partial))
        if problems or partial or not self._constraints:
            return problems
        return self._problems_of_whole(as_config(config))

    def misfits(self, config: Config) -> list[str]:
        """Return which values of parameters lie outside their domains, each with path and value. Constants, values of
        sample_from, what is missing, and what the space lacks are not looked at."""
        return [*self._root.misfits(config)]

    def complete(self, partial: Config, rng: np.random.Generator, *, index: int | None = None) -> Config:
        """Return the config with what it leaves out drawn, so that constraints hold; given values stay as they are.

        A given branch decides which parameters there are. What is left out of the grid is drawn too, or is that of grid
        point `index`. Raises ValueError with all problems of the given part, and if nothing was found that satisfies
        the constraints.
        """
        problems = self.validate(partial, partial=True)
        if problems:
            raise ValueError(_listed("the config has", problems))
        units, active = self._given(partial)

        def place(rows: Floats) -> Floats:
            rows = rows if index is None else self.fix_grid(rows, [index] * len(rows))
            return np.where(active, units, rows)

        def make(placed: Floats) -> list[Config]:
            return [as_config(_overlaid(config, partial)) for config in self._undecided(placed)]

        try:
            return Region(self._dimension, place, make, self._constraints, self._has_derived).draw(rng)
        except ValueError as error:
            raise ValueError(f"{brief(partial)} cannot be completed: {error}") from error

    def satisfies(self, config: Config) -> bool:
        """Return True if all constraints hold. Raises ValueError for a constraint that raises."""
        return self._constraints.violated(config) is None

    def plain(self, config: Config) -> Config:
        """Return a copy of the config as JSON data: a tuple becomes {"$tuple": [...]}, what is no data {"$ref": path of
        its place in the space}. The caller may go on changing theirs.

        Raises ValueError for a value that is neither data nor from the space, with its path.
        """
        return fresh(config) if self._is_plain else as_config(self._references.plain(config))

    def resolve(self, plain: Config) -> Config:
        """Undo `plain`: return a copy, so that user code may do anything to it. Objects of the space are not copied.

        Raises ValueError for a reference to something this space does not have.
        """
        return fresh(plain) if self._is_plain else as_config(self._references.resolve(plain))

    def to_plain(self) -> Config | None:
        """Return the definition as JSON data, or None if it has functions (as constraints, too) or other objects."""
        if not self._constraints.are_strings:
            return None
        try:
            definition = as_config(definition_to_plain(self._definition))
        except TypeError:
            return None
        return {_CONSTRAINTS: self._constraints.strings, _DEFINITION: definition} if self._constraints else definition

    @classmethod
    def from_plain(cls, data: Config) -> "Space":
        """Undo `to_plain`. Raises ValueError for data that it did not write."""
        data = as_config(data)
        if data.keys() == {_CONSTRAINTS, _DEFINITION}:
            return cls(as_config(definition_from_plain(data[_DEFINITION])), data[_CONSTRAINTS])
        return cls(as_config(definition_from_plain(data)))

    @property
    def definition(self) -> Config:
        """What it was made of: a copy."""
        return as_config(fresh(self._definition))

    def describe(self) -> str:
        """Return a line for each parameter, for logs."""
        width = max((len(each.path) for each in self._parameters), default=0)
        return "\n".join(f"{each.path:<{width}}  {brief(each.domain, 100)}" for each in self._parameters)

    def _repr_html_(self) -> str:
        rows = [(each.path, brief(each.domain, 100)) for each in self._parameters]
        strings = self._constraints.strings
        limits = [("constraint", each) for each in strings]
        functions = [("constraint", "a function")] * (len(self._constraints) - len(strings))
        return html_table("Space", ("parameter", "values"), [*rows, *limits, *functions])

    def __repr__(self) -> str:
        constraints = f", {len(self._constraints)} constraints" if self._constraints else ""
        return f"Space({brief(self._definition, 400)}{constraints})"

    def _checked(self, units: Floats) -> Floats:
        units = np.asarray(units, dtype=np.float64)
        if units.ndim != 2 or units.shape[1] != self._dimension:
            message = f"units have shape {units.shape}; it must be (n, {self._dimension})"
            raise ValueError(message)
        return units

    def _undecided(self, units: Floats) -> list[Config]:
        """Decode all but the values of sample_from, which stay pending."""
        if units.size and not (units.min() >= 0.0 and units.max() <= 1.0):  # written so that NaN fails too
            units = self._inside(units)
        return self._root.decode(units)  # type: ignore[return-value]

    def _inside(self, units: Floats) -> Floats:
        """Return the units without what stands in inactive columns, where anything may. Raises ValueError for the
        rest."""
        outside = ~((units >= 0.0) & (units <= 1.0))
        harmless = np.where(outside, 0.5, units)
        wrong = outside & self.active(harmless)
        for each in self._parameters:
            if each.column is not None and wrong[:, each.column].any():
                low, high = units[:, each.column].min(), units[:, each.column].max()
                raise ValueError(f"{each.path}: units must lie within [0, 1], got {low} to {high}")
        return harmless

    def _region(self, index: int | None) -> Region:
        """Return the region of a grid point; the whole one for None."""
        if index not in self._regions:
            if len(self._regions) >= GRID_REGIONS:
                self._regions.clear()
            whole = None if index is None else self._region(None)
            place = with_first(self._placed, index)
            self._regions[index] = Region(
                self._dimension, place, self._undecided, self._constraints, self._has_derived, whole
            )
        return self._regions[index]

    def _placed(self, index: int | None, rows: Floats) -> Floats:
        """Return even rows, shape (n, d), as units that are tilted, at a grid point."""
        units = self.tilt(rows)
        return units if index is None else self.fix_grid(units, np.full(len(units), index))

    def _problems_of_whole(self, config: Config) -> list[str]:
        violated = self._constraints.violated(config)
        return [] if violated is None else [f"{self._constraints.name(violated)} is violated by {brief(config)}"]

    def _given(self, partial: Config) -> tuple[Floats, Bools]:
        row = Row(np.full(self._dimension, 0.5), np.zeros(self._dimension, dtype=bool), partial=True)
        self._root.encode(partial, row)
        return row.units, row.active


def _overlaid(drawn: object, given: object) -> object:
    """Return the drawn config with the user's own values in it: they are exact, their units are rounded."""
    if isinstance(drawn, dict) and isinstance(given, dict):
        return {key: _overlaid(value, given[key]) if key in given else value for key, value in items(drawn)}
    if isinstance(drawn, list) and isinstance(given, list):
        return [_overlaid(value, own) for value, own in zip(drawn, given, strict=True)]
    return fresh(python_value(given))


def _listed(what: str, problems: list[str]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{what} {count}:" + "".join(f"\n  {problem}" for problem in problems)
