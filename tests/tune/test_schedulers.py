"""Schedulers under Ray Tune's names, and users' own."""

from __future__ import annotations

import json

import pytest

from tests.tune.objectives import SPACE, failing, objective, run, saving
from trialwright import Local, get_checkpoint, report, searchers, tune
from trialwright import space as s
from trialwright.errors import PolicyError
from trialwright.history import History
from trialwright.messages import Request
from trialwright.schedulers import (
    ASHA,
    FIFO,
    PBT,
    EvenShare,
    HyperBand,
    MedianStopping,
    PBTReplay,
    ResourceChanging,
    TopJob,
)
from trialwright.searchers import Problem, Random, Schedule
from trialwright.streams import Streams
from trialwright.tune.schedulers import (
    PB2,
    ASHAScheduler,
    AsyncHyperBandScheduler,
    FIFOScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
    ResourceChangingScheduler,
    TrialScheduler,
    create_scheduler,
)
from trialwright.tune.schedulers.adapter import to_engine
from trialwright.tune.schedulers.resource_changing_scheduler import DistributeResources, DistributeResourcesToTopJob
from trialwright.tune.trial import RunFacts


@pytest.fixture(autouse=True)
def without_loggers(monkeypatch):
    """No process of its own for log files, in each of many runs."""
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


# The engine's, by Ray Tune's names ------------------------------------------------------------------------------------


def test_asha_has_ray_tunes_defaults():
    assert to_engine(ASHAScheduler()) == ASHA(max_t=100, grace_period=1, reduction_factor=4, brackets=1)
    assert ASHAScheduler is AsyncHyperBandScheduler


def test_a_time_attribute_has_the_users_name():
    assert to_engine(ASHAScheduler("time_total_s", max_t=9)).time_attr == "time_s"
    assert to_engine(ASHAScheduler("timesteps_total", max_t=9)).time_attr == "timesteps_total"
    assert to_engine(HyperBandScheduler("step", max_t=9)).time_attr == "_step"


def test_the_old_name_of_a_metric_means_that_more_is_better():
    scheduler = AsyncHyperBandScheduler(time_attr="timesteps_total", reward_attr="mean_accuracy")
    assert (scheduler.metric, scheduler.mode) == ("mean_accuracy", "max")


def test_two_names_of_a_metric_are_one_too_many():
    with pytest.raises(ValueError, match="reward_attr"):
        ASHAScheduler(metric="loss", mode="min", reward_attr="accuracy")


def test_asha_stops_trials(tmp_path):
    result = run(objective, tmp_path, num_samples=20, scheduler=to_engine(ASHAScheduler(max_t=30), RunFacts()))
    assert {trial.outcome for trial in result} == {"completed", "stopped"}


def test_hyperband_is_the_engines():
    assert to_engine(HyperBandScheduler(metric="score", mode="min")) == HyperBand(max_t=81, reduction_factor=3)


def test_fifo_is_the_engines_unless_a_subclass_has_ideas_of_its_own():
    class Own(FIFOScheduler):
        pass

    assert to_engine(FIFOScheduler()) == FIFO()
    assert not isinstance(to_engine(Own()), FIFO)


def test_pbt_goes_with_any_searcher():
    pbt = PopulationBasedTraining(
        "training_iteration",
        perturbation_interval=2,
        hyperparam_mutations={"lr": s.uniform(0, 1), "layers": [1, 2, 4]},
        quantile_fraction=0.5,
        resample_probability=0.1,
        perturbation_factors=(1.5, 0.5),
    )
    searcher = pbt.searcher(Random())
    assert to_engine(pbt) == PBT(interval=2, quantile=0.5)
    assert (searcher.factors, searcher.resample_probability) == ((1.5, 0.5), 0.1)
    assert pbt.complete({"seed": 1}) == {"seed": 1, "lr": s.uniform(0, 1), "layers": s.ordinal([1, 2, 4])}


