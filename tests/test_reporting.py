"""How a session sends what is reported."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from trialwright import reporting
from trialwright.messages import (
    EVERY_REPORT,
    Boundary,
    Checkpoint,
    Extend,
    Halt,
    Launch,
    Placement,
    Reported,
    Until,
    at_step,
)
from trialwright.reporting import FLUSH_REPORTS, FLUSH_S, Session, TrialStopped, serving

# Sessions -------------------------------------------------------------------------------------------------------------


@dataclass
class Driver:
    """The other end of a session's link: keeps the frames, and answers what a test wrote down."""

    answers: list[Extend | Halt] = field(default_factory=list)
    frames: list[Reported] = field(default_factory=list)
    halted: Halt | None = None

    def send(self, frame: Reported) -> None:
        self.frames.append(frame)

    def answer(self) -> Extend | Halt:
        assert self.frames[-1].waiting, "only a report that waits is answered"
        return self.answers.pop(0)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(driver: Driver, clock: Clock, tmp_path) -> Callable[..., Session]:
    def session(until: Until = (), checkpoint: Checkpoint | None = None, attempt: int = 1) -> Session:
        launch = Launch(4, attempt, {"x": 1}, (Placement("n", {}),), until, 42, checkpoint)
        return Session(launch, {"x": 1}, tmp_path, driver, ("loss",), clock, resources={"cpu": 1.0})

    return session


def test_reports_are_sent_in_frames_in_columns(make, driver, clock):
    session = make()
    for step in (1, 2, 3):
        clock.now += 0.001
        session.report({"loss": float(step)} | ({"extra": step} if step == 2 else {}))
    assert driver.frames == []
    session.flush()
    assert driver.frames == [
        Reported(4, 1, 1, (0.001, 0.002, 0.003), {"loss": [1.0, 2.0, 3.0], "extra": [None, 2, None]})
    ]
    assert driver.frames[0].row(1) == {"loss": 2.0, "extra": 2, "step": 2, "time_s": 0.002}
    session.flush()
    assert len(driver.frames) == 1, "there was nothing more to send"


def test_a_full_frame_is_sent(make, driver):
    session = make()
    for _ in range(2 * FLUSH_REPORTS + 1):
        session.report({"loss": 1.0})
    assert [len(frame.time_s) for frame in driver.frames] == [FLUSH_REPORTS] * 2
    assert [frame.first_step for frame in driver.frames] == [1, FLUSH_REPORTS + 1]


def test_a_report_that_comes_late_after_the_last_frame_is_sent_at_once(make, driver, clock):
    session = make()
    session.report({"loss": 1.0})
    clock.now += 2 * FLUSH_S
    session.report({"loss": 2.0})
    assert [frame.columns for frame in driver.frames] == [{"loss": [1.0, 2.0]}]
    session.report({"loss": 3.0})
    assert len(driver.frames) == 1


def test_reports_that_wait_for_company_too_long_are_sent_by_the_other_thread(make, driver, clock):
    session = make()
    session.flush_tail()
    session.report({"loss": 1.0})
    session.flush_tail()
    assert driver.frames == []
    clock.now += 2 * FLUSH_S
    session.flush_tail()
    assert [frame.last_step for frame in driver.frames] == [1]


def test_a_report_waits_at_a_boundary_and_takes_the_next_lease(make, driver):
    session = make(until=at_step(2))
    driver.answers = [Extend(4, 1, at_step(4)), Extend(4, 1, ())]
    for _ in range(6):
        session.report({"loss": 1.0})
    session.flush()
    assert [(frame.first_step, frame.last_step, frame.waiting) for frame in driver.frames] == [
        (1, 2, True),
        (3, 4, True),
        (5, 6, False),
    ]


@pytest.mark.parametrize(
    ("boundary", "waits_at"),
    [
        (Boundary("loss", "<=", 0.25), 4),
        (Boundary("accuracy", ">=", 0.5), None),
        (Boundary("time_s", ">=", 3.0), 3),
        (EVERY_REPORT[0], 1),
    ],
)
def test_boundaries_may_be_in_any_metric(boundary, waits_at, make, driver, clock):
    session = make(until=(Boundary("step", ">=", 6), boundary))
    driver.answers = [Halt(4, 1)]
    with pytest.raises(TrialStopped):
        for step in range(1, 99):
            clock.now += 1
            session.report({"loss": 1 / step})
    assert driver.frames[-1].last_step == (waits_at or 6)


def test_an_objective_may_count_its_steps_itself(make, driver):
    session = make(until=at_step(100))
    driver.answers = [Halt(4, 1)]
    with pytest.raises(TrialStopped):
        for batch in range(40, 200, 20):
            session.report({"loss": 1.0, "step": batch})
    (frame,) = driver.frames
    assert (frame.last_step, frame.row(-1)["step"]) == (4, 100)


