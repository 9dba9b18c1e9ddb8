"""Ask and tell."""

import copy
import json
import math
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwright import AskTell, space
from trialwright.engine.catalogue import SEARCHERS
from trialwright.searchers import Grid, Random, Repeat, Sobol
from trialwright.space import Space

SQUARE = {"x": space.uniform(0, 1), "y": space.uniform(0, 1)}
OURS = ["auto", "random", "sobol", "halton", "lhs", "gp", "tpe", "cmaes", "nsga2", "dehb"]


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


def tuned(count=15, **keywords):
    study = AskTell(SQUARE, **{"searcher": "tpe", "seed": 0, **keywords})
    for _ in range(count):
        study.tell(trial := study.ask(), bowl(trial.config))
    return study


def failed(trial):
    return trial.metrics == {} or not all(map(math.isfinite, trial.metrics.values()))


# Asking ---------------------------------------------------------------------------------------------------------------


def test_one_is_a_trial_and_several_are_a_list():
    study = AskTell(SQUARE, seed=0)
    assert study.ask().id == 0
    assert [trial.id for trial in study.ask(3)] == [1, 2, 3]
    assert set(study.ask(1)[0].config) == {"x", "y"}


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_cannot_be_asked_for(count):
    with pytest.raises(ValueError, match=f"ask\\({count}\\): count must be at least 1"):
        AskTell(SQUARE).ask(count)


def test_a_searcher_that_has_no_more_says_so():
    class Three(Sobol):
        def suggest(self, history, requests, rng):
            left = [each for each in requests if each.sample < 3]
            return super().suggest(history, left, rng) if left else []

    study = AskTell(SQUARE, searcher=Three(), seed=0)
    assert len(study.ask(5)) == 3
    with pytest.raises(LookupError, match="no more"):
        study.ask()


@pytest.mark.parametrize("searcher", OURS)
def test_a_batch_is_one_call_of_the_searcher(searcher):
    study = AskTell(SQUARE, searcher=searcher, seed=0)
    calls, suggest = [], study._searcher.suggest
    study._searcher.suggest = lambda history, requests, rng: (
        calls.append(len(requests)) or suggest(history, requests, rng)
    )
    study.ask(16)
    assert calls == [16]


@pytest.mark.parametrize("searcher", OURS)
def test_a_batch_has_no_two_that_are_equal(searcher):
    study = AskTell(SQUARE, searcher=searcher, seed=0)
    for trial in study.ask(40):
        study.tell(trial, bowl(trial.config))
    assert len({(trial.config["x"], trial.config["y"]) for trial in study.ask(16)}) == 16


@pytest.mark.parametrize("searcher", OURS)
def test_the_same_seed_and_calls_give_the_same_suggestions(searcher):
    first, second = ([trial.config for trial in tuned(12, searcher=searcher, seed=5).trials] for _ in range(2))
    assert first == second


def test_a_drawn_seed_is_shown_and_can_be_given_again():
    study = AskTell(SQUARE, searcher="random")
    assert AskTell(SQUARE, searcher="random", seed=study.seed).ask() == study.ask()
    assert AskTell(SQUARE).seed != study.seed


@pytest.mark.parametrize("searcher", OURS)
def test_any_number_may_be_open(searcher):
    study = AskTell(SQUARE, searcher=searcher, seed=0)
    trials = study.ask(60) + [study.ask() for _ in range(5)]
    for trial in reversed(trials):
        study.tell(trial, bowl(trial.config))
    assert len(study.trials) == 65
    assert study.best.metrics["value"] == min(bowl(trial.config) for trial in trials)


def test_what_a_user_does_to_a_config_changes_nothing():
    study = AskTell(SQUARE, searcher="tpe", seed=0)
    for _ in range(15):
        trial = study.ask()
        study.tell(trial, bowl(trial.config))
        trial.config["x"] = "spoilt"
    other = tuned(15, searcher="tpe", seed=0)
    assert study.ask() == other.ask()


# Telling --------------------------------------------------------------------------------------------------------------


