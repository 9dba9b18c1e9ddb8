"""Document 002, listing 5-19: HyperOpt with a configuration to begin with.

The network of listings 5-17 and 5-18 is written in Keras there, and in `doc002_listing_5_18_keras.py`; here it is
the same network in PyTorch.
"""

import torch
from torch import nn
from trialwright import tune
from trialwright.tune.suggest.hyperopt import HyperOptSearch

from budget import budget
from images import PIXELS, datasets


def objective(config):
    (x_train, y_train), (x_test, y_test) = (data.tensors for data in datasets())
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[config["activation"]]
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(PIXELS**2, config["hidden"]), activation(), nn.Dropout(config["rate"]),
        nn.Linear(config["hidden"], 10),
    )
    optimizer = torch.optim.RMSprop(model.parameters())
    for _ in range(10):
        model.train()
        for batch in torch.randperm(len(x_train)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x_train[batch]), y_train[batch]).backward()
            optimizer.step()
        model.eval()
        accuracy = (model(x_test).argmax(dim=1) == y_test).float().mean().item()
        tune.report({"mean_accuracy": accuracy})


initial_params = [{"rate": 0.2, "hidden": 128, "activation": "relu"}]
algo = HyperOptSearch(points_to_evaluate=initial_params)

search_space = {
    "rate": tune.uniform(0.1, 0.5),
    "hidden": tune.randint(32, 512),
    "activation": tune.choice(["relu", "tanh"])
}

analysis = tune.run(
    objective,
    name="keras_hyperopt_exp",
    search_alg=algo,
    metric="mean_accuracy",
    mode="max",
    stop={"mean_accuracy": 0.99},
    num_samples=budget(10, 3),
    config=search_space,
)
print("Best hyperparameters found were: ", analysis.best_config)
print("The first trial had: ", analysis.trials[0].config)
