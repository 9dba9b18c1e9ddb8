"""Syne Tune's simulator on the curves of ``benchmarks/simulating.py``, in an environment of its own.

    PYTHON simulating_peer.py SCHEDULER TRIALS WORKERS STEPS ROWS
    -> {"trials": 1000, "reports": 50000, "seconds": 3.2}

This file imports nothing of ours. A table of one column is none that Syne Tune can look up: the row's number is two.
"""
# mypy: ignore-errors

import json
import logging
import sys
import time

import numpy as np
import pandas as pd
import syne_tune.config_space as cs
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
from syne_tune.optimizer.baselines import ASHA, RandomSearch

logging.disable(logging.CRITICAL)


def table(steps, rows):
    """Return the curves: losses and cumulative seconds."""
    rng, width = np.random.default_rng(0), int(rows**0.5)
    quality, step = rng.random((rows, 1)), np.arange(1, steps + 1)
    losses = quality + (1 - quality) * (step + 1) ** -0.5
    seconds = (0.5 + rng.random((rows, 1))) * step
    number = np.arange(rows)
    return BlackboxTabular(
        hyperparameters=pd.DataFrame({"high": number // width, "low": number % width}),
        configuration_space={"high": cs.randint(0, width - 1), "low": cs.randint(0, width - 1)},
        fidelity_space={"epoch": cs.randint(1, steps)},
        objectives_evaluations=np.stack([losses, seconds], axis=-1)[:, None],
        fidelity_values=step,
        objectives_names=["loss", "elapsed"],
    )


def scheduler(name, space, steps):
    """Return Syne Tune's own."""
    if name == "fifo":
        return RandomSearch(space, metrics=["loss"], do_minimize=True)
    told = {"time_attr": "epoch", "max_t": steps, "grace_period": 1, "reduction_factor": 3}
    return ASHA(space, metric="loss", do_minimize=True, **told)


def main(name, trials, workers, steps, rows):
    """Run, and print what came of it."""
    curves = table(steps, rows)
    backend = UserBlackboxBackend(curves, elapsed_time_attr="elapsed", max_resource_attr="epochs")
    tuner = Tuner(
        trial_backend=backend,
        scheduler=scheduler(name, {**curves.configuration_space, "epochs": steps}, steps),
        stop_criterion=StoppingCriterion(max_num_trials_started=trials),
        n_workers=workers,
        sleep_time=0,
        callbacks=[SimulatorCallback()],
        results_update_interval=1e9,
        print_update_interval=1e9,
        save_tuner=False,
    )
    began = time.perf_counter()
    tuner.run()
    seconds = time.perf_counter() - began
    status = tuner.tuning_status
    reports = sum(row.get("epoch", 0) for row in status.trial_rows.values())
    print(json.dumps({"trials": status.num_trials_started, "reports": int(reports), "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
