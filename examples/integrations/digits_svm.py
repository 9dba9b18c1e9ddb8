"""What the examples of searchers tune: a support vector machine that reads handwritten digits."""

from __future__ import annotations

from functools import cache
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from trialwright import space

SPACE = {
    "C": space.loguniform(1e-2, 1e3),
    "gamma": space.loguniform(1e-5, 1e-1),
    "kernel": space.choice(["rbf", "sigmoid"]),
}


@cache
def digits() -> tuple[Any, Any]:
    """Return 600 of the images that come with scikit-learn, and their digits."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels[:600], labels[:600]


def error(config: dict[str, Any]) -> float:
    """Return the share of images that are read wrongly, in three-fold cross-validation."""
    return 1 - float(cross_val_score(SVC(**config), *digits(), cv=3).mean())
