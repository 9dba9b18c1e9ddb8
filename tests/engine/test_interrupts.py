"""Signals stop a run within seconds wherever ``run()`` is called, and what was found so far is there."""

from __future__ import annotations

import asyncio
import copy
import ctypes
import os
import pickle
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from trialwright import Engine, Local, report, space
from trialwright.engine import interrupts
from trialwright.engine.interrupts import Interrupts
from trialwright.errors import RunInterrupted

SPACE = {"x": space.uniform(0, 1)}
DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def _pythons_own_handlers():
    """Whatever has run in this process before: Ray takes signals below Python, where only Python's handlers count."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        if handler is not None:
            signal.signal(number, handler)


def endless(config):
    while True:
        report(loss=2.0)
        time.sleep(0.001)


class Signalling:
    """An objective that trains without an end. Its third trial sends this process a signal."""

    def __init__(self, number=signal.SIGINT, send=os.kill) -> None:
        self.number, self.send = number, send
        self.trials = 0

    def __call__(self, config):
        self.trials += 1
        if self.trials < 3:
            return config["x"]
        report(loss=2.0)
        self.send(os.getpid(), self.number)
        return endless(config)


def an_engine(objective, **keywords) -> Engine:
    keywords = {"metric": "loss", "num_samples": 9, "executor": Local(cpus=1), "storage": None, **keywords}
    return Engine(objective, SPACE, searcher="random", seed=0, verbose=0, **keywords)


def interrupt(objective=None, **keywords) -> RunInterrupted:
    with pytest.raises(RunInterrupted) as raised:
        an_engine(objective or Signalling(), **keywords).run()
    return raised.value


def completed(error) -> list[int]:
    return [trial.id for trial in error.result if trial.outcome == "completed"]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "trialwright" in thread.name]


def eventually(holds) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_what_was_found_so_far_is_there_also_if_nothing_is_kept():
    error = interrupt()
    assert completed(error) == [0, 1]
    assert error.result.best_trial.id in (0, 1)
    assert error.result.stopped == "interrupted: SIGINT"
    assert error.path is None
    assert eventually(lambda: not threads()), threads()


def test_where_the_run_is_kept_is_there_and_how_to_resume_it(tmp_path, capfd):
    error = interrupt(storage=tmp_path)
    assert error.path == error.result.path == next(tmp_path.iterdir())
    assert error.result[0].history[0]["loss"] == error.result[0].metrics["loss"]
    line = f"the run can be resumed: Engine.resume({str(error.path)!r}, objective).run()"
    assert line in capfd.readouterr().err
    assert line in str(error)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_in_a_script_it_is_an_exit_too(number, code):
    error = interrupt(Signalling(number))
    assert isinstance(error, KeyboardInterrupt)
    assert isinstance(error, SystemExit)
    assert error.code == code


def test_at_a_prompt_it_is_none(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    error = interrupt()
    assert not isinstance(error, SystemExit)
    assert error.code == 130


@pytest.mark.parametrize("is_prompt", [True, False])
def test_it_can_be_pickled_and_copied(monkeypatch, is_prompt):
    if is_prompt:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    error = interrupt()
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), str(again), again.code, again.path) == (type(error), str(error), 130, None)
        assert len(again.result) == len(error.result)


def test_before_the_first_trial_nothing_has_been_found():
    sent = []

    def needs(config):
        if not sent:
            sent.append(os.kill(os.getpid(), signal.SIGINT))
            assert eventually(lambda: signal.getsignal(signal.SIGINT) is signal.SIG_DFL)  # the main thread has heard
        return {"cpu": 1}

    error = interrupt(endless, resources=needs)
    assert error.result is None or completed(error) == []


def test_handlers_are_put_back():
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    interrupt()
    assert {number: signal.getsignal(number) for number in interrupts.SIGNALS} == before


def test_inside_a_running_loop_it_is_the_same():
    async def cell():
        return interrupt()

    with closing(asyncio.new_event_loop()) as loop:
        assert completed(loop.run_until_complete(cell())) == [0, 1]


def test_it_is_raised_where_run_was_called_and_not_in_a_task():
    error = interrupt()
    names = []
    trace = error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names == ["interrupt", "run"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_in_another_thread_ends_too(number):
    """The main thread has its own handler called as ever."""
    raised, heard = [], threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: heard.set())
    thread = threading.Thread(target=lambda: raised.append(interrupt(Signalling(number))))
    try:
        thread.start()
        try:
            assert heard.wait(DEADLINE_S)
        except KeyboardInterrupt:
            heard.set()
        thread.join(DEADLINE_S)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard.is_set()
    assert [completed(error) for error in raised] == [[0, 1]]
    assert eventually(lambda: not threads()), threads()


def test_runs_in_several_threads_all_end():
    barrier = threading.Barrier(2)

    def send(process, number):
        if barrier.wait(DEADLINE_S) == 0:
            os.kill(process, number)

    raised = []
    work = [threading.Thread(target=lambda: raised.append(interrupt(Signalling(send=send)))) for _ in range(2)]
    with pytest.raises(KeyboardInterrupt):
        for each in work:
            each.start()
        time.sleep(DEADLINE_S)
    for each in work:
        each.join(DEADLINE_S)
    assert [completed(error) for error in raised] == [[0, 1], [0, 1]]


def test_a_run_in_another_thread_hears_of_signals_after_another_handler_was_installed(monkeypatch):
    """As a kernel does for each cell."""
    monkeypatch.setattr(interrupts, "LOOK_S", 0.01)
    caught, old = threading.Event(), signal.getsignal(signal.SIGINT)

    def listen():
        with Interrupts(caught.set).heard():
            begun.set()
            caught.wait(DEADLINE_S)

    begun = threading.Event()
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert begun.wait(DEADLINE_S)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(0.1)
        signal.signal(signal.SIGINT, lambda *_: None)
        assert eventually(lambda: os.kill(os.getpid(), signal.SIGINT) or caught.wait(0.1))
    finally:
        thread.join(DEADLINE_S)
        signal.signal(signal.SIGINT, old)


def test_a_handler_that_was_installed_below_python_stays(monkeypatch):
    """``signal.getsignal`` knows nothing of it, and ``signal.signal`` cannot put it back."""
    action = ctypes.pythonapi.PyOS_getsig
    action.restype = ctypes.c_void_p
    before = [action(int(number)) for number in interrupts.SIGNALS]
    objective = Signalling()
    with monkeypatch.context() as patch:
        patch.setattr(interrupts.signal, "getsignal", lambda number: None)
        try:
            error = interrupt(objective)
        except KeyboardInterrupt as raised:  # by the handler that there is, which is called as ever
            error = raised
    assert isinstance(error, KeyboardInterrupt)
    assert objective.trials == 3
    assert eventually(lambda: not threads()), threads()
    assert [action(int(number)) for number in interrupts.SIGNALS] == before


def test_a_forked_child_is_ended_by_a_signal_as_if_there_were_no_run():
    codes = []

    def objective(config):
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what forks may do among threads
            child = os.fork()
        if not child:
            os.write(writer, b".")
            time.sleep(DEADLINE_S)
            os._exit(0)
        os.read(reader, 1)
        os.kill(child, signal.SIGTERM)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os.close(reader)
        os.close(writer)
        return 1.0

    assert len(an_engine(objective, num_samples=1).run()) == 1
    assert codes == [-signal.SIGTERM]


# Async ----------------------------------------------------------------------------------------------------------------


def test_run_async_installs_no_handlers_cleans_up_and_lets_the_cancelling_through():
    handlers = []

    def objective(config):
        handlers.append([signal.getsignal(number) for number in interrupts.SIGNALS])
        while True:
            report(loss=1.0)
            time.sleep(0.001)

    async def main():
        task = asyncio.create_task(an_engine(objective).run_async())
        while not handlers:  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [signal.getsignal(number) for number in interrupts.SIGNALS]

    with closing(asyncio.new_event_loop()) as loop:
        assert loop.run_until_complete(main()) == handlers[0]
        loop.run_until_complete(loop.shutdown_default_executor())
    assert eventually(lambda: not threads()), threads()


def test_ctrl_c_ends_run_async_as_any_coroutine():
    with pytest.raises(KeyboardInterrupt) as raised:
        asyncio.run(an_engine(Signalling()).run_async())
    assert not isinstance(raised.value, RunInterrupted)
    assert eventually(lambda: not threads()), threads()


# Processes of their own -----------------------------------------------------------------------------------------------


def python(*arguments, **keywords):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([sys.executable, *arguments], env=env, **keywords)


C_LOOP = """
from trialwright import Engine, Local, space
def rule(trial, metrics):
    print("begun")
    return sum(range(10**12)) > 0   # lets no other code of Python run
