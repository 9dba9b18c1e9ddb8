"""What a trial's output goes to, and which processes it has started. The rest is tested from outside, with workers."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from trialwright.executors import process_state
from trialwright.executors.process_state import ProcessState, descendants, end_copies, kill, seed_all

WAIT_S = 20.0


@pytest.fixture
def process():
    state = ProcessState()
    yield state
    state.leave()
    for saved in state._files:
        os.close(saved)


def write(files, name, data):
    os.write(files._opened[name], data)


# Output ---------------------------------------------------------------------------------------------------------------


def test_of_a_long_output_the_beginning_and_the_end_are_kept(tmp_path, process, monkeypatch):
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_MAX", 100)
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_KEPT", 10)
    files = process.open_files(tmp_path / "trial")
    write(files, "stdout", b"a" * 50 + b"b" * 50)
    process.limit_output()
    assert (tmp_path / "trial" / "stdout").stat().st_size == 100, "it may be as long as the limit"
    write(files, "stdout", b"c" * 10)
    process.limit_output()
    kept = (tmp_path / "trial" / "stdout").read_bytes()
    assert kept == b"a" * 10 + process_state._CUT + b"c" * 10
    write(files, "stdout", b"d")
    assert (tmp_path / "trial" / "stdout").read_bytes() == kept + b"d", "what is printed later follows"


def test_what_is_printed_while_a_file_is_cut_stays_at_its_end(tmp_path, process, monkeypatch):
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_MAX", 100)
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_KEPT", 10)
    files = process.open_files(tmp_path / "trial")
    write(files, "stdout", b"a" * 101)
    read = os.pread

    def print_and_read(file, length, start):
        part = read(file, length, start)
        if set(part) == {ord("a")}:
            write(files, "stdout", b"last line")
        return part

    monkeypatch.setattr(os, "pread", print_and_read)
    process.limit_output()
    assert (tmp_path / "trial" / "stdout").read_bytes() == b"a" * 10 + process_state._CUT + b"a" * 10 + b"last line"


def test_a_file_that_took_the_place_of_a_trials_file_is_not_cut(tmp_path, process, monkeypatch):
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_MAX", 1)
    process.open_files(tmp_path / "trial")
    (tmp_path / "trial" / "stdout").unlink()
    (tmp_path / "trial" / "stdout").write_bytes(b"the user's own")
    process.limit_output()
    assert (tmp_path / "trial" / "stdout").read_bytes() == b"the user's own"


def test_a_file_that_took_the_place_of_a_descriptor_is_not_cut(tmp_path, process, monkeypatch):
    monkeypatch.setattr(process_state, "OUTPUT_BYTES_MAX", 1)
    files = process.open_files(tmp_path / "trial")
    (tmp_path / "mine").write_bytes(b"the user's own")
    other = os.open(tmp_path / "mine", os.O_RDWR)
    os.dup2(other, files._opened["stdout"])  # as after os.closerange() and an open() of the user's
    process.limit_output()
    os.close(other)
    assert (tmp_path / "mine").read_bytes() == b"the user's own"


def test_an_empty_output_leaves_no_file(tmp_path, process):
    files = process.open_files(tmp_path / "trial")
    write(files, "stderr", b"oops")
    process.close_files(reuse=True)
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["stderr"]


def test_the_directory_of_a_silent_trial_becomes_the_next_trials(tmp_path, process):
    process.open_files(tmp_path / "1")
    process.close_files(reuse=True)
    files = process.open_files(tmp_path / "2")
    write(files, "stdout", b"second")
    process.close_files(reuse=True)
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
    assert (tmp_path / "2" / "stdout").read_bytes() == b"second"


@pytest.mark.parametrize("reuse", [True, False])
def test_a_directory_is_not_taken_for_another_trial_if_others_use_it_or_it_may_not_be(tmp_path, process, reuse):
    process.open_files(tmp_path / "1")
    if reuse:
        (tmp_path / "1" / "mine").touch()
    process.close_files(reuse=reuse)
    process.open_files(tmp_path / "2")
    process.close_files(reuse=reuse)
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


def test_a_next_trial_with_files_of_its_own_keeps_them(tmp_path, process):
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "checkpoint").touch()
    process.open_files(tmp_path / "1")
    process.close_files(reuse=True)
    process.open_files(tmp_path / "2")
    process.close_files(reuse=True)
    assert [path.name for path in (tmp_path / "2").iterdir()] == ["checkpoint"]
    assert list((tmp_path / "1").iterdir()) == []


def test_a_directory_that_was_removed_is_not_given_to_the_next_trial(tmp_path, process):
    process.open_files(tmp_path / "1")
    for name in ("stdout", "stderr"):
        (tmp_path / "1" / name).unlink()
    (tmp_path / "1").rmdir()
    process.close_files(reuse=True)
    process.open_files(tmp_path / "2")
    assert {path.name for path in (tmp_path / "2").iterdir()} == {"stdout", "stderr"}


# Processes ------------------------------------------------------------------------------------------------------------


def sleeper(**keywords):
    """A process that has a child, which sleeps."""
    program = "import subprocess, sys; c = subprocess.Popen(['sleep', '60']); print(c.pid, flush=True); c.wait()"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, **keywords)


def test_descendants_are_children_and_their_children():
    with sleeper() as parent:
        child = int(parent.stdout.readline())
        assert {parent.pid, child} <= descendants(os.getpid())
        assert descendants(parent.pid) == {child}
        kill([child])
        assert parent.wait(WAIT_S) == 0
    assert descendants(parent.pid) == set()


def test_a_group_is_found_by_its_number_after_its_leader_has_ended():
    with sleeper(start_new_session=True) as leader:
        child = int(leader.stdout.readline())
        kill([leader.pid])
        leader.wait(WAIT_S)
        assert descendants(leader.pid) == {child}
        kill([child])


def test_what_has_ended_is_killed_without_an_error():
    with subprocess.Popen(["true"]) as done:
        done.wait(WAIT_S)
    kill([done.pid])


def test_copies_end_and_programs_that_were_started_stay():
    def fork_and_start():
        copy = os.fork()
        if not copy:
            signal.pause()
        program = subprocess.Popen(["sleep", "60"])
        end_copies()
        told.extend((copy, program))

    told = []
    thread = threading.Thread(target=fork_and_start)
    thread.start()
    thread.join(WAIT_S)
    copy, program = told
    with pytest.raises(ProcessLookupError):
        os.kill(copy, 0)
    assert program.poll() is None
    program.kill()
    program.wait(WAIT_S)


def test_a_seed_makes_the_global_generators_draw_the_same():
    import random

    import numpy as np

    before = random.getstate(), np.random.get_state()
    try:
        draws = []
        for seed in (7, 7, 2**40 + 7):
            seed_all(seed)
            draws.append((random.random(), np.random.random()))
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
    assert draws[0] == draws[1]
    assert draws[2][0] != draws[0][0]