def test_pbt_clones(tmp_path):
    pbt = PopulationBasedTraining(
        "training_iteration", perturbation_interval=2, hyperparam_mutations={"weight": s.uniform(0, 1)}
    )
    result = run(
        saving,
        tmp_path,
        space=pbt.complete({}),
        num_samples=4,
        max_concurrent_trials=4,
        scheduler=to_engine(pbt),
        searcher=pbt.searcher(Random()),
    )
    assert {trial.outcome for trial in result} == {"completed"}


def test_pbt_begins_where_the_space_says_and_explores_where_the_mutations_say():
    pbt = PopulationBasedTraining(
        hyperparam_mutations={"lr": s.uniform(0, 1), "model": {"width": [8, 16]}, "momentum": lambda: 0.9},
        resample_probability=1.0,
        custom_explore_fn=lambda config: {**config, "explored": True},
    )
    space = s.Space(pbt.complete({"lr": 5.0, "b": s.uniform(2, 3), "model": {"width": 8, "depth": 2}}))
    searcher = pbt.searcher(Random())
    searcher.setup(Problem(space))
    [first] = searcher.suggest(History(), [Request(0)], Streams(0))
    assert (first.config["lr"], first.config["model"], first.config["momentum"]) == (5.0, {"width": 8, "depth": 2}, 0.9)
    wish = Request(0, kind="explore", donor=first.config, attempt=1)
    [variation] = searcher.suggest(History(), [wish], Streams(0))
    assert 0 <= variation.config["lr"] <= 1
    assert variation.config["model"]["width"] in {8, 16}
    assert (variation.config["b"], variation.config["explored"]) == (first.config["b"], True)


def test_pbt_refuses_by_name_what_it_lacks():
    with pytest.raises(ValueError, match="require_attrs"):
        PopulationBasedTraining(hyperparam_mutations={"lr": s.uniform(0, 1)}, require_attrs=False)


def test_pbt_may_compare_all_members_together():
    pbt = PopulationBasedTraining(hyperparam_mutations={"lr": s.uniform(0, 1)}, synch=True)
    assert to_engine(pbt) == PBT(interval=60.0, time_attr="time_s", synchronous=True)


def test_pb2_is_pbt_with_a_searcher_that_models_gains(tmp_path):
    pb2 = PB2(
        "training_iteration",
        perturbation_interval=2,
        hyperparam_bounds={"weight": [0.0, 1.0], "model": {"width": (8, 16)}},
        quantile_fraction=0.5,
        custom_explore_fn=lambda config: {**config, "explored": True},
    )
    searcher = pb2.searcher(Random())
    assert to_engine(pb2) == PBT(interval=2, quantile=0.5)
    assert isinstance(searcher, searchers.PB2)
    assert searcher.bounds == {"weight": (0, 1), "model/width": (8, 16)}
    space = pb2.complete({"model": {"width": 8}})
    assert space == {"weight": s.uniform(0, 1), "model": {"width": 8}}
    result = run(
        saving,
        tmp_path,
        space=space,
        num_samples=4,
        max_concurrent_trials=4,
        scheduler=to_engine(pb2),
        searcher=searcher,
    )
    assert {trial.outcome for trial in result} == {"completed"}
    clones = [trial.config for trial in result if trial.config.get("explored")]
    assert clones
    assert all(0 <= config["weight"] <= 1 and config["model"]["width"] in range(8, 17) for config in clones)


def test_pb2_wants_to_know_what_varies_and_between_which_numbers():
    with pytest.raises(ValueError, match="needs hyperparam_bounds"):
        PB2()
    for bound in ([1], [1, 2, 3], "ab", 0.1, s.uniform(0, 1), [True, False]):
        with pytest.raises(ValueError, match=r"hyperparam_bounds\['model/lr'\] must be two numbers"):
            PB2(hyperparam_bounds={"model": {"lr": bound}})
    with pytest.raises(ValueError, match="must rise"):
        PB2(hyperparam_bounds={"lr": [2, 1]})


