"""Log files, as TensorBoard, VisKit, and pandas read them."""

from __future__ import annotations

import csv
import json
import math
import pickle
import re
import struct
import subprocess
import sys
import time

import pytest
from tensorboardX.proto import event_pb2, plugin_hparams_pb2

from trialwright import Engine, context, report
from trialwright import space as s
from trialwright.loggers import CSVLogger, FileLogger, JSONLogger, Naming, TensorBoardLogger, export
from trialwright.loggers.events import record
from trialwright.tune import names
from trialwright.tune.callbacks import CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback, to_engine, together
from trialwright.tune.trial import RunFacts, run_digits

SPACE = {"lr": s.loguniform(1e-3, 1), "model": {"depth": s.randint(1, 5), "kind": "mlp"}}


def train(config):
    for step in range(1, 6):
        report(loss=config["lr"] / step, deep={"er": step})


def late(config):
    report(loss=1.0)
    report(loss=0.5, extra="a,b")


def broken(config):
    report(loss=1.0)
    raise ValueError("no luck")


def run(objective, tmp_path, *callbacks, **keywords):
    settings = {"metric": "loss", "num_samples": 2, "executor": "local", "verbose": 0, "storage": tmp_path, "seed": 3}
    return Engine(objective, SPACE, callbacks=callbacks, **settings | keywords).run()


def rows(trial):
    with (trial.directory / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines(trial):
    return [json.loads(line) for line in (trial.directory / "result.json").read_text().splitlines()]


def events(trial):
    """Read an event file as TensorBoard does: length, its checksum, an event, its checksum."""
    [path] = trial.directory.glob("events.out.tfevents.*")
    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        yield event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
        place += length + 16


def scalars(trial):
    return [
        (event.step, value.tag, pytest.approx(value.simple_value, rel=1e-6))
        for event in events(trial)
        for value in event.summary.value
        if not value.HasField("metadata")
    ]


def test_progress_has_a_row_a_report(tmp_path):
    result = run(train, tmp_path, CSVLogger())
    assert not result.warnings
    for trial in result:
        assert [(int(row["step"]), float(row["loss"])) for row in rows(trial)] == [
            (row["step"], row["loss"]) for row in trial.history
        ]
        assert rows(trial)[-1]["deep/er"] == "5"


def test_a_metric_that_comes_later_gets_its_column(tmp_path):
    result = run(late, tmp_path, CSVLogger())
    assert [(row["loss"], row["extra"]) for row in rows(result[0])] == [("1.0", ""), ("0.5", "a,b")]


def test_results_are_a_line_each(tmp_path):
    result = run(train, tmp_path, JSONLogger())
    assert [lines(trial) for trial in result] == [trial.history for trial in result]


def test_every_logger_writes_the_configuration(tmp_path):
    for logger in (CSVLogger(), JSONLogger(), TensorBoardLogger()):
        result = run(train, tmp_path, logger)
        for trial in result:
            assert json.loads((trial.directory / "params.json").read_text()) == trial.config


def test_the_json_logger_pickles_the_configuration_too(tmp_path):
    for trial in run(train, tmp_path, JSONLogger()):
        assert pickle.loads((trial.directory / "params.pkl").read_bytes()) == trial.config


def test_tensorboard_gets_every_report_and_the_hyper_parameters(tmp_path):
    result = run(train, tmp_path, TensorBoardLogger())
    for trial in result:
        assert [(step, value) for step, tag, value in scalars(trial) if tag == "loss"] == [
            (row["step"], row["loss"]) for row in trial.history
        ]
        [start] = [
            plugin_hparams_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
            for event in events(trial)
            for value in event.summary.value
            if value.tag == "_hparams_/session_start_info"
        ]
        assert start.hparams["lr"].number_value == trial.config["lr"]
        assert start.hparams["model/kind"].string_value == "mlp"


def fail_before_or_after_a_report(config):
    if config["how"] != "at once":
        report(loss=1.0)
    if config["how"] != "not":
        raise ValueError(config["how"])


def test_hyper_parameters_in_tensorboard_tell_when_a_trial_began_and_ended_and_whether_it_failed(tmp_path):
    ways = s.grid_search(["not", "after a report", "at once"])
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "searcher": "grid"}
    result = Engine(fail_before_or_after_a_report, {"how": ways}, callbacks=[TensorBoardLogger()], **settings).run()
    for trial in result:
        told = [
            plugin_hparams_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
            for event in events(trial)
            for value in event.summary.value
            if value.tag.startswith("_hparams_/session")
        ]
        start, end = told[0].session_start_info, told[1].session_end_info
        assert end.status == (1 if trial.outcome == "completed" else 2)
        assert end.end_time_secs - start.start_time_secs == pytest.approx(trial.ended - trial.started, abs=1e-5)


def test_tensorboards_clock_is_that_of_the_run(tmp_path):
    result = run(train, tmp_path, TensorBoardLogger())
    written = (result.path / "journal.sqlite").stat().st_mtime
    assert all(abs(event.wall_time - written) < 60 for trial in result for event in events(trial))


