"""What the kernel sees of a config."""

import numpy as np

from trialwright.searchers.gp.backends import Numpy
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import squared_distances
from trialwright.space import Space, choice, lograndint, ordinal, randint, uniform


def distances(space, configs):
    features = Features(space)
    rows = features.of(*space.encode(configs))
    return squared_distances(rows, rows, Numpy())


def test_two_options_are_at_distance_one_whichever_they_are():
    space = Space({"kernel": choice(["a", "b", "c"])})
    assert np.allclose(distances(space, [{"kernel": k} for k in "abc"]), 1 - np.eye(3))


def test_numbers_are_as_far_apart_as_their_units():
    space = Space({"x": uniform(0, 10)})
    assert np.allclose(distances(space, [{"x": 1.0}, {"x": 6.0}])[0, 1], 0.25)


def test_ordinals_and_choices_of_rising_numbers_have_an_order():
    for domain in (ordinal(["s", "m", "l"]), choice([16, 32, 64])):
        space = Space({"x": domain})
        near, far = distances(space, [{"x": each} for each in domain.options])[0, 1:]
        assert near < far


def test_numbers_in_no_order_and_truth_values_are_only_different():
    for domain in (choice([3, 1, 2]), choice([True, False])):
        assert not Features(Space({"x": domain})).numeric.any()


def test_branches_differ_by_their_option_and_not_by_what_they_lack():
    space = Space({"model": choice([{"a": uniform(0, 1)}, {"b": uniform(0, 1)}])})
    same, other = {"model": {"a": 0.2}}, {"model": {"b": 0.9}}
    squared = distances(space, [same, {"model": {"a": 0.2}}, other])
    assert squared[0, 1] == 0
    assert squared[0, 2] > 1


def test_a_few_values_are_all_tried_and_of_many_some_near_and_far():
    few, many = Features(Space({"a": randint(0, 5), "b": lograndint(1, 1000)})).columns
    assert len(few.moves(few.centres[2])) == 4
    moves = many.moves(many.centres[500])
    assert 10 < len(moves) < 25
    assert many.centres[501] in moves
    assert many.centres[500] not in moves


def test_gradients_come_back_to_their_columns_and_not_to_categories():
    features = Features(Space({"k": choice(["a", "b", "c"]), "x": uniform(0, 1), "n": randint(1, 100)}))
    gradient = features.pull_back(np.arange(1.0, 6.0)[None])
    assert gradient.tolist() == [[0.0, 1.0, 2.0]]
    assert features.groups.tolist() == [1, 2, 0, 0, 0]


def test_many_options_are_as_far_from_each_other_as_few():
    features = Features(Space({"a": choice([f"o{number}" for number in range(10_000)])}))
    units = (np.random.default_rng(0).choice(10_000, 60, replace=False)[:, None] + 0.5) / 10_000
    rows = features.of(units, np.ones((60, 1), np.bool_))
    assert rows.shape[1] == len(features.groups) <= 128
    squared = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    assert np.abs(squared[~np.eye(60, dtype=np.bool_)] - 1).max() < 0.5
    assert np.allclose(np.diag(squared), 0)
    assert np.array_equal(rows, features.of(units, np.ones((60, 1), np.bool_)))
