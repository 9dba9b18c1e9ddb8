"""SMAC3's random forests (Hutter et al. 2011; Lindauer et al. 2022). They know branches."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.anew import Known
from trialwright.integrations.configurations import Configurations
from trialwright.integrations.forms import Assignment, Form, SpaceForm

INSTALL = "smac"
TRIALS = 100  # where a run is unlimited


@dataclass
class SMAC(Adapter):
    """Asks SMAC3 (``pip install smac``): its facade for hyper-parameters, without the repetition of trials.

    The first configurations are those of a scrambled Sobol design. After them, expected improvement on a random forest
    over log-scaled costs. The forest is made anew for every question, where SMAC itself makes it for every eighth. A
    running trial is taken to end as the mean of the others, a failed one as the worst.

    Args:
        n_initial_points: how many configurations the design has; None: ten for each parameter, but at most a quarter of
            the run's trials, or of a hundred where these are unlimited.
        random_fraction: how many of the later ones are drawn at random.
        n_trees: of the forest.
        xi: by how much the best must be improved.
    """

    n_initial_points: int | None = None
    random_fraction: float = 0.2
    n_trees: int = 10
    xi: float = 0.0

    single: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 100

    def open(self, form: Form) -> Library:
        """Open the model."""
        with warnings.catch_warnings():  # of its optional parts
            warnings.simplefilter("ignore")
            package = library("smac", INSTALL)
        return _Forest(package, self, Configurations(cast(SpaceForm, form).axes, INSTALL))


class _Forest(Known):
    def __init__(self, package: Any, options: SMAC, configurations: Configurations) -> None:  # noqa: ANN401 - no types
        super().__init__()
        self._smac, self._options, self._configurations = package, options, configurations
        self._designs: dict[int, list[Any]] = {}  # by seed

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if not self._configurations.varies:  # no forest can be fitted
            return given
        # The forest's trees on threads of their own would take many times as long.
        with warnings.catch_warnings(), library("joblib", "joblib").parallel_config(backend="sequential"):
            warnings.simplefilter("ignore")
            return self._proposed(seed % 2**31) | given

    def _proposed(self, seed: int) -> Assignment:
        design = self._design()
        self._configurations.space.seed(seed)  # again: the design has drawn from it
        read = self._configurations.assignment
        if len(self.seen) < len(design):
            return read(design[len(self.seen)])
        # Not as configurations: those with inactive parameters are never equal, as these are NaN there.
        tried = [assignment.items() for assignment in self.seen.values()]
        proposals = map(read, self._proposals(seed) if self.finite else ())
        news = (each for each in proposals if each.items() not in tried)
        return next(news, None) or read(self._configurations.space.sample_configuration())

    def _design(self) -> list[Any]:
        seed = self._options.design_seed
        if seed not in self._designs:
            self._designs = {seed: self._designed(seed)}
        return self._designs[seed]

    def _designed(self, seed: int) -> list[Any]:
        count, trials = self._options.n_initial_points, self._options.plan.num_samples or TRIALS
        count = max(min(10 * self._configurations.size, trials // 4), 1) if count is None else count
        self._configurations.space.seed(seed)
        scenario = self._scenario(seed)
        facade = self._smac.HyperparameterOptimizationFacade
        return list(facade.get_initial_design(scenario, n_configs=count, max_ratio=1).select_configurations())

    def _proposals(self, seed: int) -> Any:  # noqa: ANN401 - as above
        """Return configurations, the most promising one first, with some random ones between them."""
        facade, scenario = self._smac.HyperparameterOptimizationFacade, self._scenario(seed)
        encoder, runs = facade.get_runhistory_encoder(scenario), self._runs()
        encoder.runhistory = runs
        x, y = encoder.transform()
        model = facade.get_model(scenario, n_trees=self._options.n_trees)
        model.train(x, y)
        means, _ = model.predict_marginalized(x)
        acquisition = facade.get_acquisition_function(scenario, xi=self._options.xi)
        best = int(np.argmin(means[:, 0]))
        acquisition.update(model=model, eta=means[best, 0], incumbent_array=x[best], num_data=len(x), X=x)
        maximizer = facade.get_acquisition_maximizer(scenario)
        maximizer.acquisition_function = acquisition
        chance = facade.get_random_design(scenario, probability=self._options.random_fraction)
        return maximizer.maximize(runs.get_configs(), random_design=chance)

    def _runs(self) -> Any:  # noqa: ANN401 - as above
        runs, mean = self._smac.runhistory.runhistory.RunHistory(), fmean(self.finite)
        for assignment, cost in [*self.ended(), *((each, mean) for each in self.pending)]:
            runs.add(self._configurations.configuration(assignment), cost, seed=0)
        return runs

    def _scenario(self, seed: int) -> Any:  # noqa: ANN401 - as above
        return self._smac.Scenario(self._configurations.space, deterministic=True, n_trials=10**9, seed=seed)
