"""What only FLAML has: where trials are cheap, local searches, and its names in Ray Tune."""

import importlib
import math

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, ask, live
from trialwright import space, tune
from trialwright.integrations import CFO, BlendSearch
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.tune.search import create_searcher
from trialwright.tune.search import flaml as named

pytest.importorskip("optuna")
pytest.importorskip("flaml.tune.searcher.blendsearch", exc_type=ImportError)

TREES = {
    "trees": space.lograndint(4, 4000),
    "in": {"rate": space.loguniform(1e-3, 1.0)},
    "booster": space.choice(["gbtree", "dart", None]),
}


def trees_cost(config):
    return abs(math.log(config["trees"] / 500)) + abs(math.log(config["in"]["rate"] / 0.1))


@pytest.mark.parametrize("search", [CFO, BlendSearch])
def test_the_search_begins_where_trials_are_cheap(search):
    cheap = {"trees": 4, "in": {"rate": 0.5}}
    configs, _ = live(search(low_cost_partial_config=cheap), 30, what=TREES, cost=trees_cost)
    assert (configs[0]["trees"], configs[0]["in"]["rate"]) == (4, pytest.approx(0.5))
    if search is CFO:
        assert all(config["trees"] < 4000 for config in configs[:4]), "it moves by steps"
    assert min(map(trees_cost, configs[15:])) < trees_cost(configs[0])


@pytest.mark.parametrize("pending", [0, 3])
@pytest.mark.parametrize("search", [CFO, BlendSearch])
def test_a_fresh_instance_continues_as_the_live_one(search, pending):
    live_one = search()
    _, history = live(live_one, 20, what=TREES, pending=pending, cost=trees_cost)
    fresh = search()
    fresh.setup(Problem(Space(TREES)))
    assert ask(fresh, history, 20) == ask(live_one, history, 20)


def test_a_good_point_of_the_users_is_the_start_of_the_local_search():
    configs, _ = live(CFO(points=[{"x": 0.3, "y": 2.0}]), 12)
    assert configs[0] == {"x": 0.3, "y": 2.0}
    assert all(abs(config["x"] - 0.3) < 2 and abs(config["y"] - 2) < 2 for config in configs)


def test_what_does_not_fit_is_named():
    for wrong, text in (
        ({"low_cost_partial_config": {"tree": 4}}, "low_cost_partial_config.*tree"),
        ({"cat_hp_cost": {"booster": [1, 2]}}, "booster.*3 options"),
    ):
        with pytest.raises(ValueError, match=text):
            CFO(**wrong).setup(Problem(Space(TREES)))
    with pytest.raises(ValueError, match=r"model\[0\]/depth.*smac"):
        BlendSearch().setup(Problem(Space(BRANCHES)))


@pytest.mark.parametrize("name", ["blendsearch", "cfo"])
def test_ray_tunes_names_tune(name, tmp_path):
    point = {"x": 0.0, "y": 0.0}
    search = create_searcher(name, low_cost_partial_config={"x": -5}, points_to_evaluate=[point], seed=1)
    tuner = tune.Tuner(
        lambda config: {"score": -((config["x"] - 0.3) ** 2)},
        param_space=PLANE,
        tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=search, num_samples=9),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    results = tuner.fit()
    assert len(results) == 9
    assert results[0].config == point


def test_ray_tunes_names_have_flamls_arguments():
    flaml = importlib.import_module("flaml.tune.searcher.blendsearch")
    theirs = set(flaml.BlendSearch.__init__.__code__.co_varnames[1 : flaml.BlendSearch.__init__.__code__.co_argcount])
    ours = named.CFO.__init__.__code__.co_varnames[1 : 1 + 7 + 3]
    assert theirs == {*ours} | named.REFUSED.keys()
    assert named.CFO(cost_attr="auto", resource_attr=None)
    with pytest.raises(ValueError, match="scheduler"):
        named.BlendSearch(resource_attr="epochs")
    with pytest.raises(TypeError, match="did you mean 'mode'"):
        named.BlendSearch(mod="min")
