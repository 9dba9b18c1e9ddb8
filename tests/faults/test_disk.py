"""What happens to a run's directory while no driver has it: it is moved, and a dead driver has left things in it."""

from __future__ import annotations

import shutil
from collections import defaultdict

import pytest

from trialwright import Engine, Local, context, get_checkpoint, report, space
from trialwright.callbacks import Callback
from trialwright.storage import checkpoints

EPOCHS = 5


class Trains:
    """An objective that saves at each epoch. At epoch 3 of trial 1 it copies the run's directory: the copy is as a
    driver that is killed there leaves it."""

    def __init__(self, copy=None):
        self.copy = copy
        self.began = defaultdict(list)  # trial -> the epochs at which its attempts began

    def __call__(self, config):
        here = context()
        epoch = (get_checkpoint() or {"epoch": 0})["epoch"]
        self.began[here.trial_id].append(epoch)
        for now in range(epoch + 1, EPOCHS + 1):
            report(loss=config["x"] + now, checkpoint={"epoch": now})
            if self.copy and (here.trial_id, now) == (1, 3):
                shutil.copytree(here.directory.parents[1], self.copy)


def run(objective, tmp_path, **keywords):
    keywords = {"metric": "loss", "num_samples": 3, "searcher": "random", "seed": 0, "verbose": 0, **keywords}
    return Engine(objective, {"x": space.uniform(0, 1)}, executor=Local(cpus=1), storage=tmp_path, **keywords).run()


@pytest.fixture
def killed(tmp_path):
    """The directory of a run whose driver was killed, in another place than where it was."""
    result = run(Trains(tmp_path / "moved" / "run"), tmp_path / "before", keep_checkpoints=1)
    shutil.rmtree(result.path)
    return tmp_path / "moved" / "run"


def test_a_run_that_was_moved_resumes_from_its_checkpoints(killed):
    objective = Trains()
    result = Engine.resume(killed, objective, executor=Local(cpus=1), verbose=0).run()
    assert [(trial.outcome, trial.attempts) for trial in result] == [
        ("completed", 1),
        ("completed", 2),
        ("completed", 1),
    ]
    assert objective.began == {1: [3], 2: [0]}
    assert [trial.checkpoint for trial in result] == [{"epoch": EPOCHS}] * 3
    assert all(killed in path.parents for trial in result for path in [trial.directory])


def test_a_resume_deletes_what_a_killed_driver_has_left_of_checkpoints_and_nothing_else(killed):
    kept = killed / "trials" / "000001" / "checkpoints"
    for name in ("001-00000002.draft", "001-00000002.earlier", "001-00000002", "001-00000009"):
        checkpoints.save({"epoch": -1}, kept / name)
    (kept / "mine").mkdir()
    Engine.resume(killed, Trains(), executor=Local(cpus=1), verbose=0).run()
    names = {path.name for path in kept.iterdir()}
    assert names == {"001-00000001", "002-00000005", "mine"}, "the best, the latest, and what is not ours"


def test_callbacks_count_iterations_on_after_a_resume(tmp_path):
    class Counts(Callback):
        def __init__(self):
            self.iterations = []

        def on_step_end(self, iteration, trials, **info):
            self.iterations.append(iteration)

    before, after = Counts(), Counts()
    result = run(Trains(), tmp_path, callbacks=[before])
    keywords = {"executor": Local(cpus=1), "verbose": 0, "callbacks": [after], "num_samples": 5}
    Engine.resume(result.path, Trains(), **keywords).run()
    assert after.iterations[0] == before.iterations[-1] + 1
    assert after.iterations == sorted(after.iterations)
