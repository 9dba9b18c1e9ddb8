"""One object in two runs or studies at once: ours are copied, a user's own is refused by name."""

from __future__ import annotations

import copy
import pickle
from unittest.mock import MagicMock

import pytest

from trialwright import ASHA, FIFO, PBT, AskTell, Callback, Engine, Local, Random, Stopper, space, tune
from trialwright.searchers import TPE, Repeat

SPACE = {"x": space.uniform(0, 1)}
QUIET = {"metric": "loss", "searcher": "random", "executor": "local", "storage": None, "verbose": 0}


class OwnSearcher(Random):
    pass


class OwnScheduler(FIFO):
    pass


class OwnStopper(Stopper):
    def __call__(self, trial_id, result):
        return False

    def stop_all(self):
        return False


class Display:
    def update(self, snapshot): ...

    def close(self, snapshot): ...


def nested(**keywords):
    """Run a trial that runs another engine with the same objects meanwhile; return what came of it."""

    def objective(config):
        inner = Engine(lambda config: {"loss": config["x"]}, SPACE, **{**QUIET, **keywords}).run()
        return {"loss": len(inner)}

    return Engine(objective, SPACE, **{**QUIET, **keywords}).run()[0]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("searcher", OwnSearcher()),
        ("searcher", Repeat(OwnSearcher(), 2)),
        ("scheduler", OwnScheduler()),
        ("stop", OwnStopper()),
        ("stop", [{"loss": ("<=", -1.0)}, OwnStopper()]),
        ("callbacks", [Callback()]),
        ("progress", Display()),
        ("progress", MagicMock()),
        ("executor", Local(cpus=1)),
    ],
)
def test_an_object_of_a_users_own_is_for_one_run_at_a_time(name, given):
    trial = nested(**{name: given})
    assert trial.outcome == "failed"
    assert f"{name}: this " in trial.error
    assert "is used by a run in progress: give each run an object of its own" in trial.error
    assert Engine(lambda config: {"loss": 0.0}, SPACE, **{**QUIET, name: given}).run()[0].outcome == "completed"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("searcher", TPE()),
        ("searcher", Repeat(TPE(), 1)),
        ("scheduler", ASHA(max_t=9)),
        ("scheduler", PBT(interval=2)),
        ("stop", lambda trial, result: False),
        ("stop", {"loss": -1.0}),
    ],
)
def test_objects_of_ours_and_what_remembers_nothing_may_be_in_several_runs_at_once(name, given):
    assert nested(**{name: given}).metrics["loss"] == 1


def test_an_engine_runs_once_at_a_time():
    def objective(config):
        return {"loss": len(engine.run())}

    engine = Engine(objective, SPACE, **QUIET)
    assert "Engine: this Engine is used by a run in progress" in engine.run()[0].error


def test_an_object_is_free_again_when_its_run_failed():
    own = OwnSearcher()
    with pytest.raises(ValueError, match="num_samples"):
        Engine(print, SPACE, **{**QUIET, "searcher": own, "num_samples": 0}).run()
    assert len(Engine(lambda config: {"loss": 0.0}, SPACE, **{**QUIET, "searcher": own}).run()) == 1


def test_two_studies_with_one_searcher_of_ours_each_search_their_own_space():
    tpe = TPE()
    first = AskTell({"lr": space.loguniform(1e-5, 1e-1)}, searcher=tpe, seed=1)
    second = AskTell({"width": space.randint(1, 100)}, searcher=tpe, seed=1)
    assert [set(study.ask().config) for study in (first, second, first)] == [{"lr"}, {"width"}, {"lr"}]


def test_a_study_whose_searcher_was_given_away_says_so():
    own = OwnSearcher()
    first, second = AskTell(SPACE, searcher=own), AskTell({"y": space.uniform(0, 1)}, searcher=own)
    with pytest.raises(ValueError, match="this OwnSearcher is now used by another run or study"):
        first.ask()
    assert set(second.ask().config) == {"y"}


def test_a_searcher_inside_one_of_ours_is_still_its_users_own():
    own = OwnSearcher()
    first, _ = AskTell(SPACE, searcher=Repeat(own, 2)), AskTell(SPACE, searcher=Repeat(own, 2))
    with pytest.raises(ValueError, match="is now used by another run or study"):
        first.ask()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda study: pickle.loads(pickle.dumps(study))])
def test_a_copy_of_a_study_has_a_searcher_of_its_own(copied):
    study = AskTell(SPACE, searcher=OwnSearcher(), seed=0)
    assert copied(study).ask() == study.ask()


class Fixed(tune.search.Searcher):
    def suggest(self, trial_id):
        return {"x": 0.5}

    def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Ray Tune's order
        pass


class Forwarding(tune.schedulers.ASHAScheduler):
    def on_trial_result(self, controller, trial, result):
        return super().on_trial_result(controller, trial, result)


@pytest.mark.parametrize(
    ("tuned", "kept"),
    [
        ({"search_alg": Fixed()}, {}),
        ({"search_alg": tune.search.ConcurrencyLimiter(Fixed(), 2)}, {}),
        ({"scheduler": Forwarding()}, {}),
        ({}, {"stop": tune.stopper.TrialPlateauStopper("loss")}),
        ({}, {"callbacks": [tune.Callback()]}),
        ({}, {"progress_reporter": tune.CLIReporter()}),
    ],
)
def test_so_it_is_behind_ray_tunes_names(tuned, kept, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")

    def fit(objective):
        return tune.Tuner(
            objective,
            param_space=SPACE,
            tune_config=tune.TuneConfig(metric="loss", mode="min", **tuned),
            run_config=tune.RunConfig(executor="local", storage_path=str(tmp_path), verbose=0, **kept),
        ).fit()

    results = fit(lambda config: {"loss": len(fit(lambda config: {"loss": config["x"]}))})
    assert "is used by a run in progress" in str(results.errors[0])
