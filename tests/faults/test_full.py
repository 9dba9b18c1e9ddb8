"""A disk that fills, or fails, is no trial's fault: the run stops and says so; with room, all trials are completed."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import cloudpickle
import pytest

from trialwright import Callback, Engine, Local, Processes, get_checkpoint, report, space
from trialwright.errors import StorageError
from trialwright.executors.on_ray import OnRay

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not be able to import the tests

EXECUTORS = {"local": lambda: Local(cpus=2), "processes": lambda: Processes(2), "ray": lambda: OnRay(num_cpus=2)}
SIZE = 2**20  # bytes of a checkpoint
TRIALS, EPOCHS = 5, 3


class Saves:
    """An objective that saves, in each of the ways there are, a state of ``SIZE`` bytes an epoch."""

    def __init__(self, how, scratch, *, limit=False):
        self.how, self.limit = how, limit
        self.file = scratch / "state" / "weights"
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_bytes(os.urandom(SIZE))

    def __call__(self, config):
        if self.limit:  # as a quota does
            resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, resource.RLIM_INFINITY))
        state = get_checkpoint()
        first = 0 if not isinstance(state, dict) else state["epoch"]
        for epoch in range(first, EPOCHS):
            getattr(self, self.how)(epoch)

    def as_dict(self, epoch):
        report(loss=1.0, checkpoint={"epoch": epoch + 1, "weights": self.file.read_bytes()})

    def as_file(self, epoch):
        report(loss=1.0, checkpoint=self.file)

    def as_directory(self, epoch):
        report(loss=1.0, checkpoint=self.file.parent)

    def catches_all(self, epoch):
        with suppress(Exception):
            report(loss=1.0, checkpoint=self.file)

    def in_its_directory(self, epoch):  # its own files, in its working directory
        Path(f"own-{epoch}").write_bytes(self.file.read_bytes())
        report(loss=1.0, checkpoint={"epoch": epoch + 1})

    def through_a_library(self, epoch):  # which makes an error of its own
        try:
            self.in_its_directory(epoch)
        except OSError:
            raise RuntimeError("failed writing file data/0") from None

    def prints(self, epoch):
        print("x" * SIZE, flush=True)  # noqa: T201
        report(loss=1.0, checkpoint={"epoch": epoch + 1})


@pytest.fixture
def disk(tmp_path):
    """A disk of few MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={TRIALS * EPOCHS * SIZE // 2}"
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], capture_output=True, check=False
    ).returncode:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class Hears(Callback):
    def on_trial_complete(self, **info):
        pass


def run(objective, executor, storage, **keywords):
    keywords |= {"metric": "loss", "num_samples": TRIALS, "searcher": "random", "verbose": 0, "seed": 0}
    return Engine(objective, {"x": space.uniform(0, 1)}, executor=executor, storage=storage, **keywords).run()


@pytest.mark.parametrize(
    ("executor", "how"),
    [
        *[("local", how) for how in ("as_dict", "as_file", "as_directory", "catches_all")],
        *[("processes", how) for how in ("as_directory", "through_a_library", "prints")],
        pytest.param("ray", "as_file", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_stops_the_run_and_with_room_all_trials_are_completed(tmp_path, disk, executor, how):
    objective = Saves(how, tmp_path)
    with pytest.raises(StorageError, match=r"(No space left|is full|RuntimeError).*make room on.*resume the run"):
        run(objective, EXECUTORS[executor](), disk)
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
    [path] = disk.iterdir()
    again = EXECUTORS["processes" if executor == "ray" else executor]()  # to start Ray once is enough
    result = Engine.resume(path, objective, executor=again, verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * TRIALS


@pytest.mark.parametrize("how", ["as_directory", "in_its_directory"])
def test_a_limit_of_the_system_stops_the_run_and_without_it_all_trials_are_completed(tmp_path, how):
    limited = Saves(how, tmp_path, limit=True)
    with pytest.raises(
        StorageError, match=r"trial [01] could not write to .*: the disk is full or fails.*File too large.*resume"
    ):
        run(limited, Processes(2), tmp_path / "runs")
    [path] = (tmp_path / "runs").iterdir()
    result = Engine.resume(path, Saves(how, tmp_path), executor=Processes(2), verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * TRIALS


def test_a_journal_on_a_full_disk_stops_the_run_and_prints_nothing(disk, caplog):
    def fills(config):
        for _ in range(200):
            report(loss=1.0, pad="x" * 10_000)

    with pytest.raises(StorageError, match=r"the journal cannot be written.*make room on that disk, then resume"):
        run(fills, Local(cpus=2), disk, callbacks=[Hears()])
    gc.collect()
    assert caplog.records == []
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
    result = Engine.resume(next(disk.iterdir()), fills, executor=Local(cpus=2), verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * TRIALS


def test_a_directory_of_a_trial_that_cannot_be_made_stops_the_run(tmp_path, disk):
    def fills(config):
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        report(loss=1.0)

    with pytest.raises(StorageError, match=r"No space left|is full"):
        run(fills, Processes(1), disk)
    (disk / "filler").unlink()
    [path] = disk.iterdir()
    result = Engine.resume(path, lambda config: {"loss": 1.0}, executor=Processes(1), verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * TRIALS


def test_what_an_objective_meets_on_another_disk_is_its_own_affair(tmp_path, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    def writes(config):
        (disk / "own").write_text("x")
        report(loss=1.0)

    result = run(writes, Local(cpus=1), tmp_path / "runs")
    assert result[0].outcome == "failed"
    assert "Read-only file system" in result[0].error


def test_an_error_of_reading_what_is_no_disk_fails_the_trial(tmp_path):
    def reads(config):
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            memory.read(1)

    result = run(reads, Local(cpus=1), tmp_path)
    assert (result[0].outcome, result[0].error) == ("failed", "OSError: [Errno 5] Input/output error")
