"""What every store promises. A new one subclasses ``StoreContract``, gives it ``new_store``, and is done.

Values are compared by their ``repr``: NaN is equal to NaN there, and 1, 1.0 and True are not the same.
"""

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.storage.strategies import turns
from trialwright.errors import StorageError
from trialwright.messages import (
    CapacityChanged,
    Continue,
    Decision,
    Failed,
    Finished,
    New,
    Node,
    Pause,
    Reported,
    Started,
    at_step,
)
from trialwright.storage.base import Entry, TrialRow, Turn
from trialwright.storage.memory import MemoryStore

WAIT_S = 20.0
RANDOM = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # new_store makes a new one each time it is called
        HealthCheck.differing_executors,  # each subclass is one
        HealthCheck.too_slow,
    ],
)


def commit(store, *batch):
    """Append turns and wait until they are committed."""
    for future in [store.append(turn) for turn in batch]:
        future.result(WAIT_S)


def frame(trial, attempt=1, first_step=1, **columns):
    length = len(next(iter(columns.values())))
    return Reported(trial, attempt, first_step, tuple(0.5 * step for step in range(length)), columns)


def row(number, **changes):
    empty = TrialRow(number, "RUNNING", None, "", 1, 0, {}, {}, {}, None, "", "", 0.0, None)
    return replace(empty, **changes)


def expected(batch):
    """What entries() should say, worked out in the plainest way."""
    entries: list[Entry] = []
    for turn in batch:
        for decisions in turn.late:
            place = next(place for place, entry in enumerate(entries) if entry.decisions is None)
            entries[place] = replace(entries[place], decisions=list(decisions))
        if turn.late and not turn.events and turn.digest:
            entries[place] = replace(entries[place], digest=turn.digest)
        entries += [
            Entry(turn.now, event, taken, None) for event, taken in zip(turn.events, turn.decisions, strict=True)
        ]
        if turn.events and turn.digest:
            entries[-1] = replace(entries[-1], digest=turn.digest)
    return entries


def events(now, *happened, digest="", trials=()):
    """A turn of events on which nothing was decided."""
    return Turn(now, list(happened), [[] for _ in happened], digest, trials)


