"""BoTorch: a Gaussian process with logarithmic expected improvement (Ament et al. 2023). It knows no branches."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.anew import Known, flat_axes
from trialwright.integrations.forms import Assignment, Axis, Form

INSTALL = "botorch"


@dataclass
class BoTorch(Adapter):
    """Asks BoTorch (``pip install botorch``): ``SingleTaskGP`` with LogEI, or qLogEI while other trials run.

    Each number is one column on the unit interval, so that a logarithmic one is logarithmic, and each category one
    column an option, of which the largest counts. Running trials are given to qLogEI as pending. A failed trial counts
    as the worst of the others.

    Args:
        n_initial_points: how many points of a scrambled Sobol sequence come first; None: two for each parameter, at
            least five.
        num_restarts: from how many points the acquisition is maximised.
        raw_samples: from how many points these are chosen.
    """

    n_initial_points: int | None = None
    num_restarts: int = 10
    raw_samples: int = 512

    single: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 1  # it draws from torch's global generator, which trials may use meanwhile

    def open(self, form: Form) -> Library:
        """Open the model.

        Raises:
            ValueError: a parameter depends on another.
        """
        with warnings.catch_warnings():  # PyTorch's, of its own changes
            warnings.simplefilter("ignore")
            for module in ("acquisition", "fit", "models", "optim"):
                library(f"botorch.{module}", INSTALL)
        return _Process(self, flat_axes(form, "BoTorch"))


class _Process(Known):
    def __init__(self, options: BoTorch, axes: list[Axis]) -> None:
        super().__init__()
        self._options, self._axes = options, axes
        self._columns = sum(map(_width, axes))
        first = options.n_initial_points
        self._first = max(5, 2 * len(axes)) if first is None else first

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if len(self.seen) < self._first or len(self.finite) < 2:
            place = self._sobol(len(self.seen))
        else:
            place = self._best(seed)
        return self._read(place) | given

    def _sobol(self, index: int) -> Sequence[float]:
        with warnings.catch_warnings():  # that the number of points is no power of two
            warnings.simplefilter("ignore")
            points = (
                library("scipy.stats.qmc", "scipy")
                .Sobol(self._columns, seed=self._options.design_seed)
                .random(index + 1)
            )
        return list(points[-1])

    def _best(self, seed: int) -> Sequence[float]:
        """Fit the model, and maximise the acquisition."""
        from threadpoolctl import threadpool_limits  # here: InEnvironment's interpreter may not have it

        torch = library("torch", "torch")
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of fits that are tried again, and of places without a gradient
            torch.manual_seed(seed % 2**63)
            acquisition = self._acquisition(torch)
            bounds = torch.tensor([[0.0] * self._columns, [1.0] * self._columns], dtype=torch.float64)
            best, _ = library("botorch.optim", INSTALL).optimize_acqf(
                acquisition,
                bounds,
                q=1,
                num_restarts=self._options.num_restarts,
                raw_samples=self._options.raw_samples,
            )
        return [float(value) for value in best[0]]

    def _acquisition(self, torch: Any) -> Any:  # noqa: ANN401 - no types
        ended = self.ended()
        x = self._tensor(torch, [assignment for assignment, _ in ended])
        y = -torch.tensor([[cost] for _, cost in ended], dtype=torch.float64)
        model = library("botorch.models", INSTALL).SingleTaskGP(x, y)
        likelihood = library("gpytorch.mlls", INSTALL).ExactMarginalLogLikelihood(model.likelihood, model)
        library("botorch.fit", INSTALL).fit_gpytorch_mll(likelihood)
        kinds = library("botorch.acquisition", INSTALL)
        if not self.pending:
            return kinds.LogExpectedImprovement(model, best_f=y.max())
        return kinds.qLogExpectedImprovement(model, best_f=y.max(), X_pending=self._tensor(torch, self.pending))

    def _tensor(self, torch: Any, assignments: Sequence[Assignment]) -> Any:  # noqa: ANN401 - as above
        rows = [[unit for axis in self._axes for unit in _units(axis, each)] for each in assignments]
        return torch.tensor(rows, dtype=torch.float64)

    def _read(self, place: Sequence[float]) -> Assignment:
        found: Assignment = {}
        for axis in self._axes:
            own, place = place[: _width(axis)], place[_width(axis) :]
            found[axis.name] = int(np.argmax(own)) if axis.kind == "category" else axis.value(own[0])
        return found


def _width(axis: Axis) -> int:
    return int(axis.high) + 1 if axis.kind == "category" else 1


def _units(axis: Axis, assignment: Assignment) -> list[float]:
    if axis.kind != "category":
        return [axis.unit_of(assignment)]
    return [float(index == assignment[axis.name]) for index in range(_width(axis))]
