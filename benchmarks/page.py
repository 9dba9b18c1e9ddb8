"""How fast the live page is, in a real Chromium: ``python -m benchmarks.page``.

First paint is from the start of the navigation until the head of the page, with the best value, is on the screen. The
server has just been started, and has read nothing of the run. "All read" is when the best value is that of all trials.
Event to pixel is from a report in a trial to the first frame that shows it, or a later one.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.performance.__main__ import machine
from trialwright import Engine, report, space
from trialwright.engine import settings
from trialwright.messages import Event, Finished, Reported, Started
from trialwright.storage.base import TrialRow, Turn
from trialwright.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RATE, SECONDS = 1_000, 20  # reports a second, and for how long
WATCH = """
window.frames_seen = [];
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const value = document.querySelector("[data-best]")?.dataset.best;
  if (value !== undefined && value !== window.last_seen) {
    window.last_seen = value;
    requestAnimationFrame(() => setTimeout(() => frames_seen.push([Number(value), Date.now() / 1000])));
  }
}).observe(document.body, { subtree: true, childList: true }));
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--trials", type=int, nargs="*", default=[100_000, 1_000_000], help="sizes of runs")
    parser.add_argument("--runs", type=Path, help="where the runs are, or are made and kept")
    given = parser.parse_args(arguments)
    print(f"Measured on {machine()}.\n\n| | figure | goal |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        home = given.runs or Path(temporary)
        for count in given.trials:
            goal = "1.5 s" if count <= 100_000 else "5 s"
            painted, read = first_paint(browser, a_run(home, count))
            print(f"| first paint, {count:,} trials | {painted:.2f} s | {goal} |", flush=True)
            print(f"| all {count:,} trials read | {read:.2f} s | |", flush=True)
        latencies = event_to_pixel(browser, Path(temporary))
        p50, p95 = np.quantile(latencies, [0.5, 0.95])
        print(f"| event to pixel at {RATE:,} reports/s, median | {1000 * p50:.0f} ms | |")
        print(f"| event to pixel at {RATE:,} reports/s, p95 | {1000 * p95:.0f} ms | 300 ms |")


# A large run ----------------------------------------------------------------------------------------------------------


def a_run(home: Path, count: int) -> Path:
    """Return a run of so many trials with two reports each, written by the journal's own store."""
    path = home / f"trials-{count}"
    if not (path / "journal.sqlite").exists():
        keywords = {"metric": "loss", "mode": "min", "num_samples": count, "searcher": "random", "name": path.name}
        store = SqliteStore.create(path, settings.write(keywords | {"space": {"lr": space.uniform(0, 1)}}))
        rng = np.random.default_rng(0)
        for trial in range(count):
            store.append(_turn(trial, float(rng.uniform()), float(rng.uniform())))
            while store.pending > 5_000:
                time.sleep(0.001)
        store.close()
    return path


def _turn(trial: int, lr: float, dropout: float) -> Turn:
    began = (trial // 8) * 1.5
    losses: list[Any] = [(lr - 0.3) ** 2 + 0.2 + 0.1 * dropout, (lr - 0.3) ** 2 + 0.1 + 0.1 * dropout]
    row = TrialRow(
        id=trial,
        state="ended",
        outcome="completed",
        reason="",
        attempt=1,
        step=2,
        config={"lr": lr, "dropout": dropout},
        tags={},
        metrics={"step": 2, "time_s": 1.5, "loss": losses[1]},
        checkpoint=None,
        error="",
        traceback="",
        started=began,
        ended=began + 1.5,
        worker=f"worker {trial % 8}",
        best=(losses[1], 2),
    )
    frame = Reported(trial, 1, 1, (0.75, 1.5), {"loss": losses})
    events: list[Event] = [Started(trial, 1, row.worker), frame, Finished(trial, 1)]
    return Turn(began + 1.5, events, [[], [], []], trials=[row], is_awaited=False)


# The browser ----------------------------------------------------------------------------------------------------------


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(run: Path) -> Iterator[str]:
    """Serve a run in a process of its own, and give the address."""
    command = [sys.executable, "-m", "trialwright.page", str(run), "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None, "a pipe"
        yield process.stdout.readline().strip()
        process.communicate()


def first_paint(browser: Browser, run: Path) -> tuple[float, float]:
    """Return the seconds until the first paint, and until all trials were read."""
    with served(run) as address:
        page = browser.new_page()
        page.set_default_timeout(300_000)
        began = time.perf_counter()
        page.goto(address)
        page.locator("[data-best]").wait_for()
        painted = _mark(page)
        page.locator("#going .note", has_not_text="reading").wait_for(state="attached")
        read = time.perf_counter() - began
        page.close()
    return painted, read


def _mark(page: Page) -> float:
    mark = "performance.getEntriesByName('painted')[0]?.startTime"
    while (milliseconds := page.evaluate(mark)) is None:
        time.sleep(0.01)
    return float(milliseconds) / 1000


def event_to_pixel(browser: Browser, home: Path) -> list[float]:
    """Return, for each report of a run, the seconds until it or a later one was on the screen."""
    made: list[float] = []
    counter, lock, end = itertools.count(), threading.Lock(), time.monotonic() + SECONDS + 20

    def objective(_: dict[str, float]) -> None:
        due = time.monotonic()
        while time.monotonic() < end:
            with lock:
                number = next(counter)
                made.append(time.time())
            report(loss=-float(number))
            due += 4 / RATE
            time.sleep(max(0.0, due - time.monotonic()))

    keywords = {"executor": "local", "storage": home, "num_samples": 4, "max_concurrent_trials": 4, "verbose": 0}
    engine = Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", name="rate", **keywords)  # type: ignore[arg-type]
    thread = threading.Thread(target=engine.run)
    thread.start()
    while not (found := list(home.glob("rate-*/journal.sqlite"))):
        time.sleep(0.05)
    with served(found[0].parent) as address:
        page = browser.new_page()
        page.add_init_script(WATCH)
        page.goto(address)
        page.locator("[data-best]").wait_for()
        time.sleep(max(0.0, end - time.monotonic()))
        seen = page.evaluate("frames_seen")
        page.close()
    thread.join()
    return _latencies(made, [(-int(value), at) for value, at in seen])


def _latencies(made: Sequence[float], seen: Sequence[tuple[int, float]]) -> list[float]:
    first, last = seen[0][0] + RATE, seen[-1][0]  # the first second is the page's start
    places = iter(seen)
    number, at = next(places)
    latencies = []
    for event in range(first, last):
        while number < event:
            number, at = next(places)
        latencies.append(at - made[event])
    return latencies


if __name__ == "__main__":
    main()
