"""What runs there are, and in which state, by the tables of their journals alone."""

import os
import shutil

import pytest

import trialwright
from trialwright import Engine, report, runs, space
from trialwright.errors import PolicyError
from trialwright.messages import Enqueued
from trialwright.storage import lock
from trialwright.storage.base import Turn
from trialwright.storage.lock import DriverLock
from trialwright.storage.sqlite import SqliteStore

SPACE = {"x": space.uniform(0, 1), "kind": space.choice([max, min])}
GIVEN = {"metric": "loss", "executor": "local", "searcher": "random", "verbose": 0}


def objective(config):
    report(loss=config["x"])
    report(loss=config["x"] + 1)
    if config["x"] > 0.8:
        raise ValueError("too large")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    Engine(objective, SPACE, num_samples=20, seed=1, name="whole", storage=root, **GIVEN).run()
    return root


@pytest.fixture
def run(home, tmp_path):
    [path] = home.glob("whole-*")
    return shutil.copytree(path, tmp_path / path.name)


def test_a_run_is_described_as_its_result_is(run):
    info, result = runs.describe(run), trialwright.load(run, space=SPACE)
    assert (info.name, info.state, info.trials, info.planned) == ("whole", "finished", 20, 20)
    assert info.outcomes == {"completed": 20 - len(result.errors), "failed": len(result.errors)}
    assert info.elapsed_s == result.wall_s
    assert (info.best.trial, info.best.value, info.best.step) == (result.best_trial.id, *result.best_trial.best)
    assert info.best.metrics == result.best_metrics
    assert info.best.config["kind"] in ("kind[0]", "kind[1]"), "what is not data is shown by its place"
    assert info.steps == 40


def test_the_first_trials_have_a_best_of_their_own(run):
    result = trialwright.load(run, space=SPACE)
    best = min(trial.best[0] for trial in result.trials[:5])
    assert runs.best_after(runs.describe(run), 5).value == best


def test_equal_errors_are_counted(run):
    errors = trialwright.load(run, space=SPACE).errors
    assert runs.failures(run) == [runs.Failure("ValueError: too large", len(errors), errors[0].id)]


def test_a_run_is_running_while_a_process_drives_it(run):
    held = DriverLock(run)
    info = runs.describe(run)
    held.release()
    assert (info.state, info.driver.pid) == ("running", os.getpid())
    assert runs.describe(run).driver is None


def test_a_run_whose_driver_raised_or_died_is_interrupted_and_after_its_resume_finished(tmp_path):
    calls = []

    def rule(trial, metrics):
        calls.append(trial)
        return {}["no"] if len(calls) == 2 else False

    with pytest.raises(PolicyError):
        Engine(objective, SPACE, num_samples=3, stop=rule, storage=tmp_path, **GIVEN).run()
    [path] = runs.run_paths(tmp_path)
    assert runs.describe(path).state == "interrupted"
    Engine.resume(path, objective, space=SPACE, stop=rule, verbose=0).run()
    assert runs.describe(path).state == "finished"
    Engine.resume(path, objective, space=SPACE, stop=rule, verbose=0).run()
    assert runs.describe(path).state == "finished", "nothing was left to be done"


def test_without_the_file_of_the_lock_a_run_with_all_its_trials_is_finished(run):
    (run / lock.NAME).unlink()
    assert runs.describe(run).state == "finished"


@pytest.mark.parametrize(("is_last", "state"), [(False, "interrupted"), (True, "finished")])
def test_a_run_is_over_if_its_driver_has_said_so(tmp_path, is_last, state):
    store = SqliteStore.create(tmp_path / "a", {"data": {"num_samples": 1}})
    store.append(Turn(1.0, [Enqueued({"x": 0.5})], [[]], is_last=is_last)).result()
    store.close()
    assert runs.describe(tmp_path / "a").state == state


def test_runs_are_listed_the_newest_first_without_links_and_with_those_that_cannot_be_read(home, tmp_path):
    for stamp in ("20260101-000000-aaaaaa", "20260102-000000-aaaaaa"):
        shutil.copytree(next(home.glob("whole-*")), tmp_path / f"a-{stamp}")
    (tmp_path / "latest").symlink_to("a-20260102-000000-aaaaaa")
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "journal.sqlite").write_text("nothing")
    first, second, spoilt = runs.runs_in(tmp_path)
    assert (first.id, second.id) == ("a-20260102-000000-aaaaaa", "a-20260101-000000-aaaaaa")
    assert isinstance(spoilt, runs.Unreadable)


def test_where_no_run_was_ever_kept_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "no"))
    assert runs.runs_in() == []
    with pytest.raises(ValueError, match="there is no directory"):
        runs.runs_in(tmp_path / "no")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("ab", "ab-20260101-000000-aaaaaa"),
        ("ab-2026", "ab-20260101-000000-aaaaaa"),
        ("abc-20260101", "abc-20260101-000000-aaaaaa"),
        ("abc-20260102-000000-aaaaaa", "abc-20260102-000000-aaaaaa"),
        ("latest", "latest"),
    ],
)
def test_a_run_is_found_by_its_name_or_how_it_begins(home, tmp_path, given, found):
    for name in ("ab-20260101", "abc-20260101", "abc-20260102"):
        shutil.copytree(next(home.glob("whole-*")), tmp_path / f"{name}-000000-aaaaaa")
    (tmp_path / "latest").symlink_to("ab-20260101-000000-aaaaaa")
    assert runs.find(given, tmp_path) == tmp_path / found
    assert runs.find(tmp_path / found) == tmp_path / found
    with pytest.raises(ValueError, match="'abc' may be any of 2 runs") as error:
        runs.find("abc", tmp_path)
    assert "\n  abc-20260102-000000-aaaaaa\n  abc-20260101-000000-aaaaaa" in str(error.value)


@pytest.mark.parametrize("given", ["", "whale", "no/such/run"])
def test_a_run_that_is_not_there_is_refused(home, given):
    with pytest.raises(ValueError, match="there is no run in|is empty"):
        runs.find(given, home)
