"""Searchers by Ray Tune's names: what they make of their parameters, and users' own subclasses."""

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from trialwright import Engine, Local, space, tune
from trialwright.history import History, HistoryLog
from trialwright.integrations import BayesOpt, HyperOpt, Optuna
from trialwright.messages import Outcome, Request
from trialwright.searchers import TPE, Problem
from trialwright.searchers.variants import Variants
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune.schedulers import HyperBandForBOHB, PopulationBasedTraining
from trialwright.tune.search import (
    BasicVariantGenerator,
    BayesOptSearch,
    ConcurrencyLimiter,
    HEBOSearch,
    HyperOptSearch,
    OptunaSearch,
    Repeater,
    Searcher,
    TuneBOHB,
    create_searcher,
)
from trialwright.tune.search.searcher import to_engine
from trialwright.tune.trial import RunFacts

PLANE = {"x": space.uniform(-5, 5), "y": space.uniform(-5, 5)}
QUIET = {"executor": "local", "max_concurrent_trials": 1, "storage": None, "verbose": 0, "seed": 0}


def bowl(config):
    return {"score": -((config["x"] - 0.3) ** 2) - (config["y"] - 2) ** 2}


def run(search, what=PLANE, objective=bowl, metric="score", mode="max", **keywords):
    searcher = to_engine(search, RunFacts(metric=metric, mode=mode), what)
    return Engine(objective, what, metric=metric, mode=mode, searcher=searcher, **{**QUIET, **keywords}).run()


class Climber(Searcher):
    """As a user would write one: near the best so far."""

    def __init__(self, metric=None, mode=None):
        super().__init__(metric=metric, mode=mode)
        self.told, self.reports, self.live, self.best = [], [], {}, None
        self.random = np.random.default_rng(0)

    def set_search_properties(self, metric, mode, config, **spec):
        self._metric, self._mode, self.config = metric or self._metric, mode or self._mode, config
        return True

    def suggest(self, trial_id):
        centre = self.best[1]["x"] if self.best else 0.0
        self.live[trial_id] = {"x": float(np.clip(centre + self.random.normal(), -5, 5))}
        return self.live[trial_id]

    def on_trial_result(self, trial_id, result):
        self.reports.append((trial_id, result["training_iteration"], result[self.metric]))

    def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
        config = self.live.pop(trial_id)
        self.told.append((trial_id, result and result[self.metric], error))
        if result and (self.best is None or result[self.metric] > self.best[0]):
            self.best = result[self.metric], config


# A user's subclass ---------------------------------------------------------------------------------------------------


def test_a_users_searcher_runs_and_hears_of_results_as_they_were_reported():
    climber = Climber()
    result = run(climber, num_samples=20)
    climber.on_experiment_end(result)
    assert climber.metric == "score"
    assert climber.mode == "max"
    assert climber.config is not None
    assert len(climber.told) == 20
    assert [told[1] for told in climber.told] == [trial.metrics["score"] for trial in result]
    assert [report[2] for report in climber.reports] == [trial.metrics["score"] for trial in result]
    assert climber.best[1]["x"] == result.best().config["x"]


def test_what_a_users_searcher_does_not_suggest_is_drawn_and_what_the_space_lacks_is_taken():
    class Partial(Climber):
        def suggest(self, trial_id):
            return {**super().suggest(trial_id), "extra": {"list": (1, np.float64(2.5))}}

    result = run(Partial(), {**PLANE, "double": space.sample_from(lambda config: config["x"] * 2)}, num_samples=6)
    assert len({trial.config["y"] for trial in result}) == 6
    assert all(trial.config["double"] == trial.config["x"] * 2 for trial in result)
    assert all(trial.config["extra"] == {"list": [1, 2.5]} for trial in result)


def test_a_searcher_may_suggest_the_spaces_own_objects_and_tuples():
    class Whole(Climber):
        def suggest(self, trial_id):
            return {**super().suggest(trial_id), "place": self.config["place"], "sizes": [1, 2]}

    place = (Path("here"), None)
    what = {**PLANE, "place": place, "sizes": (1, 2), "x2": space.sample_from(lambda config: config["x"] * 2)}
    for trial in run(Whole(), what, num_samples=3):
        assert trial.config["place"] == place
        assert trial.config["sizes"] == (1, 2)
        assert trial.config["x2"] == trial.config["x"] * 2


def test_a_searcher_gets_failed_trials_as_errors_and_trials_that_ended_early_as_results():
    def objective(config):
        if config["x"] > 0:
            raise ValueError("positive")
        return {"score": config["x"]}

    climber = Climber()
    result = run(climber, objective=objective, num_samples=12)
    climber.on_experiment_end(result)
    told = {trial_id: (value, error) for trial_id, value, error in climber.told}
    assert {error for _, error in told.values()} == {True, False}
    assert all((value is None) == error for value, error in told.values())


def test_finished_ends_the_search():
    class Three(Climber):
        def suggest(self, trial_id):
            return self.FINISHED if len(self.told) + len(self.live) == 3 else super().suggest(trial_id)

    assert len(run(Three(), num_samples=20)) == 3


