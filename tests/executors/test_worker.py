"""A slot's process without Ray: a plain subprocess at the other end of a socket, and a driver that is a dozen lines."""

import gc
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import shared_memory
from pathlib import Path
from unittest.mock import ANY

import cloudpickle
import pytest

from trialwright import reporting
from trialwright.executors import worker
from trialwright.executors.process_state import OUTPUT_BYTES_MAX
from trialwright.executors.wire import Beat, Bye, Frames, Interrupt, Spent, encode, from_worker, greeting
from trialwright.messages import (
    EVERY_REPORT,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Placement,
    Reported,
    at_step,
)

cloudpickle.register_pickle_by_value(sys.modules[__name__])

DEADLINE_S = 60.0
ENDINGS = (Finished, Failed, Halted)
MAIN = """
import sys
from pathlib import Path
from trialwright.executors import worker
port, token, root, payload = sys.argv[1:]
wire = worker.dial("127.0.0.1", int(port), bytes.fromhex(token), 5)
worker.serve(wire, Path(payload).read_bytes(), Path(root), shared=False)
print("left politely")
"""


# Objectives ----------------------------------------------------------------------------------------------------------


OBJECTIVES = {}


def in_worker(function):
    OBJECTIVES[function.__name__] = function
    return function


@in_worker
def nothing(config):
    pass


@in_worker
def one_result(config):
    return {"loss": config["x"] * 2}


@in_worker
def wait_between(config):
    reporting.report(loss=1.0)
    time.sleep(0.3)
    reporting.report(loss=2.0)


@in_worker
def sleep_long(config):
    reporting.report(loss=1.0)
    try:
        time.sleep(1000)
    finally:
        Path("cleaned up").write_text("yes")


@in_worker
def spin(config):
    reporting.report(loss=1.0)
    while True:
        pass


@in_worker
def spawn_and_wait(config):
    child = subprocess.Popen(["sleep", "1000"])
    grandchild = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    reporting.report(child=child.pid, grandchild=int(grandchild.stdout.readline()))
    time.sleep(1000)


@in_worker
def fork_and_speak(config):
    """The child reports, or comes to the objective's end, as the trial would."""
    reporting.report(loss=1.0)
    child = os.fork()
    if child == 0:
        return CHILDS[config["child"]]()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"loss": 2.0, "code": code}


CHILDS = {
    "reports": lambda: reporting.report(loss=-999.0),
    "returns": lambda: {"loss": -999.0},
    "leaves": lambda: sys.exit(3),
    "speaks": lambda: next(o for o in gc.get_objects() if isinstance(o, worker.Socket)).send(encode(Finished(1, 1))),
}


@in_worker
def fork_and_yield(config):
    child = os.fork()
    yield {"loss": -999.0 if child == 0 else 1.0}
    os.waitpid(child, 0)


@in_worker
def fork_twice(config):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, b"%d" % os.getpid())
            time.sleep(1000)
        os._exit(0)
    reporting.report(daemon=int(os.read(reader, 20)))
    if config.get("hang"):
        while True:
            with suppress(BaseException):
                time.sleep(1000)


@in_worker
def flood(config):
    sys.stdout.write("first line\n")
    for _ in range(20):
        sys.stdout.write("y" * 999_999 + "\n")
        time.sleep(config.get("pause", 0))
    sys.stdout.write("last line\n")


@in_worker
def show_a_bar(config):
    import tqdm

    list(tqdm.tqdm(range(3)))
    return {"pid": os.getpid(), "monitor": any(type(each).__name__ == "TMonitor" for each in threading.enumerate())}


@in_worker
def share_memory(config):
    shared = shared_memory.SharedMemory(create=True, size=10)
    shared.close()
    shared.unlink()
    return {"pid": os.getpid()}


@in_worker
def close_the_streams(config):
    os.close(1)
    os.close(2)
    os.close(0)


@in_worker
def close_everything(config):
    os.closerange(3, 100)


@in_worker
def show(config):
    print("shown", flush=True)  # noqa: T201
    return {"stdin": os.fstat(0).st_ino > 0}


