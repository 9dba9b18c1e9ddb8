"""The three libraries behind the one adapter, with the real libraries."""

import math

import numpy as np
import pytest

from trialwright import Engine, Random, space
from trialwright.history import History, HistoryLog
from trialwright.integrations import (
    ADAPTERS,
    HEBO,
    SMAC,
    Adapter,
    BayesOpt,
    BlendSearch,
    BoTorch,
    HpBandSter,
    HyperOpt,
    Optuna,
    SkOpt,
)
from trialwright.integrations.adapter import library
from trialwright.messages import Outcome, Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams

SEARCHERS = {
    "hyperopt": lambda **options: HyperOpt(n_initial_points=8, **options),
    "optuna": lambda **options: Optuna(**options),
    "bayes_opt": lambda **options: BayesOpt(random_search_steps=8, **options),
    "botorch": lambda **options: BoTorch(n_initial_points=8, num_restarts=2, raw_samples=32, **options),
    "flaml": lambda **options: BlendSearch(**options),
    "hebo": lambda **options: HEBO(n_initial_points=8, generations=5, **options),
    "hpbandster": lambda **options: HpBandSter(**options),
    "smac": lambda **options: SMAC(n_initial_points=8, n_trees=4, **options),
    "skopt": lambda **options: SkOpt(n_initial_points=8, options={"acq_func": "EI"}, **options),
}
PLANE = {"x": space.uniform(-5, 5), "y": space.uniform(-5, 5)}
BRANCHES = {
    "model": space.choice(
        [
            {"kind": "tree", "depth": space.randint(1, 9)},
            {
                "kind": "svm",
                "C": space.loguniform(1e-3, 1e3),
                "kernel": space.choice(["rbf", {"poly": space.randint(2, 5)}]),
            },
        ]
    )
}
QUIET = {"metric": "loss", "executor": "local", "max_concurrent_trials": 1, "storage": None, "verbose": 0}


QUICK = ("hyperopt", "optuna", "flaml")


@pytest.fixture(params=[each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in SEARCHERS])
def make(request):
    pytest.importorskip(request.param)
    return SEARCHERS[request.param]


@pytest.fixture(params=["hyperopt", "optuna"])
def make_branching(request):
    pytest.importorskip(request.param)
    return SEARCHERS[request.param]


def bowl(config):
    return {"loss": (config["x"] - 0.3) ** 2 + (config["y"] - 2) ** 2}


def cost(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 2) ** 2


def live(searcher, count, *, seed=0, what=PLANE, pending=0, outcome="completed", cost=cost):
    """Ask one by one; trials end some asks later. Return what was suggested, and the history."""
    searcher.setup(Problem(Space(what)))
    log, configs = HistoryLog(), []
    for number in range(count):
        [answer] = searcher.suggest(log.until(len(log)), [Request(number, sample=number)], Streams(seed))
        log.born(number, answer.config, answer.tags)
        configs.append(answer.config)
        if number >= pending:
            log.seen(number - pending, 1, [(cost(configs[number - pending]),)])
            log.ended(number - pending, Outcome(outcome))
    return configs, log.until(len(log))


def ask(searcher, history, number, seed=0, sample=None):
    [answer] = searcher.suggest(history, [Request(number, sample=number if sample is None else sample)], Streams(seed))
    return answer.config


def test_each_finds_better_values_than_random_search_with_the_same_budget(make):
    def best(searcher, seed):
        return Engine(bowl, PLANE, num_samples=25, searcher=searcher, seed=seed, **QUIET).run().best_metrics["loss"]

    assert np.mean([best(make(), seed) for seed in range(2)]) < np.mean([best(Random(), seed) for seed in range(10)])


def test_the_same_seed_gives_the_same_suggestions_and_another_seed_gives_others(make):
    first, _ = live(make(), 12)
    assert live(make(), 12)[0] == first
    assert live(make(), 12, seed=1)[0] != first


def test_a_seed_of_its_own_counts_whatever_the_run_has(make):
    assert live(make(seed=5), 9, seed=1)[0] == live(make(seed=5), 9, seed=2)[0]


def test_a_fresh_instance_continues_as_the_live_one_while_trials_run(make):
    searcher = make()
    _, history = live(searcher, 14, pending=3)
    fresh = make()
    fresh.setup(Problem(Space(PLANE)))
    assert searcher.exact_resume
    assert ask(fresh, history, 14) == ask(searcher, history, 14)


def test_trials_that_were_not_asked_for_are_learnt_from(make):
    """Points of the user's are answered by the engine, and their trials show up in the history later."""
    log = HistoryLog()
    rng = np.random.default_rng(0)
    for number, config in enumerate(Space(PLANE).sample(15, rng)):
        log.born(number, config, {"point": number})
        log.seen(number, 1, [(cost(config),)])
        log.ended(number, Outcome("completed"))
    taught, blank = make(), make()
    taught.setup(Problem(Space(PLANE)))
    blank.setup(Problem(Space(PLANE)))
    assert ask(taught, log.until(len(log)), 15) != ask(blank, History(), 15)


def test_a_batch_is_answered_with_different_configurations(make):
    searcher = make()
    _, history = live(searcher, 12)
    answers = searcher.suggest(history, [Request(number, sample=number) for number in range(12, 15)], Streams(0))
    assert len({str(answer.config) for answer in answers}) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_poisons_nothing(make, value):
    searcher = make()

    def odd(config):
        return value if config["x"] > 0 else cost(config)

    configs, history = live(searcher, 16, cost=odd)
    assert all(math.isfinite(x) for config in configs for x in config.values())
    assert math.isfinite(ask(searcher, history, 16)["x"])