def test_tell_takes_a_number_a_dict_or_none():
    study = AskTell(SQUARE, metric="loss", seed=0)
    for told in (0.5, {"loss": 0.25, "seconds": 3, "name": "b"}, np.float32(0.125), {"loss": np.int64(2)}, None):
        study.tell(study.ask(), told)
    assert [trial.metrics for trial in study.trials] == [
        {"loss": 0.5},
        {"loss": 0.25, "seconds": 3, "name": "b"},
        {"loss": 0.125},
        {"loss": 2},
        {},
    ]
    assert study.best.id == 2


def test_a_trial_may_be_named_by_its_number():
    study = AskTell(SQUARE, seed=0)
    study.ask(2)
    study.tell(1, 0.5)
    assert study.best.id == 1


def test_telling_twice_is_refused_and_the_first_stays():
    study = AskTell(SQUARE, seed=0)
    study.tell(trial := study.ask(), 1.0)
    with pytest.raises(ValueError, match="trial 0 has a result already"):
        study.tell(trial, 0.0)
    assert study.best.metrics == {"value": 1.0}


def test_telling_of_an_unknown_trial_is_refused_with_those_that_are_open():
    study = AskTell(SQUARE, seed=0)
    study.ask(2)
    with pytest.raises(ValueError, match=r"trial 7 is not open; open are \[0, 1\]"):
        study.tell(7, 1.0)


@pytest.mark.parametrize(
    ("metric", "told", "kind", "why"),
    [
        (["a", "b"], 0.3, ValueError, "with several metrics, tell a dict {'a': ..., 'b': ...}, not 0.3"),
        ("loss", {"lost": 1.0}, ValueError, "lacks the metric 'loss'; did you mean 'lost'"),
        (["a", "b"], {"a": 1.0}, ValueError, "lacks the metric 'b'"),
        ("loss", "low", TypeError, "must be a number, not 'low'"),
        ("loss", [1.0], TypeError, r"must be a number, not '\[1.0\]'"),
        ("loss", [1.0] * 1000, TypeError, "must be a number, not None"),
    ],
)
def test_what_is_no_result_is_refused_and_the_trial_stays_open(metric, told, kind, why):
    study = AskTell(SQUARE, metric=metric, seed=0)
    trial = study.ask()
    with pytest.raises(kind, match=why):
        study.tell(trial, told)
    study.tell(trial, {"loss": 1.0, "a": 1.0, "b": 2.0})
    assert len(study.trials) == 1


BAD = [None, math.nan, math.inf, -math.inf, {"value": None}, {"value": math.nan}]


@pytest.mark.parametrize("searcher", OURS)
def test_failures_are_never_the_best_and_poison_nothing(searcher):
    study, bad = AskTell(SQUARE, searcher=searcher, seed=0), iter(BAD * 10)
    for place in range(40):
        trial = study.ask()
        assert all(math.isfinite(value) for value in trial.config.values())
        study.tell(trial, next(bad) if place % 2 else bowl(trial.config))
    assert math.isfinite(study.best.metrics["value"])
    assert sum(map(failed, study.trials)) == 20
    assert not any(map(failed, study.pareto_front()))


@pytest.mark.parametrize("searcher", OURS)
def test_all_may_fail(searcher):
    study = AskTell(SQUARE, searcher=searcher, seed=0)
    for _ in range(40):
        study.tell(study.ask(), None)
    with pytest.raises(ValueError, match="no trial has a finite 'value'"):
        _ = study.best
    assert study.pareto_front() == []


def test_huge_values_are_the_best_where_they_are_all_there_is():
    study = AskTell(SQUARE, seed=0)
    for told in (1e308, math.nan, -1e308, 5e-324):
        study.tell(study.ask(), told)
    assert study.best.metrics == {"value": -1e308}


@settings(max_examples=15)
@given(st.permutations(range(12)))
def test_the_order_of_telling_is_nothing_to_a_searcher(order):
    studies = [AskTell(SQUARE, searcher="tpe", seed=3) for _ in range(2)]
    for study, places in zip(studies, (range(12), order), strict=True):
        trials = study.ask(12)
        for place in places:
            study.tell(trials[place], bowl(trials[place].config))
    assert studies[0].ask() == studies[1].ask()


