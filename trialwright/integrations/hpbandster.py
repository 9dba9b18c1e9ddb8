"""HpBandSter's BOHB: Parzen estimators at the highest step that enough trials have reached (Falkner et al. 2018)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.history import Record, Values
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.configurations import Configurations
from trialwright.integrations.forms import Assignment, Form, SpaceForm

INSTALL = "hpbandster"
OPTIONS = (
    "min_points_in_model",
    "top_n_percent",
    "num_samples",
    "random_fraction",
    "bandwidth_factor",
    "min_bandwidth",
)


@dataclass
class HpBandSter(Adapter):
    """Asks HpBandSter's BOHB (``pip install hpbandster``). Use it with ``scheduler="hyperband"``.

    A step is a budget of HpBandSter's: it learns from every report, and its model is of the highest step at which there
    are results enough. A failed trial is infinitely bad at all steps. Running trials are not known to it, as in
    HpBandSter itself. ``Engine(scheduler="bohb")`` is another recipe for the same method, with the engine's own TPE.

    Args:
        min_points_in_model: how many results make a model; None: one more than there are parameters, which is the
            least.
        top_n_percent: how many of them count as good, in percent.
        num_samples: how many candidates the acquisition is computed for.
        random_fraction: how many of the trials are drawn at random.
        bandwidth_factor: what the bandwidths are multiplied by where candidates are drawn.
        min_bandwidth: of a kernel.
    """

    min_points_in_model: int | None = None
    top_n_percent: int = 15
    num_samples: int = 64
    random_fraction: float = 1 / 3
    bandwidth_factor: float = 3
    min_bandwidth: float = 1e-3

    single: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 1  # it draws from NumPy's global generator, which trials may use meanwhile

    def open(self, form: Form) -> Library:
        """Open the generator of configurations.

        Raises:
            ValueError: ``min_points_in_model`` is too small.
        """
        with _warnings_off():
            package = library("hpbandster.optimizers.config_generators.bohb", INSTALL)
        configurations = Configurations(cast(SpaceForm, form).axes, INSTALL)
        least = configurations.size + 1
        if self.min_points_in_model is not None and self.min_points_in_model < least:
            raise ValueError(f"min_points_in_model={self.min_points_in_model} must be at least {least} in this space")
        return _Generator(package, self, configurations)

    def _end(self, record: Record) -> None:
        if record.id in self._open and isinstance(self._library, _Generator):
            self._library.report(record)
        super()._end(record)


class _Generator:
    """Results by their steps. HpBandSter's generator is made anew for every question."""

    def __init__(self, package: Any, options: HpBandSter, configurations: Configurations) -> None:  # noqa: ANN401
        self._package, self._options, self._configurations = package, options, configurations
        self._seen: dict[int, Assignment] = {}
        self._costs: dict[int, dict[int, float]] = {}  # by step, then by trial
        self._failed: set[int] = set()

    def add(self, trial: int, assignment: Assignment) -> None:
        self._seen[trial] = assignment

    def report(self, record: Record) -> None:
        for step, values in list(zip(record.steps, record.values, strict=True))[record.inherited :]:
            self._costs.setdefault(step, {})[record.id] = values[0]

    def tell(self, trial: int, values: Values | None) -> None:
        if values is None:
            self._failed.add(trial)
        elif not any(trial in costs for costs in self._costs.values()):  # an earlier result, of no run's
            self._costs.setdefault(1, {})[trial] = values[0]

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if self._configurations.size == 0:
            return given
        with _warnings_off(), _seeded(seed % 2**32):
            self._configurations.space.seed(seed % 2**31)
            generator = self._model()
            budget = max(self._costs, default=1)
            configuration, _ = generator.get_config(budget)
        return self._configurations.assignment(configuration) | given

    def _model(self) -> Any:  # noqa: ANN401 - no types
        """Return a generator with the model of the highest step that has one."""
        generator = self._package.BOHB(
            self._configurations.space, **{name: getattr(self._options, name) for name in OPTIONS}
        )
        for step in sorted(self._costs, reverse=True):
            results = sorted((self._costs[step] | dict.fromkeys(self._failed, math.inf)).items())
            for place, (trial, cost) in enumerate(results, 1):
                generator.new_result(self._job(trial, step, cost), update_model=place == len(results))
            if generator.kde_models:
                break
        return generator

    def _job(self, trial: int, step: int, cost: float) -> SimpleNamespace:
        config = dict(self._configurations.configuration(self._seen[trial]))
        result = {"loss": cost} if math.isfinite(cost) else None
        return SimpleNamespace(id=trial, exception=None, result=result, kwargs={"budget": step, "config": config})


@contextmanager
def _warnings_off() -> Iterator[None]:
    """It uses what newer ConfigSpace and statsmodels warn of; with warnings as errors it would draw at random."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, from which HpBandSter draws, and set it back."""
    state = np.random.get_state()  # noqa: NPY002 - HpBandSter's
    np.random.seed(seed)  # noqa: NPY002 - as above
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002 - as above
