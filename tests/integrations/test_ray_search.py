"""Our searchers in a run of Ray Tune's."""

import pickle

import numpy as np
import pytest
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter, Searcher

from trialwright import AskTell, space
from trialwright.integrations.ray_domains import of_ray
from trialwright.integrations.ray_search import TrialwrightSearch

SPACE = {"x": tune.uniform(-5, 5), "net": {"width": tune.randint(1, 9)}}


def value(config):
    return (config["x"] - 1) ** 2 + config["net"]["width"] / 10


def search(**options):
    made = TrialwrightSearch(**{"searcher": "tpe", "seed": 3, **options})
    assert made.set_search_properties("loss", "min", SPACE)
    return made


def drive(made, count, first=0):
    configs = []
    for number in range(first, first + count):
        config = made.suggest(f"t{number}")
        made.on_trial_complete(f"t{number}", {"loss": value(config), "training_iteration": 1, "done": True})
        configs.append(config)
    return configs


def test_a_run_gets_the_suggestions_of_ask_and_tell_for_the_same_seed():
    study = AskTell({"x": space.uniform(-5, 5), "net": {"width": space.randint(1, 9)}}, searcher="tpe", seed=3)
    asked = []
    for _ in range(15):
        trial = study.ask()
        study.tell(trial, value(trial.config))
        asked.append(trial.config)
    assert drive(search(), 15) == asked


def test_what_was_saved_goes_on_as_the_live_one(tmp_path):
    live, again = search(), search()
    drive(live, 8)
    open_config = live.suggest("open")
    live.on_trial_result("open", {"loss": 3.0, "training_iteration": 1})
    live.save(str(tmp_path / "state"))
    again.restore(str(tmp_path / "state"))
    copied = pickle.loads(pickle.dumps(live))
    for each in (live, again, copied):
        each.on_trial_complete("open", {"loss": value(open_config), "training_iteration": 2, "done": True})
    assert drive(live, 3, first=20) == drive(again, 3, first=20) == drive(copied, 3, first=20)


def test_a_trial_that_a_scheduler_stops_counts_at_its_last_step():
    made = search()
    made.suggest("a")
    made.on_trial_result("a", {"loss": 5.0, "training_iteration": 1})
    made.on_trial_complete("a", {"loss": 4.0, "training_iteration": 2, "done": False})
    record = made._study._log.until(100).trials[0]
    assert (record.outcome.kind, record.steps, record.values) == ("stopped", [1, 2], [(5.0,), (4.0,)])


def test_a_trial_that_fails_is_learnt_from_as_a_failure():
    made = search()
    made.suggest("a")
    made.on_trial_complete("a", None, error=True)
    assert made._study._log.until(100).trials[0].outcome.kind == "failed"


def test_a_grid_ends_the_run_and_other_searchers_repeat_the_configurations_of_a_finite_space():
    grid, random = TrialwrightSearch("grid"), TrialwrightSearch("random", seed=0)
    grid.set_search_properties("loss", "min", {"x": tune.grid_search([1, 2])})
    random.set_search_properties("loss", "min", {"x": tune.choice([1, 2])})
    assert [grid.suggest(f"{number}") for number in range(3)] == [{"x": 1}, {"x": 2}, Searcher.FINISHED]
    assert {random.suggest(f"{number}")["x"] for number in range(9)} == {1, 2}


def test_results_of_other_runs_are_learnt_from():
    made = search()
    made.add_evaluated_point({"x": 1.0, "net": {"width": 3}}, 0.3)
    made.add_evaluated_point({"x": 2.0, "net": {"width": 3}}, 0.3, error=True)
    with pytest.warns(UserWarning, match="pruned trials of other runs"):
        made.add_evaluated_point({"x": 2.0, "net": {"width": 3}}, 0.3, pruned=True)
    assert [trial.metrics for trial in made._study.trials] == [{"loss": 0.3}, {}]


def test_a_run_without_a_metric_is_refused():
    with pytest.raises(ValueError, match="give the TuneConfig a metric"):
        TrialwrightSearch("tpe").set_search_properties(None, None, SPACE)
    with pytest.raises(ValueError, match="has no space"):
        TrialwrightSearch("tpe").suggest("a")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (tune.uniform(0, 2), space.uniform(0, 2)),
        (tune.quniform(0, 2, 0.5), space.quniform(0, 2, 0.5)),
        (tune.loguniform(1e-3, 1), space.loguniform(1e-3, 1)),
        (tune.qloguniform(1e-3, 1, 1e-3), space.qloguniform(1e-3, 1, 1e-3)),
        (tune.randn(1, 2), space.randn(1, 2)),
        (tune.qrandn(1, 2, 0.5), space.qrandn(1, 2, 0.5)),
        (tune.randint(1, 9), space.randint(1, 9)),
        (tune.qrandint(2, 8, 2), space.qrandint(2, 8, 2)),
        (tune.lograndint(1, 9), space.lograndint(1, 9)),
        (tune.qlograndint(2, 8, 2), space.qlograndint(2, 8, 2)),
        (tune.choice([1, {"a": tune.uniform(0, 1)}]), space.choice([1, {"a": space.uniform(0, 1)}])),
        (tune.grid_search([1, 2]), space.grid_search([1, 2])),
    ],
)
def test_each_domain_of_ray_tune_has_one_of_ours(given, made):
    assert repr(of_ray({"p": [given, 7]})) == repr({"p": [made, 7]})


def test_a_function_of_ray_tune_computes_its_value():
    ours = space.Space(of_ray({"x": tune.uniform(0, 1), "twice": tune.sample_from(lambda config: 2 * config["x"])}))
    [config] = ours.sample(1, np.random.default_rng(0))
    assert config["twice"] == 2 * config["x"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_tune_runs_with_it_and_with_its_own_scheduler(tmp_path):
    def objective(config):
        for step in range(1, 5):
            tune.report({"loss": value(config) + 1 / step})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        results = tune.Tuner(
            objective,
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                search_alg=ConcurrencyLimiter(TrialwrightSearch("tpe", seed=0), 2),
                scheduler=ASHAScheduler(max_t=4, grace_period=1),
                metric="loss",
                mode="min",
                num_samples=8,
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        ).fit()
    finally:
        ray.shutdown()
    assert len(results) == 8
    assert not results.errors