def test_not_now_is_asked_again_once_more_is_known():
    class Hesitant(Climber):
        calls = 0

        def suggest(self, trial_id):
            self.calls += 1
            return None if self.calls % 3 else super().suggest(trial_id)

    assert len(run(Hesitant(), num_samples=5)) == 5

    class OneAtATime(Climber):
        most = 0

        def suggest(self, trial_id):
            self.most = max(self.most, len(self.live))
            return None if self.live else super().suggest(trial_id)

    alone = OneAtATime()
    assert len(run(alone, num_samples=5)) == 5
    assert alone.most <= 1

    class Never(Climber):
        def suggest(self, trial_id):
            return None

    assert len(run(Never(), num_samples=5)) == 0


def test_a_batch_has_ended_before_the_next_one_begins():
    limited = ConcurrencyLimiter(Climber(), 3, batch=True)
    result = run(limited, num_samples=8, executor=Local(cpus=3), max_concurrent_trials=3)
    times = sorted((trial.started, trial.ended) for trial in result)
    assert len(times) == 8
    for batch, later in ((times[:3], times[3:6]), (times[3:6], times[6:])):
        assert max(ended for _, ended in batch) <= later[0][0]


def test_a_searcher_gets_all_that_was_reported(tmp_path):
    heard = []

    class Curious(Climber):
        def on_trial_result(self, trial_id, result):
            heard.append(result)

        def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
            super().on_trial_complete(trial_id, result, error)
            heard.append(result)

    def objective(config):
        tune.report({"score": 1.0, "step": 7, "more": {"depth": config["x"]}})
        tune.report({"score": 2.0})

    curious = ConcurrencyLimiter(Curious(), 1)
    config = tune.TuneConfig(metric="score", mode="max", num_samples=3, search_alg=curious)
    where = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0, callbacks=[])
    tune.Tuner(objective, param_space=PLANE, tune_config=config, run_config=where).fit()
    first, second, last = heard[:3]
    assert (first["score"], first["step"], first["more"]) == (1.0, 7, {"depth": first["config"]["x"]})
    assert (second["training_iteration"], second["done"], last["done"]) == (2, False, True)
    assert first.keys() >= {"trial_id", "hostname", "time_total_s", "timestamp"}


def test_a_users_searcher_that_comes_late_is_asked_again_for_what_was_before():
    first = to_engine(Climber(), RunFacts(metric="score", mode="max"), PLANE)
    first.setup(Problem(Space(PLANE)))
    log = HistoryLog()
    for number in range(5):
        [answer] = first.suggest(log.until(len(log)), [Request(number, sample=number)], Streams(0))
        log.born(number, answer.config, answer.tags)
        log.seen(number, 1, [(float(number),)])
        log.ended(number, Outcome("completed"))
    late = Climber()
    engine = to_engine(late, RunFacts(metric="score", mode="max"), PLANE)
    engine.setup(Problem(Space(PLANE)))
    engine.suggest(log.until(len(log)), [Request(5, sample=5)], Streams(0))
    assert [value for _, value, _ in late.told] == [-0.0, -1.0, -2.0, -3.0, -4.0], "as reported: the engine's are costs"

    class Taught(Climber):
        def __init__(self):
            super().__init__()
            self.points = []

        def add_evaluated_point(self, parameters, value, error=False, pruned=False, intermediate_values=None):  # noqa: FBT002 - Ray Tune's order
            self.points.append((parameters["x"], value, error, intermediate_values))

    taught = Taught()
    engine = to_engine(taught, RunFacts(metric="score", mode="max"), PLANE)
    engine.setup(Problem(Space(PLANE)))
    engine.suggest(log.until(len(log)), [Request(5, sample=5)], Streams(0))
    assert [point[1] for point in taught.points] == [-0.0, -1.0, -2.0, -3.0, -4.0]
    assert taught.told == []


def test_trial_ids_are_those_that_users_see_elsewhere():
    climber, facts = Climber(), RunFacts(metric="score", mode="max")
    engine = to_engine(climber, facts, PLANE)
    engine.setup(Problem(Space(PLANE)))
    engine.suggest(History(), [Request(7, sample=0)], Streams(0))
    assert list(climber.live) == [facts.trial_id(7)]


def test_metric_and_mode_must_fit_each_other():
    for metric, mode in (("loss", "lowest"), (["a", "b"], ["min"]), ("a", ["min"])):
        with pytest.raises(ValueError, match="mode"):
            Searcher(metric, mode)


# Libraries -----------------------------------------------------------------------------------------------------------


def test_hyperopt_takes_the_tutorials_space():
    hp = pytest.importorskip("hyperopt").hp
    own = {"lr": hp.loguniform("lr", -10, -1), "momentum": hp.uniform("momentum", 0.1, 0.9)}
    search = HyperOptSearch(own, metric="mean_accuracy", mode="max")

    def objective(config):
        return {"mean_accuracy": config["lr"] * config["momentum"]}

    result = Engine(
        objective, {}, metric="mean_accuracy", mode="max", searcher=to_engine(search), num_samples=10, **QUIET
    )
    assert all(trial.config.keys() == {"lr", "momentum"} for trial in result.run())


