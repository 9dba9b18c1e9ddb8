"""Syne Tune's ASHA on the same curves, in an environment of its own, which has it and numpy.

    PYTHON peer.py < job.json > answer.json
    {"losses": [[...]], "seconds": [[...]], "eta": 3,
     "runs": [{"workers": 4, "order": [...], "end_s": 100.0, "seed": 0}]}
    -> [[[seconds, loss], ...], ...]        what was reported when, of each run

Its scheduler decides; the rows come in the order given, as for everybody; the clock is a heap. This file imports
nothing of ours.
"""
# mypy: ignore-errors

import heapq
import json
import sys
from datetime import UTC, datetime

import numpy as np

DIVERGED = 1e12  # in place of what is not finite, which its rungs cannot take


def run(losses, seconds, *, workers, order, end_s, seed, eta):
    """Return what was reported when, until ``end_s``."""
    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

    np.random.seed(seed)
    steps = len(losses[0])
    scheduler = AsynchronousSuccessiveHalving(
        {"x": uniform(0, 1)}, metric="loss", do_minimize=True, time_attr="step", max_t=steps, grace_period=1,
        reduction_factor=eta, random_seed=seed,
    )  # fmt: skip
    heap, seen, count = [], [], 0

    def start(now):
        nonlocal count
        config = scheduler.suggest().config
        trial = Trial(count, config, datetime.now(UTC))
        scheduler.on_trial_add(trial)
        row = order[count % len(order)]
        heapq.heappush(heap, (now + seconds[row][0], count, trial, row, 1))
        count += 1

    for _ in range(workers):
        start(0.0)
    while heap:
        now, number, trial, row, step = heapq.heappop(heap)
        if now > end_s:
            break
        loss = losses[row][step - 1]
        seen.append((now, loss))
        result = {"loss": loss if np.isfinite(loss) else DIVERGED, "step": step}
        if scheduler.on_trial_result(trial, result) == "CONTINUE" and step < steps:
            took = seconds[row][step] - seconds[row][step - 1]
            heapq.heappush(heap, (now + took, number, trial, row, step + 1))
        else:
            start(now)
    return seen


if __name__ == "__main__":
    job = json.load(sys.stdin)
    out = [run(job["losses"], job["seconds"], eta=job["eta"], **each) for each in job["runs"]]
    json.dump(out, sys.stdout)