def test_the_median_rule_is_the_engines():
    rule = MedianStoppingRule("training_iteration", grace_period=3, min_samples_required=5, hard_stop=False)
    assert to_engine(rule) == MedianStopping(3, 5, interval=1, pause=True)
    assert to_engine(MedianStoppingRule()) == MedianStopping(60.0, 3, interval=60.0, time_attr="time_s")
    assert to_engine(MedianStoppingRule("frames", grace_period=0)) == MedianStopping(0, interval=1, time_attr="frames")


def test_the_median_rule_stops_trials(tmp_path):
    rule = MedianStoppingRule("training_iteration", grace_period=2, min_samples_required=2)
    result = run(objective, tmp_path, num_samples=12, scheduler=to_engine(rule, RunFacts()))
    assert {trial.outcome for trial in result} == {"completed", "stopped"}


def test_resources_are_changed_by_the_engines_policies():
    shared = DistributeResources(increase_by={"CPU": 1, "GPU": 0.5}, increase_by_times=3, reserve_resources={"CPU": 1})
    expected = EvenShare({"cpu": 1, "gpu": 0.5}, 3, {"cpu": 1})
    scheduler = ResourceChangingScheduler(ASHAScheduler(metric="loss", mode="min"), shared)
    assert to_engine(scheduler) == ResourceChanging(ASHA(), expected)
    assert (scheduler.metric, scheduler.mode, scheduler.searcher) == ("loss", "min", None)
    assert to_engine(ResourceChangingScheduler(None, DistributeResourcesToTopJob())) == ResourceChanging(
        FIFO(), TopJob()
    )
    population = PopulationBasedTraining(hyperparam_mutations={"lr": s.uniform(0, 1)})
    assert "lr" in ResourceChangingScheduler(population).complete({})


RAY_POLICY = [  # of trial "a", which was a clone of "b", which had been a clone of "c": what came before is overwritten
    ["a", "x", 5, 5, {"lr": 0.5, "m": {"w": 1}}, {"lr": 0.6, "m": {"w": 1}}],
    ["b", "c", 10, 10, {"lr": 0.1, "m": {"w": 1}}, {"lr": 0.2, "m": {"w": 1}}],
    ["a", "b", 20, 20, {"lr": 0.2, "m": {"w": 1}}, {"lr": 0.3, "m": {"w": 1}}],
]


@pytest.mark.parametrize(
    ("rows", "policy"),
    [
        (
            RAY_POLICY,
            [(0, {"lr": 0.1, "m": {"w": 1}}), (10, {"lr": 0.2, "m": {"w": 1}}), (20, {"lr": 0.3, "m": {"w": 1}})],
        ),
        ([[0, {"lr": 0.1}], [4, {"lr": 0.2}]], [(0, {"lr": 0.1}), (4, {"lr": 0.2})]),
    ],
)
def test_a_replay_reads_ray_tunes_policy_files_and_lineages(rows, policy, tmp_path):
    file = tmp_path / "pbt_policy.txt"
    file.write_text("\n".join(map(json.dumps, rows)))
    replay = PopulationBasedTrainingReplay(str(file))
    assert to_engine(replay) == PBTReplay(policy)
    space = s.Space(replay.complete({"batch": 8}))
    assert [space.validate({**config, "batch": 8}) for _, config in policy] == [[]] * len(policy)
    assert replay.searcher(Random()) == Schedule([config for _, config in policy])


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "[5, {}]", "{}"])
def test_a_file_that_holds_no_policy_is_refused(text, tmp_path):
    (tmp_path / "policy").write_text(text)
    with pytest.raises(ValueError, match="holds no policy"):
        PopulationBasedTrainingReplay(str(tmp_path / "policy"))
    with pytest.raises(ValueError, match="there is no such file"):
        PopulationBasedTrainingReplay(str(tmp_path / "other"))


def test_pbt_wants_to_know_what_varies():
    with pytest.raises(TypeError, match="lr"):
        PopulationBasedTraining(hyperparam_mutations={"lr": 0.1})
    with pytest.raises(ValueError, match="hyperparam_mutations"):
        PopulationBasedTraining()


