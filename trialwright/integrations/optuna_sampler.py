"""Trialwright's searchers as a sampler for Optuna's studies.

``optuna.create_study(sampler=TrialwrightSampler("gp"))``: the study stays Optuna's, with its storage, pruners and
dashboard, and each trial's parameters are suggested by a searcher of ours.
"""

from __future__ import annotations

import copy
import math
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any

try:
    from optuna.distributions import BaseDistribution, CategoricalDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise ImportError("this integration needs optuna: pip install optuna") from error

from trialwright.engine import catalogue
from trialwright.integrations.optuna_distributions import domain_of, single
from trialwright.integrations.optuna_history import (
    CONSTRAINTS,
    TAGS,
    Distributions,
    StudyHistory,
    constraints_of,
    domains_of,
    is_whole,
    space_of,
)
from trialwright.schedulers import FIFO
from trialwright.searchers import Problem, Searcher
from trialwright.space.inferred import Inferred, infer
from trialwright.streams import Streams

if TYPE_CHECKING:
    from optuna.study import Study


class TrialwrightSampler(BaseSampler):
    """Suggests parameters by a searcher of ours.

    Parameters are suggested together, from what all trials of the study have shown: the values of those that ended, the
    intermediate values of those that were pruned, and where others run now. Parameters that exist only for some values
    of a categorical one are part of the model too. A parameter that no trial had before is drawn at random.

    Args:
        searcher: a name or an object, as ``Engine`` takes it: "gp", "tpe", "cmaes", "nsga2", ...
        seed: of every random draw; by default a random one. The same seed and the same trials give the same parameters.
        search_space: the distributions of the parameters that every trial has, by name, if they are known: then the
            first trial is suggested by the searcher too.
        constraints_func: returns, for a trial that ended, values that are met where they are at most 0. Constraints
            that the objective sets by ``trial.set_constraint`` are known without it.

    Raises:
        ValueError, TypeError: there is no such searcher.
    """

    def __init__(
        self,
        searcher: str | Searcher = "auto",
        *,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        self._searcher = catalogue.searcher(searcher, FIFO())  # as given: each space gets a copy
        if getattr(self._searcher, "is_exhaustive", False):  # a study would get random draws after its end
            raise ValueError(f"searcher={searcher!r} ends, and a study does not: use optuna.samplers.GridSampler")
        self._streams = Streams(secrets.randbits(32) if seed is None else seed)
        self._given = dict(search_space or {})
        self._constraints_func = constraints_func
        self._history: StudyHistory | None = None
        self._has_warned = False
        self._lock = RLock()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Distributions:
        """Return the distributions of all parameters that trials have had, or that were given."""
        with self._lock:
            trials = study.get_trials(deepcopy=False)
            if self._history is None or self._history.study != _key(study) or not self._history.follow(trials):
                self._history = self._open_what_it_can(study, trials)
            return dict(self._history.distributions)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Distributions) -> dict[str, Any]:
        """Return the values of the parameters that the searcher suggests."""
        if not search_space:
            return {}
        with self._lock:
            history = self._history
            is_known = history is not None and search_space.keys() <= history.distributions.keys()
            if history is None or history.study != _key(study) or not is_known:
                space = infer([], domains_of(search_space))
                trials = study.get_trials(deepcopy=False)
                history = self._history = self._open(study, search_space, space, trials)
                history.show(trials)
            suggested = history.suggest(trial.number, self._streams)
            if suggested is None:
                return {}
        if suggested.tags:
            study._storage.set_trial_system_attr(trial._trial_id, TAGS, suggested.tags)
        # PartialFixedSampler asks for a part of the parameters.
        return {name: value for name, value in history.space.flat(suggested.config).items() if name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - as in Optuna
        """Return a random value of a parameter that the searcher does not know yet."""
        if param_distribution.single():
            return single(param_distribution)
        rng = self._streams(f"independent/{param_name}", trial.number)
        return domain_of(param_distribution).draw(1, rng)[0]

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Keep what ``constraints_func`` says of a trial."""
        if self._constraints_func is not None and state in (TrialState.COMPLETE, TrialState.PRUNED):
            found = tuple(map(float, self._constraints_func(trial)))
            if any(map(math.isnan, found)):
                raise ValueError(
                    f"constraints_func returned {found} for trial {trial.number}: NaN is neither met nor not"
                )
            study._storage.set_trial_system_attr(trial._trial_id, CONSTRAINTS, found)

    def _open_what_it_can(self, study: Study, trials: list[FrozenTrial]) -> StudyHistory:
        """Show the searcher the parameters of a study; if it cannot search them all, the numbers that all trials have.

        Optuna's own samplers do the same. The other parameters are drawn at random, and that is said once.
        """
        distributions, space = space_of(trials, self._given)
        try:
            history = self._open(study, distributions, space, trials)
        except ValueError as error:
            numbers = {
                name: each
                for name, each in distributions.items()
                if not isinstance(each, CategoricalDistribution)
                and all(name in t.params for t in trials if is_whole(t))
            }
            if numbers == distributions:
                raise
            rest = frozenset(distributions.keys() - numbers.keys())
            if not self._has_warned:
                warnings.warn(f"{error}. Drawn at random: {', '.join(sorted(rest))}", UserWarning, stacklevel=2)
                self._has_warned = True
            history = self._open(study, numbers, infer([], domains_of(numbers)), trials, rest)
        history.show(trials)
        return history

    def _open(
        self,
        study: Study,
        distributions: Distributions,
        space: Inferred,
        trials: list[FrozenTrial],
        ignored: frozenset[str] = frozenset(),
    ) -> StudyHistory:
        """Set the searcher up for this space.

        Raises:
            ValueError: it cannot search it.
        """
        constraints = sorted({name for trial in trials for name in constraints_of(trial)})
        signs = [-1.0 if each == StudyDirection.MAXIMIZE else 1.0 for each in study.directions]
        searcher = copy.deepcopy(self._searcher)
        searcher.setup(Problem(space.space, len(signs), len(constraints)))
        return StudyHistory(_key(study), distributions, space, ignored, searcher, signs, constraints)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_history": None, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=RLock())


def _key(study: Study) -> tuple[object, int]:
    return study._storage, study._study_id