# Goals ----------------------------------------------------------------------------------------------------------------


def test_max_is_min_upside_down():
    least, most = AskTell(SQUARE, searcher="tpe", seed=0), AskTell(SQUARE, searcher="tpe", mode="max", seed=0)
    for _ in range(20):
        low, high = least.ask(), most.ask()
        assert low == high
        least.tell(low, bowl(low.config))
        most.tell(high, -bowl(high.config))
    assert least.best.id == most.best.id


def test_best_goes_by_the_first_metric_and_the_front_by_all():
    study = AskTell(SQUARE, searcher="random", metric=["loss", "gain"], mode=["min", "max"], seed=0)
    for loss, gain in ((1, 1), (2, 5), (3, 4), (0.5, 0), (math.nan, 9)):
        study.tell(study.ask(), {"loss": loss, "gain": gain})
    assert study.best.id == 3
    assert [trial.id for trial in study.pareto_front()] == [0, 1, 3]


def test_what_violates_a_constraint_is_never_the_best():
    study = AskTell(SQUARE, metric="loss", outcome_constraints=["memory <= 8"], seed=0)
    for loss, memory in ((1, 9), (2, 8), (3, 1), (0, math.nan)):
        study.tell(study.ask(), {"loss": loss, "memory": memory})
    assert study.best.id == 1


def test_best_looks_at_no_trial_again():
    study = tuned(30)
    expected = min(study.trials, key=lambda trial: trial.metrics["value"])
    study._log = None  # the only way to all trials' values
    assert study.best == expected


