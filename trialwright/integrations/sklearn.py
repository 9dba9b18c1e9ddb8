"""``SearchCV``: a scikit-learn estimator, like ``GridSearchCV``, whose search is an Engine's run.

A trial is one configuration. Its reports are the folds of the cross-validation, one after another; or, with ``passes``,
passes of ``partial_fit`` over the training data of all folds. So a scheduler can stop a configuration after a few folds
or passes.
"""

from __future__ import annotations

import copy
import warnings
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from trialwright.engine.engine import Engine
from trialwright.errors import refuse
from trialwright.executors import Executor
from trialwright.schedulers import PBT, Scheduler
from trialwright.searchers import Searcher
from trialwright.space import Space
from trialwright.streams import Streams

try:
    import sklearn
    from sklearn.base import clone, is_classifier
    from sklearn.exceptions import FitFailedWarning
    from sklearn.model_selection import check_cv
    from sklearn.model_selection._search import BaseSearchCV  # the documented base of searches has no public path
    from sklearn.utils import indexable

    from trialwright.integrations.cross_validation import Folds, Going, Row, parameters
except ImportError as error:
    raise ImportError("SearchCV needs scikit-learn 1.6 or newer: pip install 'scikit-learn>=1.6'") from error

OWN = frozenset({"objective", "metric", "mode", "max_concurrent_trials", "fail_fast"})  # SearchCV gives these