def test_an_error_is_written_beside_the_trial(tmp_path):
    result = run(broken, tmp_path, CSVLogger())
    text = (result[0].directory / "error.txt").read_text()
    assert "no luck" in text
    assert "Traceback" in text


def test_one_logger_writes_several_kinds(tmp_path):
    result = run(train, tmp_path, FileLogger("csv", "json"))
    assert len(rows(result[0])) == len(lines(result[0])) == 5


def test_a_finished_run_can_be_exported(tmp_path):
    result = run(train, tmp_path)
    export(result.path, "csv")
    assert len(rows(result[0])) == 5


def test_a_finished_run_can_be_exported_from_the_command_line(tmp_path):
    result = run(train, tmp_path)
    subprocess.run([sys.executable, "-m", "trialwright.loggers", str(result.path), "json"], check=True)
    assert lines(result[1]) == result[1].history


def test_writing_twice_changes_nothing(tmp_path):
    result = run(train, tmp_path, FileLogger("csv", "json", "tensorboard"))
    before = {path: path.read_bytes() for path in result[0].directory.iterdir() if path.is_file()}
    export(result.path, "csv", "json", "tensorboard")
    assert {path: path.read_bytes() for path in result[0].directory.iterdir() if path.is_file()} == before


def test_records_have_the_checksums_that_tensorboard_tests():
    from tensorboardX.record_writer import masked_crc32c

    for data in (b"", b"a", b"123456789", bytes(range(256))):
        assert record(data)[-4:] == struct.pack("<I", masked_crc32c(data))


def test_many_reports_are_all_there(tmp_path):
    def chatter(config):
        for _ in range(20_000):
            report(loss=0.5)

    result = run(chatter, tmp_path, FileLogger("csv", "json"))
    assert [len(rows(trial)) for trial in result] == [20_000, 20_000]
    assert [len(lines(trial)) for trial in result] == [20_000, 20_000]


def test_a_retried_trial_has_the_rows_of_both_attempts(tmp_path):
    tries = []

    def second_time(config):
        tries.append(config)
        report(loss=1.0)
        if len(tries) == 1:
            raise ValueError("once")

    result = run(second_time, tmp_path, CSVLogger(), num_samples=1, max_failures=1)
    assert result[0].outcome == "completed"
    assert [row["step"] for row in rows(result[0])] == ["1", "1"]


def test_not_a_number_is_written_as_such(tmp_path):
    def lost(config):
        report(loss=float("nan"))

    result = run(lost, tmp_path, FileLogger("csv", "json"))
    assert rows(result[0])[0]["loss"] == "nan"
    assert lines(result[0])[0]["loss"] != lines(result[0])[0]["loss"]


def test_log_files_of_a_run_that_keeps_nothing_are_refused_before_it_starts():
    ran = []
    with pytest.raises(ValueError, match="CSVLogger reads the journal, and storage=None keeps none; give"):
        run(ran.append, None, CSVLogger())
    assert ran == []


def test_what_cannot_be_written_is_refused():
    with pytest.raises(ValueError, match="did you mean 'csv'"):
        FileLogger("cvs")
    with pytest.raises(ValueError, match="no kind of log file is given"):
        FileLogger()


def test_where_there_is_no_run_nothing_is_exported(tmp_path):
    with pytest.raises(ValueError, match="no run"):
        export(tmp_path, "csv")


def test_files_grow_while_the_run_continues_and_are_whole_when_it_ends(tmp_path):
    def waits(config):
        report(loss=1.0)
        deadline = time.monotonic() + 60
        while not (context().directory / "progress.csv").exists() and time.monotonic() < deadline:
            report(loss=0.9)
            time.sleep(0.05)
        report(loss=0.5)

    result = run(waits, tmp_path, CSVLogger(), JSONLogger(), TensorBoardLogger())
    assert not result.warnings
    for trial in result:
        losses = [str(row["loss"]) for row in trial.history]
        assert losses[-1] == "0.5"
        assert [row["loss"] for row in rows(trial)] == losses
        assert [str(line["loss"]) for line in lines(trial)] == losses


