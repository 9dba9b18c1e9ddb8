"""ZOOpt behind the adapter, with the real library: what is its own."""

import numpy as np
import pytest

from trialwright import Engine, space
from trialwright.history import HistoryLog
from trialwright.integrations import ZOOpt
from trialwright.messages import Outcome, Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune.search.zoopt import ZOOptSearch

pytest.importorskip("zoopt")
QUIET = {"metric": "loss", "executor": "local", "storage": None, "verbose": 0, "seed": 0, "num_samples": 60}
LINE = {"x": space.uniform(-5, 5)}


def bowl(config):
    return {"loss": (config["x"] - 0.3) ** 2}


@pytest.mark.parametrize("parallelism", [1, 3])
def test_it_comes_near_the_best(parallelism):
    result = Engine(bowl, LINE, searcher=ZOOpt(), max_concurrent_trials=parallelism, **QUIET).run()
    assert len(result) == 60
    assert result.best_metrics["loss"] < 0.05


def test_it_waits_for_its_first_trials_while_one_runs_and_draws_where_all_are_paused():
    searcher, log = ZOOpt(budget=20), HistoryLog()
    searcher.setup(Problem(Space(LINE), parallelism=9))
    *first, last = searcher.suggest(log.until(0), [Request(n, sample=n) for n in range(5)], Streams(0))
    assert None not in first
    assert last is None
    for number, each in enumerate(first):
        log.born(number, each.config, each.tags)
        log.seen(number, 1, [(1.0,)])
        log.paused(number)
    [drawn] = searcher.suggest(log.until(len(log)), [Request(4, sample=4)], Streams(0))
    assert drawn is not None
    for number in range(4):
        log.ended(number, Outcome("completed"))
    assert searcher.suggest(log.until(len(log)), [Request(5, sample=5)], Streams(0)) != [None]


def test_a_branch_is_refused_by_the_name_of_its_parameter():
    with pytest.raises(ValueError, match=r"ZOOpt has no branches.*m\[0\]/d"):
        ZOOpt().setup(Problem(Space({"m": space.choice([{"d": space.randint(0, 3)}, "b"])})))


def test_numpys_generator_is_as_it_was():
    searcher = ZOOpt()
    searcher.setup(Problem(Space(LINE)))
    np.random.seed(3)
    searcher.suggest(HistoryLog().until(0), [Request(0, sample=0)], Streams(0))
    drawn = np.random.random()
    np.random.seed(3)
    assert drawn == np.random.random()


def test_ray_tunes_names_mean_the_same_and_its_own_space_is_read():
    from zoopt import ValueType

    given = {"x": (ValueType.CONTINUOUS, [-5, 5], 1e-3), "n": (ValueType.DISCRETE, [1, 4], True),
             "kind": (ValueType.GRID, ["a", "b"])}  # fmt: skip
    searcher = ZOOptSearch(budget=60, dim_dict=given).adapter("min")
    result = Engine(bowl, {}, searcher=searcher, **QUIET).run()
    assert {trial.config["n"] for trial in result} == {1, 2, 3, 4}
    assert {trial.config["kind"] for trial in result} == {"a", "b"}
    assert all(round(trial.config["x"], 3) == pytest.approx(trial.config["x"]) for trial in result)
    with pytest.raises(ValueError, match="algo='racos'"):
        ZOOptSearch(algo="racos", budget=9)
