"""What only Ax has: branches in its model, a space in its own form, and its arguments in Ray Tune."""

import logging
import sys

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, cost, live
from trialwright import space, tune
from trialwright.history import History
from trialwright.integrations import Ax, InEnvironment
from trialwright.messages import Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune.search import create_searcher
from trialwright.tune.search.ax import AxSearch

pytest.importorskip("ax")

OWN = [
    {"name": "x", "type": "range", "bounds": [1e-3, 1.0], "value_type": "float", "log_scale": True},
    {"name": "n", "type": "range", "bounds": [1, 9]},
    {"name": "kind", "type": "choice", "values": ["a", "b", "c"], "is_ordered": True},
    {"name": "k", "type": "fixed", "value": 3},
]


def first(count, seed=0, what=PLANE, **options):
    searcher = Ax(**options)
    searcher.setup(Problem(Space(what)))
    requests = [Request(number, sample=number) for number in range(count)]
    return [answer.config for answer in searcher.suggest(History(), requests, Streams(seed))]


def test_the_first_points_are_the_centre_and_the_runs_own():
    one, other = first(5, seed=1), first(5, seed=2)
    assert one[0] == other[0] == pytest.approx({"x": 0, "y": 0})
    assert one[1:] != other[1:]


def test_the_model_finds_better_values_than_the_first_points():
    configs, _ = live(Ax(), 9)
    assert min(map(cost, configs[5:])) < min(map(cost, configs[:5]))


def test_the_model_knows_branches_failures_and_trials_that_run():
    def depth(config):
        model = config["model"]
        return model["depth"] if model["kind"] == "tree" else 20 + model["C"]

    configs, history = live(Ax(), 8, what=BRANCHES, pending=1, cost=depth)
    assert min(map(depth, configs)) < 20
    assert len(history) == 8


def test_a_fresh_instance_continues_as_the_live_one():
    searcher, requests = Ax(), [Request(6, sample=6)]
    _, history = live(searcher, 6)
    fresh = Ax()
    fresh.setup(Problem(Space(PLANE)))
    assert fresh.suggest(history, requests, Streams(0)) == searcher.suggest(history, requests, Streams(0))


def test_a_space_of_axs_own_is_read():
    for config in first(5, what={}, space=OWN):
        assert config["k"] == 3
        assert 1e-3 <= config["x"] <= 1
        assert config["n"] in range(1, 10)
        assert config["kind"] in ("a", "b", "c")


def test_another_environment_is_asked_for_the_same_first_points():
    here, there = Ax(), InEnvironment(sys.executable, "ax")
    answers = []
    for searcher in (here, there):
        searcher.setup(Problem(Space(PLANE)))
        requests = [Request(number, sample=number) for number in range(5)]
        answers.append(searcher.suggest(History(), requests, Streams(7)))
    there.close()
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ([{"name": "x", "type": "rang", "bounds": [0, 1]}], "rang"),
        ([{"name": "x", "type": "range", "bounds": [0, 1], "is_fidelity": True}], "'x'.*is_fidelity"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(wrong, text):
    with pytest.raises(ValueError, match=text):
        Ax(space=wrong).setup(Problem(Space({})))


def test_ax_logs_what_it_did_before(caplog):
    handlers = logging.getLogger("ax").handlers
    before = [handler.level for handler in handlers]
    first(2)
    assert [handler.level for handler in handlers] == before


def test_what_ray_tune_takes_is_honoured_or_refused_by_name():
    points = [{"x": 1.0, "y": 2.0}]
    search = create_searcher("ax", space={"x": space.uniform(-5, 5), "y": 2.0}, points_to_evaluate=[{"x": 1.0}])
    adapter = search.adapter("min")
    adapter.setup(Problem(Space({})))
    [answer] = adapter.suggest(History(), [Request(0, sample=0)], Streams(0))
    assert answer.config == points[0]
    assert AxSearch(random_seed=3).adapter("min").seed == 3
    with pytest.raises(ValueError, match="ax_client.*not supported"):
        AxSearch(ax_client=object())
    with pytest.raises(TypeError, match="db_settings"):
        AxSearch(db_settings=1)
    with pytest.raises(ValueError, match="qality.*quality"):
        Ax(method="qality").setup(Problem(Space(PLANE)))


def test_its_own_constraints_of_parameters_are_met_by_the_first_points_and_the_models():
    what = {"model/a": space.uniform(0, 1), "b": space.uniform(0, 1)}
    searcher = Ax(parameter_constraints=("model/a + 2 * b <= 1.0",))
    configs, _ = live(searcher, 8, what=what, cost=lambda config: -config["model/a"] - config["b"])
    assert all(config["model/a"] + 2 * config["b"] <= 1 + 1e-6 for config in configs)
    with pytest.raises(ValueError, match=r"no number 'c'.*"):
        Ax(parameter_constraints=("c <= 1",)).setup(Problem(Space(what)))


def test_its_model_knows_limits_of_metrics(tmp_path):
    def objective(config):
        return {"gain": config["x"] + config["y"], "size": config["x"] - config["y"]}

    search = tune.search.ConcurrencyLimiter(AxSearch(outcome_constraints=["size <= -0.5"]), max_concurrent=1)
    settings = tune.TuneConfig(metric="gain", mode="max", search_alg=search, num_samples=14, seed=0)
    where = tune.RunConfig(storage_path=str(tmp_path), executor="local", verbose=0)
    what = {"x": space.uniform(0, 1), "y": space.uniform(0, 1)}
    results = tune.Tuner(objective, param_space=what, tune_config=settings, run_config=where).fit()
    last = [result.metrics for result in results][-4:]
    assert min(metrics["size"] for metrics in last) < -0.4, "the limit is approached"
    assert max(metrics["gain"] for metrics in last if metrics["size"] <= -0.5) > 1.3, "of 1.5 that can be reached"