def test_schedulers_are_made_by_name():
    assert to_engine(create_scheduler("ASHA", max_t=7)).max_t == 7
    with pytest.raises(ValueError, match="did you mean 'hyperband'"):
        create_scheduler("hyperbnd")
    with pytest.raises(ValueError, match="did you mean 'max_t'"):
        create_scheduler("asha", maxt=7)


# Users' own -----------------------------------------------------------------------------------------------------------


class Recorder(FIFOScheduler):
    """Writes down what it is told, and answers as it is told."""

    def __init__(self, answer=lambda trial, result: TrialScheduler.CONTINUE):
        self.answer, self.calls = answer, []

    def on_trial_add(self, tune_controller, trial):
        self.calls.append(("add", trial.trial_id))

    def on_trial_result(self, tune_controller, trial, result):
        self.calls.append(("result", trial.trial_id, result["training_iteration"]))
        return self.answer(trial, result)

    def on_trial_complete(self, tune_controller, trial, result):
        self.calls.append(("complete", trial.trial_id, result["training_iteration"]))

    def on_trial_remove(self, tune_controller, trial):
        self.calls.append(("remove", trial.trial_id))

    def on_trial_error(self, tune_controller, trial):
        self.calls.append(("error", trial.trial_id, trial.status))

    def of(self, kind):
        return [call[1:] for call in self.calls if call[0] == kind]


def asked(scheduler, function, tmp_path, **keywords):
    facts = RunFacts("objective", metric="score", mode="min")
    return run(function, tmp_path, scheduler=to_engine(scheduler, facts), **keywords)


def test_a_users_scheduler_sees_every_result(tmp_path):
    scheduler = Recorder()
    asked(scheduler, objective, tmp_path)
    assert len(scheduler.of("add")) == len(scheduler.of("complete")) == 3
    assert len(scheduler.of("result")) == 90
    assert (scheduler.metric, scheduler.mode) == ("score", "min")


def test_a_users_scheduler_needs_no_metric(tmp_path):
    settings = {"executor": "local", "verbose": 0, "storage_path": tmp_path}
    asked = Recorder()
    tune.run(lambda config: {"score": 1}, scheduler=asked, **settings)
    assert len(asked.of("complete")) == 1
    with pytest.raises(ValueError, match="needs a metric"):
        tune.run(lambda config: {"score": 1}, scheduler=ASHAScheduler(), **settings)


class Pausing(FIFOScheduler):
    def on_trial_result(self, tune_controller, trial, result):
        return "PAUSE" if result["training_iteration"] == 2 else "CONTINUE"


@pytest.mark.parametrize(
    "scheduler",
    [Pausing(), ResourceChangingScheduler(), ResourceChangingScheduler(None, lambda *_: {"cpu": 1})],
)
def test_a_scheduler_over_fifo_needs_no_metric(scheduler, tmp_path):
    settings = {"executor": "local", "verbose": 0, "storage_path": tmp_path, "max_concurrent_trials": 1}
    analysis = tune.run(saving, config=SPACE, num_samples=2, scheduler=scheduler, **settings)
    assert [trial.last_result["training_iteration"] for trial in analysis.trials] == [10, 10]


def test_a_trial_that_is_done_is_not_paused(tmp_path):
    begun = []

    class Twice(tune.Trainable):
        def setup(self, config):
            begun.append(self)

        def step(self):
            return {"done": self.iteration == 1}

        def save_checkpoint(self, checkpoint_dir):
            return {}

        def load_checkpoint(self, checkpoint):
            pass

    scheduler = Recorder(lambda trial, result: "PAUSE")
    tune.run(Twice, scheduler=scheduler, executor="local", verbose=0, storage_path=tmp_path)
    assert (len(scheduler.of("result")), len(begun)) == (2, 2)


