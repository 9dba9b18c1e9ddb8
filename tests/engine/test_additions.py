"""What is put in is taken, or refused: nothing is accepted and lost."""

import threading

import pytest

from trialwright.engine.additions import Additions
from trialwright.messages import SamplesAdded


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
