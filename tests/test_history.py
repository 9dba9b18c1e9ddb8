"""The history."""

import gc
import math
import pickle
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.history import Entry, History, HistoryLog, Kind, Record
from trialwright.messages import EVERY_REPORT, Boundary, Outcome, at_step
from trialwright.searchers import Problem
from trialwright.searchers.observations import Observations
from trialwright.space import Space, uniform

COMPLETED = Outcome("completed")
BYTES_MAX = 200  # a trial of four reports, without its config and tags
SPACE = Space({"x": uniform(0, 1)})


def a_log() -> HistoryLog:
    log = HistoryLog()
    log.born(1, {"x": 1}, {})
    log.born(0, {"x": 0}, {"bracket": 2})
    log.seen(1, 1, [(0.5,), (0.4,)])
    log.seen(1, 3, [(0.3,)])
    log.ended(1, COMPLETED)
    return log


def now(log: HistoryLog) -> History:
    return log.until(len(log))


def lived(log: HistoryLog, trials: range) -> None:
    """Trials of four reports, each of which came alone."""
    for trial in trials:
        log.born(trial, SHARED, SHARED)
        log.launched(trial, at_step(4))
        for step in (1, 2, 3, 4):
            log.seen(trial, step, [(0.5,)], (), (float(step),))
        log.ended(trial, COMPLETED)


SHARED: dict[str, object] = {"x": 0.5}


def test_trials_are_in_the_order_of_their_numbers_not_of_arrival():
    assert now(a_log()).trials == (
        Record(0, {"x": 0}, {"bracket": 2}),
        Record(1, {"x": 1}, {}, [1, 2, 3], [(0.5,), (0.4,), (0.3,)], COMPLETED),
    )


def test_a_moment_shows_what_had_arrived_and_nothing_else():
    log = a_log()
    assert [len(log.until(seen)) for seen in range(6)] == [0, 1, 2, 2, 2, 2]
    assert [log.until(seen).trials[-1].steps for seen in range(2, 6)] == [[], [1, 2], [1, 2, 3], [1, 2, 3]]
    assert [log.until(seen).trials[-1].outcome for seen in (4, 5)] == [None, COMPLETED]


def test_a_moment_stays_as_it_was_while_the_log_grows():
    log = a_log()
    before, again = log.until(3), log.until(3)
    log.seen(0, 1, [(9.0,)])
    log.until(len(log))
    assert before == again == log.until(3)


def test_a_clone_continues_with_another_configuration():
    log = a_log()
    log.born(0, {"x": 7}, {"donor": 1})
    log.seen(0, 4, [(0.1,)])
    assert now(log).trials[0] == Record(0, {"x": 7}, {"donor": 1}, [4], [(0.1,)])


def test_of_a_step_that_was_repeated_the_last_time_counts():
    log = a_log()
    log.seen(1, 2, [(0.2,)])
    assert (now(log).record(1).steps, now(log).record(1).values) == ([1, 2], [(0.5,), (0.2,)])
    assert now(log).record(1).last == (0.2,)


def test_it_says_who_is_paused_how_far_each_may_go_and_how_long_it_took():
    log = HistoryLog()
    log.born(0, {}, {})
    stories = [
        lambda: log.launched(0, (Boundary("loss", "<=", 0.0), *at_step(9), *at_step(2.5))),
        lambda: log.seen(0, 1, [(1.0,), (2.0,)], (), (0.5, 1.25)),
        lambda: log.extended(0, EVERY_REPORT),
        lambda: log.paused(0),
        lambda: log.launched(0, ()),
        lambda: log.paused(0),
        lambda: log.ended(0, COMPLETED),
    ]
    shown = []
    for story in stories:
        story()
        record = now(log).record(0)
        shown.append((record.paused, record.until, record.times))
    times = [0.5, 1.25]
    assert shown == [
        (False, 3, []),
        (False, 3, times),
        (False, 0, times),
        (True, 0, times),
        (False, None, times),
        (True, None, times),
        (False, None, times),
    ]