def test_a_users_scheduler_stops_trials(tmp_path):
    scheduler = Recorder(lambda trial, result: "STOP" if result["step"] == 4 else "CONTINUE")
    result = asked(scheduler, objective, tmp_path)
    assert [(trial.outcome, trial.metrics["step"]) for trial in result] == [("stopped", 5)] * 3
    assert "Recorder" in result[0].reason


def test_a_users_scheduler_pauses_trials_and_resumes_them(tmp_path):
    scheduler = Recorder(lambda trial, result: "PAUSE" if result["training_iteration"] % 3 == 0 else "CONTINUE")
    result = asked(scheduler, saving, tmp_path, max_concurrent_trials=1)
    assert [(trial.outcome, trial.attempts, trial.metrics["step"]) for trial in result] == [("completed", 4, 10)] * 3


def test_new_trials_come_before_paused_ones_where_the_scheduler_prefers_pending_ones(tmp_path):
    scheduler = Recorder(lambda trial, result: "PAUSE" if result["training_iteration"] == 1 else "CONTINUE")
    asked(scheduler, saving, tmp_path, max_concurrent_trials=1)
    order = [call[0] for call in scheduler.calls if call[0] in ("add", "complete")]
    assert order == ["add"] * 3 + ["complete"] * 3


def test_a_trial_that_is_never_chosen_again_is_removed(tmp_path):
    class Never(Recorder):
        def choose_trial_to_run(self, tune_controller):
            return None

    scheduler = Never(lambda trial, result: "PAUSE")
    result = asked(scheduler, saving, tmp_path)
    assert len(scheduler.of("remove")) == 3
    assert {trial.outcome for trial in result} == {"stopped"}


def test_a_users_scheduler_finds_what_a_trial_has_saved(tmp_path):
    found = []
    scheduler = Recorder(lambda trial, result: found.append(trial.checkpoint.to_dict()) or "CONTINUE")
    settings = tune.RunConfig(storage_path=tmp_path, executor=Local(cpus=1), verbose=0)
    config = tune.TuneConfig(metric="score", mode="min", scheduler=scheduler)
    tune.Tuner(saving, param_space={"weight": 1.0}, tune_config=config, run_config=settings).fit()
    assert found == [{"step": step} for step in range(1, 11)]


def test_a_users_scheduler_can_stop_another_trial(tmp_path):
    class Jealous(Recorder):
        def on_trial_result(self, tune_controller, trial, result):
            others = [other for other in tune_controller.get_trials() if other.status == "PAUSED"]
            for other in others:
                tune_controller.stop_trial(other)
            return "CONTINUE" if others else "PAUSE"

    result = asked(Jealous(), saving, tmp_path, max_concurrent_trials=1, num_samples=2)
    assert sorted(trial.outcome for trial in result) == ["completed", "stopped"]


def test_a_users_scheduler_is_called_for_errors(tmp_path):
    scheduler = Recorder()
    asked(scheduler, failing, tmp_path)
    assert {status for _, status in scheduler.of("error")} == {"ERROR"}


@pytest.mark.parametrize("answer", ["NOOP", None, "GO"])
def test_an_answer_that_is_none_ends_the_run_by_name(answer, tmp_path):
    with pytest.raises(PolicyError, match="must return CONTINUE, PAUSE, or STOP"):
        asked(Recorder(lambda trial, result: answer), objective, tmp_path)


def test_a_controller_says_what_it_cannot_do(tmp_path):
    class Meddling(Recorder):
        def on_trial_add(self, tune_controller, trial):
            tune_controller.pause_trial(trial)

    with pytest.raises(PolicyError, match="no 'pause_trial' here; it has get_trials"):
        asked(Meddling(), objective, tmp_path)


def test_a_scheduler_that_lacks_a_hook_says_so(tmp_path):
    class Empty(TrialScheduler):
        pass

    with pytest.raises(PolicyError, match="NotImplementedError"):
        asked(Empty(), objective, tmp_path)


