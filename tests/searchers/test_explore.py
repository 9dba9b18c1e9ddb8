"""PBT's explore."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.searcher import SPACES, SearcherContract, answered, news
from trialwright.history import History
from trialwright.messages import Request
from trialwright.searchers import Perturb, Problem, Random
from trialwright.space import Space, choice, loguniform, ordinal, qrandint, randint, uniform
from trialwright.streams import Streams


class TestPerturb(SearcherContract):
    def make(self):
        return Perturb(Random())


def explore(space, donor, *, count=100, **arguments):
    """Variations of a donor, for one trial after another."""
    searcher = Perturb(Random(), **arguments)
    searcher.setup(Problem(space))
    requests = [Request(trial, kind="explore", donor=donor, attempt=1) for trial in range(count)]
    return [space.resolve(suggestion.config) for suggestion in answered(searcher, History(), requests)]


@settings(max_examples=60)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 400), st.floats(0, 1))
def test_a_variation_is_a_valid_config_of_the_space(name, sample, resample_probability):
    space = SPACES[name]
    searcher = Perturb(Random(), resample_probability=resample_probability)
    searcher.setup(Problem(space))
    (donor,) = answered(searcher, History(), news(sample, 1))
    for variation in explore(space, donor.config, count=5, resample_probability=resample_probability):
        assert space.validate(variation) == []


def test_a_number_is_multiplied_by_one_of_the_factors():
    space = Space({"x": uniform(0, 100), "lr": loguniform(1e-5, 1)})
    variations = explore(space, {"x": 50.0, "lr": 1e-3}, resample_probability=0)
    assert {round(variation["x"], 6) for variation in variations} == {40.0, 60.0}
    assert {round(variation["lr"], 12) for variation in variations} == {8e-4, 1.2e-3}
    assert len({(v["x"] > 50, v["lr"] > 1e-3) for v in variations}) == 4, "each by its own"


def test_what_would_leave_the_bounds_ends_at_the_edge():
    space = Space({"x": uniform(0, 1), "n": randint(1, 10)})
    variations = explore(space, {"x": 0.9, "n": 9}, resample_probability=0)
    assert {round(variation["x"], 12) for variation in variations} == {0.72, 1.0}
    assert {variation["n"] for variation in variations} == {7, 9}


def test_an_integer_stays_on_its_steps():
    variations = explore(Space({"n": qrandint(0, 100, 10)}), {"n": 50}, resample_probability=0)
    assert {variation["n"] for variation in variations} == {40, 60}


def test_an_ordered_category_moves_to_a_neighbour_and_others_are_drawn_afresh():
    space = Space({"size": ordinal(["s", "m", "l", "xl"]), "kind": choice(["a", "b", "c"])})
    variations = explore(space, {"size": "m", "kind": "a"}, resample_probability=0)
    assert {variation["size"] for variation in variations} == {"s", "l"}
    assert {variation["kind"] for variation in variations} == {"a", "b", "c"}


def test_with_some_probability_a_parameter_is_drawn_afresh():
    variations = explore(Space({"x": uniform(0, 100)}), {"x": 50.0}, count=2000, resample_probability=0.25)
    afresh = [v["x"] for v in variations if round(v["x"], 6) not in {40.0, 60.0}]
    assert len(afresh) == pytest.approx(500, rel=0.15)
    assert (min(afresh), max(afresh)) == (pytest.approx(0, abs=2), pytest.approx(100, abs=2))


def test_the_donors_branch_is_varied_and_another_may_be_taken():
    space = SPACES["conditional"]
    variations = explore(space, {"model": {"kind": "tree", "depth": 4}}, resample_probability=0)
    depths = {v["model"]["depth"] for v in variations if v["model"] != "dummy" and "depth" in v["model"]}
    assert depths <= set(range(1, 9))
    assert {3, 5} <= depths


def test_a_variation_that_would_violate_a_constraint_is_the_donor_itself():
    space = Space({"x": uniform(0, 1)}, constraints=[lambda config: config["x"] == 0.5])
    assert explore(space, {"x": 0.5}, count=5) == [{"x": 0.5}] * 5


def test_new_requests_go_to_the_base_and_answers_keep_their_order():
    space = Space({"x": uniform(0, 1)})
    searcher, base = Perturb(Random()), Random()
    searcher.setup(Problem(space))
    base.setup(Problem(space))
    wish = Request(9, kind="explore", donor={"x": 0.5}, attempt=3)
    first, second = news(0, 2)
    answers = answered(searcher, History(), [first, wish, second])
    assert [answers[0], answers[2]] == base.suggest(History(), [first, second], Streams(0))
    assert answered(searcher, History(), [wish]) == [answers[1]]


def test_each_attempt_of_a_trial_is_varied_otherwise():
    space = Space({"x": uniform(0, 1)})
    searcher = Perturb(Random(), resample_probability=1)
    searcher.setup(Problem(space))
    requests = [Request(0, kind="explore", donor={"x": 0.5}, attempt=attempt) for attempt in range(50)]
    assert len({str(answer.config) for answer in answered(searcher, History(), requests)}) == 50


def test_mutations_say_what_varies_and_over_which_domain():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1), "model": {"depth": 3}})
    mutations = {"x": uniform(10, 20), "model/depth": ordinal([1, 3, 9]), "z": lambda: 7}
    variations = explore(space, {"x": 15.0, "y": 0.5, "model": {"depth": 3}, "z": 10}, mutations=mutations, count=200)
    assert {v["y"] for v in variations} == {0.5}
    assert all(10 <= v["x"] <= 20 for v in variations)
    assert {v["model"]["depth"] for v in variations} == {1, 3, 9}
    assert {v["z"] for v in variations} == {8, 12, 7}


@given(
    st.sampled_from([randint(8, 64), qrandint(8, 64, 4)]),
    st.sampled_from([lambda: 9, lambda: 9.7, uniform(8, 64), randint(8, 64)]),
    st.floats(0, 1),
)
def test_where_the_space_has_ints_every_mutation_makes_ints_on_its_steps(domain, mutation, probability):
    mutations = {"n": mutation}
    variations = explore(
        Space({"n": domain}), {"n": 12}, count=20, mutations=mutations, resample_probability=probability
    )
    assert {type(v["n"]) for v in variations} == {int}
    assert {v["n"] % domain.grain.value(1) for v in variations} == {0}


def test_where_the_space_has_a_constant_a_mutation_s_domain_says_what_it_becomes():
    space = Space({"n": 12})
    for mutation, kind in [(uniform(8, 64), float), (randint(8, 64), int), (lambda: 9.7, int)]:
        assert {type(v["n"]) for v in explore(space, {"n": 12}, mutations={"n": mutation})} == {kind}


@pytest.mark.parametrize(("value", "whole"), [(12, {10, 14}), (36, {29, 43}), (12.5, {10.0, 15.0})])
def test_an_int_that_a_function_mutates_is_rounded_and_a_float_is_not(value, whole):
    space = Space({"n": randint(8, 64) if isinstance(value, int) else uniform(8, 64)})
    variations = explore(space, {"n": value}, mutations={"n": lambda: 9}, resample_probability=0)
    assert {v["n"] for v in variations} == whole
    assert {type(v["n"]) for v in variations} == {type(value)}


def test_an_int_in_the_place_of_a_float_is_not_rounded():
    variations = explore(Space({"x": uniform(0, 2)}), {"x": 1}, mutations={"x": lambda: 9.5}, resample_probability=0)
    assert {v["x"] for v in variations} == {0.8, 1.2}


def test_a_bool_that_a_function_mutates_is_drawn_afresh():
    space, mutations = Space({"flag": True}), {"flag": lambda: random.random() < 0.5}
    variations = explore(space, {"flag": True}, mutations=mutations, resample_probability=0)
    assert {repr(v["flag"]) for v in variations} == {"True", "False"}


def test_a_function_has_the_last_word():
    space = Space({"x": uniform(0, 1)})
    variations = explore(space, {"x": 0.5}, function=lambda config: {"x": round(config["x"], 1)}, count=50)
    assert all(v["x"] == round(v["x"], 1) for v in variations)


def test_a_variation_that_violates_a_constraint_is_made_again():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1)}, ["x + y <= 1", "abs(x - y) < 0.2"])
    variations = explore(space, {"x": 0.49, "y": 0.49}, count=20)
    assert all(map(space.satisfies, variations))
    assert sum(v != {"x": 0.49, "y": 0.49} for v in variations) > 15
