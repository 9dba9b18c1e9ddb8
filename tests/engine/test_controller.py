"""The controller's turn: decisions are journalled with their event, and what cannot be taken back waits for that."""

import asyncio
from concurrent.futures import Future
from contextlib import suppress

import pytest

from tests.core.driving import Script
from trialwright.callbacks import Callback, CallbackRunner
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.engine import controller as module
from trialwright.engine.additions import Additions
from trialwright.engine.controller import Controller, Leftover
from trialwright.engine.hooks import Hooks
from trialwright.engine.inbox_reader import InboxReader
from trialwright.engine.statistics import Meter
from trialwright.errors import PolicyError
from trialwright.executors.base import Run
from trialwright.messages import (
    Ask,
    CapacityChanged,
    Discard,
    Extend,
    Halt,
    Launch,
    New,
    Node,
    Pause,
    Reported,
    Started,
    Stop,
    StopRequested,
    Suggested,
    Suggestion,
    Ticked,
    Wait,
)
from trialwright.progress import NoProgress
from trialwright.space import Space, uniform
from trialwright.stopping import stop_rule
from trialwright.storage.memory import MemoryStore


class SlowDisk(MemoryStore):
    """Keeps turns at once, and says that they are committed when a test says so."""

    is_watched = True

    def __init__(self):
        super().__init__({})
        self.turns, self.waiting = [], []

    def append(self, turn):
        super().append(turn)
        self.turns.append(turn)
        self.waiting.append(Future())
        return self.waiting[-1]

    def commit(self):
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            future.set_result(None)


class Told:
    """An executor of which a test tells what happens, batch by batch, and that writes down what it is told to do."""

    def __init__(self, *batches):
        self.batches = asyncio.Queue()
        self.done, self.taken = [], 0
        self.happen([CapacityChanged((Node("n", {"cpu": 1}),))], *batches)

    def happen(self, *batches):
        for batch in batches:
            self.batches.put_nowait(batch)

    def now(self):
        return float(self.taken)

    async def open(self, run): ...

    def do(self, command):
        self.done.append(command)

    async def events(self, until):
        batch = await self.batches.get()
        self.taken += 1
        return batch

    async def close(self): ...

    def did(self, kind):
        return [command for command in self.done if isinstance(command, kind)]


def report(step, *, checkpoint=None, trial=0, attempt=1):
    return Reported(trial, attempt, step, (float(step),), {"loss": [1 / step]}, waiting=True, checkpoint=checkpoint)


BEGIN = [[Suggested(1, (Suggestion({"x": 0.5}),))], [Started(0, 1)]]


def a_controller(executor, scheduler, store, callbacks=(), **plan):
    experiment = Experiment(Plan(("loss",), ("min",), **plan), scheduler, stop_rule(None))
    run = Run(None, Space({"x": uniform(0, 1)}), lambda ask: Suggested(ask.ask, ()))
    hooks = Hooks(CallbackRunner(callbacks, experiment.warn), run, experiment.warn)
    inbox = InboxReader(run, lambda config: None, experiment.warn, 0)
    return Controller(experiment, executor, store, run, Meter(), NoProgress(), hooks, "test", inbox, Additions())


async def until(condition, patience=2000):
    for count in range(patience):
        if condition():
            return
        await asyncio.sleep(0 if count < 200 else 0.01)  # what runs in threads takes real time
    raise AssertionError("it did not come to that")


def drive(scheduler, *batches, then, **plan):
    """Drive a run over these events on a disk that does not answer, and look at it."""

    async def run():
        executor, store = Told(*BEGIN, *batches), SlowDisk()
        task = asyncio.create_task(a_controller(executor, scheduler, store, **plan).drive(Leftover()))
        await until(lambda: len(store.turns) > len(BEGIN) + len(batches) or task.done())
        await then(executor, store)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def waits_for_its_commit(scheduler, *batches, kind, **plan):
    """What the last event of these causes is held until the turn is committed, and then done."""

    async def then(executor, store):
        assert executor.did(kind) == [], "it must wait"
        store.commit()
        await until(lambda: executor.did(kind))

    drive(scheduler, *batches, then=then, **plan)


def leaves_at_once(scheduler, *batches, kind, **plan):
    async def then(executor, store):
        assert store.waiting, "nothing is committed"
        assert executor.did(kind)

    drive(scheduler, *batches, then=then, **plan)