def test_a_users_scheduler_has_its_memory_after_a_resume(tmp_path):
    from trialwright import Engine

    class Halving(Recorder):
        """Stops whoever is worse than the best at step 3."""

        best = float("inf")

        def on_trial_result(self, tune_controller, trial, result):
            if result["training_iteration"] == 3:
                self.best = min(self.best, result["score"])
                return "CONTINUE" if result["score"] <= self.best else "STOP"
            return "CONTINUE"

    result = asked(Halving(), objective, tmp_path, max_concurrent_trials=1)
    again = Halving()
    facts = RunFacts("objective", metric="score", mode="min")
    resumed = Engine.resume(
        result.path, objective, scheduler=to_engine(again, facts), executor="local", verbose=0
    ).run()
    assert [trial.metrics for trial in resumed] == [trial.metrics for trial in result]
    assert again.best == min(row["score"] for trial in result for row in trial.history if row["step"] == 3)


def test_the_space_of_the_tests_is_the_books():
    assert set(SPACE) == {"weight", "bias"}


# Subclasses of built-in ones ------------------------------------------------------------------------------------------


def tuned(scheduler, tmp_path, function=saving):
    """Tune one trial at a time, and return how each result looks."""
    tuner = tune.Tuner(
        function,
        param_space={"weight": tune.uniform(0, 1), "bias": 1.0},
        tune_config=tune.TuneConfig(
            metric="score", mode="max", scheduler=scheduler, num_samples=9, max_concurrent_trials=1, seed=3
        ),
        run_config=tune.RunConfig(executor="local", storage_path=str(tmp_path), verbose=0),
    )
    return [(each.config["weight"], each.metrics["training_iteration"]) for each in tuner.fit()]


def counting(base, hook):
    """Return a subclass of a built-in scheduler that counts the calls of one hook, and passes them on."""

    def override(self, *arguments, **keywords):
        self.calls += 1
        return getattr(base, hook)(self, *arguments, **keywords)

    return type("Counting", (base,), {hook: override, "calls": 0})


EVERY_2 = {"time_attr": "training_iteration", "perturbation_interval": 2}
BUILT_IN = [
    (ASHAScheduler, {"max_t": 9, "reduction_factor": 3, "brackets": 2}),
    (HyperBandScheduler, {"max_t": 9}),
    (MedianStoppingRule, {"time_attr": "training_iteration", "grace_period": 2, "min_samples_required": 2}),
    (MedianStoppingRule, {"time_attr": "training_iteration", "grace_period": 2, "hard_stop": False}),
    (PopulationBasedTraining, {**EVERY_2, "hyperparam_mutations": {"weight": s.uniform(0, 1)}}),
    (PopulationBasedTraining, {**EVERY_2, "hyperparam_mutations": {"weight": s.uniform(0, 1)}, "synch": True}),
    (PB2, {**EVERY_2, "hyperparam_bounds": {"weight": [0, 1]}}),
    (ResourceChangingScheduler, {"base_scheduler": ASHAScheduler(max_t=9, reduction_factor=3)}),
]


@pytest.mark.parametrize(("base", "keywords"), BUILT_IN)
def test_a_subclass_that_passes_on_what_it_overrides_hears_every_result_and_changes_nothing(base, keywords, tmp_path):
    own = counting(base, "on_trial_result")(**keywords)
    seen = tuned(own, tmp_path)
    assert seen == tuned(base(**keywords), tmp_path)
    assert own.calls >= sum(iterations for _, iterations in seen)


@pytest.mark.parametrize(("base", "keywords"), BUILT_IN)
def test_what_is_overridden_decides(base, keywords, tmp_path):
    class Own(base):
        def on_trial_result(self, controller, trial, result):
            super().on_trial_result(controller, trial, result)
            return self.STOP if result["training_iteration"] == 4 else self.CONTINUE

    assert {iterations for _, iterations in tuned(Own(**keywords), tmp_path)} == {4}


