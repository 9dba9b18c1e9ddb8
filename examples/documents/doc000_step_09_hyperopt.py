"""Document 000, steps 9 and 10: HyperOpt over a space of its own, and the best trial's model."""

import os

import torch
from hyperopt import hp
from trialwright import tune
from trialwright.tune.search.hyperopt import HyperOptSearch

from budget import budget
from doc000_model import test, train_digits
from images import get_data_loaders

space = {
    "lr": hp.loguniform("lr", -10, -1),
    "momentum": hp.uniform("momentum", 0.1, 0.9),
}

hyperopt_search = HyperOptSearch(space, metric="mean_accuracy", mode="max")

tuner = tune.Tuner(
    train_digits,
    tune_config=tune.TuneConfig(num_samples=budget(10, 3), search_alg=hyperopt_search),
)
results = tuner.fit()

best_result = results.get_best_result("mean_accuracy", mode="max")
model = torch.load(os.path.join(best_result.path, "model.pth"), weights_only=False)
print(len(results), best_result.config, test(model, get_data_loaders()[1]))
