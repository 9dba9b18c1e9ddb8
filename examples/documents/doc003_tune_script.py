"""Document 003: one trial and its curve, then ASHA with as many trials in parallel as there is room for.

    python examples/documents/doc003_tune_script.py [--smoke] [--ray-address ADDRESS]
"""

import argparse

import matplotlib.pyplot as plt
import torch
from torch import optim
from trialwright import tune
from trialwright.tune.schedulers import ASHAScheduler

from budget import budget
from doc000_model import ConvNet, test, train
from images import get_data_loaders


def train_mnist(config):
    model = ConvNet()
    train_loader, test_loader = get_data_loaders()
    optimizer = optim.SGD(
        model.parameters(),
        lr=config["lr"],
        momentum=config["momentum"])
    for i in range(10):
        train(model, optimizer, train_loader)
        acc = test(model, test_loader)
        tune.track.log(mean_accuracy=acc)
        if i % 5 == 0:
            # This saves the model to the trial directory
            torch.save(model, "./model.pth")


def join(address):
    """Connect to a cluster, as the document does at the top of its script."""
    import ray

    ray.init(address=address)


parser = argparse.ArgumentParser()
parser.add_argument("--smoke", action="store_true")
parser.add_argument("--ray-address")
args = parser.parse_args()
if args.ray_address:
    join(args.ray_address)

search_space = {
    "lr": tune.loguniform(1e-4, 1),
    "momentum": tune.uniform(0.1, 0.9),
}

analysis = tune.run(train_mnist, config=search_space)
dfs = analysis.trial_dataframes
for d in dfs.values():
    d.mean_accuracy.plot()
plt.savefig("one_trial.png")
print([len(d) for d in dfs.values()])

custom_scheduler = ASHAScheduler(
    metric="mean_accuracy",
    mode="max",
    grace_period=1,
)
analysis = tune.run(train_mnist, num_samples=budget(10, 4), scheduler=custom_scheduler, config=search_space)
print(sorted(len(d) for d in analysis.trial_dataframes.values()))