@pytest.mark.parametrize(
    ("hook", "calls"), [("on_trial_add", 9), ("on_trial_complete", 9), ("set_search_properties", 1)]
)
def test_any_hook_of_a_built_in_scheduler_may_be_overridden(hook, calls, tmp_path):
    own = counting(ASHAScheduler, hook)(max_t=9)
    tuned(own, tmp_path)
    assert own.calls == calls


def test_a_built_in_scheduler_judges_the_result_that_a_subclass_hands_it(tmp_path):
    class Reversed(ASHAScheduler):
        def on_trial_result(self, controller, trial, result):
            return super().on_trial_result(controller, trial, {**result, "score": -result["score"]})

    best = max(tuned(Reversed(max_t=9, reduction_factor=3), tmp_path))
    assert best[1] < 9


@pytest.mark.parametrize("inner", [ASHAScheduler, HyperBandScheduler])
def test_a_scheduler_of_ones_own_can_ask_a_built_in_one(inner, tmp_path):
    class Wraps(FIFOScheduler):
        def __init__(self):
            self.inner = inner(metric="score", mode="max", max_t=9)

        def on_trial_result(self, controller, trial, result):
            return self.inner.on_trial_result(controller, trial, result)

        def choose_trial_to_run(self, controller):
            return self.inner.choose_trial_to_run(controller)

        def on_trial_complete(self, controller, trial, result):
            self.inner.on_trial_complete(controller, trial, result)

    assert tuned(Wraps(), tmp_path) == tuned(inner(metric="score", mode="max", max_t=9), tmp_path)


def test_a_population_inside_a_scheduler_of_ones_own_is_refused_with_what_to_do(tmp_path):
    class Wraps(FIFOScheduler):
        def __init__(self):
            self.inner = PopulationBasedTraining(**EVERY_2, hyperparam_mutations={"weight": s.uniform(0, 1)})

        def on_trial_result(self, controller, trial, result):
            return self.inner.on_trial_result(controller, trial, result)

    with pytest.raises(PolicyError, match="subclass PopulationBasedTraining instead"):
        tuned(Wraps(), tmp_path)


def resized(tmp_path, scheduler, **config):
    """Return the CPUs that each trial had at each of its steps."""

    def train(config):
        start = (get_checkpoint() or {"step": 0})["step"]
        for step in range(start, 4):
            cpus = tune.get_context().get_trial_resources().required_resources["CPU"]
            report({"score": step, "cpus": cpus}, checkpoint={"step": step + 1})

    grid = tune.Tuner(
        train,
        tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler, **config),
        run_config=tune.RunConfig(executor=Local(cpus=4), storage_path=str(tmp_path), verbose=0),
    ).fit()
    return [[*each.metrics_dataframe["cpus"]] for each in grid]


def test_a_function_of_the_users_says_what_a_trial_is_to_have(tmp_path):
    seen = []

    def allocate(controller, trial, result, scheduler):
        least = scheduler.base_trial_resources.required_resources["CPU"]
        seen.append((trial.placement_group_factory.required_resources["CPU"], result["training_iteration"]))
        share = controller._resource_updater.get_num_cpus() // len(controller.get_live_trials())
        return tune.PlacementGroupFactory([{"CPU": max(least, share)}]) if result["score"] >= 1 else None

    assert resized(tmp_path, ResourceChangingScheduler(None, allocate)) == [[1, 1, 4, 4]]
    assert seen == [(1, 1), (1, 2), (4, 3), (4, 4)]


def test_a_rule_of_ones_own_in_a_subclass_of_distribute_resources_is_called(tmp_path):
    class Own(DistributeResources):
        def __call__(self, controller, trial, result, scheduler):
            return {"cpu": 2}

    scheduler = ResourceChangingScheduler(ASHAScheduler(max_t=3), Own())
    assert resized(tmp_path, scheduler) == [[1, 2, 2]]


def test_without_a_function_no_resources_are_changed(tmp_path):
    assert resized(tmp_path, ResourceChangingScheduler(None, None)) == [[1, 1, 1, 1]]
    with pytest.raises(TypeError, match="is none of DistributeResources"):
        ResourceChangingScheduler(None, 3)
