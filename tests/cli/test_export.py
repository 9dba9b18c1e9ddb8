"""What is exported is what the result has."""

import csv
import io
import json
import shutil

import trialwright


def test_trials_are_exported_as_csv_and_json(call, digits, tmp_path):
    result = trialwright.load(digits)
    rows = [*csv.DictReader(io.StringIO(call("export", "digits").output))]
    assert [float(row["loss"]) for row in rows] == [trial.metrics["loss"] for trial in result]
    assert [int(row["model/width"]) for row in rows] == [trial.config["model"]["width"] for trial in result]
    assert call("export", "digits", "--to", "json", "-o", tmp_path / "trials.json").exit_code == 0
    assert [each["config"] for each in json.loads((tmp_path / "trials.json").read_text())] == [
        trial.config for trial in result
    ]


def test_reports_are_exported_one_a_row(call, digits):
    lines = call("export", "digits", "--what", "reports", "--to", "jsonl").output.splitlines()
    told = [(row["trial"], row["step"], row["loss"]) for row in map(json.loads, lines)]
    assert told == [
        (trial.id, step, row["loss"]) for trial in trialwright.load(digits) for step, row in trial.reports.items()
    ]


def test_tensorboard_files_are_written_into_the_directories_of_the_trials(call, digits, tmp_path):
    run = shutil.copytree(digits, tmp_path / "run")
    result = call("export", run, "--to", "tensorboard")
    assert result.exception is None, result.exception
    assert result.output == f"tensorboard --logdir {run / 'trials'}\n"
    assert len([*run.glob("trials/*/events.out.tfevents.*")]) == 12


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest(call):
    result = call("export", "digits", "--to", "jsn")
    assert (result.exit_code, "did you mean 'json" in result.output) == (2, True)