class StoreContract:
    @pytest.fixture
    def new_store(self):
        """A function: settings -> a new, empty store."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, new_store):
        store = new_store({"name": "a run"})
        yield store
        store.close()

    @RANDOM
    @given(batch=turns())
    def test_entries_are_what_was_appended(self, new_store, batch):
        store = new_store({})
        commit(store, *batch)
        assert repr(list(store.entries())) == repr(expected(batch))
        store.close()
        assert repr(list(store.entries())) == repr(expected(batch))

    @RANDOM
    @given(batch=turns())
    def test_digest_is_the_same_in_every_store(self, new_store, batch):
        store, other = new_store({}), MemoryStore({"other": "settings"}, keep="digest")
        commit(store, *batch)
        commit(other, *batch)
        assert store.digest == other.digest
        store.close()

    @RANDOM
    @given(batch=turns())
    def test_frames_are_those_of_the_trial(self, new_store, batch):
        store = new_store({})
        commit(store, *batch)
        for trial in range(4):
            frames = [
                event for turn in batch for event in turn.events if isinstance(event, Reported) and event.trial == trial
            ]
            assert repr(list(store.frames(trial))) == repr(frames)
        store.close()

    @RANDOM
    @given(batch=turns())
    def test_trials_are_as_they_were_shown_last(self, new_store, batch):
        store = new_store({})
        commit(store, *batch)
        latest = {row.id: row for turn in batch for row in turn.trials}
        assert repr(list(store.trials())) == repr([latest[number] for number in sorted(latest)])
        store.close()

    def test_strings_that_are_no_unicode_come_back(self, store):
        shown = row(0, error="\udc80\0", config={"file": "\udcff"})
        commit(store, events(0.0, Failed(0, 1, "\udc80\0", ""), trials=[shown]))
        assert list(store.trials()) == [shown]
        assert [entry.event.error for entry in store.entries()] == ["\udc80\0"]

    def test_futures_are_done_in_the_order_of_the_calls(self, store):
        futures, in_order = [], []
        for number in range(300):
            futures.append(store.append(events(float(number), Started(number, 1))))
            earlier = futures[:-1]
            futures[-1].add_done_callback(lambda _, earlier=earlier: in_order.append(all(f.done() for f in earlier)))
        futures[-1].result(WAIT_S)
        assert all(in_order)
        assert [entry.event.trial for entry in store.entries()] == list(range(300))

    def test_decisions_and_digest_belong_to_the_event_they_were_taken_on(self, store):
        first: list[Decision] = [Continue(at_step(3))]
        second: list[Decision] = [Pause(), New()]
        commit(store, Turn(0.0, [Started(0, 1), Started(1, 1)], [first, second], "ab"))
        commit(store, events(1.0, Finished(0, 1), digest="cd"))
        assert [entry.decisions for entry in store.entries()] == [first, second, []]
        assert [entry.digest for entry in store.entries()] == [None, "ab", "cd"]

    def test_an_event_on_which_nothing_was_decided_is_not_one_whose_handling_failed(self, store):
        commit(store, Turn(0.0, [Started(0, 1), Started(1, 1)], [[], None]))
        assert [entry.decisions for entry in store.entries()] == [[], None]

    def test_late_decisions_belong_to_the_first_events_that_have_none(self, store):
        commit(store, Turn(0.0, [Started(0, 1), Started(1, 1), Started(2, 1)], [[], None, None]))
        commit(store, Turn(1.0, [], digest="ab", late=[[Pause()], [New()]]), events(2.0, Finished(0, 1)))
        assert [entry.decisions for entry in store.entries()] == [[], [Pause()], [New()], []]
        assert [entry.digest for entry in store.entries()] == [None, None, "ab", None]

    def test_late_decisions_for_events_that_never_were_are_an_error(self, store):
        commit(store, events(0.0, Started(0, 1)), Turn(1.0, [], late=[[Pause()]]))
        with pytest.raises(StorageError, match="does not hold"):
            list(store.entries())

    def test_a_turn_with_nothing_in_it_leaves_no_trace(self, store):
        before = store.digest
        commit(store, Turn(1.0, []))
        assert store.digest == before
        assert list(store.entries()) == []

    def test_frames_of_all_attempts_in_the_order_of_arrival(self, store):
        frames = [frame(1, 1, 5, loss=[1.0]), frame(1, 2, 1, loss=[2.0, 3.0]), frame(1, 2, 3, loss=[math.inf])]
        commit(store, events(0.0, frames[0], frame(2, loss=[9.0])), events(1.0, *frames[1:]))
        assert list(store.frames(1)) == frames
        assert list(store.frames(7)) == []

    def test_settings_come_back(self, new_store):
        told = {"name": "é", "limit": math.inf, "nested": [{"float": "nan"}, {"float": [1]}, None, True, 2, 0.5]}
        store = new_store(told)
        assert repr(store.settings) == repr(told)
        store.close()

    def test_close_commits_what_was_appended(self, new_store):
        store = new_store({})
        futures = [store.append(events(0.0, Started(i, 1))) for i in range(50)]
        store.close()
        assert all(future.done() and future.exception() is None for future in futures)
        assert len(list(store.entries())) == 50
        assert store.pending == 0

    def test_after_close_nothing_is_taken(self, new_store):
        store = new_store({})
        store.close()
        store.close()
        with pytest.raises(StorageError, match="closed"):
            store.append(events(0.0, Started(0, 1))).result(WAIT_S)
        assert list(store.entries()) == []

    def test_an_acknowledged_turn_cannot_be_cancelled(self, store):
        future = store.append(events(0.0, CapacityChanged((Node("n", {"cpu": 1.0}),))))
        assert not future.cancel()
        future.result(WAIT_S)

    def test_statistics_count_turns(self, store):
        commit(store, events(0.0, Started(0, 1)), events(1.0, Started(1, 1)))
        statistics = store.statistics()
        assert statistics.turns == 2
        assert 1 <= statistics.commits <= 2
        assert statistics.longest_commit_s <= statistics.commit_s or statistics.commit_s == 0