def test_failed_trials_are_no_good_ones(make):
    """Whatever they reported before they failed: here, the lower x is, the better it looks, until it fails."""

    def objective(config):
        if config["x"] < 0:
            raise ValueError("x")
        return {"loss": config["x"]}

    result = Engine(objective, PLANE, num_samples=30, searcher=make(), seed=0, **QUIET).run()
    assert len(result) == 30
    assert result.best_metrics["loss"] >= 0
    assert {trial.outcome for trial in result} == {"completed", "failed"}


def test_a_run_in_which_every_trial_fails_ends_as_such(make):
    configs, _ = live(make(), 14, outcome="failed")
    assert len(configs) == 14


def test_points_come_first_and_earlier_results_are_known(make):
    searcher = make(points=[{"x": 1.0, "y": 2.0}, {"x": -1.0}])
    configs, _ = live(searcher, 3)
    assert configs[0] == {"x": 1.0, "y": 2.0}
    assert configs[1]["x"] == -1.0
    rng = np.random.default_rng(0)
    earlier = [(config, (cost(config),)) for config in Space(PLANE).sample(20, rng)]
    taught = make(earlier=earlier)
    taught.setup(Problem(Space(PLANE)))
    blank = make()
    blank.setup(Problem(Space(PLANE)))
    assert ask(taught, History(), 0) != ask(blank, History(), 0)


def test_a_point_that_does_not_fit_is_refused_before_the_run(make):
    with pytest.raises(ValueError, match=r"points_to_evaluate\[1\].*x"):
        make(points=[{"x": 0}, {"x": 99}]).setup(Problem(Space(PLANE)))


def test_every_kind_of_parameter_is_searched(make):
    what = {
        "log": space.loguniform(1e-4, 1e-1),
        "int": space.randint(1, 5),
        "logint": space.lograndint(2, 300),
        "steps": space.quniform(0, 1, 0.25),
        "normal": space.randn(10, 2),
        "choice": space.choice(["a", "b", None]),
        "ordinal": space.ordinal(["s", "m", "l"]),
        "grid": space.grid_search([1, 2]),
        "nested": {"x": space.uniform(0, 1), "constant": 7},
        "derived": space.sample_from(lambda config: config["int"] * 2),
    }
    result = Engine(
        lambda config: {"loss": config["normal"] * config["log"] * config["logint"]}, what, num_samples=7,
        searcher=make(), seed=0, **QUIET,
    ).run()  # fmt: skip
    assert [trial.config["grid"] for trial in result] == [1, 2] * 7
    assert all(Space(what).validate(trial.config) == [] for trial in result)
    assert all(trial.config["derived"] == trial.config["int"] * 2 for trial in result)


def test_branches_are_searched_and_configs_have_only_the_branch_taken(make_branching):
    def objective(config):
        model = config["model"]
        return {"loss": model["depth"] if model["kind"] == "tree" else 20 + model["C"]}

    result = Engine(objective, BRANCHES, num_samples=30, searcher=make_branching(), seed=1, **QUIET).run()
    assert all(Space(BRANCHES).validate(trial.config) == [] for trial in result)
    kinds = [trial.config["model"]["kind"] for trial in result]
    assert set(kinds) == {"tree", "svm"}
    assert kinds[-10:].count("tree") > 5, "it has learnt which branch is better"


def test_bayesopt_names_the_parameter_that_is_in_a_branch():
    pytest.importorskip("bayes_opt")
    with pytest.raises(ValueError, match=r"model\[0\]/depth.*hyperopt"):
        BayesOpt().setup(Problem(Space(BRANCHES)))


def test_a_run_that_was_resumed_continues(make, tmp_path):
    class Enough(Exception):
        """Stops the run, as a bug in a callback of the searcher would."""

    class Breaks:
        learns = True

        def __init__(self, base):
            self.base = base
            self.setup = base.setup

        def suggest(self, history, requests, rng):
            if requests[0].sample == 10:
                raise Enough
            return self.base.suggest(history, requests, rng)

    keywords = {**QUIET, "storage": tmp_path, "num_samples": 14, "seed": 3}
    whole = Engine(bowl, PLANE, searcher=make(), **keywords).run()
    with pytest.raises(Exception, match="Enough"):
        Engine(bowl, PLANE, searcher=Breaks(make()), **keywords).run()
    [path] = set(tmp_path.iterdir()) - {whole.path}
    resumed = Engine.resume(path, bowl, searcher=make(), executor="local", verbose=0).run()
    assert [trial.config for trial in resumed] == [trial.config for trial in whole]


def test_a_space_of_its_own_goes_with_constants_of_the_run_only(make):
    searcher = make(space={"x": space.uniform(0, 1)})
    with pytest.raises(ValueError, match="'y'"):
        searcher.setup(Problem(Space({"y": space.uniform(0, 1)})))
    assert searcher.setup(Problem(Space({"epochs": 3, "data": "digits"}))) == 1
    config = ask(searcher, History(), 0)
    assert config.keys() == {"x", "epochs", "data"}


def test_a_library_that_is_not_there_is_named_with_its_package():
    with pytest.raises(ImportError, match="pip install some-package"):
        library("no_such_module_anywhere", "some-package")


def test_nothing_is_imported_before_it_is_used():
    for cls in ADAPTERS.values():
        assert issubclass(cls, Adapter)
        cls()