@in_worker
def zombie(config):
    if os.fork() == 0:
        os._exit(0)
    time.sleep(0.1)


@in_worker
def leave_a_child(config):
    child = subprocess.Popen(["sleep", "1000"])
    return {"child": child.pid}


@in_worker
def report_from_a_thread(config):
    thread = threading.Thread(target=lambda: reporting.report(loss=1.0))
    thread.start()
    thread.join()


@in_worker
def swallow(config):
    while True:
        try:
            reporting.report(loss=1.0)
            time.sleep(0.001)
        except BaseException:
            return


@in_worker
def huge(config):
    reporting.report({f"k{n}": "x" * 60_000 for n in range(100)})


@in_worker
def weird_error(config):
    class Odd(Exception):
        def __str__(self):
            return "\udcff" * 2_000_000

    raise Odd


@in_worker
def draw(config):
    import random

    import numpy as np

    return {"a": random.random(), "b": float(np.random.random())}


def objective(config):
    return OBJECTIVES[config["do"]](config)


class Doubling:
    def resolve(self, config):
        if config.get("refuse"):
            raise LookupError("there is no such choice")
        return config


# The driver ----------------------------------------------------------------------------------------------------------


class Process:
    """A slot's process, and a driver that talks to it."""

    def __init__(self, directory: Path, payload: bytes | None = None, metrics: tuple[str, ...] = ()) -> None:
        self.directory, self.trials = directory, 0
        directory.mkdir(exist_ok=True)
        (directory / "payload").write_bytes(payload or cloudpickle.dumps((objective, Doubling(), metrics)))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = str(server.getsockname()[1])
            command = [sys.executable, "-c", MAIN, port, b"secret".hex(), str(directory), str(directory / "payload")]
            self.process = subprocess.Popen(command, process_group=0, stdout=subprocess.PIPE, text=True)
            server.settimeout(DEADLINE_S)
            self.connection = server.accept()[0]
        self.connection.settimeout(DEADLINE_S)
        self.writes: list[list] = []  # what each read of the socket brought
        self.messages: queue.SimpleQueue = queue.SimpleQueue()
        self.frames = Frames()
        (hello,) = self.frames.feed(self.connection.recv(1000))
        self.hello = greeting(hello)

    def send(self, *messages) -> None:
        self.connection.sendall(b"".join(map(encode, messages)))

    def read(self):
        while self.messages.empty():
            data = self.connection.recv(1 << 20)
            if not data:
                raise EOFError
            bodies = [from_worker(body) for body in self.frames.feed(data)]
            self.writes.append(bodies)
            for body in bodies:
                self.messages.put(body)
        return self.messages.get()

    def read_until(self, *kinds) -> list:
        found = [self.read()]
        while not isinstance(found[-1], kinds):
            found.append(self.read())
        return found

    def launch(self, what, *, until=(), attempt=1, seed=7, **config) -> int:
        self.trials += 1
        placement = Placement("here", {"cpu": 15_000})
        config = {"do": what.__name__, **config}
        self.send(Launch(self.trials, attempt, config, (placement,), until, seed))
        return self.trials

    def run(self, what, **arguments) -> list:
        self.launch(what, **arguments)
        return self.read_until(*ENDINGS)

    def result(self, what, **arguments) -> dict:
        events = self.run(what, **arguments)
        assert isinstance(events[-1], Finished), events
        return next(event for event in events if isinstance(event, Reported)).row(0)

    def trial_directory(self) -> Path:
        return self.directory / "trials" / f"{self.trials:06d}"

    def stop(self) -> int:
        self.connection.close()
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def slot(tmp_path_factory):
    """One process for the tests that leave it usable."""
    process = Process(tmp_path_factory.mktemp("shared") / "run")
    yield process
    process.stop()


@pytest.fixture
def fresh(tmp_path):
    process = Process(tmp_path / "run")
    yield process
    process.stop()


def gone(pid: int) -> bool:
    began = time.monotonic()
    while time.monotonic() < began + DEADLINE_S:
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


# Conversation --------------------------------------------------------------------------------------------------------