def test_each_parameter_of_the_libraries_reaches_the_engines_searcher():
    assert to_engine(
        HyperOptSearch(n_initial_points=3, random_state_seed=7, gamma=0.5, points_to_evaluate=[{"x": 1}])
    ) == (HyperOpt(n_initial_points=3, seed=7, gamma=0.5, points=({"x": 1},), earlier=[]))
    utility = {"kind": "ei", "xi": 0.1}
    made = to_engine(
        BayesOptSearch({"x": (0, 1)}, utility_kwargs=utility, random_search_steps=4, repeat_float_precision=2)
    )
    wanted = {"random_search_steps": 4, "patience": 5, "skip_duplicate": True, "precision": 2, "seed": 42}
    assert made == BayesOpt(kind="ei", xi=0.1, space={"x": (0, 1)}, earlier=[], **wanted)
    search = OptunaSearch(metric="score", mode="max", points_to_evaluate=[{"x": 1}], evaluated_rewards=[5.0], seed=1)
    assert to_engine(search) == Optuna(mode="max", seed=1, earlier=[({"x": 1}, (-5.0,))])


def test_rewards_that_are_known_are_not_tried_again():
    pytest.importorskip("optuna")
    points = [{"x": float(x), "y": 2.0} for x in range(-4, 4)]
    search = OptunaSearch(points_to_evaluate=points, evaluated_rewards=[bowl(point)["score"] for point in points])
    result = run(search, num_samples=8)
    assert not [trial for trial in result if trial.config in points]


def test_what_cannot_be_had_is_refused_by_name():
    for make, text in (
        (lambda: OptunaSearch(sampler=object(), seed=1), "seed"),
        (lambda: OptunaSearch(points_to_evaluate=[{}], evaluated_rewards=[]), "rewards"),
        (lambda: BayesOptSearch(patience=0), "patience"),
        (lambda: BayesOptSearch(utility_kwargs={"kapa": 1}), "kapa"),
        (lambda: ConcurrencyLimiter(Climber(), 0), "max_concurrent"),
        (lambda: Repeater(Climber(), 0), "repeat"),
    ):
        with pytest.raises(ValueError, match=text):
            make()
    for make in (lambda: ConcurrencyLimiter(BasicVariantGenerator(), 2), lambda: Repeater("random")):
        with pytest.raises(TypeError, match="wants a Searcher"):
            make()


@pytest.mark.parametrize(
    ("package", "search"),
    [
        ("hyperopt", lambda space=None: HyperOptSearch(space, "score", "max", random_state_seed=1)),
        ("optuna", lambda space=None: OptunaSearch(space, "score", "max", seed=1)),
    ],
)
def test_a_space_is_converted_to_the_librarys_own(package, search):
    pytest.importorskip(package)
    what = {
        "a": tune.choice(["x", "y"]),
        "n": {"b": tune.qrandint(0, 8, 2), "c": tune.loguniform(1e-4, 1e-2), "d": tune.quniform(0, 1, 0.5)},
        "e": tune.lograndint(1, 100),
        "f": tune.randint(-3, 3),
    }
    convert = type(search()).convert_search_space
    for config in (search(convert(what)).suggest("0"), search(what).suggest("0")):
        n, kinds = config["n"], [type(config["n"]["b"]), type(config["e"]), type(config["f"])]
        assert config["a"] in ("x", "y")
        assert kinds == [int] * 3
        assert n["b"] in range(0, 9, 2)
        assert 1e-4 <= n["c"] <= 1e-2
        assert n["d"] in (0, 0.5, 1)
        assert 1 <= config["e"] < 100
        assert -3 <= config["f"] < 3
    for bad in (tune.grid_search([1]), tune.sample_from(lambda: 1), tune.choice([tune.uniform(0, 1), 2])):
        with pytest.raises(ValueError, match="bad.*: (HyperOpt|Optuna) has no"):
            convert({"bad": bad})


def test_hyperopts_expressions_and_domains_may_be_mixed():
    hyperopt = pytest.importorskip("hyperopt")
    what = {"a": tune.uniform(5, 6), "b": hyperopt.hp.uniform("b", 8, 9), "c": 1}
    config = HyperOptSearch(what, "score", "max").suggest("0")
    assert 5 <= config["a"] <= 6
    assert 8 <= config["b"] <= 9
    assert config["c"] == 1


def test_the_bounds_of_a_space_are_those_of_its_floats():
    convert = BayesOptSearch.convert_search_space
    what = {"n": {"x": tune.uniform(0, 1)}, "y": (2, 3), "c": 5}
    assert convert(what) == {"n/x": (0, 1), "y": (2, 3)}
    assert convert(what, join=True) == {"n/x": (0, 1), "y": (2, 3), "c": 5}
    for bad in (tune.randint(0, 3), tune.loguniform(1, 2)):
        with pytest.raises(ValueError, match="bad: the package's bounds"):
            convert({"bad": bad})


