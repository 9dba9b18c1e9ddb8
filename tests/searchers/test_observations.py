"""Observations: a history as arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trialwright.history import HistoryLog
from trialwright.messages import Outcome
from trialwright.searchers.base import Problem
from trialwright.searchers.observations import DONE, FAILED, PENDING, UNKNOWN, Observations
from trialwright.space import Space, choice, uniform

SPACE = Space({"x": uniform(0, 1), "kind": choice(["a", {"y": uniform(0, 1)}])})
ARRAYS = ("ids", "units", "active", "values", "violations", "state")
OUTCOMES = [Outcome(kind) for kind in ("completed", "stopped", "failed", "lost", "cancelled")]
CONFIGS = [{"x": 0.25, "kind": "a"}, {"x": 0.75, "kind": {"y": 0.5}}, {"x": 0.5, "kind": "z"}]  # the last is no config
STORIES = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["born", "seen", "ended"]),
        st.sampled_from(CONFIGS),
        st.sampled_from([1.0, 2.0, float("nan"), float("inf")]),
        st.sampled_from(OUTCOMES),
    ),
    max_size=40,
)


def tell(log, born, step):
    trial, what, config, value, outcome = step
    if what == "born" or trial not in born:
        log.born(trial, SPACE.plain(config), {})
        born.add(trial)
    elif what == "seen":
        log.seen(trial, 1, [(value, value - 1)])
    else:
        log.ended(trial, outcome)


@given(STORIES, st.dictionaries(st.integers(0, 40), st.integers(0, 40)))
def test_kept_up_to_date_they_are_those_of_the_whole_history(story, looks):
    problem, log, born = Problem(SPACE, constraints=1), HistoryLog(), set()
    kept, fresh = Observations(problem), Observations(problem)
    for place, step in enumerate(story):
        tell(log, born, step)
        if place in looks:
            kept.update(log.until(looks[place]))  # an earlier moment may come after a later one
    kept.update(log.until(len(log)))
    fresh.update(log.until(len(log)))
    for name in ARRAYS:
        assert np.array_equal(getattr(kept, name), getattr(fresh, name), equal_nan=name in ("values", "violations"))


def test_each_trial_is_in_one_of_four_states():
    log = HistoryLog()
    for trial, (values, outcome) in enumerate(
        [((), None), ((1.0,), OUTCOMES[0]), ((np.nan,), OUTCOMES[0]), ((1.0,), OUTCOMES[2]), ((), OUTCOMES[4])]
    ):
        log.born(trial, CONFIGS[0], {})
        if values:
            log.seen(trial, 1, [values])
        if outcome:
            log.ended(trial, outcome)
    known = Observations(Problem(SPACE))
    known.update(log.until(len(log)))
    assert known.state.tolist() == [PENDING, DONE, FAILED, FAILED, UNKNOWN]


def test_a_config_that_is_none_of_the_space_spoils_no_other():
    log = HistoryLog()
    for trial in (0, 1, 2):
        log.born(trial, SPACE.plain(CONFIGS[trial * 2 % 3]), {})
    known = Observations(Problem(SPACE))
    known.update(log.until(len(log)))
    assert known.state.tolist() == [PENDING, UNKNOWN, PENDING]
    assert known.units[:, 0].tolist() == [0.25, 0.5, 0.75]
    assert known.active.tolist() == [[True, True, False], [False] * 3, [True] * 3]
