"""What only BoTorch has: its options, and running trials that its acquisition knows."""

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, cost, live
from trialwright.history import History
from trialwright.integrations import BoTorch
from trialwright.messages import Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams

pytest.importorskip("botorch")

FAST = {"num_restarts": 2, "raw_samples": 32}


def test_a_parameter_in_a_branch_is_named():
    with pytest.raises(ValueError, match=r"model\[0\]/depth.*smac"):
        BoTorch().setup(Problem(Space(BRANCHES)))


def test_the_model_finds_better_values_than_the_first_points():
    configs, _ = live(BoTorch(n_initial_points=5, **FAST), 10)
    assert min(map(cost, configs[5:])) < min(map(cost, configs[:5]))


def test_a_trial_that_runs_is_not_proposed_again():
    searcher = BoTorch(n_initial_points=4, **FAST)
    _, history = live(searcher, 6)
    first, second = searcher.suggest(history, [Request(number, sample=number) for number in (6, 7)], Streams(0))
    far = (abs(first.config[name] - second.config[name]) for name in PLANE)
    assert max(far) > 1e-3


def test_the_first_points_are_the_runs_own_and_spread_out():
    def first(seed):
        searcher = BoTorch(n_initial_points=8)
        searcher.setup(Problem(Space(PLANE)))
        answers = searcher.suggest(History(), [Request(number, sample=number) for number in range(8)], Streams(seed))
        return [answer.config["x"] for answer in answers]

    assert first(1) != first(2)
    assert sum(x > 0 for x in first(1)) == 4, "a Sobol sequence halves the interval"
