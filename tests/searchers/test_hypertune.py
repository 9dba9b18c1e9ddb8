from collections import Counter

import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract, answered, news
from trialwright.history import HistoryLog
from trialwright.messages import Outcome, at_step
from trialwright.searchers import GP, HyperTune, Problem
from trialwright.searchers.drawing import bracket_shares
from trialwright.searchers.gp.maximise import Effort
from trialwright.space import Space, uniform

PLANE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
QUICK = Effort(everywhere=32, nearby=16, starts=1, rounds=5)


class TestContract(SearcherContract):
    def make(self):
        return HyperTune(effort=QUICK, brackets=3)


def told(first: str, later: str) -> tuple[HyperTune, HistoryLog]:
    """A searcher, and 30 trials, of which a third each came to steps 1, 3, and 9 (of 3 brackets): at step 1 they
    reported one number, later another."""
    searcher, log, points = HyperTune(effort=QUICK, brackets=3), HistoryLog(), np.random.default_rng(0).random((30, 2))
    searcher.setup(Problem(PLANE))
    for trial, (x, y) in enumerate(points.tolist()):
        numbers = {"good": x + y, "bad": -x - y, "none": trial * 7 % 30}
        steps = (1, 3, 9)[: 3 - trial % 3]
        tags = answered(searcher, log.until(len(log)), news(trial, 1))[0].tags if trial == 20 else {}  # brings a fit
        log.born(trial, {"x": x, "y": y}, tags)
        for step in steps:
            log.launched(trial, at_step(step))
            log.seen(trial, step, [(float(numbers[first if step == 1 else later]),)])
        log.ended(trial, Outcome("completed" if len(steps) == 3 else "stopped"))
    return searcher, log


def brackets_of(first: str, later: str, count: int = 60) -> Counter[int]:
    """In which brackets trials begin after these."""
    searcher, log = told(first, later)
    return Counter(each.tags["bracket"] for each in answered(searcher, log.until(len(log)), news(30, count)))


def test_a_fresh_instance_names_the_same_brackets():
    (live, log), fresh = told("none", "good"), HyperTune(effort=QUICK, brackets=3)
    fresh.setup(Problem(PLANE))
    history = log.until(len(log))
    assert answered(fresh, history, news(30, 6)) == answered(live, history, news(30, 6))


def test_trials_begin_at_the_first_rung_where_that_tells_all():
    assert brackets_of("good", "good")[0] > 40


@pytest.mark.parametrize("first", ["bad", "none"])
def test_trials_begin_later_where_the_first_rung_misleads(first):
    assert brackets_of(first, "good")[0] < 6


def test_brackets_are_dealt_as_hyperband_does_until_enough_is_known():
    searcher = HyperTune(effort=QUICK, brackets=3)
    searcher.setup(Problem(PLANE))
    answers = answered(searcher, HistoryLog().until(0), news(0, 900))
    shares = np.bincount([each.tags["bracket"] for each in answers]) / 900
    assert shares == pytest.approx(bracket_shares(3, 3), abs=0.05)


def test_without_brackets_it_suggests_what_a_gaussian_process_does():
    searchers = [HyperTune(effort=QUICK), GP(effort=QUICK)]
    for searcher in searchers:
        searcher.setup(Problem(PLANE))
    one, other = (answered(searcher, HistoryLog().until(0), news(0, 3)) for searcher in searchers)
    assert one == other
