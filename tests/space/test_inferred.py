"""Spaces that are inferred from flat trials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.space import choice, randint, uniform
from trialwright.space.inferred import Condition, infer

DOMAINS = {
    "model": choice(["svm", "forest", "none"]),
    "C": uniform(0, 1),
    "kernel": choice(["rbf", "poly"]),
    "degree": randint(2, 6),
    "depth": randint(1, 9),
}
SVM = {"model": "svm", "C": 0.5, "kernel": "rbf"}
POLY = {"model": "svm", "C": 0.25, "kernel": "poly", "degree": 3}
FOREST = {"model": "forest", "depth": 4}
NONE = {"model": "none"}


def test_a_parameter_belongs_to_the_options_with_which_it_exists():
    inferred = infer([SVM, POLY, FOREST, NONE], DOMAINS)
    assert inferred.conditions == {
        "C": Condition("model", frozenset({0})),
        "kernel": Condition("model", frozenset({0})),
        "degree": Condition("kernel", frozenset({1})),
        "depth": Condition("model", frozenset({1})),
    }
    kernel = choice(["rbf", {"value": "poly", "degree": randint(2, 6)}])
    svm = {"value": "svm", "C": uniform(0, 1), "kernel": kernel}
    model = choice([svm, {"value": "forest", "depth": randint(1, 9)}, "none"])
    assert inferred.space.to_plain() == type(inferred.space)({"model": model}).to_plain()
    assert not inferred.optional


@pytest.mark.parametrize("params", [SVM, POLY, FOREST, NONE])
def test_a_flat_trial_and_its_configuration_are_made_of_each_other(params):
    inferred = infer([SVM, POLY, FOREST, NONE], DOMAINS)
    config = inferred.nested(params)
    assert inferred.space.validate(config) == []
    assert inferred.flat(config) == params
    assert [*inferred.flat(config)] == [name for name in DOMAINS if name in params]


@pytest.mark.parametrize(
    "params",
    [
        {"model": "svm", "C": 0.5},  # without its kernel
        {"model": "none", "C": 0.5},  # with a parameter of another option
        {"model": "svm", "C": 2.0, "kernel": "rbf"},  # outside the range
        {"model": "tree"},
        {"model": "none", "new": 1},
        {},
    ],
)
def test_a_trial_that_does_not_fit_has_no_configuration(params):
    assert infer([SVM, POLY, FOREST, NONE], DOMAINS).nested(params) is None


def test_a_parameter_of_two_options_is_in_both():
    trials = [{"model": name, "C": 0.5} for name in ("svm", "forest")] + [NONE]
    inferred = infer(trials, {"model": DOMAINS["model"], "C": DOMAINS["C"]})
    assert inferred.conditions == {"C": Condition("model", frozenset({0, 1}))}
    assert all(inferred.flat(inferred.nested(params)) == params for params in trials)


def test_a_parameter_that_nothing_explains_is_optional():
    trials = [{"x": 1, "more": 0.5}, {"x": 2}, {"x": 1}]
    inferred = infer(trials, {"x": randint(0, 9), "more": uniform(0, 1)})
    assert inferred.optional == {"more"}
    assert [inferred.flat(inferred.nested(params)) for params in trials] == trials


def test_an_option_that_no_trial_has_had_yet_has_no_parameters():
    inferred = infer([SVM, NONE], {name: DOMAINS[name] for name in ("model", "C", "kernel")})
    assert inferred.nested({"model": "forest"}) == {"model": "forest"}


def test_of_several_choices_that_explain_it_the_last_one_before_it_is_taken():
    domains = {"a": choice([0, 1]), "b": choice([0, 1]), "x": uniform(0, 1)}
    inferred = infer([{"a": 0, "b": 0}, {"a": 1, "b": 1, "x": 0.5}], domains)
    assert inferred.conditions["x"].parent == "b"


def test_a_parameter_may_be_called_as_the_key_of_values():
    trials = [{"model": "svm", "value": 0.5}, {"model": "none"}]
    inferred = infer(trials, {"model": DOMAINS["model"], "value": uniform(0, 1)})
    assert [inferred.flat(inferred.nested(params)) for params in trials] == trials


def test_without_trials_every_parameter_always_exists():
    inferred = infer([], DOMAINS)
    assert {each.path for each in inferred.space.parameters} == {*DOMAINS}


@st.composite
def programs(draw):
    """A define-by-run program: a tree of choices, below which are more parameters; and flat trials of it."""
    count = draw(st.integers(1, 6))
    parents = [
        draw(st.one_of(st.none(), st.tuples(st.integers(0, place - 1), st.integers(0, 2)))) if place else None
        for place in range(count)
    ]

    def run():
        params = {}
        for place, parent in enumerate(parents):
            if parent is None or params.get(f"p{parent[0]}") == parent[1]:
                params[f"p{place}"] = draw(st.integers(0, 2))
        return params

    return [run() for _ in range(draw(st.integers(1, 12)))], {f"p{place}": choice([0, 1, 2]) for place in range(count)}


@given(programs())
def test_every_trial_that_was_seen_has_a_configuration_that_gives_it_back(program):
    trials, domains = program
    seen = {name: each for name, each in domains.items() if any(name in params for params in trials)}
    inferred = infer(trials, seen)
    for params in trials:
        assert inferred.flat(inferred.nested(params)) == params