@given(st.lists(st.tuples(st.sampled_from([1, 1.0, 2, -3, math.nan, math.inf, None]), st.integers(7, 9)), max_size=12))
def test_best_is_the_first_of_the_smallest_that_meet_the_constraints(told):
    study = AskTell(SQUARE, searcher="random", metric="loss", outcome_constraints=["memory <= 8"], seed=0)
    for trial, (loss, memory) in reversed([*zip(study.ask(len(told) or 1), told, strict=False)]):
        study.tell(trial, {"loss": loss, "memory": memory})
    fit = [(loss, at) for at, (loss, memory) in enumerate(told) if loss not in (None, math.inf) and memory <= 8]
    finite = [each for each in fit if math.isfinite(each[0])]
    if finite:
        assert study.best.id == min(finite)[1]
    else:
        with pytest.raises(ValueError, match="no trial has a finite"):
            study.best  # noqa: B018 - it raises


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({"mode": "least"}, "mode='least' must be 'min' or 'max'"),
        ({"mode": ["min", "max"]}, "for each of"),
        ({"searcher": "tep"}, "did you mean 'tpe'"),
        ({"outcome_constraints": ["memory"]}, "outcome constraint 'memory' must be"),
        ({"searcher": "cmaes", "metric": ["a", "b"]}, "use 'gp' or 'tpe'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keywords, why):
    with pytest.raises(ValueError, match=why):
        AskTell(SQUARE, **keywords)


def test_searchers_come_by_name_or_as_objects():
    assert AskTell(SQUARE, searcher=Sobol(), seed=1).ask() == AskTell(SQUARE, searcher="sobol", seed=1).ask()
    assert set(OURS) <= set(SEARCHERS)


# Elsewhere and later --------------------------------------------------------------------------------------------------


def test_evaluations_made_elsewhere_are_learnt_from():
    study, rng = AskTell(SQUARE, searcher="tpe", seed=0), random.Random(0)
    for _ in range(30):
        study.add(config := {"x": rng.random(), "y": rng.random()}, bowl(config))
    near = [bowl(trial.config) for trial in study.ask(8)]
    assert sorted(near)[4] < 0.05
    assert study.add({"x": 0.3, "y": 0.6}, {"value": 0.0, "who": "a friend"}) == study.best
    assert study.add({"x": 0.1, "y": 0.1}, None).metrics == {}


def test_an_evaluation_of_another_space_is_refused_with_all_that_is_wrong():
    study = AskTell(SQUARE, seed=0)
    with pytest.raises(ValueError, match=r"x: 2 is outside.*y: missing"):
        study.add({"x": 2}, 1.0)
    assert study.trials == []


KINDS = Space(
    {"n": space.randint(0, 9), "kind": space.choice([{"a": space.uniform(0, 1)}, math.sin, (1, 2)]), "fixed": 7}
)


@pytest.mark.parametrize("searcher", ["auto", "random", "gp", "tpe", "nsga2"])
def test_a_loaded_state_continues_as_without_an_interruption(searcher):
    study = AskTell(KINDS, searcher=searcher, metric=["a", "b"], seed=0)
    for place in range(14):
        trial = study.ask()
        study.tell(trial, None if place == 3 else {"a": trial.config["n"], "b": -place, "note": "x"})
    waiting = study.ask(3)
    again = AskTell(KINDS, searcher=searcher, metric=["a", "b"], seed=99)
    again.load_state(json.loads(json.dumps(study.state())))
    for each in (study, again):
        each.tell(waiting[1], {"a": 0.0, "b": 0.0})
    assert again.trials == study.trials
    assert again.ask(2) == study.ask(2)
    with pytest.raises(ValueError, match="has a result already"):
        again.tell(waiting[1], None)


def test_what_the_user_does_to_a_config_does_not_change_what_was_asked_for():
    study = AskTell({"model": {"x": space.uniform(0, 1)}}, searcher="random", seed=0)
    trial = study.ask()
    asked = trial.config["model"]["x"]
    trial.config["model"]["x"] = 99.0
    study.tell(trial, 1.0)
    state = study.state()
    state["trials"][0][1]["model"]["x"] = 98.0
    assert study.best.config == {"model": {"x": asked}}
    assert study.state()["trials"][0][1] == {"model": {"x": asked}}


def test_a_state_is_for_a_fresh_object():
    study = tuned(3)
    with pytest.raises(ValueError, match="has not been used"):
        study.load_state(study.state())


def test_a_searcher_that_ignores_results_is_shown_none():
    histories = []

    class Watched(Random):
        def suggest(self, history, requests, rng):
            histories.append(history)
            return super().suggest(history, requests, rng)

    tuned(5, searcher=Watched())
    assert [len(history) for history in histories] == [0] * 5


# What is given -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_samples": 0}, "num_samples must be at least -1 and not 0, not 0"),
        ({"num_samples": -2}, "num_samples must be at least -1 and not 0, not -2"),
        ({"num_samples": 2.5}, "num_samples must be an integer, not 2.5"),
        ({"parallelism": 0}, "parallelism must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"seed": "1"}, "seed must be an integer, not '1'"),
        ({"seed": True}, "seed must be an integer, not True"),
    ],
)
def test_numbers_are_checked_as_the_engine_checks_them(keywords, message):
    with pytest.raises(ValueError, match=message):
        AskTell(SQUARE, **keywords)


def test_minus_one_means_that_the_number_of_samples_is_not_known():
    assert tuned(searcher="auto", num_samples=-1).trials == tuned(searcher="auto").trials


def test_numbers_of_numpy_are_numbers():
    study = AskTell(
        {"x": space.uniform(0, 1), "n": space.randint(0, 9)},
        searcher="tpe",
        seed=np.int64(3),
        num_samples=np.int32(20),
        parallelism=np.uint8(2),
    )
    [trial] = study.ask(np.int64(1))
    study.tell(np.int64(trial.id), np.float32(0.5))
    study.add({"x": np.float64(0.25), "n": np.int64(3)}, {"value": np.int64(1), "other": np.bool_(True)})
    state = json.loads(json.dumps(study.state()))
    again = AskTell({"x": space.uniform(0, 1), "n": space.randint(0, 9)}, searcher="tpe", seed=3)
    again.load_state(state)
    assert again.trials == study.trials
    assert again.ask() == study.ask()


