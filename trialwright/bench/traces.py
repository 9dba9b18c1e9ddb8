"""Traces: what is kept of each run, as lines of JSON in a file that only grows, and runs side by side; so that a
benchmark that was interrupted continues with what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Generic, TypeVar

import cloudpickle

Job = TypeVar("Job")
Made = TypeVar("Made")


def read_lines(path: Path | None) -> Iterator[Any]:
    """Yield what a file has, nothing if there is none; a line that a kill has cut short is left out."""
    for line in path.read_text(encoding="utf-8").splitlines() if path and path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def append_lines(values: Iterable[object], path: Path) -> None:
    """Write values to the end of a file, each on a line of its own whatever was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if cut else "")
        file.writelines(json.dumps(value, separators=(",", ":")) + "\n" for value in values)


def finished(work: Callable[[Job], Made], jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Future[Made]]]:
    """Do jobs side by side, in processes started anew if there are several; yield each as soon as it is done. Its
    future has what was made, or the error."""
    if processes == 1 or len(jobs) < 2:
        yield from ((job, _done(work, job)) for job in jobs)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"))
    try:
        futures = {pool.submit(_do, _Sent(work, job)): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future
    finally:  # where the caller has stopped early, what has not begun is not done
        pool.shutdown(cancel_futures=True)


def _done(work: Callable[[Job], Made], job: Job) -> Future[Made]:
    future = Future[Made]()
    try:
        future.set_result(work(job))
    except Exception as error:  # user code may raise anything: the caller decides what follows
        future.set_exception(error)
    return future


@dataclass(frozen=True)
class _Sent(Generic[Job, Made]):
    """A job on its way. It is pickled by cloudpickle, since users' classes may be in no module that can be imported,
    and only when a process takes it: it may hold megabytes of curves."""

    work: Callable[[Job], Made]
    job: Job

    def __reduce__(self) -> tuple[Callable[[bytes], _Sent[Job, Made]], tuple[bytes]]:
        return _received, (cloudpickle.dumps((self.work, self.job)),)


def _received(data: bytes) -> _Sent[Any, Any]:
    return _Sent(*cloudpickle.loads(data))


def _do(sent: _Sent[Job, Made]) -> Made:
    return sent.work(sent.job)