def test_an_earlier_analysis_is_known_beforehand(tmp_path):
    pytest.importorskip("pandas")
    grid = {"x": 1.0, "y": space.grid_search([0, 1, 2])}
    analysis = tune.run(
        lambda config: {"score": [1.0, 2.0, float("nan")][config["y"]]},
        config=grid,
        executor="local",
        storage_path=tmp_path,
        verbose=0,
    )
    search = BayesOptSearch(analysis=analysis, metric="score", mode="max")
    assert to_engine(search).earlier == [({"x": 1.0, "y": 0}, (-1.0,)), ({"x": 1.0, "y": 1}, (-2.0,))]
    climber = Climber("score", "max")
    climber.add_evaluated_point = lambda config, value, **told: climber.told.append((config["y"], value, told["error"]))
    climber.add_evaluated_trials(analysis, "score")
    climber.add_evaluated_trials(analysis.trials[1], "score")
    assert [told[0::2] for told in climber.told] == [(0, False), (1, False), (2, False), (1, False)]


def test_what_was_found_can_be_saved_and_known_by_another_searcher(tmp_path):
    pytest.importorskip("optuna")
    search = OptunaSearch(metric="score", mode="max")
    search.on_experiment_end(run(search, num_samples=4))
    search.save(str(tmp_path / "state"))
    other = ConcurrencyLimiter(OptunaSearch(metric="score", mode="max"), 2)
    other.restore(str(tmp_path / "state"))
    earlier = to_engine(other).earlier
    assert [-costs[0] for _, costs in earlier] == [bowl(config)["score"] for config, _ in earlier]
    assert len(run(other, num_samples=3)) == 3


@pytest.mark.parametrize("by", ["a file", "the run's directory"])
def test_a_restored_searcher_suggests_what_it_would_have_suggested_without_the_break(by, tmp_path):
    pytest.importorskip("hyperopt")

    def searcher():
        limited = HyperOptSearch(metric="score", mode="max", n_initial_points=2, random_state_seed=5)
        return ConcurrencyLimiter(limited, max_concurrent=1)

    def suggested(search, num_samples, name):
        settings = {"num_samples": num_samples, "executor": "local", "storage_path": tmp_path, "verbose": 0}
        return tune.run(bowl, config=PLANE, search_alg=search, name=name, **settings).get_all_configs().values()

    whole, first, second = [*suggested(searcher(), 6, "whole")], searcher(), searcher()
    assert [*suggested(first, 3, "first")] == whole[:3]
    if by == "a file":
        first.save(str(tmp_path / "state"))
        second.restore(str(tmp_path / "state"))
    else:
        second.restore_from_dir(str(tmp_path / "first"))
    assert [*suggested(second, 3, "second")] == whole[3:]


def test_users_wrappers_may_ask_a_librarys_searcher_themselves():
    pytest.importorskip("hyperopt")

    class Wrapper(Searcher):
        def __init__(self, inner):
            super().__init__(inner.metric, inner.mode)
            self.inner = inner

        def set_search_properties(self, metric, mode, config, **spec):
            return self.inner.set_search_properties(metric, mode, config, **spec)

        def suggest(self, trial_id):
            return self.inner.suggest(trial_id)

        def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
            self.inner.on_trial_complete(trial_id, result, error)

    result = run(Wrapper(HyperOptSearch(metric="score", mode="max", n_initial_points=4)), num_samples=8)
    assert len({trial.config["x"] for trial in result}) == 8


# Wrappers ------------------------------------------------------------------------------------------------------------


def test_the_limiters_limit_is_for_the_engine_and_its_searcher_is_asked_directly():
    inner = Climber("score", "max")
    limiter = ConcurrencyLimiter(inner, max_concurrent=3)
    assert limiter.max_concurrent == 3
    assert (limiter.metric, limiter.mode) == ("score", "max")
    assert len(run(limiter, num_samples=5)) == 5
    assert len(inner.told) == 4
    assert isinstance(to_engine(ConcurrencyLimiter(HyperOptSearch(), 2)), HyperOpt)


def test_a_limiter_that_a_wrapper_asks_says_not_now():
    limiter = ConcurrencyLimiter(Climber("score", "max"), 2)
    assert limiter.suggest("a")
    assert limiter.suggest("b")
    assert limiter.suggest("c") is None
    limiter.on_trial_complete("a", {"score": 1.0})
    assert limiter.suggest("c")


def test_a_limiter_hands_on_a_short_batch_and_can_be_copied():
    climber = Climber("score", "max")
    limiter = ConcurrencyLimiter(climber, 3, batch=True)
    assert limiter.suggest("a")
    assert limiter.suggest("b")
    climber.suggest = lambda trial_id: None
    assert limiter.suggest("c") is None
    limiter.on_trial_complete("a", {"score": 1.0})
    assert not climber.told
    copy = ConcurrencyLimiter(climber, 9, batch=True)
    copy.set_state(limiter.get_state())
    assert copy.max_concurrent == 3
    limiter.on_trial_complete("b", {"score": 2.0})
    assert [told[1] for told in climber.told] == [1.0, 2.0]


