"""DEHB: populations level by level."""

import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract, answered, news
from trialwright import Engine, Simulated
from trialwright.history import HistoryLog
from trialwright.messages import Outcome
from trialwright.schedulers import HyperBand
from trialwright.searchers import DEHB, Problem
from trialwright.space import Space, uniform

SPACE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})


class TestDEHB(SearcherContract):
    def make(self):
        return DEHB(population=4)


def ready(log, **arguments):
    searcher = DEHB(**{"population": 4, **arguments})
    searcher.setup(Problem(SPACE))
    answered(searcher, log.until(len(log)), news(1000, 1))
    return searcher


def tried(log, trial, cost, slot=None):
    log.born(trial, {"x": trial / 100, "y": 0.5}, {} if slot is None else {"dehb": {"generation": 0, "slot": slot}})
    log.seen(trial, 1, [(cost,)])
    log.ended(trial, Outcome("completed"))
    return log


def test_a_child_replaces_its_target_where_it_is_not_worse():
    log = HistoryLog()
    for trial, (slot, cost) in enumerate([(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (0, 2.0), (1, 1.0), (2, 0.5)]):
        tried(log, trial, cost, slot)
    assert ready(log)._members() == {0: 0, 1: 5, 2: 6, 3: 3}


def test_a_trial_that_was_not_bred_here_takes_a_slot_too():
    assert ready(tried(HistoryLog(), 6, 1.0))._members() == {2: 0}


def test_generations_and_slots_ride_in_tags():
    searcher = DEHB(population=4)
    searcher.setup(Problem(SPACE))
    tags = [answer.tags["dehb"] for answer in answered(searcher, HistoryLog().until(0), news(3, 6))]
    assert [(tag["generation"], tag["slot"]) for tag in tags] == [(0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]


def test_the_best_of_the_population_breed():
    log = HistoryLog()
    for trial in range(30):
        tried(log, trial, float(trial), trial)
    searcher = ready(log, population=30)
    assert sorted(searcher._breeders(searcher._members())) == [*range(10)]


def test_a_mutant_is_one_member_and_the_difference_of_two_others():
    log = HistoryLog()
    for trial in range(8):
        tried(log, trial, float(trial), trial)
    searcher = ready(log, population=8, crossing=1.0)
    units, breeders = searcher._known.units, np.arange(4)
    mutants = {
        tuple(np.round(units[a] + 0.5 * (units[b] - units[c]), 9))
        for a, b, c in np.ndindex(4, 4, 4)
        if len({a, b, c}) == 3
    }
    for seed in range(20):
        bred = searcher._bred(breeders, 5, np.random.default_rng(seed))[0]
        assert tuple(np.round(bred, 9)) in mutants or not 0 < bred[0] < 1 or bred[0] > 0.06, "or drawn afresh"


def test_what_is_outside_the_cube_is_drawn_again():
    log = HistoryLog()
    for trial in range(8):
        tried(log, trial, float(trial), trial)
    searcher = ready(log, population=8, factor=2.0)
    bred = [searcher._bred(np.arange(8), 0, np.random.default_rng(seed)) for seed in range(50)]
    assert all(((row >= 0) & (row <= 1)).all() for row in bred)


@pytest.mark.parametrize("wrong", [{"population": 3}, {"factor": 0}, {"factor": 2.1}, {"crossing": 0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))}"):
        DEHB(**wrong).setup(Problem(SPACE))


class Bowl:
    """The loss falls with each step, to the distance from the optimum."""

    def start(self, config, seed):
        return 0

    def step(self, config, state):
        if state == 9:
            return None
        return state + 1, {"loss": sum((x - 0.3) ** 2 for x in config.values()) + 1 / (state + 1)}, 1.0


def best(searcher, seed):
    """The lowest loss that was found."""
    told = {"num_samples": 120, "executor": Simulated(workers=4), "storage": None, "seed": seed, "verbose": 0}
    space = {f"x{i}": uniform(0, 1) for i in range(5)}
    result = Engine(Bowl(), space, metric="loss", scheduler=HyperBand(max_t=9), searcher=searcher, **told).run()
    return result.best_metrics["loss"]


@pytest.mark.slow
def test_under_hyperband_it_ends_lower_than_random_search():
    lower = [best(DEHB(), seed) < best("random", seed) for seed in range(8)]
    assert sum(lower) >= 7, "by chance: p = 0.04"
