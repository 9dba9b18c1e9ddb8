"""Document 003 names MLflow beside TensorBoard: its search, ASHA over a learning rate, with MLflow's callback.

Each trial is a run of the experiment "train_digits"; where a trial was stopped, its curve ends.
"""

import sys
import tempfile

import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from trialwright.tune.logger.mlflow import MLflowLoggerCallback

from trialwright import tune
from trialwright.tune.schedulers import ASHAScheduler


def train_digits(config: dict[str, float]) -> None:
    """Train for ten epochs, and report the accuracy after each."""
    pixels, labels = load_digits(return_X_y=True)
    model = SGDClassifier(learning_rate="constant", eta0=config["lr"], random_state=0)
    for _ in range(10):
        model.partial_fit(pixels[:1200] / 16, labels[:1200], classes=np.unique(labels))
        tune.report(mean_accuracy=model.score(pixels[1200:] / 16, labels[1200:]))


folder = tempfile.mkdtemp()
store = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/mlflow.db"
analysis = tune.run(
    train_digits,
    name="train_digits",
    num_samples=4,
    config={"lr": tune.loguniform(1e-4, 1)},
    scheduler=ASHAScheduler(metric="mean_accuracy", mode="max", grace_period=1),
    callbacks=[MLflowLoggerCallback(store)],
    storage_path=folder,
    verbose=0,
)

client = MlflowClient(store)
place = client.get_experiment_by_name("train_digits").experiment_id
curves = [client.get_metric_history(each.info.run_id, "mean_accuracy") for each in client.search_runs([place])]
print(sorted(len(curve) for curve in curves), sorted(len(each) for each in analysis.trial_dataframes.values()))