def test_a_repeater_by_hand_tells_the_mean_and_can_be_copied():
    climber = Climber("score", "max")
    repeater = Repeater(climber, repeat=2)
    configs = [repeater.suggest(each) for each in "abc"]
    assert [config["__trial_index__"] for config in configs] == [0, 1, 0]
    assert configs[0]["x"] == configs[1]["x"] != configs[2]["x"]
    repeater.on_trial_complete("b", {"score": 1.0})
    copy = Repeater(climber)
    copy.set_state(repeater.get_state())
    assert copy.suggest("d")["x"] == configs[2]["x"]
    copy.on_trial_complete("a", {"score": 4.0})
    copy.on_trial_complete("c", error=True)
    copy.on_trial_complete("d", {"score": 3.0})
    copy.on_trial_complete("unknown", {"score": 3.0})
    assert climber.told == [("a", 2.5, False), ("c", 3.0, False)]


def test_a_repeater_tries_each_suggestion_several_times_and_tells_the_mean():
    climber = Climber()

    def objective(config):
        return {"score": config["x"] + config["__trial_index__"]}

    result = run(Repeater(climber, repeat=3), objective=objective, num_samples=12)
    configs = [trial.config for trial in result]
    assert [config["__trial_index__"] for config in configs] == [0, 1, 2] * 4
    assert [config["x"] for config in configs] == [x for config in configs[::3] for x in [config["x"]] * 3]
    assert [told[1] for told in climber.told] == pytest.approx([config["x"] + 1 for config in configs[:9:3]])


def test_a_repeaters_failures_are_omitted_of_the_mean():
    climber = Climber()

    def objective(config):
        if config["__trial_index__"] == 1 or config["x"] > 0:
            raise ValueError("no")
        return {"score": config["x"]}

    run(Repeater(climber, repeat=2), objective=objective, num_samples=12)
    assert all(error == (value is None) for _, value, error in climber.told)
    assert any(not error for _, _, error in climber.told)


def test_a_repeater_continues_in_a_fresh_instance():
    def fresh():
        made = to_engine(Repeater(HyperOptSearch(n_initial_points=2), repeat=2, set_index=False))
        made.setup(Problem(Space(PLANE)))
        return made

    pytest.importorskip("hyperopt")
    live, log = fresh(), HistoryLog()
    for number in range(7):
        [answer] = live.suggest(log.until(len(log)), [Request(number, sample=number)], Streams(0))
        log.born(number, answer.config, answer.tags)
        log.seen(number, 1, [(answer.config["x"],)])
        log.ended(number, Outcome("completed"))
    history = log.until(len(log))
    requests = [Request(number, sample=number) for number in (7, 8)]
    assert fresh().suggest(history, requests, Streams(0)) == live.suggest(history, requests, Streams(0))
    assert history.trials[6].config == live.suggest(history, requests[:1], Streams(0))[0].config


# Random search -------------------------------------------------------------------------------------------------------


def test_the_basic_generator_hands_points_limit_and_seed_to_the_engine():
    basic = BasicVariantGenerator([{"x": 1.0}], max_concurrent=4, random_state=7)
    assert basic.engine_searcher() == Variants()
    assert (basic.points_to_evaluate, basic.max_concurrent, basic.seed) == ([{"x": 1.0}], 4, 7)
    for generator in (np.random.default_rng, np.random.RandomState):
        seeds = [BasicVariantGenerator(random_state=generator(1)).seed for _ in range(2)]
        assert seeds[0] == seeds[1] is not None


def test_what_is_drawn_may_stay_the_same_over_the_grid():
    what = {"a": space.grid_search([1, 2, 3]), "x": space.uniform(0, 1)}
    for constant, different in ((True, 2), (False, 6)):
        searcher = BasicVariantGenerator(constant_grid_search=constant).engine_searcher()
        result = Engine(
            lambda config: config["x"], what, metric="loss", searcher=searcher, num_samples=2, **QUIET
        ).run()
        assert [trial.config["a"] for trial in result] == [1, 2, 3] * 2
        assert len({trial.config["x"] for trial in result}) == different


@pytest.fixture
def tried(tmp_path):
    """Return which grid points a run tries, in the order of its trials."""

    def run(what, **config):
        settings = tune.RunConfig(storage_path=tmp_path, executor=Local(cpus=2), verbose=0)
        config = tune.TuneConfig(**config)
        tuner = tune.Tuner(lambda config: {"score": 0}, param_space=what, tune_config=config, run_config=settings)
        return [(each.config["a"], each.config["b"]) for each in tuner.fit()]

    return run


@pytest.mark.parametrize("search_alg", [None, "random", BasicVariantGenerator()])
def test_of_a_grid_the_first_parameter_changes_fastest(search_alg, tried):
    what = {"b": tune.grid_search([1, 2]), "a": tune.grid_search([3, 4])}
    assert tried(what, search_alg=search_alg) == [(3, 1), (4, 1), (3, 2), (4, 2)]