def test_it_says_who_it_is(slot):
    assert (slot.hello.token, slot.hello.slot, slot.hello.pid) == (b"secret", 5, slot.process.pid)


def test_a_short_trial_is_sent_in_one_write(slot):
    slot.run(nothing)
    slot.writes.clear()
    events = slot.run(one_result, x=2.0)
    assert [type(event) for event in events] == [Reported, Finished]
    assert events[0].columns == {"loss": [4.0]}
    assert slot.writes == [events]


def test_a_report_that_nothing_follows_is_sent_all_the_same(slot):
    slot.launch(wait_between)
    began = time.monotonic()
    reported = slot.read()
    assert reported.columns == {"loss": [1.0]}
    assert slot.read_until(Finished)
    assert reported.time_s[0] < 0.3 or time.monotonic() - began < 0.3  # it did not wait for the second


def test_the_lease_is_obeyed(slot):
    trial = slot.launch(wait_between, until=at_step(1))
    assert slot.read_until(Reported)[-1].waiting
    slot.send(Extend(trial, 1, EVERY_REPORT))
    assert slot.read_until(Reported)[-1].waiting
    slot.send(Halt(trial, 1))
    assert slot.read() == Halted(trial, 1)


def test_a_halt_takes_effect_at_the_next_report(slot):
    trial = slot.launch(wait_between)
    slot.read_until(Reported)
    slot.send(Halt(trial, 1))
    assert isinstance(slot.read_until(*ENDINGS)[-1], Halted)


def test_a_halt_that_comes_with_its_launch_is_heard(slot):
    slot.trials += 1
    launch = Launch(slot.trials, 1, {"do": "sleep_long"}, (Placement("here", {}),), (), 0)
    slot.send(launch, Halt(slot.trials, 1))
    assert slot.read_until(*ENDINGS)[-1] == Halted(slot.trials, 1)


def test_words_about_trials_that_have_ended_are_ignored(slot):
    slot.run(nothing)
    slot.send(Halt(slot.trials, 1), Extend(slot.trials, 1, ()), Interrupt(slot.trials, 1), Halt(999, 1))
    assert isinstance(slot.run(one_result, x=1.0)[-1], Finished)


def test_a_beat_is_answered_at_rest_and_at_work(slot):
    slot.send(Beat())
    assert slot.read() == Beat()
    trial = slot.launch(spin_politely)
    slot.read_until(Reported)
    slot.send(Beat())
    assert Beat() in slot.read_until(Beat)
    slot.send(Halt(trial, 1))
    assert isinstance(slot.read_until(*ENDINGS)[-1], Halted)


@in_worker
def spin_politely(config):
    while True:
        reporting.report(loss=1.0)
        time.sleep(0.001)


def test_a_report_may_come_from_a_thread_of_the_user(slot):
    assert slot.result(report_from_a_thread)["loss"] == 1.0


def test_a_trial_that_swallows_its_halt_has_finished(slot):
    trial = slot.launch(swallow)
    slot.read_until(Reported)
    slot.send(Halt(trial, 1))
    assert isinstance(slot.read_until(*ENDINGS)[-1], Finished)


def test_goodbye_is_polite(tmp_path):
    process = Process(tmp_path / "run")
    process.run(nothing)
    process.send(Bye())
    output = process.process.stdout.read()
    assert process.stop() == 0
    assert output == "left politely\n"
    assert not list((tmp_path / "run" / "trials").glob("*/*"))  # nothing was printed: there are no empty files


def test_the_end_of_the_driver_is_the_end(fresh):
    fresh.launch(spin)
    fresh.read_until(Reported)
    assert fresh.stop() == 1


# Blame ---------------------------------------------------------------------------------------------------------------


def test_an_objective_that_cannot_be_loaded_fails_its_trials(tmp_path):
    process = Process(tmp_path / "run", payload=b"not a pickle")
    for _ in range(2):
        events = process.run(nothing)
        assert "UnpicklingError" in events[-1].error
    process.stop()


