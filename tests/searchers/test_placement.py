"""Where searchers are asked. Each process of these tests is a real one."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.searchers import asked_apart
from tests.searchers.asked_apart import (
    WHERE,
    Attached,
    Deadly,
    Printing,
    Raising,
    Slow,
    Stubborn,
    Telling,
    Waiting,
    engine,
)
from trialwright import Engine, Simulated, space
from trialwright.errors import PolicyError
from trialwright.history import Entry, History, HistoryLog, Kind
from trialwright.messages import Outcome, Request
from trialwright.searchers import GP, TPE, Auto, Grid, Perturb, Problem, Random
from trialwright.searchers.placement import DEATHS_MAX, placed
from trialwright.space import Space
from trialwright.streams import Streams

DEADLINE_S = 60.0
SPACE = Space({"x": space.uniform(0, 1), "k": space.choice(["a", "b"]), "n": space.randint(0, 50)})
STREAMS = Streams(0)


def is_alive(pid: int) -> bool:
    """A process that has not been waited for yet is dead too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def wait_until(condition) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def asked(searcher, known=0):
    """Yield a searcher where the engine would ask it, and what it warns of."""
    searcher.setup(Problem(SPACE))
    warnings: list[str] = []
    with placed(searcher, known, warnings.append) as it:
        yield it, warnings


def history_of(count: int) -> History:
    log = HistoryLog()
    for trial in range(count):
        tell(log, trial)
    return log.until(len(log))


def tell(log: HistoryLog, trial: int) -> None:
    log.born(trial, {"x": trial / 40, "k": "ab"[trial % 2], "n": trial}, {})
    log.seen(trial, 1, [(abs(trial / 40 - 0.3),)])
    log.ended(trial, Outcome("completed"))


def eventful():
    """Yield the moments of a log in which all happens that can happen to a trial."""
    log = HistoryLog()
    for trial in range(20):
        tell(log, trial)
    yield log.until(len(log))
    log.born(20, {"x": 0.5, "k": "a", "n": 3}, {"tag": [1, None]})
    log.seen(20, 1, [(0.9,), (0.8,)])
    log.ended(3, Outcome("failed", "lost its way"))
    yield log.until(len(log))
    log.seen(20, 3, [(0.7,)])
    log.born(21, {"x": 0.6, "k": "b", "n": 4}, {})
    yield log.until(len(log))
    log.seen(20, 2, [(float("nan"),), (0.01,), (0.2,)])  # a retry repeats steps
    log.ended(20, Outcome("completed"))
    log.born(21, {"x": 0.1, "k": "b", "n": 9}, {"donor": 20})
    yield log.until(len(log))
    yield log.until(40)


def request(sample: int) -> list[Request]:
    return [Request(trial=100 + sample, sample=sample)]


def pid_of(searcher, history=None) -> int:
    (answer,) = searcher.suggest(history or History(), request(0), STREAMS)
    return answer.config["pid"]


# What is told --------------------------------------------------------------------------------------------------------

happenings = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["born", "seen", "ended", "told"]), st.integers(1, 6)), max_size=40
)


@given(happenings)
@settings(max_examples=300)
def test_entries_sent_piece_by_piece_are_the_history(happened):
    log, told, learnt = HistoryLog(), None, HistoryLog()
    for count, (trial, what, step) in enumerate([*happened, (0, "told", 1)]):
        match what:
            case "born":
                log.born(trial, {"count": count}, {"tag": count})
            case "seen":
                log.seen(
                    trial, step, [(0.5,), (float(count),), (-1.0,)], [{"m": 1}, {"m": count}, {}], sems=[(0.1,)] * 3
                )
            case "ended":
                log.ended(trial, Outcome("completed"))
            case "told":
                history = log.until(len(log))
                for entry in pickle.loads(pickle.dumps([*history.entries(told)])):
                    learnt.write(entry)
                told = history
                assert learnt.until(len(learnt)) == history


def test_a_report_is_sent_once():
    log = HistoryLog()
    log.born(0, {}, {})
    log.seen(0, 1, [(float(step),) for step in range(1000)])
    told = log.until(len(log))
    log.seen(0, 1001, [(7.0,)])
    log.born(1, {}, {})
    assert [*log.until(len(log)).entries(told)] == [
        Entry(Kind.SEEN, 0, (1001, [(7.0,)], [], [], [])),
        Entry(Kind.BORN, 1, ({}, {})),
    ]


# What is answered ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [GP, TPE])
def test_a_process_makes_the_suggestions_that_a_thread_makes(kind):
    class Apart(kind):
        process_from = 0

    class Here(kind):
        process_from = None

    with asked(Apart()) as (apart, _), asked(Here()) as (here, _):
        for sample, history in enumerate(eventful()):
            answers = [searcher.suggest(history, request(sample), STREAMS) for searcher in (apart, here)]
            assert list(answers[0]) == list(answers[1])


def test_it_is_asked_in_one_process_which_sees_each_moment_as_it_was_and_ends_with_the_run():
    with asked(Telling()) as (searcher, warnings):
        pids = set()
        for history in eventful():
            (answer,) = searcher.suggest(history, request(1), STREAMS)
            pids.add(answer.config["pid"])
            saw = [[record.id, record.steps, record.values[-1:]] for record in history.trials]
            assert repr(answer.tags["saw"]) == repr(saw)
        (pid,) = pids
        assert pid != os.getpid()
        assert is_alive(pid)
    assert not is_alive(pid)
    assert not warnings


def test_until_the_process_is_ready_the_thread_answers(tmp_path):
    gate = tmp_path / "gate"
    with asked(Waiting(gate)) as (searcher, _):
        here = [pid_of(searcher, history_of(count)) for count in (0, 2, 3, 5)]
        assert {*here} == {os.getpid()}
        gate.touch()
        wait_until(lambda: pid_of(searcher, history_of(5)) != os.getpid())


