"""HEBO: a Gaussian process and three acquisitions at once (Cowen-Rivers et al. 2022). It knows no branches."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.errors import nearest
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.anew import Known, check_options, flat_axes
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm
from trialwright.messages import Plain
from trialwright.nested import unflatten
from trialwright.space import Space, choice, lograndint, loguniform, ordinal, qrandint, randint, uniform
from trialwright.space.values import python_value

INSTALL = "--no-deps HEBO (docs/integrations.md says what else it needs)"
FEWEST = 2  # different results that the model needs: with equal ones it divides by zero
REFUSED = {  # options of ``hebo.optimizers.hebo.HEBO``
    "space": "the space is the run's, or the argument space",
    "rand_sample": "give n_initial_points",
    "scramble_seed": "give seed",
}
TYPES: dict[str, Callable[[Mapping[str, Any]], object]] = {  # of a parameter in HEBO's form: the domain that it is here
    "num": lambda each: uniform(each["lb"], each["ub"]),
    "pow": lambda each: loguniform(each["lb"], each["ub"]),
    "int": lambda each: randint(each["lb"], each["ub"] + 1),
    "pow_int": lambda each: lograndint(each["lb"], each["ub"] + 1),
    "step_int": lambda each: qrandint(each["lb"], each["ub"], each["step"]),
    "int_exponent": lambda each: ordinal(_powers(each["base"], each["lb"], each["ub"])),
    "cat": lambda each: choice(list(each["categories"])),
    "bool": lambda _: choice([False, True]),
}


@dataclass
class HEBO(Adapter):
    """Asks HEBO, which must be installed without what it pins: see docs/integrations.md.

    The first configurations are those of a scrambled Sobol sequence. Then HEBO's model is made anew for every question,
    and one configuration is drawn from the front between expected improvement, probability of improvement, and
    confidence bound. A running trial is taken to end as the mean of the others, a failed one as the worst.

    Args:
        n_initial_points: how many configurations come before the model is used; None: one more than parameters.
        generations: how long NSGA-II searches the front. HEBO's own number is 100, which takes seconds a question.
        options: other options of HEBO's class: ``model_name``, ``model_config``, ``acq_cls``.
        space: a ``DesignSpace``, or the list of dicts that it is made of, instead of the engine's space.
    """

    n_initial_points: int | None = None
    generations: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)

    single: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 1  # it draws from global generators, which trials may use meanwhile

    def own_form(self, space: object) -> Form:
        """Read a design space."""
        entries = getattr(space, "para_config", space)
        if not isinstance(entries, list | tuple) or not all(isinstance(each, Mapping) for each in entries):
            raise TypeError(f"HEBO's space must be a DesignSpace or a list of dicts, not {space!r}")
        return SpaceForm(Space(unflatten({str(each.get("name")): _domain(each) for each in entries})))

    def open(self, form: Form) -> Library:
        """Open the model.

        Raises:
            ValueError: a parameter depends on another, or an option cannot be honoured.
        """
        axes = flat_axes(form, "HEBO")
        package = _imported()
        check_options("HEBO", self.options, REFUSED, list(inspect.signature(package.HEBO).parameters))
        return _Model(package, self, axes)


class _Model(Known):
    def __init__(self, package: Any, options: HEBO, axes: list[Axis]) -> None:  # noqa: ANN401 - no types
        super().__init__()
        self._package, self._options = package, options
        self._axes = {axis.name: axis for axis in axes if axis.low < axis.high}
        self._fixed: Assignment = {axis.name: axis.low for axis in axes if axis.low == axis.high}
        first = options.n_initial_points
        self._first = len(self._axes) + 1 if first is None else first

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if not self._axes:
            return self._fixed | given
        from threadpoolctl import threadpool_limits  # here: InEnvironment's interpreter may not have it

        kept = {name: value for name, value in given.items() if name in self._axes}
        with warnings.catch_warnings(), threadpool_limits(1), _seeded(seed % 2**32, self._options.generations):
            warnings.simplefilter("ignore")  # of transformations that HEBO tries again, and of pandas' changes
            proposed = self._optimizer().suggest(1, fix_input=kept or None).iloc[0]
        return self._fixed | {name: _within(axis, proposed[name]) for name, axis in self._axes.items()} | given

    def _optimizer(self) -> Any:  # noqa: ANN401 - as above
        """Return HEBO's optimizer, as it is after all that is known."""
        space = self._package.DesignSpace().parse([_entry(axis) for axis in self._axes.values()])
        first, options = max(self._first, FEWEST), self._options
        optimizer = self._package.HEBO(space, rand_sample=first, scramble_seed=options.design_seed, **options.options)
        if self.seen:
            optimizer.sobol.fast_forward(len(self.seen))
        if len(self.seen) >= first and len(set(self.finite)) >= FEWEST:
            mean = fmean(self.finite)
            known = self.ended() + [(assignment, mean) for assignment in self.pending]
            rows = library("pandas", "pandas").DataFrame([each for each, _ in known])[list(self._axes)]
            optimizer.observe(rows, np.array([[cost] for _, cost in known]))
        return optimizer


