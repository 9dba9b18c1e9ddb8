"""Six trials, as six runs of Weights & Biases, written offline; `wandb sync` sends them."""

import tempfile
from pathlib import Path

from tracked_digits import tune

from trialwright.integrations.wandb import WandbLogger

with tempfile.TemporaryDirectory() as folder:
    result = tune(folder, WandbLogger(mode="offline", wait_s=60))
    runs = sorted(Path(result.path).glob("wandb/offline-run-*/run-*.wandb"))
    for warning in result.warnings:
        print(warning)
    print(f"{len(runs)} offline runs of {min(run.stat().st_size for run in runs) // 1000} kB or more")
