"""Importance: shares and intervals on functions whose importances are known, by both methods, and beside Optuna."""

from __future__ import annotations

import numpy as np
import pytest

from trialwright.columns import Column, columns
from trialwright.importance import METHODS, Settings, measure

WEIGHTS = {"a": 4.0, "b": 2.0, "c": 1.0, "d": 0.0}


def drawn(n, seed=0):
    """Points of a sum whose terms have variances in the ratio 16 : 4 : 1 : 0."""
    x = np.random.default_rng(seed).random((n, len(WEIGHTS)))
    return [Column(name, x[:, place]) for place, name in enumerate(WEIGHTS)], x @ np.array([*WEIGHTS.values()])


def shares(importance):
    return {each.parameter: each.importance for each in importance}


def test_fanova_finds_the_known_parts_of_the_variance():
    found = measure(*drawn(1000), "loss", Settings(method="fanova", resamples=40))
    assert shares(found) == pytest.approx({"a": 16 / 21, "b": 4 / 21, "c": 1 / 21, "d": 0.0}, abs=0.05)
    assert 0.9 < sum(each.score for each in found) <= 1.0


@pytest.mark.parametrize("method", METHODS)
def test_the_ranks_are_the_known_ones_and_shares_add_up_to_one(method):
    found = measure(*drawn(1000), "loss", Settings(method=method, resamples=20))
    assert [each.parameter for each in found] == ["a", "b", "c", "d"]
    assert sum(shares(found).values()) == pytest.approx(1.0)
    assert all(0 <= each.low <= each.importance <= each.high <= 1 for each in found)


@pytest.mark.parametrize("method", METHODS)
def test_the_ranks_agree_with_those_of_optuna(method):
    optuna = pytest.importorskip("optuna")
    importance = pytest.importorskip("optuna.importance")
    make = {
        "ped-anova": importance.PedAnovaImportanceEvaluator,
        "fanova": lambda: importance.FanovaImportanceEvaluator(n_trees=8, seed=0),
    }[method]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found, costs = drawn(200)
    unit = dict.fromkeys(WEIGHTS, optuna.distributions.FloatDistribution(0, 1))
    study = optuna.create_study()
    for row, cost in zip(np.column_stack([each.values for each in found]).tolist(), costs, strict=True):
        params = dict(zip(WEIGHTS, row, strict=True))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=unit, value=cost))
    theirs = importance.get_param_importances(study, evaluator=make())
    ours = measure(found, costs, "loss", Settings(method=method, resamples=20))
    assert [each.parameter for each in ours][:2] == [*theirs][:2] == ["a", "b"]


@pytest.mark.parametrize("method", METHODS)
def test_the_intervals_hold_what_many_trials_say(method):
    settings = Settings(method=method, resamples=20)
    truth = shares(measure(*drawn(20_000), "loss", settings))
    sets = [measure(*drawn(100, seed), "loss", settings) for seed in range(1, 9)]
    held = [each.low - 0.01 <= truth[each.parameter] <= each.high + 0.01 for found in sets for each in found]
    assert np.mean(held) >= 0.8


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_and_another_seed_another_interval(method):
    one, same, other = (
        measure(*drawn(100), "loss", Settings(method=method, resamples=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == same
    assert [each.high for each in one] != [each.high for each in other]


@pytest.mark.parametrize("method", METHODS)
def test_a_parameter_of_a_branch_is_judged_among_the_trials_of_the_branch(method):
    rng = np.random.default_rng(0)
    a, b = rng.random(600), rng.random(600)
    configs = [
        {"kind": "x", "a": own} if own < 0.5 else {"kind": "y", "b": other} for own, other in zip(a, b, strict=True)
    ]
    costs = np.array([config.get("b", 0.9) for config in configs])
    costs += 1e-3 * rng.random(600)
    found = measure(columns(configs), costs, "loss", Settings(method=method, resamples=20))
    assert found["b"].trials == sum("b" in config for config in configs)
    assert found["a"].score < 0.2 < found["b"].score


@pytest.mark.parametrize("method", METHODS)
def test_categories_and_integers_matter_as_numbers_do(method):
    rng = np.random.default_rng(0)
    configs = [
        {"kind": str(rng.choice([*"abcd"])), "depth": int(rng.integers(1, 5)), "junk": rng.random()} for _ in range(500)
    ]
    costs = np.array([(config["kind"] == "c") * 2.0 + abs(config["depth"] - 3) for config in configs])
    found = measure(columns(configs), costs, "loss", Settings(method=method))
    assert found["junk"].importance < 0.05 < min(found["kind"].importance, found["depth"].importance)


def test_what_cannot_be_judged_is_skipped_and_says_why():
    configs = [{"x": place, "same": 3, **({"rare": place} if place < 4 else {})} for place in range(30)]
    found = measure(columns(configs), np.arange(30.0), "loss")
    assert dict(found.skipped) == {"same": "the same in all trials that have it", "rare": "only 4 trials have it"}
    with pytest.raises(KeyError, match="'rare' has no importance: only 4 trials have it"):
        found["rare"]


def test_an_importance_is_found_by_name_and_reads_as_a_table():
    found = measure(*drawn(200), "loss", left_out={"failed or lost": 3})
    assert repr(found).splitlines()[0] == "Importance for 'loss' by ped-anova (200 trials, 3 left out: failed or lost)"
    assert [line.split()[0] for line in repr(found).splitlines()[1:]] == [each.parameter for each in found]
    assert found["a"] == next(iter(found))
    with pytest.raises(KeyError, match="'aa'; did you mean 'a'"):
        found["aa"]


def test_an_importance_has_a_table():
    pytest.importorskip("pandas")
    found = measure(*drawn(200), "loss")
    table = found.dataframe()
    assert [*table.columns] == ["parameter", "importance", "low", "high", "score", "trials"]
    assert [*table["importance"]] == [each.importance for each in found]


def test_where_nothing_matters_all_shares_are_zero():
    x = np.tile([0.0, 1.0], 50)
    found = measure([Column("x", x)], np.repeat(np.arange(50.0), 2), "loss")
    assert (found["x"].importance, found["x"].score) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("n", "message"),
    [(9, "needs 10 trials with a finite 'loss', not 9; 2 left out: failed"), (0, "not 0")],
)
def test_too_few_trials_are_refused(n, message):
    with pytest.raises(ValueError, match=message):
        measure(*drawn(n), "loss", left_out={"failed": 2})


def test_equal_values_and_equal_parameters_are_refused():
    found, costs = drawn(20)
    with pytest.raises(ValueError, match="all 20 trials have the same 'loss'"):
        measure(found, np.ones(20), "loss")
    with pytest.raises(ValueError, match=r"no parameter can be judged: x \(the same"):
        measure([Column("x", np.ones(20))], costs, "loss")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "fannova"}, "there is no method 'fannova'; did you mean 'fanova'"),
        ({"quantile": 1.5}, "quantile must be between 0 and 1, not 1.5"),
        ({"region": 0.05}, "region must be above the quantile, 0.1, and at most 1, not 0.05"),
        ({"resamples": 2}, "resamples must be 20 or more, not 2"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