def test_a_config_that_cannot_be_resolved_fails_its_trial(slot):
    assert "no such choice" in slot.run(nothing, refuse=True)[-1].error


def test_a_report_that_is_too_large_fails_in_report(slot):
    failed = slot.run(huge)[-1]
    assert failed.error.startswith("ValueError")
    assert "report" in failed.traceback


def test_an_error_that_cannot_be_shown_is_sent_as_a_short_message(slot):
    failed = slot.run(weird_error)[-1]
    assert isinstance(failed, Failed)
    assert len(failed.error) <= 500


def test_a_directory_that_cannot_be_used_fails_the_trial(slot):
    (slot.directory / "trials" / f"{slot.trials + 1:06d}").write_text("a file is in the way")
    assert isinstance(slot.run(nothing)[-1], Failed)
    assert isinstance(slot.run(nothing)[-1], Finished)


# The room ------------------------------------------------------------------------------------------------------------


def test_closed_streams_are_open_for_the_next_trial(slot):
    slot.run(close_the_streams)
    assert slot.result(show)["stdin"]
    assert (slot.trial_directory() / "stdout").read_text() == "shown\n"


def test_a_second_attempt_appends_to_what_the_first_said(slot):
    slot.run(show)
    slot.trials -= 1
    slot.run(show, attempt=2)
    assert (slot.trial_directory() / "stdout").read_text() == "shown\nshown\n"


def test_the_same_seed_draws_the_same(slot):
    first, second, other = slot.result(draw), slot.result(draw), slot.result(draw, seed=8)
    assert (first["a"], first["b"]) == (second["a"], second["b"])
    assert first["a"] != other["a"]
    assert first["b"] != other["b"]


def test_the_dead_do_not_spoil_a_process(slot):
    assert not any(isinstance(event, Spent) for event in slot.run(zombie))


@pytest.mark.parametrize(("child", "code"), [("reports", 1), ("returns", 0), ("leaves", 3), ("speaks", 1)])
def test_a_forked_child_does_not_speak_for_its_trial(slot, child, code):
    events = slot.run(fork_and_speak, child=child)
    rows = [event.row(n) for event in events if isinstance(event, Reported) for n in range(len(event.time_s))]
    assert [row["loss"] for row in rows] == [1.0, 2.0]
    assert rows[-1]["code"] == code
    assert isinstance(events[-1], Finished)
    stderr = slot.trial_directory() / "stderr"
    told = stderr.read_text() if stderr.exists() else ""  # where nothing is printed there is no file
    assert ("a process that the trial has forked" in told) == (child == "reports")


def test_a_forked_child_of_a_generator_does_not_speak_for_its_trial(slot):
    events = slot.run(fork_and_yield)
    assert [event.columns for event in events if isinstance(event, Reported)] == [{"loss": [1.0]}]


def test_a_child_that_was_forked_twice_ends_before_its_trial_is_over(tmp_path):
    process = Process(tmp_path / "run")
    *_, reported, spent, ending = process.run(fork_twice)
    assert gone(reported.row(0)["daemon"])
    assert (spent.reason, type(ending)) == ("a child process was left running", Finished)
    process.stop()


@pytest.mark.parametrize("pause", [0, 0.03])
def test_of_much_output_the_first_and_the_last_part_are_kept(slot, pause):
    slot.run(flood, pause=pause)
    slot.run(nothing)  # the file of the last trial is complete now
    [kept] = [path for path in slot.directory.glob("trials/*/stdout") if path.stat().st_size > 2**20]
    lines = kept.read_bytes().splitlines()
    assert (lines[0], lines[-1]) == (b"first line", b"last line")
    assert any(b"left out" in line for line in lines)
    assert kept.stat().st_size <= OUTPUT_BYTES_MAX
    kept.unlink()


def test_a_progress_bar_does_not_spoil_a_process(slot):
    pytest.importorskip("tqdm")
    first, second = (slot.result(show_a_bar) for _ in range(2))
    assert (second["pid"], second["monitor"]) == (first["pid"], True)


def test_what_looks_after_shared_memory_does_not_spoil_a_process(slot):
    assert slot.result(share_memory) == {**slot.result(share_memory), "time_s": ANY}


