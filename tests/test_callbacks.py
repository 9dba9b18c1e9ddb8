"""Callbacks are called in order, in their own threads; one that misbehaves is contained, reported, and retired."""

import threading

import pytest

from trialwright import callbacks
from trialwright.callbacks import HOOKS, Callback, CallbackRunner, TrialInfo
from trialwright.core.trial import State, Trial
from trialwright.messages import Checkpoint, Outcome

DEADLINE_S = 30.0


def info(number: int, step: int = 0) -> TrialInfo:
    return TrialInfo(number, {"lr": 0.1}, "running", None, 1, step, {"loss": 1.0}, "", None, None)


class Recorder(Callback):
    """Remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.threads: set[str] = set()
        self.given: dict | None = None

    def setup(self, **info):
        self.calls.append(("setup", info))

    def on_trial_start(self, iteration, trials, trial, **info):
        self.threads.add(threading.current_thread().name)
        self.calls.append(("start", iteration, trial.id))

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.calls.append(("result", trial.id, result["loss"]))

    def on_experiment_end(self, trials, **info):
        self.calls.append(("end", [trial.step for trial in trials]))

    def get_state(self):
        return {"calls": len(self.calls)}

    def set_state(self, state):
        self.given = state


class Gated(Callback):
    """Stands in its first call until it is let go."""

    def __init__(self) -> None:
        self.entered, self.gate, self.results, self.completed = threading.Event(), threading.Event(), 0, 0

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.entered.set()
        assert self.gate.wait(DEADLINE_S)
        self.results += 1

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.completed += 1


class Raising(Callback):
    def __init__(self, error: BaseException) -> None:
        self.error, self.calls = error, 0

    def on_trial_start(self, iteration, trials, trial, **info):
        self.calls += 1
        raise self.error


class Clock:
    """A clock that is put forward by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Problems(list):
    """What was reported, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def __call__(self, text: str) -> None:
        self.append(text)
        self.came.set()


@pytest.fixture
def problems():
    return Problems()


def test_the_hooks_are_those_of_ray_tune():
    events = {f"on_trial_{what}" for what in ("start", "restore", "save", "result", "complete", "recover", "error")}
    others = {"setup", "on_step_begin", "on_step_end", "on_checkpoint", "on_experiment_end"}
    assert set(HOOKS) == events | others


def test_calls_come_in_order_in_one_thread_of_its_own(problems):
    recorder = Recorder()
    runner = CallbackRunner([recorder], problems)
    runner.emit("setup", name="digits")
    for number in range(3):
        runner.emit("on_trial_start", iteration=number, trial=info(number))
        runner.emit("on_trial_result", iteration=number, trial=info(number, step=number), result={"loss": number / 2})
    runner.emit("on_experiment_end")
    runner.close(DEADLINE_S)
    assert recorder.calls == [
        ("setup", {"name": "digits"}),
        *[call for n in range(3) for call in [("start", n, n), ("result", n, n / 2)]],
        ("end", [0, 1, 2]),
    ]
    assert recorder.threads == {"trialwright-callback-Recorder"}
    assert problems == []


def test_only_hooks_that_are_overridden_are_wanted(problems):
    runner = CallbackRunner([Gated(), Raising(ValueError())], problems)
    assert runner.wanted == {"on_trial_result", "on_trial_complete", "on_trial_start"}
    runner.close(DEADLINE_S)


def test_without_callbacks_nothing_is_wanted(problems):
    runner = CallbackRunner([], problems)
    runner.emit("on_trial_start", iteration=0, trial=info(0))
    runner.close(DEADLINE_S)
    assert runner.wanted == frozenset()


def test_a_hook_that_is_set_on_the_object_counts(problems):
    callback, called = Callback(), threading.Event()
    callback.on_trial_start = lambda *args, **info: called.set()  # type: ignore[method-assign]
    runner = CallbackRunner([callback], problems)
    runner.emit("on_trial_start", iteration=0, trial=info(0))
    runner.close(DEADLINE_S)
    assert called.is_set()


def test_what_a_callback_changes_no_other_sees(problems):
    class Greedy(Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            result.clear()

    result, recorder = {"loss": 1.0}, Recorder()
    runner = CallbackRunner([Greedy(), recorder], problems)
    runner.emit("on_trial_result", iteration=0, trial=info(0), result=result)
    runner.close(DEADLINE_S)
    assert result == {"loss": 1.0}
    assert recorder.calls == [("result", 0, 1.0)]


def test_a_picture_of_a_trial_holds_copies():
    trial = Trial(3, {"a": [1]}, ({"cpu": 10_000},), seed=0, state=State.ENDED, outcome=Outcome("stopped", "rung 3"))
    trial.latest, trial.checkpoint = {"loss": 0.5}, Checkpoint("there", 2)
    picture = TrialInfo.of(trial, {"a": [1]}, "runs/x/trials/000003", "there")
    picture.metrics["loss"] = None
    assert trial.metrics == {"loss": 0.5}
    assert (picture.state, picture.outcome, picture.checkpoint) == ("ended", "stopped (rung 3)", "there")


@pytest.mark.parametrize("error", [ValueError("my bug"), SystemExit(3), KeyboardInterrupt()])
def test_one_that_raises_is_reported_once_and_retired(problems, error):
    raising, recorder = Raising(error), Recorder()
    runner = CallbackRunner([raising, recorder], problems)
    runner.emit("on_trial_start", iteration=0, trial=info(0))
    assert problems.came.wait(DEADLINE_S)
    runner.emit("on_trial_start", iteration=1, trial=info(1))
    runner.close(DEADLINE_S)
    assert raising.calls == 1
    assert recorder.calls == [("start", 0, 0), ("start", 1, 1)]
    (text,) = problems
    assert text.startswith(f"callback Raising is disabled: it raised {error!r} in on_trial_start")
    assert "test_callbacks.py" in text


def test_one_that_hangs_is_retired_and_the_others_continue(problems):
    gated, recorder, clock = Gated(), Recorder(), Clock()
    runner = CallbackRunner([gated, recorder], problems, clock=clock)
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={"loss": 1.0})
    assert gated.entered.wait(DEADLINE_S)
    clock.now = callbacks.CALL_S + 1
    runner.emit("on_trial_result", iteration=1, trial=info(0), result={"loss": 0.5})
    runner.emit("on_trial_complete", iteration=2, trial=info(0))
    runner.close(DEADLINE_S)  # returns, although the call has not
    gated.gate.set()
    assert [text.partition(": ")[2] for text in problems] == ["it has been in on_trial_result for more than 30 s"]
    assert runner.wanted == recorder_hooks()
    assert recorder.calls == [("result", 0, 1.0), ("result", 0, 0.5)]


def recorder_hooks() -> set[str]:
    return {"setup", "on_trial_start", "on_trial_result", "on_experiment_end"}


def test_one_that_is_slow_misses_results_but_not_ends_and_its_queue_is_bounded(problems, monkeypatch):
    monkeypatch.setattr(callbacks, "QUEUE_LENGTH", 5)
    gated = Gated()
    runner = CallbackRunner([gated], problems, clock=Clock())
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    assert gated.entered.wait(DEADLINE_S)
    for number in range(20):
        runner.emit("on_trial_result", iteration=number, trial=info(number), result={})
    runner.emit("on_trial_complete", iteration=21, trial=info(0))
    gated.gate.set()
    runner.close(DEADLINE_S)
    assert (gated.results, gated.completed) == (1 + 5, 1)
    assert problems == ["callback Gated is slower than the run: it misses calls of on_trial_result"]


def test_one_whose_queue_stays_full_is_retired(problems, monkeypatch):
    monkeypatch.setattr(callbacks, "QUEUE_LENGTH", 2)
    monkeypatch.setattr(callbacks, "CALL_S", 1e9)
    gated, clock = Gated(), Clock()
    runner = CallbackRunner([gated], problems, clock=clock)
    for _ in range(10):
        runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    assert gated.entered.wait(DEADLINE_S)
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    clock.now = callbacks.FULL_S + 1
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    gated.gate.set()
    runner.close(DEADLINE_S)
    assert problems[-1].endswith("it has been 2 calls behind for more than 30 s")
    assert runner.wanted == frozenset()


def test_close_lets_callbacks_finish(problems):
    gated = Gated()
    runner = CallbackRunner([gated], problems)
    for _ in range(100):
        runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    threading.Timer(0.05, gated.gate.set).start()
    runner.close(DEADLINE_S)
    assert gated.results == 100
    assert problems == []


def test_close_has_a_deadline(problems):
    gated = Gated()
    runner = CallbackRunner([gated], problems)
    for _ in range(3):
        runner.emit("on_trial_result", iteration=0, trial=info(0), result={})
    assert gated.entered.wait(DEADLINE_S)
    runner.close(0.01)
    gated.gate.set()
    (text,) = problems
    assert text.endswith("it had not finished when the run had, in on_trial_result, with 2 calls left")


def test_what_was_emitted_has_been_heard_once_it_is_settled(problems):
    gated = Gated()
    runner = CallbackRunner([gated, Recorder()], problems)
    for _ in range(100):
        runner.emit("on_trial_result", iteration=0, trial=info(0), result={"loss": 1.0})
    threading.Timer(0.05, gated.gate.set).start()
    runner.settle(DEADLINE_S)
    assert gated.results == 100
    runner.emit("on_trial_complete", iteration=0, trial=info(0))
    runner.close(DEADLINE_S)
    assert (gated.completed, problems) == (1, [])


def test_one_that_does_not_settle_is_left_behind_and_not_waited_for_again(problems):
    gated, recorder = Gated(), Recorder()
    runner = CallbackRunner([gated, recorder], problems)
    runner.emit("on_trial_result", iteration=0, trial=info(0), result={"loss": 1.0})
    assert gated.entered.wait(DEADLINE_S)
    runner.settle(0.01)
    runner.close(1e9)
    gated.gate.set()
    assert [text.partition(": it ")[2] for text in problems] == [
        "had not finished when the run had, in on_trial_result, with 0 calls left"
    ]
    assert recorder.calls == [("result", 0, 1.0)]


def test_one_that_raises_before_it_settles_is_not_waited_for(problems):
    runner = CallbackRunner([Raising(ValueError("my bug"))], problems)
    runner.emit("on_trial_start", iteration=0, trial=info(0))
    runner.settle(1e9)
    assert len(problems) == 1


def test_without_a_call_there_is_no_thread(problems):
    before = threading.active_count()
    CallbackRunner([Recorder()], problems)
    assert threading.active_count() == before


def test_a_callbacks_state_goes_from_run_to_run(problems):
    first = CallbackRunner([Callback(), Recorder()], problems)
    first.emit("on_trial_start", iteration=0, trial=info(0))
    first.close(DEADLINE_S)
    assert first.states == [None, {"calls": 1}]
    recorder = Recorder()
    CallbackRunner([Callback(), recorder], problems, states=first.states).close(DEADLINE_S)
    assert recorder.given == {"calls": 1}


@pytest.mark.parametrize("wrong", [Recorder, "wandb", None])
def test_what_is_no_callback_is_refused(problems, wrong):
    with pytest.raises(TypeError, match="callbacks must be trialwright.Callback objects"):
        CallbackRunner([wrong], problems)
