"""Document 001: a function with a reporter, experiments with lambdas, and a scheduler with its old parameter names.

Keras is replaced by a small network from scikit-learn, trained in batches.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from trialwright import tune
from trialwright.tune.schedulers import AsyncHyperBandScheduler

from budget import budget

DEFAULT_ARGS = {"hidden": 64, "lr": 0.01, "momentum": 0.5}


def load_data():
    digits = load_digits()
    order = np.random.permutation(len(digits.target))
    for batch in np.array_split(order, 14):
        yield digits.data[batch] / 16, digits.target[batch]


def make_model(parameters):
    config = DEFAULT_ARGS.copy()  # this is obtained via the global scope
    config.update(parameters)
    return MLPClassifier(
        (int(config["hidden"]),), solver="sgd", learning_rate_init=config["lr"], momentum=config["momentum"]
    )


def train_mnist_tune(config, reporter):
    data_generator = load_data()
    model = make_model(config)
    for i, (x_batch, y_batch) in enumerate(data_generator):
        model.partial_fit(x_batch, y_batch, classes=range(10))
        if i % 3 == 0:
            last_checkpoint = f"weights_tune_{i}.npz"
            np.savez(last_checkpoint, *model.coefs_, *model.intercepts_)
        mean_accuracy = model.score(x_batch, y_batch)
        reporter(mean_accuracy=mean_accuracy, timesteps_total=i, checkpoint=last_checkpoint)


configuration = tune.Experiment(
    "experiment_name",
    run=train_mnist_tune,
    trial_resources={"cpu": budget(4, 1)},
    stop={"mean_accuracy": 0.95},
    config={
        "lr": lambda spec: np.random.uniform(0.001, 0.1),
        "momentum": tune.grid_search([0.2, 0.4, 0.6]),
    },
)

trials = tune.run_experiments(configuration, verbose=False)
print([(trial.config["momentum"], trial.last_result["mean_accuracy"]) for trial in trials])

configuration2 = tune.Experiment(
    "experiment2",
    run=train_mnist_tune,
    num_samples=budget(5, 1),
    trial_resources={"cpu": budget(4, 1)},
    stop={"mean_accuracy": 0.95},
    config={
        "lr": lambda spec: np.random.uniform(0.001, 0.1),
        "momentum": tune.grid_search([0.2, 0.4, 0.6]),
        "hidden": lambda spec: np.random.randint(16, high=513),
    },
)

hyperband = AsyncHyperBandScheduler(time_attr="timesteps_total", reward_attr="mean_accuracy")

trials = tune.run_experiments(configuration2, scheduler=hyperband, verbose=False)
print(len(trials), max(trial.last_result["mean_accuracy"] for trial in trials))