def test_a_run_that_is_over_before_the_process_has_begun_writes_them_itself(tmp_path):
    class Slow(CSVLogger):
        def on_experiment_end(self, trials, **info):
            self._process.kill()
            self._process.communicate()
            sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
            self._process = subprocess.Popen(sleeps, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            super().on_experiment_end(trials, **info)

    result = run(train, tmp_path, Slow())
    assert not result.warnings
    assert [len(rows(trial)) for trial in result] == [5, 5]


def test_files_that_cannot_be_written_are_a_warning(tmp_path):
    class InTheWay(CSVLogger):
        def setup(self, **info):
            (tmp_path / "blocked").mkdir()
            super().setup(directory=str(tmp_path / "blocked"))

    result = run(train, tmp_path, InTheWay())
    assert "not complete" in result.warnings[0]
    assert [trial.outcome for trial in result] == ["completed"] * 2


# As Ray Tune's users know them ----------------------------------------------------------------------------------------


def user(config):
    stamp = names.Stamp()
    for step in range(3):
        report(
            stamp.on(
                names.escape({"loss": config["lr"], "step": step, "more": {"a": 1}, "timesteps_total": 10 * step + 10})
            )
        )


def logged(tmp_path):
    facts = RunFacts("train", varied=frozenset({"lr", "model/depth"}))
    made = together(to_engine([CSVLoggerCallback(), JsonLoggerCallback(), TBXLoggerCallback()], facts))
    assert len(made) == 1
    return run(user, tmp_path, *made, num_samples=1)


def test_rows_have_the_names_that_users_know(tmp_path):
    result = logged(tmp_path)
    [first, *_] = lines(result[0])
    assert (first["training_iteration"], first["step"], first["more"]) == (1, 0, {"a": 1})
    assert first["trial_id"] == f"{run_digits(result.path)}_00000"
    assert first["experiment_tag"].startswith("0_lr=")
    assert {"time_total_s", "time_this_iter_s", "date", "timestamp", "hostname", "pid", "done"} <= first.keys()
    assert (rows(result[0])[2]["training_iteration"], rows(result[0])[2]["more/a"]) == ("3", "1")


def test_tensorboards_tags_and_steps_are_those_of_ray_tune(tmp_path):
    found = scalars(logged(tmp_path)[0])
    assert [step for step, tag, _ in found if tag == "ray/tune/loss"] == [10, 20, 30]
    assert "ray/tune/more/a" in {tag for _, tag, _ in found}


def test_only_what_varies_is_a_hyper_parameter(tmp_path):
    [known] = [
        set(
            plugin_hparams_pb2.HParamsPluginData.FromString(
                value.metadata.plugin_data.content
            ).session_start_info.hparams
        )
        for event in events(logged(tmp_path)[0])
        for value in event.summary.value
        if value.tag == "_hparams_/session_start_info"
    ]
    assert known == {"lr", "model/depth"}


def test_naming_is_plain_data():
    assert Naming(None, "tag/", ["lr"]) == Naming(**json.loads(json.dumps(vars(Naming(None, "tag/", ["lr"])))))


WRONG = {
    "timestamp": ["2026-01-01T10:00", math.nan, math.inf, -1.0, 1e300, True, {"at": 5}, [1]],
    "timesteps_total": ["many", math.nan, math.inf, -1, 1e30, True, {"at": 5}, [1]],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_value_that_places_no_row_is_omitted_and_said_once_and_all_files_are_complete(tmp_path, key):
    values = WRONG[key]

    def objective(config):
        for value in (5, values[config["k"]], 6):
            report(names.Stamp().on(names.escape({"loss": 1.0, key: value})))

    facts = RunFacts("train")
    made = together(to_engine([CSVLoggerCallback(), JsonLoggerCallback(), TBXLoggerCallback()], facts))
    what = {"k": s.grid_search(list(range(len(values))))}
    result = Engine(objective, what, metric="loss", executor="local", verbose=0, storage=tmp_path, callbacks=made).run()
    assert len(result) == len(values)
    for trial in result:
        found = lines(trial)
        assert [row["training_iteration"] for row in found] == [1, 2, 3]
        assert (found[0][key], found[2][key]) == (5, 6)
        assert isinstance(found[1]["timestamp"], int)
        assert key == "timestamp" or key not in found[1]
        assert len(rows(trial)) == 3
        assert len([tag for _, tag, _ in scalars(trial) if tag == "ray/tune/loss"]) == 3
    [said] = result.warnings
    assert f"leave out '{key}'" in said
    assert re.search(rf"trial \d reported {key}=", said)


def test_keys_that_ray_tune_reserves_may_hold_anything(tmp_path):
    reserved = ("trial_id", "config", "date", "pid", "hostname", "node_ip", "done", "logdir", "experiment_tag")
    timed = ("time_this_iter_s", "time_since_restore", "iterations_since_restore", "episodes_total", "step", "time_s")
    values = ["x", math.nan, None, {"a": {"b": 1}}, [1, "x"], 2**62]

    def objective(config):
        report(names.Stamp().on(names.escape({"loss": 1.0, **dict.fromkeys((*reserved, *timed), values[config["k"]])})))

    made = together(to_engine([CSVLoggerCallback(), JsonLoggerCallback(), TBXLoggerCallback()], RunFacts("train")))
    what = {"k": s.grid_search(list(range(len(values))))}
    keywords = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "callbacks": made}
    result = Engine(objective, what, **keywords).run()
    assert not result.warnings
    assert [(len(lines(trial)), len(rows(trial)), bool(scalars(trial))) for trial in result] == [(1, 1, True)] * 6


def test_a_trial_whose_files_cannot_be_written_leaves_those_of_others_complete(tmp_path):
    def objective(config):
        if config["k"] == 0:
            (context().directory / "progress.csv").mkdir()
        report(loss=1.0)

    what = {"k": s.grid_search([0, 1, 2])}
    keywords = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path}
    result = Engine(objective, what, callbacks=[FileLogger("csv", "json")], **keywords).run()
    assert [len(lines(trial)) for trial in result] == [1, 1, 1]
    assert [len(rows(trial)) for trial in result.trials[1:]] == [1, 1]
    [said] = result.warnings
    assert said.startswith("the log files of trial 0 are not complete: IsADirectoryError")