def test_a_child_left_behind_spoils_the_process_and_dies_with_it(tmp_path):
    process = Process(tmp_path / "run")
    events = process.run(leave_a_child)
    assert isinstance(events[-2], Spent)
    child = next(event for event in events if isinstance(event, Reported)).row(0)["child"]
    assert gone(child)
    assert process.wait() == 0
    process.connection.close()


def test_a_trial_that_closes_all_files_harms_itself_alone(tmp_path):
    process = Process(tmp_path / "run")
    process.launch(close_everything)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            process.read()
    process.stop()


# Interrupts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [sleep_long, spin])
def test_an_interrupt_stops_what_does_not_report(tmp_path, what):
    process = Process(tmp_path / "run")
    trial = process.launch(what)
    process.read_until(Reported)
    process.send(Halt(trial, 1), Interrupt(trial, 1))
    spent, halted = process.read_until(*ENDINGS)
    assert isinstance(spent, Spent)
    assert halted == Halted(trial, 1)
    assert process.wait() == 0
    process.connection.close()
    assert what is spin or (process.trial_directory() / "cleaned up").exists()


def test_children_and_grandchildren_end_with_the_driver(fresh):
    fresh.launch(spawn_and_wait)
    row = fresh.read_until(Reported)[-1].row(0)
    fresh.stop()
    assert gone(row["child"])
    assert gone(row["grandchild"])


def test_a_stopped_process_comes_back_as_if_nothing_had_been(fresh):
    trial = fresh.launch(spin_politely)
    fresh.read_until(Reported)
    os.kill(fresh.process.pid, signal.SIGSTOP)
    fresh.send(Beat(), Halt(trial, 1))
    time.sleep(0.2)
    os.kill(fresh.process.pid, signal.SIGCONT)
    assert isinstance(fresh.read_until(*ENDINGS)[-1], Halted)


# The environment -----------------------------------------------------------------------------------------------------


def test_the_environment_of_a_slot(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert worker.environment(0.5, "") == {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert worker.environment(8, None)["OMP_NUM_THREADS"] == "3"
    assert worker.environment(8, None)["MKL_NUM_THREADS"] == "8"
    assert "CUDA_VISIBLE_DEVICES" not in worker.environment(8, None)


def test_an_address_without_a_listener_is_an_oserror():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError):
        worker.dial("127.0.0.1", port, b"", 1)


COUNTED = """
import sys
from pathlib import Path
import cloudpickle
from tests.contracts.executor import PlainSpace
from trialwright.executors import worker
from trialwright.executors.wire import Bye, Frames, encode, from_worker
from trialwright.messages import Finished, Launch, Placement

class Counting:
    '''A wire that has said all from the beginning, and counts what is sent.'''

    def __init__(self, frames):
        self.frames, self.sent = frames, []

    def send(self, data):
        self.sent.append(data)

    def receive(self, *, wait):
        data, self.frames = self.frames, None
        return data

    def drain(self):
        pass

    def disown(self):
        pass

worker.TICK_S = worker.IDLE_TICK_S = 5.0  # the second thread, which looks up now and then, sends none earlier
placement = (Placement("here", {"cpu": 10_000}),)
launches = [Launch(trial, 1, {}, placement, (), 7) for trial in range(64)]
wire = Counting(b"".join(encode(message) for message in (*launches, Bye())))
payload = cloudpickle.dumps((lambda config: None, PlainSpace(), ()))
worker.serve(wire, payload, Path(sys.argv[1]), shared=False)
frames = Frames()
ended = [from_worker(body) for data in wire.sent for body in frames.feed(data)]
assert ended == [Finished(trial, 1) for trial in range(64)], ended
print(len(wire.sent))
"""


def test_of_64_short_trials_that_wait_in_a_slot_the_endings_are_sent_16_at_a_time(tmp_path):
    command = [sys.executable, "-c", COUNTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # it ends all children of its process
    assert done.stdout.split() == ["4"]
    assert not list((tmp_path / "trials").glob("*/*"))
