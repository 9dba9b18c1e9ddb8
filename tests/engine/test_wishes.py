"""What is put in is taken, or refused: nothing is accepted and lost."""

import threading

import pytest

from trialwright.engine.wishes import Wishes
from trialwright.messages import SamplesAdded


def test_what_was_put_in_before_the_run_is_taken():
    wishes = Wishes()
    wishes.put(SamplesAdded(1))
    wishes.open()
    assert wishes.take() == [SamplesAdded(1)]
    assert wishes.take() == []


def test_a_run_is_not_over_while_something_waits():
    wishes = Wishes()
    wishes.put(SamplesAdded(1))
    assert not wishes.end()
    wishes.put(SamplesAdded(2))
    assert wishes.take() == [SamplesAdded(1), SamplesAdded(2)]
    assert wishes.end()
    with pytest.raises(ValueError, match="the run is over: resume it to add a configuration"):
        wishes.put(SamplesAdded(3))


def test_what_comes_after_the_end_of_one_run_is_taken_by_the_next():
    wishes = Wishes()
    assert wishes.end()
    wishes.open()
    wishes.put(SamplesAdded(1))
    assert wishes.take() == [SamplesAdded(1)]


def test_a_run_is_woken_by_each():
    wishes, woken = Wishes(), []
    wishes.open(lambda: woken.append(1))
    wishes.put(SamplesAdded(1))
    wishes.put(SamplesAdded(2))
    assert len(woken) == 2


def test_many_threads_put_in_and_all_that_was_accepted_is_taken_once():
    wishes, accepted, taken = Wishes(), [], []

    def put(first):
        for count in range(first, first + 1000):
            try:
                wishes.put(SamplesAdded(count))
            except ValueError:
                return
            accepted.append(count)

    threads = [threading.Thread(target=put, args=(number * 1000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while not (len(taken) > 500 and wishes.end()):
        taken += [event.count for event in wishes.take()]
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(accepted)
    assert wishes.take() == []
