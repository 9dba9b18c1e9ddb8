"""Whatever fails at the end of a run, its result is there; what comes at the last moment is carried out or refused."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest

from tests.core.driving import Curve
from trialwright import Callback, Engine, Local, Simulated, context, enqueue, pause, report, space, stop
from trialwright.engine import interrupts
from trialwright.engine.running import Ending
from trialwright.errors import ExecutorError, PolicyError, StorageError, said
from trialwright.storage.memory import MemoryStore

SPACE = {"x": space.uniform(0, 1)}
DEADLINE_S = 30.0


def parabola(config):
    return {"loss": (config["x"] - 0.3) ** 2}


def an_engine(objective=parabola, **keywords) -> Engine:
    keywords = {"metric": "loss", "executor": Local(cpus=2), "storage": None, "seed": 0, "verbose": 0, **keywords}
    return Engine(objective, SPACE, **{"searcher": "random", **keywords})


# The stack of steps ---------------------------------------------------------------------------------------------------


def end(*steps, error=None):
    """Take these steps, (name, what it raises), at the end of a block that raises ``error``: what was done, what was
    warned of, and what was raised."""
    done, warnings = [], []

    def step(name, raised):
        async def work():
            await asyncio.sleep(0)
            done.append(name)
            if raised is not None:
                raise raised

        return work

    async def drive():
        async with Ending(warnings.append) as ending:
            for name, raised in steps:
                ending.step(name, step(name, raised))
            if error is not None:
                raise error

    raised = None
    try:
        asyncio.run(drive())
    except BaseException as raised_error:
        raised = raised_error
    return done, warnings, raised


def test_steps_are_taken_last_in_first_out():
    assert end(("first", None), ("second", None)) == (["second", "first"], [], None)


def test_a_step_that_raises_is_warned_of_and_the_others_are_taken():
    steps = ("display", None), ("executor", RuntimeError("broke")), ("inbox", OSError("gone"))
    assert end(*steps) == (
        ["inbox", "executor", "display"],
        ["inbox failed at the end: OSError: gone", "executor failed at the end: RuntimeError: broke"],
        None,
    )


@pytest.mark.parametrize("error", [ValueError("the first"), asyncio.CancelledError(), SystemExit(130)])
@pytest.mark.parametrize("later", [RuntimeError("later"), asyncio.CancelledError(), SystemExit(1)])
def test_the_error_that_ended_the_run_stays_the_one_that_is_raised(error, later):
    done, _, raised = end(("first", None), ("second", later), error=error)
    assert done == ["second", "first"]
    assert type(raised) is type(error)
    assert isinstance(raised, asyncio.CancelledError) or raised is error


@pytest.mark.parametrize("later", [asyncio.CancelledError(), SystemExit(130)])
def test_a_run_that_is_interrupted_while_it_ends_takes_all_its_steps(later):
    done, warnings, raised = end(("first", None), ("second", later), ("third", RuntimeError("x")))
    assert (done, len(warnings)) == (["third", "second", "first"], 1)
    assert type(raised) is type(later)


def test_a_context_is_left_as_a_step():
    left, warnings = [], []

    @contextmanager
    def broken():
        yield "entered"
        left.append(1)
        raise OSError("gone")

    async def drive():
        async with Ending(warnings.append) as ending:
            return ending.enter("the process", broken())

    assert asyncio.run(drive()) == "entered"
    assert (left, warnings) == ([1], ["the process failed at the end: OSError: gone"])


def test_an_error_without_a_message_is_named_by_its_class():
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    assert [said(Odd()), said(KeyError("a")), said(TimeoutError())] == [
        Odd.__qualname__,
        "KeyError: 'a'",
        "TimeoutError",
    ]


# No result is lost ----------------------------------------------------------------------------------------------------


class Shown:
    """A display that does nothing."""

    def update(self, snapshot):
        pass

    def close(self, snapshot):
        pass


def test_a_display_that_raises_at_the_end_costs_no_result():
    class Raising(Shown):
        def close(self, snapshot):
            raise RuntimeError("display broke")

    result = an_engine(num_samples=2, progress=Raising()).run()
    assert [trial.outcome for trial in result] == ["completed", "completed"]
    assert result.warnings == ("the display failed at the end: RuntimeError: display broke",)


def test_a_display_that_blocks_does_not_stop_the_loop():
    entered, ran = threading.Event(), threading.Event()

    class Blocking(Shown):
        def update(self, snapshot):
            entered.set()
            assert ran.wait(DEADLINE_S)  # in vain if the next trial could not be started meanwhile

    def objective(config):
        if context().trial_id == 0:
            assert entered.wait(DEADLINE_S)
        else:
            ran.set()
        return parabola(config)

    result = an_engine(objective, num_samples=2, progress=Blocking(), executor=Local(cpus=1)).run()
    assert [trial.outcome for trial in result] == ["completed", "completed"]
    assert result.warnings == ()


def test_an_executor_that_cannot_be_closed_costs_no_result():
    class Stuck(Local):
        async def close(self):
            await super().close()
            raise ExecutorError("its machines do not answer")

    result = an_engine(executor=Stuck(cpus=1)).run()
    assert result[0].outcome == "completed"
    assert result.warnings == ("the executor failed at the end: ExecutorError: its machines do not answer",)


def test_a_directory_that_cannot_be_removed_costs_no_result():
    """The trial does not hear that it should stop, and goes on writing into it."""
    over = threading.Event()

    def objective(config):
        directory, count = context().directory, 0
        while not over.is_set():
            (directory / str(count)).touch()
            count += 1

    try:
        result = an_engine(objective, executor=Local(cpus=1, grace_s=0.1), time_budget_s=0.5).run()
    finally:
        over.set()
    assert [trial.outcome for trial in result] == ["stopped"]
    [warning] = result.warnings
    assert warning.startswith("the executor failed at the end: ExecutorError: the directory ")
    assert "could not be removed" in warning


def test_a_journal_that_cannot_be_closed_costs_no_result(monkeypatch):
    def close(self):
        raise StorageError("the disk does not answer")

    monkeypatch.setattr(MemoryStore, "close", close)
    result = an_engine().run()
    assert result.warnings == ("the journal failed at the end: StorageError: the disk does not answer",)


def test_a_summary_that_cannot_be_made_costs_no_result(capsys):
    class Odd:
        def __str__(self):
            raise ZeroDivisionError("odd")

    engine = Engine(
        parabola, {**SPACE, "odd": Odd()}, metric="loss", executor="local", storage=None, verbose=1, progress=Shown()
    )
    result = engine.run()
    assert result[0].outcome == "completed"
    assert result.warnings == ("the summary could not be made: ZeroDivisionError: odd",)


def test_a_closed_stderr_costs_no_result(monkeypatch):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    assert an_engine(verbose=1, progress=Shown()).run()[0].outcome == "completed"


def test_the_error_of_a_run_is_not_hidden_by_what_fails_after_it():
    class Raising(Shown):
        def close(self, snapshot):
            raise RuntimeError("display broke")

    class Stuck(Local):
        async def close(self):
            await super().close()
            raise ExecutorError("its machines do not answer")

    def rule(trial, metrics):
        raise ZeroDivisionError("a rule of the user's")

    with pytest.raises(PolicyError, match="a rule of the user's"):
        an_engine(stop=rule, executor=Stuck(cpus=1), progress=Raising()).run()


def test_async_objectives_end_by_their_finally_when_the_run_ends_by_an_error(capfd):
    done = []

    async def objective(config):
        try:
            while True:
                await asyncio.sleep(0.001)
                report(loss=1.0)
        finally:
            done.append(config["x"])

    class Rule:
        seen = 0

        def __call__(self, trial, metrics):
            self.seen += 1
            if self.seen > 6:
                raise ZeroDivisionError("a rule of the user's")
            return False

        def stop_all(self):
            return False

    for _ in range(4):
        done.clear()
        with pytest.raises(PolicyError, match="a rule of the user's"):
            an_engine(objective, num_samples=2, stop=Rule()).run()
        assert len(done) == 2
    assert capfd.readouterr().err == ""


def test_a_handler_that_was_installed_below_python_is_no_error_at_the_end(monkeypatch):
    """``signal.getsignal`` knows nothing of it, and ``signal.signal`` does not take that back."""
    handlers = {number: interrupts.signal.getsignal(number) for number in interrupts.SIGNALS}
    monkeypatch.setattr(interrupts.signal, "getsignal", lambda number: None)
    try:
        assert an_engine().run()[0].outcome == "completed"
    finally:
        for number, handler in handlers.items():
            interrupts.signal.signal(number, handler)


# What comes at the last moment ----------------------------------------------------------------------------------------


class Once(Callback):
    """Does something when the first trial has ended."""

    def __init__(self, what) -> None:
        self.what = what

    def on_trial_complete(self, iteration, trials, trial, **info):
        if trial.id == 0:
            self.what()


@pytest.mark.parametrize("executor", [Local(cpus=1), Simulated()], ids=["local", "simulated"])
def test_what_a_callback_enqueues_when_the_last_trial_has_ended_is_carried_out(executor):
    engine = an_engine(
        Curve() if isinstance(executor, Simulated) else parabola,
        executor=executor,
        callbacks=[Once(lambda: engine.enqueue({"x": 0.5}))],
    )
    result = engine.run()
    assert [trial.config["x"] for trial in result][1:] == [0.5]
    assert [trial.outcome for trial in result] == ["completed", "completed"]


def test_so_is_a_request_that_comes_then(tmp_path):
    def post():
        [run] = tmp_path.iterdir()
        enqueue(run, {"x": 0.5})

    result = an_engine(storage=tmp_path, callbacks=[Once(post)]).run()
    assert [trial.config["x"] for trial in result][1:] == [0.5]


def test_what_is_enqueued_while_the_executor_opens_is_carried_out():
    class Slow(Local):
        async def open(self, run):
            engine.enqueue({"x": 0.5})
            await super().open(run)
            engine.enqueue({"x": 0.25})

    engine = an_engine(executor=Slow(cpus=1))
    assert sorted(trial.config["x"] for trial in engine.run())[:2] == [0.25, 0.5]


def test_what_is_enqueued_after_the_run_is_refused():
    refused = []

    class Late(Callback):
        def on_experiment_end(self, trials, **info):
            try:
                engine.enqueue({"x": 0.5})
            except ValueError as error:
                refused.append(str(error))

    engine = an_engine(callbacks=[Late()])
    assert len(engine.run()) == 1
    assert refused == ["the run is over: resume it to add a configuration"]
    with pytest.raises(ValueError, match="the run is over"):
        engine.enqueue({"x": 0.5})
    assert len(engine.run()) == 1, "another run of the same engine"


def test_it_is_refused_when_the_run_has_ended_by_an_error():
    def rule(trial, metrics):
        raise ZeroDivisionError

    engine = an_engine(stop=rule)
    with pytest.raises(PolicyError):
        engine.run()
    with pytest.raises(ValueError, match="the run is over"):
        engine.enqueue({"x": 0.5})


def test_a_callback_that_always_enqueues_does_not_keep_a_stopped_run_going():
    class Always(Callback):
        def on_trial_complete(self, iteration, trials, trial, **info):
            engine.enqueue({"x": 0.5})

    engine = an_engine(callbacks=[Always()], time_budget_s=0.2)
    result = engine.run()
    assert "time budget" in result.stopped


def test_a_request_that_comes_when_the_run_is_over_waits_for_a_resume(tmp_path):
    path = an_engine(storage=tmp_path).run().path
    enqueue(path, {"x": 0.5})
    again = Engine.resume(path, parabola, executor="local", verbose=0).run()
    assert [trial.config["x"] for trial in again][1:] == [0.5]
    assert len(Engine.resume(path, parabola, executor="local", verbose=0).run()) == 2, "it is carried out once"


def test_to_stop_a_run_that_is_over_changes_nothing(tmp_path):
    first = an_engine(storage=tmp_path).run()
    stop(first.path)
    again = Engine.resume(first.path, parabola, executor="local", verbose=0).run()
    assert repr(again) == repr(first)


@pytest.mark.parametrize("ask", [stop, pause])
def test_to_stop_or_pause_a_run_that_is_over_does_not_end_the_trials_that_a_resume_adds(tmp_path, ask):
    first = an_engine(storage=tmp_path).run()
    ask(first.path)
    again = Engine.resume(first.path, parabola, num_samples=3, executor="local", verbose=0).run()
    assert [trial.outcome for trial in again] == ["completed"] * 3
    assert again.warnings == ("request 1 in the inbox, to stop or pause the run, is older than this resume",)


def test_a_run_that_was_over_leaves_no_thread(tmp_path):
    path = an_engine(storage=tmp_path, callbacks=[Once(list)]).run().path
    before = threading.active_count()
    Engine.resume(path, parabola, executor="local", callbacks=[Once(list)], verbose=1).run()
    deadline = time.monotonic() + 10
    while threading.active_count() > before:  # one that has nothing left to do may take a moment to end
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)