def test_every_report_of_a_log_has_as_many_values():
    log = a_log()
    with pytest.raises(ValueError, match="1 values"):
        log.seen(1, 4, [(0.1, 0.2)])


def test_a_history_can_be_made_of_records():
    records = now(a_log()).trials
    gap = Record(7, {}, {}, [1, 2, 5], [(1.0,), (2.0,), (3.0,)], None, [], [0.5, 1.0, 1.5], paused=True, until=9)
    assert History([*records, gap]).trials == (*records, gap)
    assert len(History()) == 0
    assert History().trials[:] == []


def test_a_record_is_the_same_object_until_something_happens_to_its_trial():
    log = a_log()
    first, second = now(log).trials
    log.seen(0, 1, [(9.0,)])
    assert now(log).trials[1] is second
    assert now(log).trials[0] is not first
    assert first.steps == []


def test_a_record_is_copied_without_the_log_behind_it():
    record = now(a_log()).trials[1]
    assert type(pickle.loads(pickle.dumps(record))) is Record
    assert pickle.loads(pickle.dumps(record)) == record
    with pytest.raises(KeyError):
        now(a_log()).record(2)


# The same as a plain fold --------------------------------------------------------------------------------------------

OUTCOMES = [Outcome(kind) for kind in ("completed", "stopped", "failed")]
NUMBERS = st.integers(-2, 3)
ENTRIES = st.lists(
    st.one_of(
        st.builds(lambda trial, x: Entry(Kind.BORN, trial, ({"x": x}, {"tag": x})), NUMBERS, st.integers(0, 9)),
        st.builds(
            lambda trial, step, values: Entry(
                Kind.SEEN,
                trial,
                (
                    step,
                    [(value, -1.0) for value in values],
                    [],
                    [value + step for value in values],
                    [(0.1 * step,)] * len(values) if step else [],
                ),
            ),
            NUMBERS,
            st.integers(0, 6),
            st.lists(st.sampled_from([0.5, 1.0, math.inf]), min_size=1, max_size=3),
        ),
        st.builds(lambda trial, step: Entry(Kind.LAUNCHED, trial, (at_step(step),)), NUMBERS, st.integers(0, 9)),
        st.builds(lambda trial: Entry(Kind.EXTENDED, trial, ((),)), NUMBERS),
        st.builds(lambda trial: Entry(Kind.PAUSED, trial, ()), NUMBERS),
        st.builds(lambda trial, outcome: Entry(Kind.ENDED, trial, (outcome,)), NUMBERS, st.sampled_from(OUTCOMES)),
    ),
    max_size=40,
)


def folded(entries: list[Entry]) -> list[Record]:
    """What is known after these entries, put together in the plainest way."""
    records: dict[int, Record] = {}
    born: set[int] = set()
    for kind, trial, what in entries:
        record = records.setdefault(trial, Record(trial, {}, {}))
        if kind is Kind.BORN:
            is_other = trial not in born or record.config != what[0]
            record.inherited = len(record.steps) if is_other else record.inherited
            record.config, record.tags, record.outcome = *what, None
            born.add(trial)
        elif kind is Kind.SEEN:
            first, values, _, times, sems = what
            kept = [place for place, step in enumerate(record.steps) if step < first]
            record.steps = [record.steps[place] for place in kept] + [*range(first, first + len(values))]
            record.values = [record.values[place] for place in kept] + values
            record.times = [record.times[place] for place in kept] + times
            known = [record.sems[place] if record.sems else (0.0,) for place in kept] + (sems or [(0.0,)] * len(values))
            record.sems = known if any(map(any, known)) else []
            record.inherited = min(record.inherited, len(kept))
        elif kind is Kind.ENDED:
            record.outcome, record.paused = what[0], False
        elif kind is Kind.PAUSED:
            record.paused = True
        else:
            record.until = int(what[0][0].value) if what[0] else None
            record.paused = record.paused and kind is not Kind.LAUNCHED
    return [records[trial] for trial in sorted(records)]


