"""Snapshots that the tests of displays show."""

from trialwright.core.limits import Failure
from trialwright.progress import Best, Ended, Running, Snapshot

MIDWAY = Snapshot(
    name="digits",
    directory="runs/digits-1",
    elapsed_s=75.2,
    states={"waiting": 0, "running": 4, "paused": 2, "ended": 30},
    outcomes={"completed": 3, "stopped": 26, "failed": 1},
    wanted=40,
    best=Best(7, "accuracy", 0.98333333, {"lr": 0.00123456, "model": {"width": 128}}),
    resources={"cpu": (3.5, 4.0), "memory": (2**30, 3 * 2**30)},
    reports=12_345,
    reports_per_s=164.2,
)
FAILURES = (Failure("ValueError: bad", "train.py:3, in train", 2), Failure("OSError: no", "", 4, 3))
RUNNING = (
    Running(12, "running", 34, {"accuracy": 0.98123}, {"cpu": 1.0, "gpu": 0.25}, 80.0, 2.0),
    Running(9, "stopping", 2, {"accuracy": 0.5}, {"cpu": 1.0}, 200.0, 130.0),
    Running(40, "running", 0, {}, {"cpu": 1.0}, None, None),
    Running(39, "running", 0, {}, {"cpu": 1.0}, 7.0, 7.0),
)
ENDED = (
    Ended(1, 3, "failed", "ValueError: bad", 0, {}, {"lr": 0.1}, 0.3),
    Ended(2, 1, "stopped", "rank 5 of 5 at step 1", 1, {"accuracy": 0.25}, {"lr": 0.01}, 2.5),
    Ended(3, 2, "completed", "", 20, {"accuracy": 0.91}, {"lr": 0.02}, 4000.0),
)