def test_a_point_takes_the_place_of_a_sample_and_what_it_leaves_of_the_grid_is_tried(tried):
    what = {"b": tune.grid_search([1, 2]), "a": tune.grid_search([3, 4])}
    found = tried(what, num_samples=2, search_alg=BasicVariantGenerator([{"a": 3}]))
    assert found == [(3, 1), (3, 2), (3, 1), (4, 1), (3, 2), (4, 2)]


def test_points_and_grids_go_with_a_population(tried):
    population = PopulationBasedTraining(
        metric="score", mode="max", perturbation_interval=1, hyperparam_mutations={"b": tune.uniform(0, 1)}
    )
    points = BasicVariantGenerator([{"a": 2}, {"b": 0.5}, {"a": 1, "b": 0.25}])
    what = {"a": tune.grid_search([1, 2]), "b": tune.uniform(0, 1)}
    found = tried(what, num_samples=1, search_alg=points, scheduler=population)
    assert [a for a, _ in found] == [2, 1, 2, 1]


def by_hand(searcher, config, **settings):
    searcher.add_configurations({"mine": {"run": bowl, "config": config, **settings}})
    trials = []
    while (trial := searcher.next_trial()) is not None:
        trials.append(trial)
    assert searcher.is_finished()
    return trials


GRID = {"a": space.grid_search([1, 2]), "n": {"b": space.grid_search([3, 4, 5])}, "x": space.uniform(0, 1)}


def test_trials_may_be_taken_by_hand_and_the_first_grid_changes_fastest():
    trials = by_hand(BasicVariantGenerator(), GRID, num_samples=2, max_failures=3)
    assert [(trial.config["a"], trial.config["n"]["b"]) for trial in trials] == 2 * [
        (a, b) for b in (3, 4, 5) for a in (1, 2)
    ]
    assert len({trial.config["x"] for trial in trials}) == 12
    last = trials[-1]
    assert last.experiment_tag.startswith("11_a=2,b=5,x=0.")
    assert last.evaluated_params == {"a": 2, "n/b": 5, "x": last.config["x"]}
    assert (last.status, last.max_failures, last.trainable_name) == ("PENDING", 3, "bowl")
    assert last.storage.trial_fs_path == last.local_path
    assert last.storage.experiment_fs_path == last.local_experiment_path


def test_by_hand_a_point_leaves_the_rest_of_the_grid_and_constant_grids_keep_what_is_drawn():
    points = [{"a": 2}, {"n": {"b": 3}, "x": 0.5}]
    trials = by_hand(BasicVariantGenerator(points, constant_grid_search=True, random_state=1), GRID, num_samples=3)
    assert [trial.config["a"] for trial in trials] == [2] * 3 + [1, 2] + [1, 2] * 3
    assert len({trial.config["x"] for trial in trials[:3]}) == len({trial.config["x"] for trial in trials[5:]}) == 1
    assert [trial.config["x"] for trial in trials[3:5]] == [0.5, 0.5]
    assert [trial.evaluated_params.keys() for trial in trials] == [{"a", "n/b", "x"}] * 11
    again = BasicVariantGenerator(points, constant_grid_search=True, random_state=1)
    assert [trial.config for trial in by_hand(again, GRID, num_samples=3)] == [trial.config for trial in trials]


def test_by_hand_all_points_are_tried_even_if_there_are_fewer_samples():
    searcher = BasicVariantGenerator([{"a": 2}, {"n": {"b": 3}, "a": 1}])
    assert len(by_hand(searcher, GRID, num_samples=1)) == searcher.total_samples == 4


def test_by_hand_no_more_trials_run_than_are_allowed_and_the_rest_can_be_drawn_later(tmp_path):
    experiment = tune.Experiment("mine", bowl, config={"x": space.uniform(0, 1)}, num_samples=4)
    searcher = BasicVariantGenerator(max_concurrent=2)
    searcher.add_configurations(experiment)
    first, second = searcher.next_trial(), searcher.next_trial()
    assert searcher.total_samples == 4
    assert searcher.next_trial() is None
    assert not searcher.is_finished()
    searcher.on_trial_complete(first.trial_id)
    assert not searcher.has_checkpoint(str(tmp_path))
    searcher.save_to_dir(str(tmp_path))
    other = BasicVariantGenerator(max_concurrent=2)
    other.add_configurations([experiment])
    other.restore_from_dir(str(tmp_path))
    assert other.has_checkpoint(str(tmp_path))
    assert other.next_trial().config == searcher.next_trial().config
    assert other.next_trial() is None
    other.on_trial_complete(second.trial_id)
    other.set_finished()
    assert other.next_trial() is None
    with pytest.raises(RuntimeError, match="there is no search_gen_state"):
        other.restore_from_dir(str(tmp_path / "nowhere"))


# BOHB ----------------------------------------------------------------------------------------------------------------


