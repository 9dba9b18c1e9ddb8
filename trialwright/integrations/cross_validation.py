"""What a trial of ``SearchCV`` does: it cross-validates a configuration, fold by fold or pass by pass."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Self

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import cross_validate
from sklearn.utils import get_tags

from trialwright import reporting

Row = dict[str, Any]  # a report: "mean_test_score", "folds" or "passes", and for each fold "split0_test_score", ...


@dataclass(frozen=True)
class Folds:
    """The objective: scores a configuration fold by fold, or pass by pass."""

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
    scoring: Any
    params: Mapping[str, Any]
    sklearn_config: Mapping[str, Any]
    optimised: str
    error_score: float | str
    with_train_score: bool
    passes: int | None

    def __call__(self, config: dict[str, Any]) -> None:
        with sklearn.config_context(**self.sklearn_config):  # which is the thread's own, and this is another
            if self.passes is None:
                self._fit_folds(config)
            else:
                self._make_passes(config, self.passes)

    def repeat(self, config: dict[str, Any]) -> None:
        """Fit a failed configuration again, here, so that its own error is raised: a trial's is only a string."""
        for fold in range(len(self.splits)):
            self._scores(Going(self.configured(config), self.y) if self.passes else self.configured(config), fold)

    def configured(self, config: dict[str, Any]) -> Any:  # noqa: ANN401 - an estimator
        """Return a new estimator with these parameters. Values that are estimators are copied: trials share them."""
        return clone(self.estimator).set_params(**clone(parameters(self.estimator, config), safe=False))

    def _fit_folds(self, config: dict[str, Any]) -> None:
        row: Row = pickle.loads(saved["state"]) if (saved := reporting.get_checkpoint()) else {}  # noqa: S301 - our own
        for fold in range(row.get("folds", 0), len(self.splits)):
            row |= {"folds": fold + 1, **self._scores(self.configured(config), fold)}
            row |= self._means(row, fold + 1)
            _report(row, row)

    def _make_passes(self, config: dict[str, Any], passes: int) -> None:
        saved = reporting.get_checkpoint()
        done, models = pickle.loads(saved["state"]) if saved else (0, None)  # noqa: S301 - our own
        if models is None:
            models = [Going(self.configured(config), self.y) for _ in self.splits]
        for model in models if saved else ():  # PBT goes on with other parameters
            model.estimator.set_params(**clone(parameters(self.estimator, config), safe=False))
        row: Row = {}
        for done_now in range(done + 1, passes + 1):
            row |= {"passes": done_now}
            for fold, model in enumerate(models):
                row |= self._scores(model, fold)
            row |= self._means(row, len(models))
            _report(row, (done_now, models))

    def _scores(self, model: Any, fold: int) -> Row:  # noqa: ANN401 - an estimator
        """Fit and score one fold; return times in seconds, and scores."""
        try:
            found = cross_validate(
                model, self.X, self.y, cv=[self.splits[fold]], scoring=self.scoring, params=dict(self.params),
                error_score="raise", return_train_score=self.with_train_score,
            )  # fmt: skip
        except Exception as error:
            if isinstance(self.error_score, str) or np.isnan(self.error_score):
                raise
            warnings.warn(f"fold {fold} failed, and scores {self.error_score}: {error}", FitFailedWarning, stacklevel=2)
            found = {name: [self.error_score] for name in self._names()}
        return {f"split{fold}_{name}": float(value[0]) for name, value in found.items()}

    def _names(self) -> list[str]:
        """Return what a fold has that could not be scored."""
        several = isinstance(self.scoring, list | tuple | set | dict)
        parts = ["test_", "train_"] if self.with_train_score else ["test_"]
        return [part + name for part in parts for name in (self.scoring if several else ["score"])]

    def _means(self, row: Row, folds: int) -> Row:
        names = [name.removeprefix("split0_") for name in row if name.startswith("split0_test_")]
        if f"test_{self.optimised}" not in names:
            raise ValueError(f"there is no score {self.optimised!r}, only {names}: refit must name one")
        return {f"mean_{name}": float(np.mean([row[f"split{fold}_{name}"] for fold in range(folds)])) for name in names}


class Going(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose ``fit`` is one more call of ``partial_fit``: a copy of it is itself.

    Args:
        estimator: that has ``partial_fit``.
        y: all targets: a classifier must know all classes from the first call on, and a fold may lack one.
    """

    def __init__(self, estimator: Any, y: Any) -> None:  # noqa: ANN401 - an estimator, and what it learns
        self.estimator = estimator
        takes_classes = "classes" in signature(estimator.partial_fit).parameters
        self.classes = {"classes": np.unique(y)} if takes_classes else {}

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:  # noqa: ANN401, N803 - as scikit-learn calls them
        """Make one pass."""
        self.estimator.partial_fit(X, y, **self.classes, **params)
        return self

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - a type of scikit-learn's
        return get_tags(self.estimator)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - predict, classes_, ...
        if name == "estimator":  # it is being unpickled, and has none yet
            raise AttributeError(name)
        return getattr(self.estimator, name)


def _report(row: Row, state: object) -> None:
    """Report; with a checkpoint where the trial may be paused or cloned."""
    saved = {"state": pickle.dumps(state)} if reporting.decides(row) else None
    reporting.report(row, checkpoint=saved)


def parameters(estimator: Any, config: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - an estimator
    """Return a configuration as ``set_params`` takes it: ``{"svc": {"C": 1}}`` becomes ``{"svc__C": 1}`` if ``svc`` is
    an estimator; any other dict is a value."""
    known = estimator.get_params()

    def joined(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, value in values.items():
            is_part = isinstance(value, Mapping) and hasattr(known.get(prefix + name), "get_params")
            flat |= joined(value, f"{prefix}{name}__") if is_part else {prefix + name: value}
        return flat

    return joined(config, "")
