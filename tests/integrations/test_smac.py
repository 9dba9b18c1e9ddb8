"""What only SMAC3 has: a design that comes first, and a forest that knows branches."""

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, live
from trialwright import space
from trialwright.history import History
from trialwright.integrations import SMAC
from trialwright.messages import Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams

pytest.importorskip("smac")


def test_the_design_is_the_runs_own_and_spread_out():
    def first(seed):
        searcher = SMAC(n_initial_points=8)
        searcher.setup(Problem(Space(PLANE)))
        answers = searcher.suggest(History(), [Request(number, sample=number) for number in range(8)], Streams(seed))
        return [answer.config["x"] for answer in answers]

    assert first(1) != first(2)
    assert sum(x > 0 for x in first(1)) == 4, "a Sobol sequence halves the interval"


def test_branches_are_searched():
    def cost(config):
        model = config["model"]
        return model["depth"] if model["kind"] == "tree" else 20 + model["C"]

    configs, _ = live(SMAC(n_initial_points=6, n_trees=4), 11, what=BRANCHES, pending=1, cost=cost)
    assert all(Space(BRANCHES).validate(config) == [] for config in configs)
    assert {config["model"]["kind"] for config in configs} == {"tree", "svm"}
    assert len({str(config) for config in configs}) == 11, "nothing is tried twice while there is something new"


def test_where_all_was_tried_it_continues():
    what = {"x": space.randint(0, 2)}
    configs, _ = live(SMAC(n_initial_points=2, n_trees=2), 4, what=what, cost=lambda config: config["x"])
    assert [config["x"] for config in configs[:2]] in ([0, 1], [1, 0])
    assert len(configs) == 4