class SearchCV(BaseSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """Searches the parameters of an estimator by cross-validation, and then is the best estimator.

    It has the attributes and methods of ``GridSearchCV``, and ``result_``, the run's ``Result``, whose trial ``i`` is
    row ``i`` of ``cv_results_``.

    Args:
        estimator: what to tune.
        space: what may vary: a dict from names of parameters (``"svc__C"``) to domains and constants, or a ``Space``.
            Nested dicts are joined: ``{"svc": {"C": ...}}`` is the same; so a choice between dicts is a branch.
        searcher: see ``Engine``.
        scheduler: see ``Engine``; None: every configuration gets all its folds or passes. A scheduler counts reports:
            ``ASHA(max_t=10)`` for ``cv=10``.
        num_samples: how many configurations; with a grid, how often it is repeated.
        scoring: as in ``GridSearchCV``: None, a name, a function, or several in a list or a dict.
        cv: as in ``GridSearchCV``: a number of folds, a splitter, or a list of splits. All configurations get the same.
        refit: as in ``GridSearchCV``. With several scores it names the one to optimise; if it does not, the first is.
        passes: None: fit once for each fold. A number: call ``partial_fit`` so often; the scores are those of the best
            pass, and ``best_estimator_`` is made with as many passes.
        executor: see ``Engine``. "local" has threads: "processes" is faster where fitting is mostly Python.
        n_jobs: how many configurations at a time; -1: as many as the executor has room for. With one at a time, a
            search with a seed is reproducible.
        seed: see ``Engine``. Estimators and splitters have a ``random_state`` of their own.
        error_score: what a fold scores whose fit raises. NaN: the configuration fails, with a warning; "raise": the
            search does.
        return_train_score: also score on the training data.
        verbose: see ``Engine``.
        engine_options: more keywords of the Engine: ``{"time_budget_s": 60, "storage": "runs"}``. By default nothing is
            stored.
    """

    def __init__(
        self,
        estimator: Any,  # noqa: ANN401 - an estimator of any library
        space: Mapping[str, object] | Space,
        *,
        searcher: str | Searcher = "tpe",
        scheduler: str | Scheduler | None = None,
        num_samples: int = 10,
        scoring: Any = None,  # noqa: ANN401 - as scikit-learn takes it
        cv: Any = None,  # noqa: ANN401 - as scikit-learn takes it
        refit: bool | str | Callable[[dict[str, Any]], int] = True,
        passes: int | None = None,
        executor: str | Executor = "local",
        n_jobs: int = 1,
        seed: int | None = None,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        verbose: int = 0,
        engine_options: Mapping[str, object] | None = None,
    ) -> None:
        self.estimator, self.space = estimator, space
        self.searcher, self.scheduler, self.num_samples = searcher, scheduler, num_samples
        self.scoring, self.cv, self.refit, self.passes = scoring, cv, refit, passes
        self.executor, self.n_jobs, self.seed = executor, n_jobs, seed
        self.error_score, self.return_train_score, self.verbose = error_score, return_train_score, verbose
        self.engine_options = engine_options

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:  # noqa: ANN401, N803 - as scikit-learn calls them
        """Run the search; then fit the best configuration to all data, unless ``refit`` is False.

        Args:
            X: the samples, as the estimator takes them.
            y: the targets, if it is supervised.
            params: for the estimator's ``fit``, the scorers, and the splitter (``groups``).

        Raises:
            ValueError, TypeError: an argument is wrong; or all configurations failed (the message has the first error).
        """
        scorers, _ = self._get_scorers()
        X, y = indexable(X, y)  # noqa: N806
        routed = self._get_routed_params_for_fit(params)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **routed.splitter.split))
        self.n_splits_, self.scorer_ = len(splits), getattr(scorers, "_scorers", scorers)
        folds = Folds(
            clone(self.estimator), X, y, splits, self.scoring, _used_by_fit(params, routed), sklearn.get_config(),
            self._optimised(scorers), self.error_score, self.return_train_score, self.passes,
        )  # fmt: skip
        self.result_ = self._engine(folds).run()
        rows = self._rows(folds)
        settings = [parameters(self.estimator, trial.config) for trial in self.result_]
        self.cv_results_ = table(rows, settings, self.n_splits_)
        names = [name.removeprefix("mean_test_") for name in self.cv_results_ if name.startswith("mean_test_")]
        self.multimetric_ = isinstance(self.scoring, list | tuple | set | dict) or names != ["score"]
        self._choose(folds.optimised)
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        return self

    def _optimised(self, scorers: Any) -> str:  # noqa: ANN401 - a scorer, or several
        """Return the name of the score to optimise."""
        if isinstance(self.refit, str):
            return self.refit if callable(self.scoring) or hasattr(scorers, "_scorers") else "score"
        return str(next(iter(getattr(scorers, "_scorers", ["score"]))))

    def _engine(self, folds: Folds) -> Engine:
        options = dict(self.engine_options or {})
        twice = sorted(options.keys() & (OWN | self.get_params(deep=False).keys()))
        refuse((f"{name!r} is an argument of SearchCV, or follows from them" for name in twice), "engine_options")
        refuse(_problems(self.space, self.scheduler, self.passes, self.n_jobs), "SearchCV")
        if self.passes and not hasattr(self.estimator, "partial_fit"):
            raise ValueError(f"passes={self.passes}: {type(self.estimator).__name__} has no partial_fit")
        own = copy.deepcopy(self.space)  # domains keep what they have computed, but fit() must not change arguments
        space = own if isinstance(own, Space) else Space(own)
        config = space.sample(1, Streams(0)("check"))[0]
        folds.configured(config)  # raises if the estimator has no such parameter
        usual = {"storage": None, "name": type(self.estimator).__name__}
        return Engine(
            folds, space, metric=f"mean_test_{folds.optimised}", mode="max", num_samples=self.num_samples,
            searcher=self.searcher, scheduler=self.scheduler or "fifo", executor=self.executor, seed=self.seed,
            max_concurrent_trials=None if self.n_jobs == -1 else self.n_jobs, fail_fast=self.error_score == "raise",
            verbose=self.verbose, **cast("dict[str, Any]", {**usual, **options}),
        )  # fmt: skip

    def _rows(self, folds: Folds) -> list[Row]:
        """Return what counts of each trial: its folds so far, or its best pass; nothing if it failed.

        Raises:
            ValueError: there is nothing of any trial; or one failed, and its error was not raised when it was repeated.
        """
        failed = [trial for trial in self.result_ if trial.outcome in ("failed", "lost")]
        if failed and self.error_score == "raise":
            folds.repeat(failed[0].config)
        if failed:
            said = f"{len(failed)} of {len(self.result_)} configurations failed; {failed[0].config} raised:\n"
            said += failed[0].traceback or failed[0].error
            if len(failed) == len(self.result_) or self.error_score == "raise":
                raise ValueError(said)
            warnings.warn(said, FitFailedWarning, stacklevel=3)
        rows = [trial.best_metrics if self.passes else trial.metrics for trial in self.result_]
        done = [{} if trial in failed else row for trial, row in zip(self.result_, rows, strict=True)]
        if not any(done):
            raise ValueError(f"no configuration was scored: {self.result_.stopped or 'there was none'}")
        return done

    def _choose(self, optimised: str) -> None:
        if self.multimetric_ and not self.refit:  # as in GridSearchCV: there is no best
            return
        self.best_index_ = self._select_best_index(self.refit, optimised, self.cv_results_)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        if not callable(self.refit):
            self.best_score_ = self.cv_results_[f"mean_test_{optimised}"][self.best_index_]

    def _refit(self, X: Any, y: Any, params: Mapping[str, Any]) -> None:  # noqa: ANN401, N803 - as in ``fit``
        began = perf_counter()
        model = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        if self.passes:
            going = Going(model, y)
            for _ in range(self.cv_results_["passes"][self.best_index_]):
                going.fit(X, y, **params)
        elif y is None:
            model.fit(X, **params)
        else:
            model.fit(X, y, **params)
        self.best_estimator_, self.refit_time_ = model, perf_counter() - began
        if hasattr(model, "feature_names_in_"):
            self.feature_names_in_ = model.feature_names_in_