def test_values_without_names_are_answered_by_the_dict_that_is_wanted():
    study = AskTell(SQUARE, metric=["a", "b"])
    with pytest.raises(ValueError, match=r"tell a dict {'a': ..., 'b': ...}, not \[1.0, 2.0\]"):
        study.tell(study.ask(), [1.0, 2.0])


# The end of a grid ---------------------------------------------------------------------------------------------------

SIX = {"a": space.choice(["p", "q"]), "b": space.choice([1, 2, 3])}


def all_asked(study):
    asked = []
    with pytest.raises(LookupError, match="no more suggestions: all"):
        while len(asked) < 100:
            asked.append(study.ask())
    return asked


def test_a_grid_ends_after_its_last_configuration():
    asked = all_asked(AskTell(SIX, searcher="grid"))
    assert len({tuple(trial.config.values()) for trial in asked}) == len(asked) == 6


def test_a_batch_holds_what_is_left_of_a_grid():
    study = AskTell(SIX, searcher="grid")
    assert [len(study.ask(4)), len(study.ask(4))] == [4, 2]


def test_a_grid_begins_again_where_the_number_of_samples_says_so():
    assert len(all_asked(AskTell(SIX, searcher="grid", num_samples=8))) == 8
    assert len(AskTell(SIX, searcher="grid", num_samples=-1).ask(50)) == 50


def test_a_repeated_grid_ends_after_all_repetitions():
    assert len(all_asked(AskTell(SIX, searcher=Repeat(Grid(), 2)))) == 12


# Threads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("searcher", ["gp", "tpe", "random"])
def test_eight_threads_are_given_different_configurations(searcher):
    study, gate = AskTell(SQUARE, searcher=searcher, parallelism=8, seed=0), Barrier(8)

    def one(_):
        gate.wait()
        study.tell(trial := study.ask(), bowl(trial.config))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(80)))
    assert len({tuple(trial.config.values()) for trial in study.trials}) == len(study.trials) == 80


def test_a_stopped_trial_counts_at_its_last_step_and_is_not_open_any_more():
    study = AskTell(SQUARE, searcher="tpe", seed=0)
    first, second = study.ask(2)
    study.report(first, 1, 3.0)
    study.stop(first)
    record = study._log.until(10**6).trials[0]
    assert (record.outcome.kind, record.steps, record.values) == ("stopped", [1], [(3.0,)])
    assert study.trials == []
    with pytest.raises(ValueError, match="trial 0 was stopped"):
        study.tell(first, 1.0)
    with pytest.raises(ValueError, match="is not open"):
        study.stop(7)
    study.tell(second, 1.0)
    again = AskTell(SQUARE, searcher="tpe")
    again.load_state(json.loads(json.dumps(study.state())))
    assert again._log.until(10**6).trials[0].outcome.kind == "stopped"
    assert again.ask() == study.ask()


@pytest.mark.parametrize("searcher", ["auto", "random", "sobol", "gp", "tpe", "cmaes", "nsga2", "dehb", "priorband"])
def test_a_study_that_is_in_use_can_be_pickled_and_goes_on_as_it_would_have(searcher):
    study = AskTell({"x": space.uniform(0, 1), "n": space.randint(0, 9)}, searcher=searcher, seed=0)
    for _ in range(14):
        trial = study.ask()
        study.tell(trial, trial.config["x"])
    copied = pickle.loads(pickle.dumps(study))
    assert [copied.ask() for _ in range(3)] == [study.ask() for _ in range(3)]


def test_a_study_can_be_copied_and_a_new_one_pickled():
    study = tuned()
    assert copy.deepcopy(study).ask() == study.ask()
    study = AskTell(SQUARE, searcher="tpe", seed=0)
    assert pickle.loads(pickle.dumps(study)).ask() == study.ask()


def test_what_is_no_metric_is_kept_as_its_string_with_one_warning():
    study = AskTell(SQUARE, metric="loss", seed=0)
    first, second = study.ask(2)
    with pytest.warns(RuntimeWarning, match="metric 'a' is a set, not a number, string, or None") as said:
        study.tell(first, {"loss": 1.0, "a": {1}})
    assert said[0].filename == __file__
    study.tell(second, {"loss": 2.0, "a": {1}})  # a second warning would be an error here
    assert study.best.metrics == {"loss": 1.0, "a": "{1}"}