def test_bohb_is_the_engines_own_model_with_hpbandsters_settings():
    searcher = TuneBOHB(bohb_config={"min_points_in_model": 9, "top_n_percent": 15, "random_fraction": 1 / 3})
    assert to_engine(searcher) == TPE(startup=9, share=0.15, random_fraction=1 / 3)
    assert 0 < to_engine(TuneBOHB()).random_fraction < 1 / 3
    with pytest.raises(ValueError, match="bohb_config has 'bandwidth_factor', which .* does not have"):
        TuneBOHB(bohb_config={"bandwidth_factor": 3})


def test_bohb_begins_with_the_points_and_draws_from_its_own_seed():
    configs = [
        [trial.config for trial in run(TuneBOHB(points_to_evaluate=[{"x": 1.0}], seed=4), num_samples=9, seed=seed)]
        for seed in (0, 1)
    ]
    assert configs[0] == configs[1]
    assert configs[0][0]["x"] == 1.0
    assert len({config["x"] for config in configs[0]}) == 9
    with pytest.raises(ValueError, match=r"points_to_evaluate\[0\]"):
        run(TuneBOHB(points_to_evaluate=[{"x": 99.0}]))


@pytest.mark.usefixtures("in_an_empty_place")
def test_bohb_learns_below_its_scheduler_and_is_restored():
    def falling(config):
        for step in range(9):
            tune.report({"loss": config["x"] ** 2 + config["y"] ** 2 + 1 / (step + 1)})

    settings = tune.RunConfig(executor="local", storage_path="runs", verbose=0)
    config = tune.TuneConfig(
        metric="loss", mode="min", num_samples=60, seed=1, scheduler=HyperBandForBOHB(max_t=9), search_alg=TuneBOHB()
    )
    results = tune.Tuner(falling, param_space=PLANE, tune_config=config, run_config=settings).fit()
    distances = [abs(each.config["x"]) + abs(each.config["y"]) for each in results]
    assert np.median(distances[40:]) < np.median(distances[:10]) / 1.5
    assert {each.metrics["training_iteration"] for each in results} <= {1, 3, 9}
    again = tune.Tuner.restore(results.experiment_path, falling, run_config=settings).fit()
    assert [each.config for each in again] == [each.config for each in results]


@pytest.mark.usefixtures("in_an_empty_place")
def test_a_subclass_of_bohb_is_asked():
    class Own(TuneBOHB):
        def suggest(self, trial_id):
            return {**super().suggest(trial_id), "x": 0.25}

    assert {config["x"] for config in tuned(Own())} == {0.25}


# Names ---------------------------------------------------------------------------------------------------------------


def test_searchers_are_made_by_name():
    assert isinstance(create_searcher("random", metric="loss", mode="min"), BasicVariantGenerator)
    assert create_searcher("HyperOpt", metric="loss", mode="min", gamma=0.5).metric == "loss"
    assert isinstance(create_searcher("optuna"), OptunaSearch)
    assert isinstance(create_searcher("bayesopt", random_state=1), BayesOptSearch)
    assert isinstance(create_searcher("bohb", seed=1), TuneBOHB)
    assert isinstance(create_searcher("hebo", random_state_seed=1), HEBOSearch)
    with pytest.raises(ValueError, match="numpy.math.*use search_alg='bayesopt'"):
        create_searcher("dragonfly")
    with pytest.raises(ModuleNotFoundError, match="hosted service.*use search_alg='bayesopt'"):
        importlib.import_module("trialwright.tune.suggest.sigopt")
    with pytest.raises(ValueError, match="did you mean 'hyperopt'"):
        create_searcher("hyperop")
    with pytest.raises(TypeError, match="gama"):
        create_searcher("hyperopt", gama=0.5)


def test_the_old_paths_import_the_same():
    from trialwright.tune.suggest.bayesopt import BayesOptSearch as OldBayes
    from trialwright.tune.suggest.bohb import TuneBOHB as OldBOHB
    from trialwright.tune.suggest.hyperopt import HyperOptSearch as OldHyper
    from trialwright.tune.suggest.optuna import OptunaSearch as OldOptuna

    from trialwright.tune import suggest

    assert (OldBayes, OldHyper, OldOptuna, OldBOHB) == (BayesOptSearch, HyperOptSearch, OptunaSearch, TuneBOHB)
    assert suggest.ConcurrencyLimiter is ConcurrencyLimiter


@pytest.mark.parametrize(
    "path",
    [
        "basic_variant.BasicVariantGenerator",
        "bayesopt.BayesOptSearch",
        "bohb.bohb_search.TuneBOHB",
        "concurrency_limiter.ConcurrencyLimiter",
        "hyperopt.HyperOptSearch",
        "optuna.OptunaSearch",
        "repeater.Repeater",
        "searcher.Searcher",
    ],
)
def test_the_parameters_are_those_of_ray_tune(path):
    module, _, name = path.rpartition(".")
    ray = pytest.importorskip(f"ray.tune.search.{module}")
    ours = getattr(__import__(f"trialwright.tune.search.{module}", fromlist=[name]), name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(getattr(ray, name)).parameters)


# Subclasses of built-in ones -----------------------------------------------------------------------------------------


def tuned(search, **more):
    tuner = tune.Tuner(
        bowl,
        param_space=PLANE,
        tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=search, num_samples=6, seed=4, **more),
        run_config=tune.RunConfig(executor="local", storage_path="runs", verbose=0),
    )
    return [each.config for each in tuner.fit()]