Engine(lambda config: 1.0, {"x": space.uniform(0, 1)}, metric="loss", executor=Local(cpus=1), storage=None, verbose=0,
       stop=rule).run()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs sysv_signal")
def test_a_second_signal_ends_the_process_even_inside_a_c_loop():
    process = python("-c", C_LOOP, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_S) == -signal.SIGINT
    process.stdout.close()


PROMPT = (
    "from trialwright import Engine, Local, report, space",
    "kept, x = 42, {'x': space.uniform(0, 1)}",
    "objective = lambda config: [print('be' + 'gun'), [report(loss=1) for _ in iter(int, 1)]]",
    "Engine(objective, x, metric='loss', executor=Local(cpus=1), storage=None, verbose=0).run()",
)


def test_a_prompt_is_still_there_after_ctrl_c():
    leader, follower = pty.openpty()
    process = python("-q", "-i", stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                     preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))  # fmt: skip
    os.close(follower)
    try:
        for line in PROMPT:
            os.write(leader, line.encode() + b"\n")
        assert until(leader, r"begun\r")
        os.write(leader, b"\x03")
        assert until(leader, "RunInterrupted: SIGINT")
        os.write(leader, b"print(kept * 2)\n")
        assert until(leader, r"84\r")
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def until(terminal, pattern) -> bool:
    seen, deadline = "", time.monotonic() + DEADLINE_S
    while not re.search(pattern, seen) and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 4096).decode()
    return bool(re.search(pattern, seen))