def test_an_extend_that_acknowledges_a_checkpoint_waits_for_its_commit():
    waits_for_its_commit(Script(), [report(1, checkpoint="one")], kind=Extend)


def test_a_halt_that_pauses_waits_for_its_commit():
    script = Script(verdicts={(0, 1): Pause()}, choices=[New(), New(), Wait()])
    waits_for_its_commit(script, [report(1, checkpoint="one")], kind=Halt)


def test_a_discard_waits_for_its_commit():
    async def then(executor, store):
        await until(lambda: executor.did(Extend) or store.commit())
        executor.happen([report(2, checkpoint="two")])
        await until(lambda: store.turns[-1].events == [report(2, checkpoint="two")])
        assert executor.did(Discard) == [], "it must wait"
        await until(lambda: executor.did(Discard) or store.commit())

    drive(Script(), [report(1, checkpoint="one")], then=then, keep_checkpoints=1)


def test_an_extend_without_a_checkpoint_is_sent_at_once():
    leaves_at_once(Script(), [report(1)], kind=Extend)


def test_a_halt_that_ends_its_trial_is_sent_at_once():
    leaves_at_once(Script(verdicts={(0, 1): Stop("enough")}), [report(1, checkpoint="one")], kind=Halt)


def test_a_halt_does_not_overtake_an_answer_to_the_same_trial_that_waits():
    async def then(executor, store):
        assert executor.did(Halt) == []
        store.commit()
        await until(lambda: executor.did(Halt))
        assert [type(command) for command in executor.done if not isinstance(command, Ask | Launch)] == [Extend, Halt]

    drive(Script(), [report(1, checkpoint="one")], [StopRequested(0)], then=then)


def test_the_loop_waits_for_a_disk_that_is_far_behind(monkeypatch):
    monkeypatch.setattr(module, "UNCOMMITTED_MAX", 4)

    async def then(executor, store):
        before = executor.taken
        executor.happen(*[[Ticked()]] * 50)
        for _ in range(500):
            await asyncio.sleep(0)
        assert executor.taken - before < 10, "no more turns than may be under way"
        await until(lambda: executor.batches.empty() or store.commit(), 5000)

    drive(Script(), then=then)


def test_the_loop_waits_for_a_disk_that_is_far_behind_in_bytes(monkeypatch):
    monkeypatch.setattr(module, "UNCOMMITTED_BYTES_MAX", 4_000)

    async def then(executor, store):
        before = executor.taken
        frames = [Reported(0, 1, step, (float(step),), {"loss": [1.0], "note": ["x" * 1_000]}) for step in range(1, 31)]
        executor.happen(*([frame] for frame in frames))
        for _ in range(500):
            await asyncio.sleep(0)
        assert executor.taken - before < 10, "no more than may be under way"
        await until(lambda: executor.batches.empty() or store.commit(), 5000)

    drive(Script(), then=then)


def test_an_event_is_journalled_with_all_that_was_decided_on_it():
    async def then(executor, store):
        kinds = {type(turn.events[0]): [type(one).__name__ for one in turn.decisions[0]] for turn in store.turns}
        assert kinds[CapacityChanged] == ["New", "Asked"]
        assert kinds[Suggested] == ["New", "Start", "Granted"]
        assert kinds[Reported] == ["Continue"]

    drive(Script(), [report(1)], then=then)


class Broken(Script):
    def on_report(self, trial, report):
        raise ZeroDivisionError("a scheduler of the user's")


def test_if_handling_an_event_fails_it_and_those_after_it_are_kept_without_decisions():
    async def run():
        batch = [Ticked(), report(1), Ticked()]
        executor, store = Told(*BEGIN, batch), SlowDisk()
        task = asyncio.create_task(a_controller(executor, Broken(), store).drive(Leftover()))
        with pytest.raises(PolicyError, match="a scheduler of the user's"):
            await asyncio.wait_for(task, 20)
        assert store.turns[-1].events == batch
        assert store.turns[-1].decisions == [(), None, None]

    asyncio.run(run())


class Listener(Callback):
    def __init__(self):
        self.heard = []

    def on_trial_result(self, trial, result, **_):
        self.heard.append(result["step"])


def test_callbacks_are_called_once_the_turn_is_committed():
    listener = Listener()

    async def then(executor, store):
        assert listener.heard == []
        store.commit()
        for _ in range(1000):
            if listener.heard:
                break
            await asyncio.sleep(0.01)
        assert listener.heard == [1]

    drive(Script(), [report(1)], then=then, callbacks=[listener])
