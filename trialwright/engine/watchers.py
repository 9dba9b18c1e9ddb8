"""What watches a run and decides nothing: the meter of its time, tasks that warn of trouble, and the display."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import NamedTuple

from trialwright.core.experiment import Experiment
from trialwright.errors import said
from trialwright.executors.base import Deputy
from trialwright.messages import Launch, Started
from trialwright.progress import Progress, Snapshot, Statistics

LAG_PERIOD_S = 0.05
LAGS_KEPT = 10_000
WAIT_S = 4.0  # after so long without progress, a run says why
SLOW_SHARE, SLOW_LOOKS = 0.5, 2  # a searcher that takes this share of the time, so many times in a row, is slow
AGAIN_S = 1.0  # how long a watcher that failed rests
CLOSE_S = 10.0  # how long the end of a run waits for its display


class Meter:
    """Counts what a summary needs. Wall-clock time stays in here: no decision depends on it."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.handle_s = 0.0
        self.searcher_s = 0.0
        self._open_s, self._open_hint = 0.0, ""
        self._queue_max = 0
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)
        self._lag_max = 0.0
        self._launched: dict[tuple[int, int], float] = {}
        self._launch_s, self._launches = 0.0, 0

    async def watch(self) -> None:
        """Measure how late the loop is, until cancelled."""
        while True:
            due = time.perf_counter() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            lag = max(time.perf_counter() - due, 0.0)  # a coarse timer may wake it early
            self._lags.append(lag)
            self._lag_max = max(self._lag_max, lag)

    def opened(self, open_s: float, hint: str) -> None:
        """Note how long it took until trials could run, and a hint on how to start sooner."""
        self._open_s, self._open_hint = open_s, hint

    def turn(self, events: int, handle_s: float) -> None:
        """Note a turn of the loop."""
        self.handle_s += handle_s
        self._queue_max = max(self._queue_max, events)

    def launched(self, launch: Launch, now: float) -> None:
        """Note a launch."""
        self._launched[launch.trial, launch.attempt] = now

    def started(self, event: Started, now: float) -> None:
        """Note a start: how long the launch took."""
        # A trial that was sent ahead has no launch here: what it took is not known, and counts as nothing.
        self._launch_s += now - self._launched.pop((event.trial, event.attempt), now)
        self._launches += 1

    def statistics(self, experiment: Experiment, commits: int, commit_s: float, commit_max_s: float) -> Statistics:
        """Return the sums."""
        lags = sorted(self._lags)
        return Statistics(
            wall_s=time.perf_counter() - self.began,
            handle_s=self.handle_s,
            loop_lag_p99_s=lags[len(lags) * 99 // 100] if lags else 0.0,
            loop_lag_max_s=self._lag_max,
            queue_max=self._queue_max,
            commits=commits,
            commit_s=commit_s,
            commit_max_s=commit_max_s,
            searcher_s=self.searcher_s,
            launch_mean_s=self._launch_s / max(self._launches, 1),
            idle_s=dict(experiment.idle_s),
            open_s=self._open_s,
            open_hint=self._open_hint,
        )


class Watchers:
    """Tasks that run until the run ends. One that raises gives a warning, and is started again.

    Args:
        warn: called with a sentence on each failure.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, what: str, watch: Callable[[], Awaitable[None]]) -> None:
        """Begin one; ``what`` names it in a warning."""
        self._tasks.append(asyncio.create_task(self._keep(what, watch)))

    async def close(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, what: str, watch: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await watch()
            except Exception as error:  # a bug of ours, or trouble that may pass: the run needs no watcher to go on
                self._warn(f"{what} failed, and is started again: {said(error)}")
            await asyncio.sleep(AGAIN_S)


async def tell_what_is_waited_for(waits_for: Callable[[], str], warn: Callable[[str], None]) -> None:
    """Warn of what a run waits for when it makes no progress: else it would seem to hang."""
    before = ""
    while True:
        await asyncio.sleep(WAIT_S)
        now = waits_for()
        if now and now == before:  # twice the same: a wait that ends by itself needs no warning
            warn(now)
        before = now


async def tell_of_a_slow_searcher(look: Callable[[], Spent], warn: Callable[[str], None]) -> None:
    """Warn, once, that slots are idle most of the time because the searcher has not answered."""
    before, slow = look(), 0
    while slow < SLOW_LOOKS:
        await asyncio.sleep(WAIT_S)
        now = look()
        share = now.share_since(before)
        slow, before = (slow + 1 if share > SLOW_SHARE else 0), now
    warn(
        f"the searcher takes {share:.0%} of the slots' time: with trials this short, searcher='tpe' or 'random' "
        "completes more of them"
    )


class Spent(NamedTuple):
    """How the time of a run's slots was spent so far."""

    now_s: float
    waited_s: float  # slot-seconds without work, because the searcher had not answered
    running: int  # trials that run at this moment

    def share_since(self, before: Spent) -> float:
        """Return the share of the slots' time since then that was spent waiting for the searcher."""
        waiting = (self.waited_s - before.waited_s) / max(self.now_s - before.now_s, 1e-9)
        return waiting / (waiting + self.running) if waiting else 0.0  # with no slot at all, nothing is lost


class Display:
    """Shows a run by calling the ``update`` and ``close`` of a ``Progress`` in a thread, one call at a time.

    Snapshots that come while one is being shown are skipped. If ``update`` raises, there is a warning, and it is not
    called again; ``close`` is, because it restores the terminal.

    Args:
        progress: what shows the run.
        warn: called with a sentence on each failure.
    """

    def __init__(self, progress: Progress, warn: Callable[[str], None]) -> None:
        self._progress, self._warn = progress, warn
        self._deputy: Deputy | None = None  # made for the first call: most short runs show nothing before their end
        self._shown: Future[None] | None = None

    def update(self, snapshot: Snapshot) -> None:
        """Have this shown. Never blocks and never raises."""
        # After an error it is not called again: ``close`` tells of it.
        if self._shown is None or (self._shown.done() and self._shown.exception() is None):
            self._shown = self._thread().tell(self._progress.update, snapshot)

    async def close(self, snapshot: Snapshot) -> None:
        """Have this shown as the last, after what is being shown now, and wait for that for up to ``CLOSE_S``."""
        closed = self._thread().call(self._progress.close, snapshot)
        try:
            await asyncio.wait([closed], timeout=CLOSE_S)
        finally:
            self._thread().close()
        if self._shown is not None and self._shown.done() and (error := self._shown.exception()) is not None:
            self._warn(f"the display failed, and was not updated after that: {said(error)}")
        if closed.done():
            if (error := closed.exception()) is not None:
                self._warn(f"the display failed at the end: {said(error)}")
        else:
            closed.cancel()
            self._warn(f"the display did not return within {CLOSE_S:g} s at the end of the run: it is abandoned")

    def _thread(self) -> Deputy:
        self._deputy = self._deputy or Deputy("trialwright-display")
        return self._deputy
