"""What the examples of trackers send: a linear classifier of handwritten digits, trained epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from trialwright import Engine, report, space
from trialwright.callbacks import Callback
from trialwright.results import Result


def train(config: dict[str, Any]) -> None:
    """Train for five epochs; report the accuracy on images that were not trained with."""
    pixels, labels = load_digits(return_X_y=True)
    model = SGDClassifier(alpha=config["alpha"], learning_rate="constant", eta0=config["eta"], random_state=0)
    for _ in range(5):
        model.partial_fit(pixels[:1200] / 16, labels[:1200], classes=np.unique(labels))
        report(accuracy=model.score(pixels[1200:] / 16, labels[1200:]))


def tune(storage: str, *callbacks: Callback) -> Result:
    """Tune it, six trials, and keep the run in this directory."""
    what = {"alpha": space.loguniform(1e-6, 1e-1), "eta": space.loguniform(1e-4, 1)}
    return Engine(
        train,
        what,
        metric="accuracy",
        mode="max",
        num_samples=6,
        executor="local",
        callbacks=callbacks,
        name="digits",
        storage=storage,
        seed=0,
        verbose=0,
    ).run()