def test_a_short_history_needs_no_process():
    with asked(Waiting("never read"), known=2) as (searcher, _):
        assert pid_of(searcher, history_of(2)) == os.getpid()
        assert searcher._process is None


def test_what_it_prints_and_reads_does_not_get_between_the_messages(capfd):
    with asked(Printing()) as (searcher, _):
        assert pid_of(searcher) == pid_of(searcher) != os.getpid()
    assert capfd.readouterr() == ("", "a line\na line\n")


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_what_it_raises_is_raised_here_with_a_note_of_where_or_described_if_it_cannot_be_sent():
    with asked(Raising()) as (searcher, _):
        with pytest.raises(ValueError, match=r"^boo\n") as raised:
            searcher.suggest(History(), request(0), STREAMS)
        assert 'raise ValueError("boo")' in raised.value.__notes__[0]
        with pytest.raises(RuntimeError, match=r"^Odd\('boo'\)\n") as raised:
            searcher.suggest(History(), request(1), STREAMS)
        assert 'raise Odd("boo", "hoo")' in raised.value.__notes__[0]


def test_a_killed_process_is_started_again_and_continues_with_the_same_suggestions():
    before, *_, last = eventful()
    expected = Telling().suggest(last, request(5), STREAMS)
    with asked(Telling()) as (searcher, warnings):
        first = pid_of(searcher, before)
        os.kill(first, signal.SIGKILL)
        (again,) = searcher.suggest(last, request(5), STREAMS)
        assert repr(again.tags) == repr(expected[0].tags)  # there is a NaN in them
        assert again.config["pid"] not in (first, os.getpid())
    assert not warnings


def test_one_that_dies_of_a_question_is_asked_again_and_then_given_up(tmp_path):
    lives = tmp_path / "lives"
    lives.write_text("x")
    with asked(Deadly(lives)) as (searcher, _):
        assert pid_of(searcher) != os.getpid()
        lives.write_text("x" * 9)
        with pytest.raises(RuntimeError, match="process died 3 times in a row: signal 9, signal 9, signal 9"):
            pid_of(searcher)
    assert len(lives.read_text()) == 9 - DEATHS_MAX


@pytest.mark.parametrize(("searcher", "reason"), [(Attached(), "it is attached"), (Stubborn(), "not here")])
def test_one_that_cannot_be_sent_or_loaded_stays_in_the_thread_and_says_so_once(searcher, reason):
    with asked(searcher, known=5) as (here, warnings):
        assert [pid_of(here, history_of(count)) for count in (1, 2, 3)] == [os.getpid()] * 3
    (warning,) = warnings
    assert reason in warning


# In a run ------------------------------------------------------------------------------------------------------------


def test_a_run_asks_in_a_process_and_leaves_none_behind():
    result = engine(Telling()).run()
    (pid,) = {trial.config["pid"] for trial in result}
    assert pid != os.getpid()
    assert not is_alive(pid)


def test_a_run_ends_with_what_the_searcher_raised_and_leaves_no_process_behind():
    with pytest.raises(PolicyError, match=r"the searcher raised ValueError\('boo'\)") as raised:
        engine(Raising()).run()
    assert "in the searcher's process" in raised.value.__cause__.__notes__[0]
    assert not children()


def test_a_run_that_ends_while_the_searcher_thinks_ends_its_process(tmp_path):
    async def begin_and_cancel():
        run = asyncio.create_task(engine(Slow(pid_file)).run_async())
        await asyncio.to_thread(wait_until, pid_file.exists)
        run.cancel()
        await asyncio.wait([run])

    pid_file = tmp_path / "pid"
    asyncio.run(begin_and_cancel())
    assert not is_alive(int(pid_file.read_text()))


def test_the_process_ends_with_its_driver_however_that_ends(tmp_path):
    script, pid_file = asked_apart.__file__, tmp_path / "pid"
    root = str(Path(script).parents[2])
    with subprocess.Popen([sys.executable, script, str(pid_file)], env={**os.environ, "PYTHONPATH": root}) as driver:
        wait_until(pid_file.exists)
        pid = int(pid_file.read_text())
        assert is_alive(pid)
        driver.kill()
    wait_until(lambda: not is_alive(pid))


def test_virtual_time_asks_right_there():
    class Training:
        def start(self, config, seed):
            return config["x"]

        def step(self, config, state):
            return None if state is None else (None, {"loss": state}, 1.0)

    run = Engine(
        Training(), WHERE, metric="loss", searcher=Telling(), executor=Simulated(), storage=None, verbose=0
    ).run()
    assert [trial.config["pid"] for trial in run] == [os.getpid()]


def children() -> list[int]:
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [
        int(pid)
        for file in found
        for pid in file.read_text().split()
        if b"searchers.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


# Who wants one -------------------------------------------------------------------------------------------------------


def test_those_around_others_want_a_process_where_these_do():
    assert Perturb(GP()).process_from == GP.process_from
    assert Perturb(Random()).process_from is None


def test_auto_wants_one_where_the_chosen_one_does():
    auto = Auto()
    auto.setup(Problem(SPACE, num_samples=500))
    assert auto.process_from == GP.process_from
    auto.setup(Problem(SPACE, num_samples=20_000))
    assert auto.process_from == TPE.process_from
    auto.setup(Problem(SPACE, objectives=0, num_samples=5))
    assert auto.process_from is None


def test_who_does_not_want_one_is_asked_itself():
    searcher = Grid()
    with placed(searcher, 10**6, print) as it:
        assert it is searcher
