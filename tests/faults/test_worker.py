"""A worker dies in the middle of a trial: that trial is tried again, and no other notices."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing

import cloudpickle
import pytest

from trialwright import Engine, Processes, context, get_checkpoint, report, space
from trialwright.executors.on_ray import OnRay

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not be able to import the tests


def objective(config):
    where, state = context(), get_checkpoint() or {"epoch": 0}
    for epoch in range(state["epoch"], 6):
        time.sleep(0.02)
        report(loss=config["x"], attempt=where.attempt, checkpoint={"epoch": epoch + 1})
        if (where.trial_id, where.attempt, epoch) in {(1, 1, 2), (3, 1, 3)}:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("executor", [Processes, pytest.param(OnRay, marks=pytest.mark.slow)])
def test_a_killed_worker_loses_its_trial_which_resumes_from_its_checkpoint_and_no_other(tmp_path, executor):
    result = Engine(
        objective,
        {"x": space.uniform(0, 1)},
        metric="loss",
        num_samples=6,
        max_failures=1,
        executor=Processes(2) if executor is Processes else OnRay(num_cpus=2),
        storage=tmp_path,
        verbose=0,
        seed=0,
    ).run()
    assert [trial.outcome for trial in result] == ["completed"] * 6
    assert [trial.attempts for trial in result] == [1, 2, 1, 2, 1, 1]
    with closing(sqlite3.connect(result.path / "journal.sqlite")) as database:
        rows = database.execute("SELECT trial, attempt, kind FROM events WHERE kind IN ('Lost', 'Failed')").fetchall()
    assert sorted(rows) == [(1, 1, "Lost"), (3, 1, "Lost")]
    history = [(row["step"], row["attempt"]) for row in result[1].history]
    assert history == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
