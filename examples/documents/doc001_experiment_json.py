"""Document 001, the other way to write an experiment: as JSON."""

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from trialwright import tune


def train_mnist_tune(config, reporter):
    digits = load_digits()
    model = MLPClassifier((64,), solver="sgd", learning_rate_init=config["lr"], momentum=config["momentum"])
    for i, batch in enumerate(np.array_split(np.arange(len(digits.target)), 14)):
        model.partial_fit(digits.data[batch] / 16, digits.target[batch], classes=range(10))
        mean_accuracy = model.score(digits.data[batch] / 16, digits.target[batch])
        reporter(mean_accuracy=mean_accuracy, timesteps_total=i)


tune.register_trainable("train_mnist_tune", train_mnist_tune)

with Path(__file__).with_name("experiments.json").open(encoding="utf-8") as file:
    trials = tune.run_experiments(json.load(file), verbose=False)
print([(trial.config["momentum"], trial.last_result["mean_accuracy"]) for trial in trials])
