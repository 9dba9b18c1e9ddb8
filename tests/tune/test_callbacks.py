"""Callbacks that were written for Ray Tune."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import pytest

from tests.tune.objectives import SPACE, failing, objective, run, saving
from trialwright import callbacks as engine
from trialwright import tune
from trialwright.callbacks import TrialInfo
from trialwright.tune.callbacks import (
    Callback,
    CallbackList,
    CSVLoggerCallback,
    JsonLoggerCallback,
    LoggerCallback,
    TBXLoggerCallback,
    to_engine,
    together,
)
from trialwright.tune.trial import RunFacts, Trial, TrialBook, run_digits

FACTS = {"name": "objective", "varied": frozenset({"weight", "bias"})}


class Recorder(Callback):
    """Writes down every call."""

    def __init__(self):
        self.calls = []

    def setup(self, stop=None, num_samples=None, total_num_samples=None, **info):
        self.calls.append(("setup", num_samples, total_num_samples))

    def on_trial_start(self, iteration, trials, trial, **info):
        self.calls.append(("start", trial, trial.status, dict(trial.config)))

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.calls.append(("result", trial, result))

    def on_checkpoint(self, iteration, trials, trial, checkpoint, **info):
        self.calls.append(("checkpoint", trial, checkpoint.to_dict()))

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.calls.append(("complete", trial, trial.status, trial.last_result))

    def on_trial_error(self, iteration, trials, trial, **info):
        self.calls.append(("error", trial, trial.status, trial.get_error()))

    def on_experiment_end(self, trials, **info):
        self.calls.append(("end", [str(trial) for trial in trials]))

    def of(self, kind):
        return [call[1:] for call in self.calls if call[0] == kind]


def recorded(function, tmp_path, **keywords):
    recorder, facts = Recorder(), RunFacts(**FACTS, num_samples=3)
    result = run(function, tmp_path, callbacks=to_engine([recorder], facts), **keywords)
    assert not result.warnings
    return recorder, result


def test_a_callback_of_ray_tune_is_called_with_its_trials_and_results(tmp_path):
    recorder, result = recorded(objective, tmp_path)
    trial, first = recorder.of("result")[0]
    assert str(trial) == f"objective_{run_digits(result.path)}_{trial.number:05d}"
    assert first["score"] == trial.config["bias"]
    assert (first["training_iteration"], first["step"], first["more"]) == (1, 0, {})
    assert first["trial_id"] == trial.trial_id
    assert first["experiment_tag"] == trial.experiment_tag
    assert len(recorder.of("result")) == 90


def test_setup_gets_the_number_of_samples(tmp_path):
    assert recorded(objective, tmp_path)[0].of("setup") == [(3, 3)]


def test_a_trial_is_one_object_for_its_whole_life(tmp_path):
    recorder, _ = recorded(objective, tmp_path)
    objects = {
        trial.trial_id: {id(seen) for seen, _ in recorder.of("result") if seen == trial}
        for trial, _ in recorder.of("result")
    }
    assert [len(same) for same in objects.values()] == [1, 1, 1]


def test_the_last_result_of_an_ended_trial_says_that_it_is_done(tmp_path):
    recorder, _ = recorded(objective, tmp_path)
    assert {status for _, status, _ in recorder.of("complete")} == {"TERMINATED"}
    assert {(last["done"], last["training_iteration"]) for _, _, last in recorder.of("complete")} == {(True, 30)}


def test_a_failed_trial_is_an_error(tmp_path):
    recorder, _ = recorded(failing, tmp_path)
    assert {(status, error) for _, status, error in recorder.of("error")} == {("ERROR", "RuntimeError: no luck")}


def test_on_checkpoint_is_given_what_was_saved(tmp_path):
    recorder, _ = recorded(saving, tmp_path, num_samples=1)
    assert [saved for _, saved in recorder.of("checkpoint")][-1] == {"step": 10}


def test_the_hook_of_the_runs_end_is_called_last(tmp_path):
    recorder, _ = recorded(objective, tmp_path)
    assert recorder.calls[-1][0] == "end"
    assert len(recorder.calls[-1][1]) == 3


def test_only_the_hooks_that_are_overridden_cost_anything():
    [adapter] = to_engine([Recorder()], RunFacts())
    [logger] = to_engine([Logged()], RunFacts())
    named = [{hook for hook in engine.HOOKS if engine._overrides(callback, hook)} for callback in (adapter, logger)]
    assert "on_step_end" not in named[0]
    assert named[1] == {"setup", "on_trial_result", "on_trial_complete", "on_trial_error"}


def test_a_callback_that_takes_no_keywords_is_set_up_all_the_same(tmp_path):
    class Old(Callback):
        ready = False

        def setup(self):
            self.ready = True

    old = Old()
    assert not run(objective, tmp_path, callbacks=to_engine([old], RunFacts())).warnings
    assert old.ready


def test_a_callback_that_raises_is_named_and_the_run_continues(tmp_path):
    class Broken(Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            raise KeyError("score")

    result = run(objective, tmp_path, callbacks=to_engine([Broken()], RunFacts()))
    assert [trial.outcome for trial in result] == ["completed"] * 3
    assert "KeyError('score')" in result.warnings[0]


def test_the_engines_own_callbacks_are_taken_as_they_are():
    own = engine.Callback()
    assert to_engine([own], RunFacts()) == [own]


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match=r"tune\.Callback"):
        to_engine([print], RunFacts())


def test_a_list_of_callbacks_is_several_callbacks():
    assert len(to_engine([CallbackList([Recorder(), Recorder()])], RunFacts())) == 2


def test_a_list_of_callbacks_keeps_the_states_of_those_that_have_some(tmp_path):
    class Counts(Callback):
        count = 0

        def on_step_end(self, iteration, trials, **info):
            self.count += 1

        def get_state(self):
            return {"count": self.count}

        def set_state(self, state):
            self.count = state["count"]

    both = CallbackList([Callback(), Counts()])
    both.on_step_end(0, [])
    both.on_step_end(iteration=1, trials=[])
    both.save_to_dir(str(tmp_path))
    again = CallbackList([Callback(), Counts()])
    assert again.can_restore(str(tmp_path))
    again.restore_from_dir(str(tmp_path))
    assert again[1].count == 2
    CallbackList([Callback()]).save_to_dir(str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match="there is no callback-states"):
        again.restore_from_dir(str(tmp_path / "nowhere"))


# Loggers of users' own ------------------------------------------------------------------------------------------------


class Logged(LoggerCallback):
    """Keeps what it is to log."""

    def __init__(self):
        self.rows, self.ends = [], []

    def log_trial_result(self, iteration, trial, result):
        self.rows.append((trial.trial_id, result["training_iteration"]))

    def log_trial_end(self, trial, failed=False):  # noqa: FBT002 - Ray Tune's interface
        self.ends.append(failed)


def test_a_users_logger_gets_every_result_and_every_end(tmp_path):
    logger = Logged()
    assert not run(objective, tmp_path, callbacks=to_engine([logger], RunFacts())).warnings
    assert len(set(logger.rows)) == 90
    assert logger.ends == [False] * 3


def test_a_users_logger_is_called_for_failures(tmp_path):
    logger = Logged()
    run(failing, tmp_path, callbacks=to_engine([logger], RunFacts()))
    assert logger.ends == [True] * 3


class Less(CSVLoggerCallback):
    """Leaves the score out."""

    def log_trial_result(self, iteration, trial, result):
        super().log_trial_result(iteration, trial, {key: value for key, value in result.items() if key != "score"})


def logged(tmp_path, *callbacks):
    """Run three trials, and return the directory of the first."""
    settings = tune.RunConfig(executor="local", storage_path=str(tmp_path), verbose=0, callbacks=list(callbacks))
    config = tune.TuneConfig(metric="score", mode="max", num_samples=3, seed=1)
    tuner = tune.Tuner(objective, param_space=SPACE, tune_config=config, run_config=settings)
    return Path(tuner.fit()[0].path)


def test_what_a_subclass_of_a_file_logger_hands_on_is_what_is_written(tmp_path):
    with (logged(tmp_path, Less()) / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert "score" not in rows[0]
    assert [int(row["training_iteration"]) for row in rows] == list(range(1, 31))


def test_a_subclass_of_a_file_logger_that_hands_everything_on_writes_what_the_logger_would(tmp_path):
    class Same(CSVLoggerCallback):
        def log_trial_end(self, trial, failed=False):  # noqa: FBT002 - Ray Tune's interface
            super().log_trial_end(trial, failed)

    class SameObjects(JsonLoggerCallback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            super().on_trial_result(iteration, trials, trial, result, **info)

    own, plain = logged(tmp_path / "own", Same(), SameObjects()), logged(tmp_path / "plain")
    for name in ("progress.csv", "result.json", "params.json"):
        assert len((own / name).read_text().splitlines()) == len((plain / name).read_text().splitlines())
    assert (own / "params.json").read_text() == (plain / "params.json").read_text()
    assert pickle.loads((own / "params.pkl").read_bytes()) == json.loads((own / "params.json").read_text())
    first = [(path / "progress.csv").read_text().splitlines()[0].split(",") for path in (own, plain)]
    assert set(first[0]) == set(first[1])


@pytest.mark.parametrize("kind", [CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback])
def test_a_file_logger_may_be_called_by_hand_with_any_object_like_a_trial(tmp_path, kind):
    class Like:
        trial_id, local_path = "mine", str(tmp_path)

        def __init__(self):
            self.config = self.evaluated_params = {"lr": 0.1}

        def get_error(self):
            return "it broke"

    logger, trial = kind(), Like()
    logger.on_trial_start(0, [], trial)
    for count in (1, 2):
        logger.on_trial_result(count, [], trial, {"score": 0.5, "training_iteration": count})
    logger.on_trial_error(3, [], trial)
    assert (tmp_path / "error.txt").read_text().endswith("it broke\n")
    if kind is CSVLoggerCallback:
        assert (tmp_path / "progress.csv").read_text().splitlines() == ["score,training_iteration", "0.5,1", "0.5,2"]
    if kind is JsonLoggerCallback:
        assert len((tmp_path / "result.json").read_text().splitlines()) == 2


def test_a_file_logger_that_is_overridden_adds_to_what_an_earlier_process_wrote(tmp_path):
    trial = Trial(RunFacts(**FACTS), picture(directory=str(tmp_path)))
    for count in (1, 2):
        for kind in (CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback):
            logger = type("Own", (kind,), {"log_trial_save": lambda self, trial: None})()
            logger.to_engine(RunFacts(**FACTS))
            logger.log_trial_start(trial)
            logger.log_trial_result(count, trial, {"score": 0.5, "training_iteration": count})
    assert (tmp_path / "progress.csv").read_text().splitlines()[1:] == ["0.5,1", "0.5,2"]
    assert len((tmp_path / "result.json").read_text().splitlines()) == 2
    assert len(list(tmp_path.glob("events.*"))) == 1


def test_loggers_that_name_rows_alike_share_a_process():
    made = together(to_engine([CSVLoggerCallback(), Recorder(), JsonLoggerCallback()], RunFacts()))
    assert [getattr(callback, "kinds", None) for callback in made] == [("csv", "json"), None]


# Trials ---------------------------------------------------------------------------------------------------------------


def picture(**changes):
    info = {"id": 0, "config": {"weight": 0.16088, "bias": 0.733563}, "state": "running", "outcome": None, "attempt": 1}
    rest = {"step": 0, "metrics": {}, "error": "", "checkpoint": None, "directory": None}
    return TrialInfo(**info | rest | changes)


def test_a_trial_is_named_as_in_the_book():
    trial = Trial(RunFacts(**FACTS, directory="/runs/objective-20220523-155201-859550"), picture())
    assert str(trial) == "objective_85955_00000"
    assert trial.experiment_tag == "0_bias=0.73356,weight=0.16088"


def test_the_digits_of_a_run_come_from_its_directory():
    assert run_digits("/runs/x-20220523-155201-0a1b2c") == "0a1b2"
    assert run_digits("/runs/my run") == run_digits("/elsewhere/my run") != run_digits("/runs/other")


def test_constants_are_not_part_of_the_tag():
    facts = RunFacts("f", varied=frozenset({"model/lr"}))
    trial = Trial(facts, picture(config={"model": {"lr": 0.1, "depth": 3}, "seed": 7}))
    assert trial.evaluated_params == {"model/lr": 0.1}
    assert trial.experiment_tag == "0_lr=0.1"


def test_a_trial_can_be_named_by_the_user():
    facts = RunFacts("f", trial_name_creator=lambda trial: f"{trial.config['weight']}-{trial}")
    assert str(Trial(facts, picture())) == f"0.16088-f_{facts.run}_00000"


@pytest.mark.parametrize(
    ("state", "outcome", "status"),
    [
        ("waiting", None, "PENDING"),
        ("running", None, "RUNNING"),
        ("stopping", None, "RUNNING"),
        ("paused", None, "PAUSED"),
        ("ended", "completed", "TERMINATED"),
        ("ended", "stopped (rank 3 of 4)", "TERMINATED"),
        ("ended", "failed (oops)", "ERROR"),
        ("ended", "lost (gone)", "ERROR"),
    ],
)
def test_a_status_is_in_ray_tunes_words(state, outcome, status):
    assert Trial(RunFacts(), picture(state=state, outcome=outcome)).status == status


def test_a_book_keeps_one_object_a_trial_with_the_newest_picture_in_it():
    book = TrialBook(RunFacts())
    first = book.see(picture())
    assert book.see(picture(step=3, metrics={"step": 3, "time_s": 1.0, "score": 2.0})) is first
    assert (first.last_result["training_iteration"], first.last_result["score"]) == (3, 2.0)
    assert list(book.all([picture()])) == [first]
