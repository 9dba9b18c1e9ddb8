from collections import Counter

import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract, answered, news
from trialwright.ask_tell import AskTell
from trialwright.engine.catalogue import PAIRS
from trialwright.history import History
from trialwright.searchers import PriorBand, Problem
from trialwright.space import Space, choice, uniform

BELIEF = {"x": uniform(0, 1).prior(0.8, 0.01)}


class TestContract(SearcherContract):
    def make(self):
        return PriorBand(brackets=3)


def share_believed(study, count):
    return np.mean([abs(trial.config["x"] - 0.8) < 0.05 for trial in study.ask(count)])


def test_half_of_the_trials_of_the_first_bracket_follow_the_beliefs():
    study = AskTell(BELIEF, searcher=PriorBand(), seed=0)
    assert share_believed(study, 200) == pytest.approx(0.55, abs=0.08)  # and a tenth of the even draws


def test_more_follow_them_in_later_brackets():
    searcher = PriorBand(brackets=3)
    searcher.setup(Problem(Space(BELIEF)))
    answers = answered(searcher, History(), news(0, 600))
    shares = [
        np.mean([abs(each.config["x"] - 0.8) < 0.05 for each in answers if each.tags["bracket"] == bracket])
        for bracket in range(3)
    ]
    assert shares == sorted(shares)
    assert shares[2] > 0.85


def test_where_results_speak_against_the_beliefs_they_are_left():
    study = AskTell(BELIEF, searcher=PriorBand(), seed=0)
    for _ in range(40):
        study.tell(trial := study.ask(), abs(trial.config["x"] - 0.2))
    assert share_believed(study, 100) < 0.15


def test_where_results_speak_for_them_they_are_kept():
    study = AskTell(BELIEF, searcher=PriorBand(), seed=0)
    for _ in range(40):
        study.tell(trial := study.ask(), abs(trial.config["x"] - 0.8))
    assert share_believed(study, 100) > 0.5


def test_variations_of_the_best_change_categories_too():
    study = AskTell({"c": choice(list("abcd")), "x": uniform(0, 1), "y": uniform(0, 1)}, searcher=PriorBand(), seed=0)
    for _ in range(60):
        study.tell(trial := study.ask(), abs(trial.config["x"] - 0.2) + (trial.config["c"] != "b"))
    late = Counter(trial.config["c"] for trial in study.ask(200))
    assert late["b"] > 80
    assert len(late) == 4


def test_the_pair_has_as_many_brackets_as_its_scheduler():
    pair = PAIRS["priorband"]
    assert pair.searcher().brackets == pair.scheduler().count
