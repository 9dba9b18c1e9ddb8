"""What ``verify`` finds in damaged runs, and what ``doctor`` tells of this machine."""

import json
import shutil
import sqlite3

import pytest

from trialwright.cli import doctor
from trialwright.storage.sqlite import SqliteStore


@pytest.fixture
def run(digits, tmp_path):
    return shutil.copytree(digits, tmp_path / "run")


def change(run, statement):
    with sqlite3.connect(run / "journal.sqlite") as database:
        database.execute(statement)
    database.close()


def test_a_whole_run_has_its_digest(call, run):
    result = call("verify", run, "--json")
    told = json.loads(result.output)
    assert (result.exit_code, told["problems"], told["trials"]) == (0, [], 12)
    assert told["digest"] == SqliteStore.open(run, read_only=True).digest


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE events SET line = line || ' ' WHERE seq = 9", "event 9 is not what was written"),
        ("DELETE FROM events WHERE seq > 9", "it ends with event 9"),
        ("UPDATE trials SET line = replace(line, 'ended', 'ender') WHERE id = 3", "the row of trial 3 is not"),
        ("UPDATE experiments SET settings = '{}'", "its settings are not those that were written"),
    ],
)
def test_damage_is_found_and_the_exit_code_is_1(call, run, statement, why):
    change(run, statement)
    result = call("verify", run)
    assert (result.exit_code, why in result.output) == (1, True), result.output


def test_a_checkpoint_that_is_missing_is_found(call, tmp_path):
    from trialwright import Engine, report, space

    def objective(config):
        report(loss=1.0, checkpoint={"a": 1})

    given = {"metric": "loss", "executor": "local", "searcher": "random", "storage": tmp_path, "verbose": 0}
    path = Engine(objective, {"x": space.uniform(0, 1)}, **given).run().path
    assert call("verify", path).exit_code == 0
    shutil.rmtree(path / "trials")
    result = call("verify", path)
    assert (result.exit_code, "of trial 0 is missing" in result.output) == (1, True)


def test_the_doctor_looks_at_python_the_disk_and_every_extra(call):
    found = {each["what"]: each for each in json.loads(call("doctor", "--no-ray", "--json").output)}
    assert {"Python", "Trialwright", "CPUs", "storage", "optuna", "plots"} <= found.keys()
    assert "Ray" not in found
    assert found["storage"]["state"] in ("ok", "warning")


def test_the_doctor_tells_the_command_for_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "")
    missing = [each for each in doctor._extras() if each.what == "optuna"]
    assert [(each.state, each.mend) for each in missing] == [
        ("missing", "pip install 'trialwright[optuna]'  # the searcher Optuna")
    ]


def test_a_storage_that_cannot_be_written_to_is_broken_and_the_exit_code_is_1(call, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    result = call("doctor", "--no-ray")
    assert (result.exit_code, "Permission denied" in result.output) == (1, True)
    assert "export TRIALWRIGHT_HOME=" in result.output