def test_a_halt_that_was_not_asked_for_takes_effect_at_the_next_report(make, driver):
    session = make()
    session.report({"loss": 1.0})
    driver.halted = Halt(4, 1)
    with pytest.raises(TrialStopped):
        session.report({"loss": 2.0})
    assert driver.frames[-1].columns == {"loss": [1.0, 2.0]}, "both were sent"


def test_no_broad_except_catches_a_stop():
    assert not issubclass(TrialStopped, Exception)


def test_a_report_with_a_checkpoint_waits_and_the_checkpoint_is_there_by_then(make, driver):
    session = make()
    driver.answers = [Extend(4, 1, ())]
    session.report({"loss": 1.0})
    session.report({"loss": 2.0}, checkpoint={"weights": [1, 2]})
    (frame,) = driver.frames
    assert (frame.waiting, frame.last_step) == (True, 2)
    assert frame.checkpoint is not None
    again = make(checkpoint=Checkpoint(frame.checkpoint, 2, 8.0), attempt=2)
    assert again.get_checkpoint() == {"weights": [1, 2]}


def test_a_bad_report_counts_for_nothing(make, driver):
    session = make()
    for bad in ({}, {"loss": "low"}, {"los": 1.0}):
        with pytest.raises((ValueError, TypeError)):
            session.report(bad)
    session.report({"loss": 1.0})
    session.flush()
    assert [frame.first_step for frame in driver.frames] == [1]


@pytest.fixture
def saved(make, driver) -> Checkpoint:
    driver.answers = [Extend(4, 1, ())]
    make().report({"loss": 1.0}, checkpoint={"epoch": 5})
    path = driver.frames.pop().checkpoint
    assert path is not None
    return Checkpoint(path, 5, 60.0)


def test_steps_and_time_resume_from_the_checkpoint_if_it_was_loaded_before_the_first_report(make, driver, clock, saved):
    session = make(checkpoint=saved, attempt=2)
    assert session.get_checkpoint() == {"epoch": 5}
    assert session.get_checkpoint() == {"epoch": 5}, "as often as you like"
    clock.now += 1
    session.report({"loss": 1.0})
    assert (driver.frames[-1].first_step, driver.frames[-1].time_s) == (6, (61.0,))


def test_steps_start_at_one_if_the_checkpoint_is_not_loaded(make, driver, clock, saved):
    session = make(checkpoint=saved, attempt=2)
    clock.now += 1
    session.report({"loss": 1.0})
    assert (driver.frames[-1].first_step, driver.frames[-1].time_s) == (1, (1.0,))
    session.get_checkpoint()
    clock.now += 1
    session.report({"loss": 1.0})
    assert driver.frames[-1].first_step == 2, "it is too late to count otherwise"


def test_a_fresh_start_has_no_checkpoint(make):
    assert make().get_checkpoint() is None


# For user code --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [lambda: reporting.report(loss=1), reporting.get_checkpoint, reporting.context])
def test_outside_a_trial_the_error_says_so(call):
    with pytest.raises(RuntimeError, match=r"\(\) works only inside a trial: in an objective that an Engine runs"):
        call()


def test_inside_a_trial_report_speaks_for_its_session(make, driver):
    session = make()
    with serving(session):
        reporting.report(loss=0.5)
        reporting.report({"loss": 0.25}, lr=0.1)
        assert reporting.get_checkpoint() is None
    session.flush()
    assert driver.frames[0].columns == {"loss": [0.5, 0.25], "lr": [None, 0.1]}


def test_the_context_says_who_and_where_a_trial_is(make, tmp_path):
    with serving(make(attempt=2)):
        here = reporting.context()
    assert (here.trial_id, here.attempt, here.config, here.resources, here.seed) == (4, 2, {"x": 1}, {"cpu": 1.0}, 42)
    assert here.directory == tmp_path
    assert here.directory.is_dir()


def test_what_report_returns_can_be_awaited(make):
    async def objective() -> None:
        await reporting.report(loss=1.0)

    with serving(make()), pytest.raises(StopIteration):
        objective().send(None)


def test_the_tail_is_not_flushed_while_another_thread_sends(make, driver, clock):
    """The loop, which flushes tails, must not wait for a thread that waits for the loop."""
    running, gate, sending, send = make(), threading.Event(), threading.Event(), driver.send

    def slow(frame: Reported) -> None:
        sending.set()
        assert gate.wait(60)
        send(frame)

    driver.send = slow
    clock.now += 1
    thread = threading.Thread(target=running.report, args=({"loss": 1.0},))
    thread.start()
    assert sending.wait(60)
    running._times.append(0.5)  # another report has come meanwhile
    clock.now += 1
    running.flush_tail()
    gate.set()
    thread.join(60)
    assert len(driver.frames) == 1
