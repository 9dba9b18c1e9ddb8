"""PB2: variations that a model of gains chooses."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.searcher import SPACES, SearcherContract, answered, news
from trialwright import Engine, Simulated
from trialwright.history import History, HistoryLog
from trialwright.messages import Request, at_step
from trialwright.schedulers import PBT
from trialwright.searchers import PB2, TPE, Perturb, Problem, Random
from trialwright.space import Space, choice, loguniform, randint, uniform
from trialwright.workloads import DriftingQuadratic


class TestPB2(SearcherContract):
    def make(self):
        return PB2(starts=2)


WISH = Request(2, kind="explore", tags={"donor": 0}, donor={}, attempt=2)


def lived(space, gain, *, seed=0, members=6, rounds=4):
    """A population whose members gain, in each step, what their config says."""
    searcher, log = Random(), HistoryLog()
    searcher.setup(Problem(space))
    for trial, suggestion in enumerate(answered(searcher, History(), news(0, members), seed)):
        config = suggestion.config
        log.born(trial, config, {})
        log.launched(trial, at_step(5))
        for step in range(5, 5 * rounds + 1, 5):
            costs = [(100.0 - at * gain(space.resolve(config)),) for at in range(step - 4, step + 1)]
            log.seen(trial, step - 4, costs)
            log.extended(trial, at_step(step + 5))
    return log


def explored(space, log, *, seed=0, wish=WISH, **arguments):
    """What a member is to go on with, as a clone of the first."""
    searcher, history = PB2(**arguments), log.until(len(log))
    searcher.setup(Problem(space))
    donor = history.record(0).config
    request = Request(wish.trial, kind="explore", tags=wish.tags, donor=donor, attempt=wish.attempt)
    return space.resolve(answered(searcher, history, [request], seed)[0].config)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(SPACES)), st.integers(1, 4))
def test_a_variation_is_a_valid_config_of_the_space(name, rounds):
    space = SPACES[name]
    log = lived(space, lambda config: float(len(str(config)) % 7), rounds=rounds)
    assert space.validate(explored(space, log, starts=2)) == []


def test_settings_are_chosen_where_members_gain_most():
    space = Space({"x": uniform(0, 1), "lr": loguniform(1e-5, 1e-1)})
    found = [
        explored(space, lived(space, lambda config: -((config["x"] - 0.3) ** 2), seed=seed, members=12), seed=seed)["x"]
        for seed in range(5)
    ]
    assert np.median(np.abs(np.array(found) - 0.3)) < 0.1


def test_a_category_is_chosen_by_what_its_members_gain():
    space = Space({"kind": choice(["bad", "good", "worse", "middling"]), "x": uniform(0, 1)})
    worth = {"bad": 1.0, "good": 4.0, "worse": 0.0, "middling": 2.0}
    log = lived(space, lambda config: worth[config["kind"]], members=16)
    assert explored(space, log)["kind"] == "good"


def test_bounds_say_what_varies_and_how_far():
    space = Space({"lr": loguniform(1e-5, 1e-1), "n": randint(1, 9), "model": {"width": 8}, "rest": uniform(0, 1)})
    log = lived(space, lambda config: config["n"])
    bounds = {"lr": (1e-3, 1e-2), "n": (2, 4), "model/width": (16, 32)}
    config = explored(space, log, bounds=bounds)
    assert 1e-3 <= config["lr"] <= 1e-2
    assert (type(config["n"]), config["n"] in {2, 3, 4}) == (int, True)
    assert type(config["model"]["width"]) is int
    assert 16 <= config["model"]["width"] <= 32
    assert config["rest"] == log.until(len(log)).record(0).config["rest"]
    searcher = PB2(bounds={"lr": (1e-3, 1e-2)})
    searcher.setup(Problem(space))
    assert searcher._part.logarithmic == {"lr"}, "as the space's own domain"


def test_bounds_of_what_not_every_config_has_are_refused():
    space = Space({"lr": loguniform(1e-5, 1), "model": choice([{"depth": randint(1, 4)}, "dummy"])})
    for path in ("lrr", "model/depth", "lr/x"):
        with pytest.raises(ValueError, match=f"not every config of the space has {path!r}"):
            PB2(bounds={path: (0.1, 0.2)}).setup(Problem(space))
    with pytest.raises(ValueError, match="it must be two numbers"):
        PB2(bounds={"lr": (0.1,)}).setup(Problem(space))


def test_members_that_are_cloned_at_the_same_moment_try_different_settings():
    space = Space({"x": uniform(0, 1)})
    log = lived(space, lambda config: config["x"] * (1 - config["x"]), members=4)
    wishes = [Request(trial, kind="explore", tags={"donor": 0}, attempt=2) for trial in (1, 2, 3)]
    assert len({explored(space, log, wish=wish)["x"] for wish in wishes}) == 3


def test_the_same_history_gives_the_same_variation_whatever_was_asked_before():
    space = Space({"x": uniform(0, 1), "kind": choice(["a", "b"])})
    log = lived(space, lambda config: config["x"])
    live, fresh = PB2(), PB2()
    live.setup(Problem(space))
    for seen in (3, 11, 20):
        answered(live, log.until(seen), [Request(1, kind="explore", tags={"donor": 0}, donor={"x": 0.5, "kind": "a"})])
    fresh.setup(Problem(space))
    request = Request(1, kind="explore", tags={"donor": 0}, donor={"x": 0.5, "kind": "a"}, attempt=3)
    assert answered(live, log.until(len(log)), [request]) == answered(fresh, log.until(len(log)), [request])


def test_before_enough_is_known_settings_are_drawn():
    space, log = Space({"x": uniform(0, 1)}), HistoryLog()
    log.born(0, {"x": 0.5}, {})
    wishes = [Request(trial, kind="explore", tags={"donor": 0}, attempt=1) for trial in range(1, 30)]
    found = [explored(space, log, wish=wish)["x"] for wish in wishes]
    assert (min(found) < 0.1, max(found) > 0.9) == (True, True)


def test_new_requests_go_to_the_base_and_the_function_has_the_last_word():
    space = Space({"x": uniform(0, 1)})
    log = lived(space, lambda config: config["x"])
    assert explored(space, log, function=lambda config: {"x": 0.125}) == {"x": 0.125}
    searcher, base = PB2(TPE()), TPE()
    for each in (searcher, base):
        each.setup(Problem(space))
    assert answered(searcher, History(), news(0, 3)) == answered(base, History(), news(0, 3))


def test_it_wants_one_objective():
    with pytest.raises(ValueError, match="needs a metric"):
        PB2().setup(Problem(Space({"x": uniform(0, 1)}), objectives=0))
    with pytest.raises(ValueError, match="2 objectives"):
        PB2().setup(Problem(Space({"x": uniform(0, 1)}), objectives=2))


def followed(searcher, seed, *, synchronous=False, **keywords):
    """The run of a population of four, which follows what is best."""
    drift = DriftingQuadratic()
    told = {"storage": None, "seed": seed, "verbose": 0, "num_samples": 4, "executor": Simulated(workers=4), **keywords}
    scheduler = PBT(interval=10, synchronous=synchronous)
    return Engine(drift, drift.space, metric="score", mode="max", scheduler=scheduler, searcher=searcher, **told).run()


def test_with_four_members_it_beats_a_random_explore():
    makers = (PB2, lambda: Perturb(Random(), resample_probability=1.0), lambda: Perturb(Random()))
    bandit, *others = [[followed(make(), seed).best_metrics["score"] for seed in range(10)] for make in makers]
    for other in others:
        assert sum(one > two for one, two in zip(bandit, other, strict=True)) >= 8, "by chance: p = 0.05"


def test_members_may_be_compared_together_on_fewer_slots():
    result = followed(PB2(starts=2), 0, synchronous=True, executor=Simulated(workers=2))
    assert {trial.outcome for trial in result} == {"completed"}
    assert sum(trial.attempts for trial in result) > 4


def test_a_resumed_run_needs_neither_part(tmp_path):
    result = followed(PB2(bounds={"h": (0.0, 2.0)}, starts=2), 3, storage=tmp_path)
    again = Engine.resume(result.path, DriftingQuadratic(), verbose=0).run()
    assert json.dumps([trial.config for trial in again]) == json.dumps([trial.config for trial in result])