def _used_by_fit(params: Mapping[str, Any], routed: Any) -> dict[str, Any]:  # noqa: ANN401 - a Bunch
    """Return the parameters that estimators or scorers take: ``cross_validate`` routes them again, by these names."""
    used = [*routed.estimator.fit.values(), *routed.scorer.score.values()]
    return {name: value for name, value in params.items() if any(value is each for each in used)}


def _problems(space: object, scheduler: object, passes: object, n_jobs: object) -> list[str]:
    problems = []
    for name, value in space.items() if isinstance(space, Mapping) else ():
        if isinstance(value, list):
            problems.append(f"space[{name!r}] is a list: write space.choice({value!r})")
        elif hasattr(value, "rvs"):
            problems.append(f"space[{name!r}] is a distribution of SciPy: write space.loguniform(...) or the like")
    name = scheduler.lower() if isinstance(scheduler, str) else ""
    if passes is None and (isinstance(scheduler, PBT) or name in ("pbt", "pb2")):
        problems.append("PBT changes parameters in the middle of a training: give passes=...")
    if passes is not None and (isinstance(passes, bool) or not isinstance(passes, int) or passes < 1):
        problems.append(f"passes must be None or an integer from 1 on, not {passes!r}")
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        problems.append(f"n_jobs must be an integer from 1 on, or -1 for as many as there is room for, not {n_jobs!r}")
    return problems


# What was found -------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row], settings: Sequence[dict[str, Any]], splits: int) -> dict[str, Any]:
    """Return ``cv_results_``: arrays with a value for each configuration.

    A mean is over the folds that were scored; the scores of others are NaN. Configurations with more folds rank before
    those with fewer, whose means are not comparable.
    """
    best = max(rows, key=len)
    unit = "passes" if "passes" in best else "folds"
    folds = [splits if "passes" in row else row.get("folds", 0) for row in rows]
    found: dict[str, Any] = {}
    for name in (key.removeprefix("split0_") for key in best if key.startswith("split0_")):
        values = np.array([[row.get(f"split{fold}_{name}", np.nan) for fold in range(splits)] for row in rows])
        pairs = list(zip(values, folds, strict=True))
        means = np.array([value[:count].mean() if count else np.nan for value, count in pairs])
        if not name.endswith("_time"):
            found |= {f"split{fold}_{name}": values[:, fold] for fold in range(splits)}
        found[f"mean_{name}"] = means
        found[f"std_{name}"] = np.array([value[:count].std() if count else np.nan for value, count in pairs])
        if name.startswith("test_"):
            found[f"rank_{name}"] = _ranks(folds, means)
    columns = {f"param_{name}": _column(name, settings) for name in dict.fromkeys(n for each in settings for n in each)}
    return found | columns | {"params": list(settings), unit: np.array([row.get(unit, 0) for row in rows])}


def _ranks(folds: Sequence[int], means: NDArray[np.float64]) -> NDArray[np.int32]:
    keys = [(-count, np.inf if np.isnan(mean) else -mean) for count, mean in zip(folds, means, strict=True)]
    ordered = sorted(keys)
    return np.array([bisect_left(ordered, key) + 1 for key in keys], np.int32)


def _column(name: str, settings: Sequence[dict[str, Any]]) -> np.ma.MaskedArray[Any, Any]:
    """Return the values of a parameter, masked where a configuration has none."""
    column = np.ma.MaskedArray(np.empty(len(settings), dtype=object), mask=True)
    for place, each in enumerate(settings):
        if name in each:
            column[place] = each[name]
    return column