@given(ENTRIES, st.lists(st.integers(0, 40), max_size=6))
def test_at_any_moment_in_any_order_it_is_the_plain_fold_of_its_entries(entries, moments):
    log = HistoryLog()
    for entry in entries:
        log.write(entry)
    shown = [(moment, log.until(moment)) for moment in (*moments, len(log))]
    for moment, history in shown:
        assert history.trials == folded(entries[:moment])
        assert [*history.entries(None)] == entries[:moment]


@given(ENTRIES, st.integers(0, 40), st.integers(0, 40))
def test_it_tells_which_trials_have_changed_and_how(entries, first, second):
    log = HistoryLog()
    for entry in entries:
        log.write(entry)
    before, after = log.until(first), log.until(second)
    begin = first if after.follows(before) else 0
    assert after.follows(before) == (before.moment <= after.moment)
    assert after.changed(before).tolist() == sorted({entry.trial for entry in entries[begin:second]})
    assert [*after.entries(before)] == entries[begin:second]
    assert not History([Record(0, {}, {})]).follows(before)


# What it costs -------------------------------------------------------------------------------------------------------


def test_a_trial_of_four_reports_takes_less_than_200_bytes():
    count = 10_000  # of a million it is as much for each: what is spare is a sixteenth
    gc.collect()
    tracemalloc.start()
    log = HistoryLog()
    lived(log, range(count))
    history = now(log)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(history) == count
    assert used / count < BYTES_MAX
    assert log.values.room.dtype == np.float64


def test_records_that_were_looked_at_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr("trialwright.history.history.RECORDS_MAX", 10)
    log = HistoryLog()
    lived(log, range(100))
    assert sum(record.outcome == COMPLETED for record in now(log).trials) == 100
    assert len(now(log).view._records) <= 10


def cost_of_one_more_event(count: int) -> tuple[int, int]:
    """How many calls an ask takes, and how many bytes at most, after one event in a history of so many trials."""
    log, known = HistoryLog(), Observations(Problem(SPACE))
    lived(log, range(count))
    log.born(count, {"x": 0.5}, {})
    known.update(now(log))
    log.seen(count, 1, [(0.25,)])
    log.ended(count, COMPLETED)
    calls = 0

    def tick(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    tracemalloc.start()
    sys.setprofile(tick)
    known.update(now(log))
    sys.setprofile(None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert known.values[-1] == [0.25]
    return calls, peak


def test_an_ask_costs_what_is_new_whatever_there_was():
    costs = [cost_of_one_more_event(count) for count in (10, 100, 1_000, 10_000)][1:]  # the first fills caches
    for kind in zip(*costs, strict=True):
        assert max(kind) <= 1.5 * min(kind)


# Two threads ---------------------------------------------------------------------------------------------------------


def test_one_thread_reads_while_another_writes():
    log, problems, over = HistoryLog(), [], threading.Event()

    def read() -> None:
        known, before = Observations(Problem(SPACE)), None
        while not over.is_set() or before is None or before.moment < len(log):
            history = now(log)
            known.update(history)
            for record in map(history.record, history.changed(before).tolist()):
                if record.steps != [1, 2, 3, 4][: len(record.steps)] or len(record.values) != len(record.times):
                    problems.append(record)
                if record.outcome is not None and record.times != [1.0, 2.0, 3.0, 4.0]:
                    problems.append(record)
            before = history
        problems.extend([] if len(known) == 5_000 and np.all(known.values == 0.5) else [known])

    interval, reader = sys.getswitchinterval(), threading.Thread(target=read)
    sys.setswitchinterval(1e-5)
    try:
        reader.start()
        lived(log, range(5_000))
        over.set()
        reader.join()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []
