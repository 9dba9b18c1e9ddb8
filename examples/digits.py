"""Tune a small convolutional network that reads handwritten digits: 40 trials, most of them stopped early.

    pip install -e ".[examples]" && python examples/digits.py

It prints the best configuration and its accuracy on digits that no trial has seen, and writes learning_curves.png.
"""

import argparse

import matplotlib as mpl
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from trialwright import ASHA, Engine, Result, context, get_checkpoint, report, space

Images = tuple[torch.Tensor, torch.Tensor]  # pixels between 0 and 1, and the digit


def load_images() -> tuple[Images, Images, Images]:
    """Return the images of 8 x 8 pixels that come with scikit-learn: for training, validation, and test."""
    digits = load_digits()
    pixels = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    rest, test = train_test_split(range(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    train, validation = train_test_split(rest, test_size=0.2, random_state=0, stratify=labels[rest])
    return (pixels[train], labels[train]), (pixels[validation], labels[validation]), (pixels[test], labels[test])


def build(width: int, dropout: float) -> nn.Module:
    """Return a new network."""
    return nn.Sequential(
        *(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * 16, 10)),
    )


def accuracy(network: nn.Module, images: Images) -> float:
    """Return the fraction of images that the network classifies correctly."""
    pixels, labels = images
    network.eval()
    with torch.no_grad():
        return float((network(pixels).argmax(1) == labels).float().mean())


def train_epoch(network: nn.Module, optimizer: torch.optim.Optimizer, images: Images, batch: int) -> float:
    """Train on every image once; return the mean loss."""
    pixels, labels = images
    network.train()
    total = 0.0
    for chosen in torch.randperm(len(labels)).split(batch):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(pixels[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
    return total / len(labels)


def objective(config: dict) -> None:
    """Train one network: Trialwright runs this function many times in parallel."""
    torch.set_num_threads(1)  # the trials share the machine: each asked for one CPU
    torch.manual_seed(context().seed)
    train, validation, _ = load_images()
    network = build(config["width"], config["dropout"])
    optimizer = torch.optim.Adam(network.parameters(), lr=config["lr"])
    begin = 0
    if checkpoint := get_checkpoint():  # an earlier attempt of this trial has saved it
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["epochs"]
    saved = context().directory / "state.pt"
    for epoch in range(begin, config["epochs"]):
        optimizer.param_groups[0]["lr"] = config["lr"] * (1 - epoch / config["epochs"])
        loss = train_epoch(network, optimizer, train, config["batch"])
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch + 1}
        torch.save(state, saved)
        report(loss=loss, accuracy=accuracy(network, validation), checkpoint=saved)


def plot(result: Result, path: str) -> None:
    """Plot one line for each trial, the best one on top."""
    mpl.use("Agg")  # writes files; needs no display
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    best = result.best_trial
    for trial in [*(trial for trial in result if trial.id != best.id), best]:
        steps = [row["step"] for row in trial.history]
        values = [row["accuracy"] for row in trial.history]
        style = {"color": "crimson", "linewidth": 2.5} if trial is best else {"color": "steelblue", "alpha": 0.5}
        label = f"trial {best.id}, the best" if trial is best else None
        axes.plot(steps, values, marker="o", markersize=3, label=label, **style)
    axes.set(xlabel="epoch", ylabel="validation accuracy", title=f"{len(result)} trials: ASHA stops most of them early")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Tune, test the best network on images that no trial has seen, and plot the learning curves."""
    parser = argparse.ArgumentParser(description="Tune a network that reads handwritten digits.")
    parser.add_argument("--num-samples", type=int, default=40, help="how many trials (40)")
    parser.add_argument("--epochs", type=int, default=20, help="most epochs of a trial (20)")
    parser.add_argument("--storage", default="runs", help="where the run's directory goes (runs)")
    places = ["ray", "processes", "local"]
    parser.add_argument("--executor", choices=places, default="ray", help="where trials run (ray)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (0)")
    options = parser.parse_args()

    result = Engine(
        objective,
        {
            "lr": space.loguniform(1e-5, 1e-1),
            "width": space.choice([8, 16, 32]),
            "dropout": space.uniform(0, 0.5),
            "batch": space.choice([16, 32, 64]),
            "epochs": options.epochs,
        },
        metric="accuracy",
        mode="max",
        num_samples=options.num_samples,
        searcher="random",
        scheduler=ASHA(max_t=options.epochs, grace_period=1, reduction_factor=3),
        resources={"cpu": 1},
        executor=options.executor,
        storage=options.storage,
        name="digits",
        seed=options.seed,
    ).run()

    config = result.best_config
    network = build(config["width"], config["dropout"])
    network.load_state_dict(torch.load(result.best_checkpoint)["network"])
    _, _, test = load_images()
    print("best configuration:", config)
    print(f"validation accuracy: {result.best_metrics['accuracy']:.4f}")
    print(f"test accuracy: {accuracy(network, test):.4f}")
    plot(result, "learning_curves.png")
    print("the learning curves of all trials: learning_curves.png")


if __name__ == "__main__":
    main()