def _entry(axis: Axis) -> dict[str, Any]:
    """Return a parameter in HEBO's form."""
    if axis.kind == "category":
        return {"name": axis.name, "type": "cat", "categories": list(range(int(axis.high) + 1))}
    kinds = ("pow", "num") if axis.kind == "float" else ("pow_int", "int")
    return {"name": axis.name, "type": kinds[0] if axis.log else kinds[1], "lb": axis.low, "ub": axis.high}


def _within(axis: Axis, value: object) -> Plain:
    """Return a value as Python's own; of a logarithmic axis it may be off by a rounding error."""
    number = cast(float, python_value(value))
    return min(max(number, axis.low), axis.high)


def _imported() -> Any:  # noqa: ANN401 - no types
    """Import HEBO, and set the number of torch's threads back, which its import makes 1."""
    torch = library("torch", "torch")
    threads = torch.get_num_threads()
    with warnings.catch_warnings():  # of its libraries' changes
        warnings.simplefilter("ignore")
        package = library("hebo.optimizers.hebo", INSTALL)
    torch.set_num_threads(threads)
    return package


@contextmanager
def _seeded(seed: int, generations: int) -> Iterator[None]:
    """Seed all that HEBO draws from, and set back what it changes.

    It draws from NumPy's and torch's global generators, and sets GPyTorch's jitter. It gives pymoo's evolution no seed:
    pymoo 0.6.2 has a generator of its own, and takes a random seed.
    """
    evolution = library("hebo.acq_optimizers.evolution_optimizer", INSTALL)
    minimize, numpy_state, torch = evolution.minimize, np.random.get_state(), library("torch", "torch")  # noqa: NPY002

    def seeded(problem: object, algorithm: object, _: object, **options: object) -> object:
        return minimize(problem, algorithm, ("n_gen", generations), seed=seed, **options)

    with torch.random.fork_rng(devices=[]), library("gpytorch", "gpytorch").settings.cholesky_jitter():
        try:
            evolution.minimize = seeded
            np.random.seed(seed)  # noqa: NPY002 - HEBO draws from it
            torch.manual_seed(seed)
            yield
        finally:
            evolution.minimize = minimize
            np.random.set_state(numpy_state)  # noqa: NPY002 - as above


def _domain(entry: Mapping[str, Any]) -> object:
    """Return the domain of a parameter in HEBO's form.

    Raises:
        ValueError: HEBO has no such type.
    """
    name, kind = entry.get("name"), str(entry.get("type"))
    if not isinstance(name, str) or kind not in TYPES:
        raise ValueError(f"HEBO's space: {entry!r} needs a name, and a type: {', '.join(TYPES)}{nearest(kind, TYPES)}")
    return TYPES[kind](entry)


def _powers(base: int, low: int, high: int) -> list[int]:
    exponents = np.round(np.log([low, high]) / np.log(base)).astype(int)
    return [int(base) ** exponent for exponent in range(int(exponents[0]), int(exponents[1]) + 1)]
