"""Six trials, as six runs of an experiment of MLflow, in a database of its own."""

import tempfile

from mlflow import MlflowClient
from tracked_digits import tune

from trialwright.integrations.mlflow import MLflowLogger

with tempfile.TemporaryDirectory() as folder:
    store = f"sqlite:///{folder}/mlflow.db"
    result = tune(folder, MLflowLogger(store, wait_s=60))
    client = MlflowClient(store)
    place = client.get_experiment_by_name("digits").experiment_id
    runs = client.search_runs([place], order_by=["metrics.accuracy DESC"])
    curve = client.get_metric_history(runs[0].info.run_id, "accuracy")
    for warning in result.warnings:
        print(warning)
    print(f"{len(runs)} runs; the best of them: {' '.join(f'{each.value:.3f}' for each in curve)}")
