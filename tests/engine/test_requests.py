"""Requests while a run goes on: each is taken or refused, none is accepted and lost, none is taken twice."""

import asyncio
import sqlite3
import threading

import pytest

from trialwright.engine.requests import Additions, InboxReader
from trialwright.executors.base import Run
from trialwright.messages import Enqueued, SamplesAdded, StopRequested, Suggested
from trialwright.space import Space, uniform
from trialwright.storage import inbox
from trialwright.storage.sqlite import SqliteStore


def test_what_was_put_in_before_the_run_is_taken():
    additions = Additions()
    additions.put(SamplesAdded(1))
    additions.open()
    assert additions.take() == [SamplesAdded(1)]
    assert additions.take() == []


def test_a_run_is_not_over_while_something_waits():
    additions = Additions()
    additions.put(SamplesAdded(1))
    assert not additions.end()
    additions.put(SamplesAdded(2))
    assert additions.take() == [SamplesAdded(1), SamplesAdded(2)]
    assert additions.end()
    with pytest.raises(ValueError, match="the run is over: resume it to add a configuration"):
        additions.put(SamplesAdded(3))


def test_what_comes_after_the_end_of_one_run_is_taken_by_the_next():
    additions = Additions()
    assert additions.end()
    additions.open()
    additions.put(SamplesAdded(1))
    assert additions.take() == [SamplesAdded(1)]


def test_a_run_is_woken_by_each():
    additions, woken = Additions(), []
    additions.open(lambda: woken.append(1))
    additions.put(SamplesAdded(1))
    additions.put(SamplesAdded(2))
    assert len(woken) == 2


def test_many_threads_put_in_and_all_that_was_accepted_is_taken_once():
    additions, accepted, taken = Additions(), [], []

    def put(first):
        for count in range(first, first + 1000):
            try:
                additions.put(SamplesAdded(count))
            except ValueError:
                return
            accepted.append(count)

    threads = [threading.Thread(target=put, args=(number * 1000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while not (len(taken) > 500 and additions.end()):
        taken += [event.count for event in additions.take()]
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(accepted)
    assert additions.take() == []


@pytest.fixture
def run(tmp_path):
    SqliteStore.create(tmp_path, {"data": {}}).close()
    return Run(None, Space({"x": uniform(0, 1)}), lambda ask: Suggested(ask.ask, ()), directory=tmp_path)


def read(run, warnings, needed=lambda config: None, times=1):
    async def several():
        reader = InboxReader(run, needed, warnings.append, 0)
        return [await reader.read() for _ in range(times)]

    return asyncio.run(several())


def test_each_request_is_read_once(run):
    inbox.enqueue(run.directory, {"x": 0.5})
    inbox.stop(run.directory)
    assert read(run, [], times=2) == [[Enqueued({"x": 0.5}, letter=1), StopRequested(None, 2)], []]


def test_a_config_of_another_space_is_left(run):
    warnings = []
    inbox.enqueue(run.directory, {"x": 7.0})
    inbox.enqueue(run.directory, {"x": 0.5})
    assert read(run, warnings) == [[Enqueued({"x": 0.5}, letter=2)]]
    assert warnings[0].startswith("request 1 in the inbox was rejected: ValueError: ")


def test_a_users_function_that_raises_rejects_its_request_and_no_other(run):
    def needed(config):
        return {"cpu": 1 / (config["x"] - 0.5)}

    warnings = []
    inbox.enqueue(run.directory, {"x": 0.5})
    inbox.enqueue(run.directory, {"x": 0.75})
    [[letter]] = read(run, warnings, needed)
    assert (letter.letter, letter.resources) == (2, {"cpu": 4.0})
    assert warnings == ["request 1 in the inbox was rejected: ZeroDivisionError: float division by zero"]


def test_a_row_that_is_none_is_left(run):
    warnings = []
    inbox.enqueue(run.directory, {"x": 0.5})
    with sqlite3.connect(run.directory / inbox.NAME) as database:
        database.execute("INSERT INTO letters (kind, body) VALUES ('stop', '{}')")
    database.close()
    inbox.enqueue(run.directory, {"x": 0.25})
    assert [letter.letter for letter in read(run, warnings)[0]] == [1, 3]
    assert warnings == ["request 2 in the inbox was rejected: stop {} cannot be read: KeyError: 'trial'"]


def test_an_inbox_that_cannot_be_read_now_is_read_later(run):
    warnings, file = [], run.directory / inbox.NAME
    file.write_text("no database at all, but long enough" * 100)

    async def twice():
        reader = InboxReader(run, lambda config: None, warnings.append, 0)
        first = await reader.read()
        file.unlink()
        inbox.enqueue(run.directory, {"x": 0.5})
        return first, await reader.read()

    assert asyncio.run(twice()) == ([], [Enqueued({"x": 0.5}, letter=1)])
    assert len(warnings) == 1
    assert "the inbox could not be read; it will be tried again" in warnings[0]
