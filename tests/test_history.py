"""The history."""

from trialwright.history import HistoryLog, Record
from trialwright.messages import Outcome


def a_log() -> HistoryLog:
    log = HistoryLog()
    log.born(1, {"x": 1}, {})
    log.born(0, {"x": 0}, {"bracket": 2})
    log.seen(1, 1, [(0.5,), (0.4,)])
    log.seen(1, 3, [(0.3,)])
    log.ended(1, Outcome("completed"))
    return log


def test_trials_are_in_the_order_of_their_numbers_not_of_arrival():
    log = a_log()
    assert log.until(len(log)).trials == (
        Record(0, {"x": 0}, {"bracket": 2}),
        Record(1, {"x": 1}, {}, [1, 2, 3], [(0.5,), (0.4,), (0.3,)], Outcome("completed")),
    )


def test_a_moment_shows_what_had_arrived_and_nothing_else():
    log = a_log()
    assert [len(log.until(seen)) for seen in range(6)] == [0, 1, 2, 2, 2, 2]
    assert [log.until(seen).trials[-1].steps for seen in range(2, 6)] == [[], [1, 2], [1, 2, 3], [1, 2, 3]]
    assert [log.until(seen).trials[-1].outcome for seen in (4, 5)] == [None, Outcome("completed")]


def test_a_moment_stays_as_it_was_while_the_log_grows():
    log = a_log()
    before, again = log.until(3), log.until(3)
    log.seen(0, 1, [(9.0,)])
    log.until(len(log))
    assert before == again == log.until(3)


def test_a_clone_goes_on_with_another_configuration():
    log = a_log()
    log.born(0, {"x": 7}, {"donor": 1})
    log.seen(0, 4, [(0.1,)])
    assert log.until(len(log)).trials[0] == Record(0, {"x": 7}, {"donor": 1}, [4], [(0.1,)])