PROGRAM = """
from trialwright import AskTell, Engine, space

study = AskTell({"x": space.uniform(-5, 5)}, searcher="tpe", metric="loss")
trial = study.ask()
study.tell(trial, abs(trial.config["x"] - 1))
print(study.best.config["x"] + 1, [each.config["x"] * 2 for each in study.ask(3)])


def objective(config: dict[str, float]) -> float:
    return config["x"] ** 2


result = Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", num_samples=3).run()
print(result.best_trial.config["x"] - 1)
"""


MYPY = """
[mypy]
strict = True
follow_imports = skip
[mypy-trialwright.*]
follow_imports = silent
[mypy-numpy.*,ray.*]
follow_imports = skip
follow_imports_for_stubs = True
"""  # to read what others have written takes most of the time


@pytest.mark.slow
def test_a_users_program_type_checks(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "mypy.ini").write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "program.py"]
    found = {**os.environ, "MYPYPATH": str(Path(__file__).parents[1])}
    checked = subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
    assert checked.stdout.startswith("Success"), checked.stdout


# Noise ---------------------------------------------------------------------------------------------------------------


def told_with_noise(mode="min", outliers=0, seed=0):
    """The best x is 0.3 with a value of 2, and the luckiest value is not there."""
    study = AskTell({"x": space.uniform(0, 1)}, searcher="random", mode=mode, seed=seed)
    generator, sign = np.random.default_rng(seed), -1.0 if mode == "max" else 1.0
    for number in range(60):
        trial = study.ask()
        off = 0.2 * generator.standard_normal()
        if number % 20 == 7 and outliers:
            off = -0.2 * outliers
        study.tell(trial, sign * (2 + 9 * (trial.config["x"] - 0.3) ** 2 + off))
    return study


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("outliers", [0, 10, 100])
def test_what_is_recommended_is_not_the_luckiest_and_no_outlier_moves_it(mode, outliers):
    found = told_with_noise(mode, outliers).recommended
    sign = -1.0 if mode == "max" else 1.0
    assert found.config["x"] == pytest.approx(0.3, abs=0.15)
    low, high = found.interval
    assert low < found.mean < high
    assert low - 0.15 < sign * 2 < high + 0.15
    assert high - low < 1


def test_without_noise_the_best_is_recommended_or_one_as_good():
    study = AskTell({"x": space.uniform(0, 1), "k": space.choice(["a", "b"])}, searcher="gp", seed=0)
    for _ in range(25):
        trial = study.ask()
        study.tell(trial, (trial.config["x"] - 0.3) ** 2 + (trial.config["k"] == "a"))
    assert study.recommended.mean == pytest.approx(study.best.metrics["value"], abs=1e-3)


def test_what_is_recommended_meets_the_constraints():
    study = AskTell({"x": space.uniform(0, 1)}, searcher="random", seed=0, outcome_constraints=["c <= 0"])
    for _ in range(30):
        trial = study.ask()
        study.tell(trial, {"value": trial.config["x"], "c": 0.5 - trial.config["x"]})
    assert study.recommended.config["x"] >= 0.5


def test_where_all_values_are_equal_or_there_is_one_something_is_recommended():
    study = AskTell({"x": space.uniform(0, 1)}, searcher="random", seed=0)
    with pytest.raises(ValueError, match="no trial has a finite"):
        _ = study.recommended
    for _ in range(3):
        study.tell(study.ask(), 1.5)
        assert study.recommended.mean == 1.5
    empty = AskTell({}, searcher="random", seed=0, num_samples=3)
    for value in (3.0, 1.0, 2.0):
        empty.tell(empty.ask(), value)
    assert empty.recommended.config == {}


