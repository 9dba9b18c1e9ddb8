"""What every executor must keep. To test another one, subclass ``ExecutorContract`` and give it an open ``Driver``."""

import asyncio
import copy
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import uvloop

from trialwright import reporting
from trialwright.executors.base import Run
from trialwright.messages import (
    EVERY_REPORT,
    Ask,
    Boundary,
    Cancel,
    CapacityChanged,
    Checkpoint,
    Discard,
    Enqueued,
    Event,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Node,
    Placement,
    Reported,
    Request,
    Returned,
    Started,
    Suggested,
    Suggestion,
    Ticked,
    Until,
    at_step,
)
from trialwright.storage import checkpoints

DEADLINE_S = 60.0
ENDINGS = (Finished, Failed, Halted, Lost)


# Objectives: they run in the workers ---------------------------------------------------------------------------------


def report_thrice(config):
    for loss in (3.0, 2.0, 1.0):
        reporting.report(loss=loss)


def report_many(config):
    for number in range(config["count"]):
        reporting.report(number=number)


def raise_deep(config):
    def inner():
        raise ValueError("the learning rate is cursed")

    inner()


def generate(config):
    for loss in (2.0, 1.0):
        yield {"loss": loss}


def report_and_return_it(config):
    return reporting.report(loss=1.0)


def yield_what_report_returns(config):
    for loss in (2.0, 1.0):
        yield reporting.report(loss=loss)


async def coroutine(config):
    for loss in (2.0, 1.0):
        await reporting.report(loss=loss)
        await asyncio.sleep(0.001)


def with_checkpoint(config):
    state = reporting.get_checkpoint() or {"done": 0}
    for step in range(state["done"], config["steps"]):
        reporting.report(checkpoint={"done": step + 1}, loss=float(step))


def ruin(config):
    config["model"]["depth"] = object()
    config.clear()
    reporting.report(left=len(config))


OBJECTIVES = {
    function.__name__: function
    for function in (
        report_thrice,
        report_many,
        report_and_return_it,
        yield_what_report_returns,
        raise_deep,
        generate,
        coroutine,
        with_checkpoint,
        ruin,
    )
}


def objective(config):
    return OBJECTIVES[config["do"]](config)


class PlainSpace:
    """As much of a space as an executor needs: what it returns is the trial's own."""

    def resolve(self, config):
        if config.get("unresolvable"):
            raise LookupError("no such configuration")
        return {**copy.deepcopy(config), "resolved": True}


# The driver ----------------------------------------------------------------------------------------------------------


class Driver:
    """As much of an engine as an executor needs."""

    def __init__(self, executor, directory: Path, objective=objective) -> None:
        self.executor, self.directory, self.objective = executor, directory, objective
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.trials = 0
        self.nodes: tuple[Node, ...] = ()
        self.backlog: list[Event] = []

    def open(self) -> None:
        run = Run(self.objective, PlainSpace(), self.suggest, (), self.directory)  # type: ignore[arg-type]
        self.runner.run(self.executor.open(run))
        first = self.take()[0]
        assert isinstance(first, CapacityChanged)
        self.nodes = first.nodes

    def close(self) -> None:
        self.runner.run(self.executor.close())

    def suggest(self, ask: Ask) -> Suggested:
        return Suggested(ask.ask, tuple(Suggestion({"x": request.trial}) for request in ask.requests))

    def do(self, command) -> None:
        async def inside() -> None:
            self.executor.do(command)

        self.runner.run(inside())

    def take(self, seconds: float = DEADLINE_S) -> list[Event]:
        return self.runner.run(self.executor.events(self.executor.now() + seconds))

    def launch(
        self,
        what: Callable | str,
        *,
        until: Until = (),
        checkpoint: Checkpoint | None = None,
        gpus: tuple[int, ...] = (),
        cpus: float = 1,
        gpu: float = 0,
        attempt: int = 1,
        after: tuple[int, int] | None = None,
        **config,
    ) -> int:
        self.trials += 1
        units = {"cpu": int(cpus * 10_000)} | ({"gpu": int(gpu * 10_000)} if gpu else {})
        placement = Placement(self.nodes[0].name, units, gpus)
        name = what if isinstance(what, str) else what.__name__
        config = {"do": name, **config}
        self.launched = Launch(self.trials, attempt, config, (placement,), until, 7, checkpoint, after)
        self.do(self.launched)
        return self.trials

    def wait_for(self, trial: int, kind: type | None = None) -> list[Event]:
        """All that happens to a trial until it ends, or until something of this kind happens to it."""
        found: list[Event] = []
        began = time.monotonic()
        while time.monotonic() < began + DEADLINE_S:
            waiting, self.backlog = self.backlog, []
            for place, event in enumerate(waiting):
                if getattr(event, "trial", 0) != trial:
                    self.backlog.append(event)
                    continue
                found.append(event)
                if isinstance(event, (kind or Lost, *ENDINGS)):
                    self.backlog += waiting[place + 1 :]
                    return found
            self.backlog += self.take()
        raise TimeoutError(f"trial {trial}: {found}")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Let the executor go about its work until this has come true."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + DEADLINE_S
            self.runner.run(asyncio.sleep(0.05))

    def run(self, what, **arguments) -> list[Event]:
        return self.wait_for(self.launch(what, **arguments))

    def result(self, what, **arguments) -> dict:
        """The one report of a trial that has to finish."""
        events = self.run(what, **arguments)
        assert isinstance(events[-1], Finished), events
        return next(event for event in events if isinstance(event, Reported)).row(0)


