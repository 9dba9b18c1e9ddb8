"""Watchers begin again when they fail; displays are called one at a time, and nobody waits for them but the end."""

import asyncio
import io
import threading
import time

import pytest

from trialwright import Engine, Local, Random, space
from trialwright.engine import watchers
from trialwright.engine.watchers import Display, Watchers
from trialwright.progress import Snapshot
from trialwright.progress.lines import LineProgress
from trialwright.progress.live import LiveProgress

DEADLINE_S = 30.0


def names(snapshots):
    return [snapshot.name for snapshot in snapshots]


class Shown:
    """A display that stands in ``update`` until it is let go."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.entered, self.gate, self.error = threading.Event(), threading.Event(), error
        self.shown: list[Snapshot] = []
        self.threads: set[str] = set()

    def update(self, snapshot):
        self.threads.add(threading.current_thread().name)
        self.shown.append(snapshot)
        self.entered.set()
        assert self.gate.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error

    def close(self, snapshot):
        self.threads.add(threading.current_thread().name)
        self.shown.append(snapshot)


def test_a_long_wait_gives_a_warning(monkeypatch):
    monkeypatch.setattr(watchers, "WAIT_S", 0.0)
    said, looks = [], ["room", "room", "a machine", "", "a machine", ""]
    with pytest.raises(IndexError):
        asyncio.run(watchers.tell_what_is_waited_for(looks.pop, said.append))
    assert said == ["room"]


def test_a_searcher_that_takes_most_of_the_slots_time_for_long_gives_a_warning(monkeypatch):
    monkeypatch.setattr(watchers, "WAIT_S", 0.0)
    waited, said = [0.0, 0.1, 3.1, 3.2, 6.2, 9.2], []
    looks = [watchers.Spent(float(now), each, 1) for now, each in enumerate(waited)]
    asyncio.run(watchers.tell_of_a_slow_searcher(iter(looks).__next__, said.append))
    assert len(said) == 1
    assert said[0].startswith("the searcher takes 75% of the slots' time: with trials this short, searcher='tpe'")


def test_a_watcher_that_fails_is_warned_of_and_begins_again(monkeypatch):
    monkeypatch.setattr(watchers, "AGAIN_S", 0.0)
    warnings = []

    async def drive():
        begun, again = [], asyncio.Event()

        async def watch():
            begun.append(1)
            if len(begun) < 3:
                raise KeyError("a bug")
            again.set()
            await asyncio.Event().wait()

        watching = Watchers(warnings.append)
        watching.begin("the meter", watch)
        await asyncio.wait_for(again.wait(), DEADLINE_S)
        await watching.close()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(drive()) == set()
    assert warnings == ["the meter failed, and is started again: KeyError: 'a bug'"] * 2


def test_one_update_is_shown_at_a_time_and_the_last_state_after_it():
    warnings, shown = [], Shown()

    async def drive():
        display = Display(shown, warnings.append)
        for number in range(3):
            display.update(Snapshot(f"number {number}"))
            assert shown.entered.wait(DEADLINE_S)
        threading.Timer(0.05, shown.gate.set).start()
        await display.close(Snapshot("the end"))

    asyncio.run(drive())
    assert names(shown.shown) == ["number 0", "the end"]
    assert shown.threads == {"trialwright-display"}
    assert warnings == []


def test_updates_continue_once_one_is_done():
    shown, seen = Shown(), threading.Event()
    shown.gate.set()

    async def drive():
        display = Display(shown, [].append)
        display.update(Snapshot("first"))
        while len(shown.shown) < 2:
            await asyncio.sleep(0.001)
            display.update(Snapshot("second"))
        seen.set()
        await display.close(Snapshot("the end"))

    asyncio.run(asyncio.wait_for(drive(), DEADLINE_S))
    assert names(shown.shown)[:2] == ["first", "second"]


@pytest.mark.parametrize("error", [RuntimeError("display broke"), SystemExit(3), KeyboardInterrupt()])
def test_one_whose_update_raises_is_updated_no_more_and_closed_all_the_same(error):
    warnings, shown = [], Shown(error)
    shown.gate.set()

    async def drive():
        display = Display(shown, warnings.append)
        display.update(Snapshot("first"))
        display._shown.exception(DEADLINE_S)
        display.update(Snapshot("second"))
        await display.close(Snapshot("the end"))

    asyncio.run(drive())
    assert names(shown.shown) == ["first", "the end"]
    [text] = warnings
    assert text.startswith(f"the display failed, and was not updated after that: {type(error).__name__}")


@pytest.mark.parametrize("error", [RuntimeError("display broke"), SystemExit(3), KeyboardInterrupt()])
def test_one_whose_close_raises_is_warned_of(error):
    class Raising(Shown):
        def close(self, snapshot):
            raise error

    warnings = []
    asyncio.run(Display(Raising(), warnings.append).close(Snapshot("the end")))
    assert len(warnings) == 1
    assert warnings[0].startswith(f"the display failed at the end: {type(error).__name__}")


class Blocked(io.StringIO):
    """A terminal that takes nothing, as after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.released = threading.Event(), threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        assert self.released.wait(DEADLINE_S)
        return len(text)


@pytest.mark.parametrize("make", [LiveProgress, lambda stream: LineProgress(stream, period_s=0.0)])
def test_a_terminal_that_takes_nothing_is_left_behind(make, monkeypatch):
    monkeypatch.setattr(watchers, "CLOSE_S", 0.05)
    warnings, stream = [], Blocked()

    async def drive():
        display = Display(make(stream), warnings.append)
        display.update(Snapshot("first"))
        assert stream.written.wait(DEADLINE_S)
        display.update(Snapshot("second"))
        await display.close(Snapshot("the end"))

    asyncio.run(drive())
    stream.released.set()
    assert warnings == ["the display did not return within 0.05 s at the end of the run: it is abandoned"]


class Slow(Random):
    """A searcher that is waited for."""

    learns = True

    def suggest(self, history, requests, rng):
        time.sleep(0.05)
        return super().suggest(history, requests, rng)


def test_a_searcher_that_keeps_slots_idle_is_warned_of_in_the_log_and_in_the_result(monkeypatch, caplog):
    monkeypatch.setattr(watchers, "WAIT_S", 0.2)
    told = {"executor": Local(cpus=1), "storage": None, "verbose": 0, "metric": "loss", "num_samples": 30, "seed": 0}
    result = Engine(lambda config: 0.0, {"x": space.uniform(0, 1)}, searcher=Slow(), **told).run()
    [warning] = [text for text in result.warnings if "the searcher takes" in text]
    assert warning in caplog.messages
