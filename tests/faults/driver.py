"""A run in a process of its own, to be interrupted: ``python driver.py DIRECTORY EXECUTOR [--resume PATH]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from trialwright import ASHA, Engine, context, get_checkpoint, report, space


def objective(config):
    """Trains for a while; each attempt leaves a mark, so that the test can count them."""
    where = context()
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{where.trial_id} {where.attempt}\n")
    state = get_checkpoint() or {"epoch": 0}
    for epoch in range(state["epoch"], 9):
        time.sleep(float(os.environ.get("PACE_S", "0.01")))
        report(loss=config["x"] + 1 / (epoch + 1), checkpoint={"epoch": epoch + 1})


def engine(directory, executor, **keywords):
    return Engine(
        objective,
        {"x": space.uniform(0, 1)},
        metric="loss",
        num_samples=30,
        scheduler=ASHA(max_t=9, reduction_factor=3),
        executor=executor,
        storage=directory,
        name="faulty",
        seed=3,
        **keywords,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("executor")
    parser.add_argument("--resume")
    options = parser.parse_args()
    if options.resume:
        result = Engine.resume(options.resume, objective, executor=options.executor, verbose=0).run()
    else:
        result = engine(options.directory, options.executor, verbose=0).run()
    sys.stdout.write(f"{len(result)} {result.best_trial.id}\n")