def test_a_standard_error_is_learnt_from():
    """Of two values one is known well, and one is not: the model believes the first."""

    def recommended(first, second):
        study = AskTell({"x": space.uniform(0, 1)}, searcher="random", seed=0)
        for x in np.linspace(0.5, 1, 6):
            study.add({"x": float(x)}, {"value": 0.5 + 0.1 * x, "value_sem": 0.05})
        study.add({"x": 0.2}, {"value": 0.0, "value_sem": first})
        study.add({"x": 0.2}, {"value": 1.0, "value_sem": second})
        return study.recommended

    assert recommended(0.01, 1.0).config["x"] == 0.2
    assert recommended(1.0, 0.01).config["x"] != 0.2


@pytest.mark.parametrize("error", [-0.1, "wide"])
def test_a_standard_error_that_is_none_is_refused(error):
    study = AskTell({"x": space.uniform(0, 1)}, searcher="random", seed=0)
    with pytest.raises(ValueError, match="standard error of 'value'"):
        study.tell(study.ask(), {"value": 1.0, "value_sem": error})


def learnt(study, pauses):
    """Trials that are stopped after a step or go on to their end, in a loop of the user's own."""
    best = 1.0
    for _ in range(40):
        trial = study.ask()
        loss = (trial.config["x"] - 0.2) ** 2
        study.report(trial, 1, loss + 1)
        if pauses and loss > best:
            study.pause(trial)
        else:
            best = min(best, loss)
            study.tell(trial, loss)
    return study


@pytest.mark.parametrize("searcher", ["tpe", "gp"])
def test_a_loop_that_stops_trials_early_learns_from_their_reports(searcher):
    study = learnt(AskTell({"x": space.uniform(0, 1)}, searcher=searcher, seed=0), pauses=True)
    assert len(study.trials) < 20
    assert abs(study.best.config["x"] - 0.2) < 0.02


def test_a_paused_trial_may_be_resumed_and_gets_its_result_at_its_end():
    study = AskTell({"x": space.uniform(0, 1)}, searcher="tpe", seed=0)
    trial = study.ask()
    study.report(trial, 1, 0.5)
    study.pause(trial)
    with pytest.raises(ValueError, match="no trial has a finite"):
        _ = study.best
    study.resume(trial)
    study.report(trial, 2, 0.4)
    study.tell(trial, 0.3)
    assert (study.best.metrics, study.pareto_front()) == ({"value": 0.3}, [study.best])


def test_reports_that_make_no_sense_are_refused():
    study = AskTell({"x": space.uniform(0, 1)}, seed=0)
    trial = study.ask()
    study.report(trial, 2, 0.5)
    for step in (2, 1, 0, -1):
        with pytest.raises(ValueError, match=f"step must be above 2, the last reported step of trial 0, not {step}"):
            study.report(trial, step, 0.5)
    with pytest.raises(ValueError, match="trial 0 is not paused; paused are none"):
        study.resume(trial)
    study.tell(trial, 0.1)
    for call in (study.pause, study.resume, lambda told: study.report(told, 3, 0.1)):
        with pytest.raises(ValueError, match="trial 0 has a result already"):
            call(trial)


@pytest.mark.parametrize("searcher", ["tpe", "gp"])
def test_a_state_has_the_reports_too(searcher):
    study = learnt(AskTell({"x": space.uniform(0, 1)}, searcher=searcher, seed=0), pauses=True)
    again = AskTell({"x": space.uniform(0, 1)}, searcher=searcher)
    again.load_state(json.loads(json.dumps(study.state())))
    assert again.ask() == study.ask()


def test_a_state_has_the_standard_errors_of_reports_too():
    study = AskTell({"x": space.uniform(0, 1)}, searcher="random", seed=0)
    trial = study.ask()
    study.report(trial, 1, {"value": 1.0, "value_sem": 0.5})
    study.report(trial, 2, 1.0)
    again = AskTell({"x": space.uniform(0, 1)}, searcher="random")
    again.load_state(json.loads(json.dumps(study.state())))
    assert again.state() == study.state()
    assert json.loads(json.dumps(again.state()))["reports"] == [[0, [1, 2], [[1.0], [1.0]], False, [[0.5], [0.0]]]]