def losses(events: list[Event]) -> list:
    frames = [event for event in events if isinstance(event, Reported)]
    return [value for frame in frames for value in frame.columns["loss"]]


class ExecutorContract:
    """Subclass it, with a fixture ``driver`` that gives an open ``Driver`` whose executor has two CPUs."""

    def test_reports_stream_in_order_and_are_not_waited_for(self, driver):
        events = driver.run(report_thrice)
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Finished)
        assert losses(events) == [3.0, 2.0, 1.0]
        assert not any(event.waiting for event in events if isinstance(event, Reported))

    def test_a_boundary_makes_the_trial_wait_until_it_is_extended(self, driver):
        trial = driver.launch(report_thrice, until=at_step(2))
        events = driver.wait_for(trial, Reported)
        while not events[-1].waiting:
            events += driver.wait_for(trial, Reported)
        assert losses(events) == [3.0, 2.0]
        driver.do(Extend(trial, 1, ()))
        assert losses(driver.wait_for(trial)) == [1.0]

    def test_a_boundary_on_a_metric_counts(self, driver):
        trial = driver.launch(report_thrice, until=(Boundary("loss", "<=", 3.0),))
        assert driver.wait_for(trial, Reported)[-1].waiting
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)

    def test_halt_answers_a_waiting_report(self, driver):
        trial = driver.launch(report_thrice, until=EVERY_REPORT)
        driver.wait_for(trial, Reported)
        driver.do(Halt(trial, 1))
        (event,) = driver.wait_for(trial)
        assert event == Halted(trial, 1)

    def test_halt_takes_effect_at_the_next_report(self, driver):
        trial = driver.launch(report_many, count=10**9)
        driver.wait_for(trial, Reported)
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)

    def test_a_failure_keeps_its_story(self, driver):
        (_, failed) = driver.run(raise_deep)
        assert failed.error == "ValueError: the learning rate is cursed"
        assert "in inner" in failed.traceback
        assert "perform" not in failed.traceback

    def test_the_objective_may_do_anything_to_its_config(self, driver):
        assert driver.result(ruin, model={"x": [1]}) == {"step": 1, "time_s": ANY, "left": 0}
        assert driver.launched.config == {"do": "ruin", "model": {"x": [1]}}

    def test_a_generator_reports_what_it_yields(self, driver):
        assert losses(driver.run(generate)) == [2.0, 1.0]

    def test_what_report_returns_is_no_result(self, driver):
        for what, reported in ((report_and_return_it, [1.0]), (yield_what_report_returns, [2.0, 1.0])):
            events = driver.run(what)
            assert isinstance(events[-1], Finished), events[-1]
            assert losses(events) == reported

    def test_an_async_objective_runs(self, driver):
        assert losses(driver.run(coroutine)) == [2.0, 1.0]

    def test_ten_thousand_reports_arrive_in_order(self, driver):
        frames = [event for event in driver.run(report_many, count=10_000) if isinstance(event, Reported)]
        assert [value for frame in frames for value in frame.columns["number"]] == list(range(10_000))
        assert [step for frame in frames for step in range(frame.first_step, frame.last_step + 1)] == list(
            range(1, 10_001)
        )

    def test_a_checkpoint_is_given_back_and_steps_resume_from_it(self, driver):
        trial = driver.launch(with_checkpoint, steps=2)
        saved = driver.wait_for(trial, Reported)[-1]
        assert saved.waiting
        driver.do(Halt(trial, 1))
        driver.wait_for(trial)
        later = driver.launch(with_checkpoint, steps=2, checkpoint=Checkpoint(saved.checkpoint, 1, 5.0))
        frame = driver.wait_for(later, Reported)[-1]
        assert (frame.first_step, frame.columns["loss"]) == (2, [1.0])
        assert frame.time_s[0] >= 5.0
        driver.do(Extend(later, 1, ()))
        driver.wait_for(later)

    def test_a_checkpoint_can_be_discarded_and_nothing_outside_the_run(self, driver, tmp_path):
        inside = driver.directory / "trials" / "x" / "checkpoints" / "1"
        checkpoints.save({"weights": 1}, inside)
        driver.do(Discard(str(tmp_path)))
        driver.do(Discard(str(inside)))
        driver.wait_until(lambda: not inside.exists())
        assert tmp_path.exists()

    def test_the_searcher_is_asked(self, driver):
        driver.do(Ask(1, (Request(5),), 0))
        while not driver.backlog:
            driver.backlog += driver.take()
        assert driver.backlog.pop() == Suggested(1, (Suggestion({"x": 5}),))

    def test_silence_until_the_deadline_is_a_tick(self, driver):
        assert driver.take(seconds=0.05) == [Ticked()]

    def test_an_event_from_elsewhere_comes_with_the_next_ones(self, driver):
        async def tell() -> None:
            driver.executor.tell(Enqueued({"x": 1.0}))

        driver.runner.run(tell())
        while not driver.backlog:
            driver.backlog += driver.take()
        assert driver.backlog.pop() == Enqueued({"x": 1.0})