LIBRARIES = [("hyperopt", HyperOptSearch), ("optuna", OptunaSearch), ("bayes_opt", BayesOptSearch)]


@pytest.fixture
def in_an_empty_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


@pytest.mark.usefixtures("in_an_empty_place")
@pytest.mark.parametrize(("package", "base"), LIBRARIES)
def test_a_subclass_of_a_library_searcher_that_passes_on_what_it_overrides_changes_nothing(package, base):
    pytest.importorskip(package)
    told = []

    class Own(base):
        def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
            told.append(result["score"])
            super().on_trial_complete(trial_id, result, error)

    assert tuned(Own(), max_concurrent_trials=1) == tuned(base(), max_concurrent_trials=1)
    assert len(told) == 6


@pytest.mark.usefixtures("in_an_empty_place")
@pytest.mark.parametrize(("package", "base"), LIBRARIES)
def test_what_a_subclass_suggests_is_tried_and_learnt_from(package, base, tmp_path):
    pytest.importorskip(package)

    class Own(base):
        def suggest(self, trial_id):
            config = super().suggest(trial_id)
            return {**config, "x": 0.25} if trial_id.endswith(("1", "3")) else {"x": 0.5, "y": 0.75}

    own = Own()
    assert [config["x"] for config in tuned(own)] == [0.5, 0.25, 0.5, 0.25, 0.5, 0.5]
    own.save(str(tmp_path / "learnt"))
    learnt = base(metric="score", mode="max")
    learnt.restore(str(tmp_path / "learnt"))
    assert sorted(config["x"] for config, _ in to_engine(learnt).earlier) == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.usefixtures("in_an_empty_place")
def test_a_searcher_hears_of_the_last_trials_too_and_loses_no_result_if_it_raises_then():
    heard = []

    class Own(Climber):
        def on_trial_result(self, trial_id, result):
            heard.append(result["score"])

        def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
            super().on_trial_complete(trial_id, result, error)
            if len(self.told) == 6:
                raise RuntimeError("too much")

    with pytest.warns(UserWarning, match="Own could not take the results of the last trials: RuntimeError: too much"):
        assert len(tuned(Own())) == 6
    assert len(heard) == 6


@pytest.mark.usefixtures("in_an_empty_place")
@pytest.mark.parametrize(("package", "base"), LIBRARIES[:2])
def test_an_overridden_searcher_continues_in_a_restored_run_as_without_the_interruption(package, base):
    pytest.importorskip(package)

    class Own(base):
        def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
            super().on_trial_complete(trial_id, result, error)

    def config(samples):
        given = {"num_samples": samples, "search_alg": Own(), "seed": 1, "max_concurrent_trials": 1}
        return tune.TuneConfig(metric="score", mode="max", **given)

    settings = tune.RunConfig(executor="local", storage_path="runs", verbose=0)
    first = tune.Tuner(bowl, param_space=PLANE, tune_config=config(3), run_config=settings).fit()
    more = tune.Tuner.restore(first.experiment_path, bowl, tune_config=config(6), run_config=settings).fit()
    whole = tune.Tuner(bowl, param_space=PLANE, tune_config=config(6), run_config=settings).fit()
    assert [each.config for each in more] == [each.config for each in whole]


@pytest.mark.usefixtures("in_an_empty_place")
def test_an_overridden_searcher_may_stand_in_a_limiter_or_be_one():
    pytest.importorskip("hyperopt")

    class Fixed(HyperOptSearch):
        def suggest(self, trial_id):
            return {"x": 0.125, "y": 0.0}

    class Limited(ConcurrencyLimiter):
        def suggest(self, trial_id):
            answer = super().suggest(trial_id)
            return answer and {**answer, "y": 1.0}

    assert {config["x"] for config in tuned(ConcurrencyLimiter(Fixed(), 2))} == {0.125}
    assert {config["y"] for config in tuned(Limited(HyperOptSearch(), 2))} == {1.0}


def test_a_batch_by_hand_ends_before_the_next_one_begins():
    climber = Climber("score", "max")
    limiter = ConcurrencyLimiter(climber, 2, batch=True)
    assert [bool(limiter.suggest(each)) for each in "abc"] == [True, True, False]
    limiter.on_trial_complete("a", {"score": 1.0})
    assert limiter.suggest("c") is None
    assert not climber.told
    limiter.on_trial_complete("b", {"score": 2.0})
    assert len(climber.told) == 2
    assert limiter.suggest("c")


def test_hooks_that_would_never_be_called_are_refused_by_name():
    class Repeats(Repeater):
        def suggest(self, trial_id):
            return {}

    class Draws(BasicVariantGenerator):
        def next_trial(self):
            return None

    with pytest.raises(TypeError, match="Repeats overrides hooks of Repeater"):
        to_engine(Repeats(Climber(), 2))
    with pytest.raises(TypeError, match="Draws.next_trial would never be called"):
        Draws().engine_searcher()