CELLS = (
    """
import time
from trialwright import Engine, Local, report, space
reports = []
def train(config):
    print("begun", flush=True)
    while True:
        reports.append(1)
        report(loss=config["x"])
        time.sleep(0.001)
""",
    """
Engine(train, {"x": space.uniform(0, 1)}, metric="loss", num_samples=4, executor=Local(cpus=1), storage=None,
       verbose=0).run()
""",
    """
before = len(reports)
time.sleep(0.1)
print("later:", len(reports) - before)
""",
)


def test_the_stop_button_of_a_notebook_ends_a_run():
    """In a real kernel, which is sent a signal by that button."""
    pytest.importorskip("ipykernel")
    manager_of = pytest.importorskip("jupyter_client.manager").start_new_kernel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what others' packages will change
        manager, client = manager_of(kernel_name="python3")
        try:

            def show(message):
                content = message["content"]
                if "begun" in content.get("text", ""):
                    manager.interrupt_kernel()
                shown.append(content.get("text") or content.get("ename") or "")

            shown = []
            answers = [
                client.execute_interactive(cell, timeout=DEADLINE_S, output_hook=show)["content"] for cell in CELLS
            ]
            assert [answer["status"] for answer in answers] == ["ok", "error", "ok"]
            assert answers[1]["ename"] == "RunInterrupted"
            assert "later: 0\n" in shown
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