class AheadContract:
    """The same, for executors with ``ahead``: trials wait in a slot, and follow each other there."""

    def test_trials_that_wait_in_a_slot_begin_once_the_one_before_has_ended(self, driver):
        first = driver.launch(report_thrice, until=at_step(2))
        second, third = [driver.launch(report_thrice, after=(first, 1)) for _ in range(2)]
        driver.wait_for(first, Reported)
        driver.do(Extend(first, 1, ()))
        told = self._all_until(driver, third)
        assert not [event for event in told if isinstance(event, Started) and event.trial != first]
        ended = [event.trial for event in told if isinstance(event, Finished)]
        assert ended == [first, second, third][: len(ended)]  # all, unless some were handed back on a slow machine
        assert {second, third} <= {event.trial for event in told if isinstance(event, (Returned, Finished))}

    def test_a_trial_that_comes_after_all_others_of_its_slot_have_ended_begins_at_once(self, driver):
        first = driver.launch(report_thrice)
        driver.wait_for(first)
        assert isinstance(driver.run(report_thrice, after=(first, 1))[-1], Finished)

    def test_of_a_trial_that_is_cancelled_while_it_waits_nothing_is_heard(self, driver):
        first = driver.launch(report_thrice, until=at_step(2))
        cancelled = driver.launch(report_thrice, after=(first, 1))
        driver.do(Cancel(cancelled))
        last = driver.launch(report_thrice, after=(first, 1))
        driver.wait_for(first, Reported)
        driver.do(Extend(first, 1, ()))
        assert cancelled not in {event.trial for event in self._all_until(driver, last)}

    def test_a_trial_whose_config_cannot_be_resolved_fails_and_those_behind_it_run(self, driver):
        assert "no such configuration" in driver.run(report_thrice, unresolvable=True)[-1].error
        first = driver.launch(report_thrice)
        failed = driver.launch(report_thrice, after=(first, 1), unresolvable=True)
        last = driver.launch(report_thrice, after=(first, 1))
        events = self._all_until(driver, last)
        assert ["no such configuration" in e.error for e in events if isinstance(e, Failed)] == [True]
        assert [e.trial for e in events if isinstance(e, Failed)] == [failed]

    def test_a_halt_ends_the_one_that_runs_and_not_those_that_wait(self, driver):
        first = driver.launch(report_thrice, until=at_step(2))
        second = driver.launch(report_thrice, after=(first, 1))
        driver.do(Halt(first, 1))
        events = self._all_until(driver, second)
        assert [event for event in events if isinstance(event, Halted)] == [Halted(first, 1)]
        assert Finished(second, 1) in events

    def test_what_waits_behind_a_trial_that_takes_long_is_handed_back(self, driver):
        first = driver.launch(report_thrice, until=at_step(2))
        for trial in [driver.launch(report_thrice, after=(first, 1)) for _ in range(2)]:
            assert driver.wait_for(trial, Returned) == [Returned(trial, 1)]
        driver.wait_for(first, Reported)
        driver.do(Extend(first, 1, ()))
        driver.wait_for(first)

    @staticmethod
    def _all_until(driver, trial):
        """All that happens to trials until this one has ended, or was handed back."""
        events = driver.backlog
        while not any(isinstance(event, (Returned, *ENDINGS)) and event.trial == trial for event in events):
            events += [event for event in driver.take() if hasattr(event, "trial")]
        driver.backlog = []
        return events
