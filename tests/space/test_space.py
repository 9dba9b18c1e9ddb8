"""The tree: encoding, conditions, grids, enumeration, and what a definition may not be."""

import itertools
import json
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trialwright import space

from .strategies import finite_definitions, spaces, units_for

BRANCHING = {
    "model": space.choice(
        [
            {
                "kind": "svm",
                "C": space.loguniform(0.1, 10),
                "kernel": space.choice(["rbf", {"degree": space.randint(2, 5)}]),
            },
            {"kind": "forest", "trees": space.qrandint(10, 50, 10), "layers": [space.uniform(0, 1), 3]},
            "none",
        ]
    ),
    "lr": space.uniform(0, 1),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def equal(one: Any, other: Any) -> bool:
    """Equality of configs: types too, floats to 1e-9, NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other or (isinstance(one, float) and one == pytest.approx(other, rel=1e-9, abs=1e-9, nan_ok=True))


@given(spaces, st.data())
def test_round_trips_of_random_spaces(what, data):
    units = data.draw(units_for(what))
    configs = what.decode(units)
    again, active = what.encode(configs)
    assert again.shape == active.shape == units.shape == (4, what.dimension)
    assert again.dtype == np.float64
    assert active.dtype == np.bool_
    assert np.all(again[~active] == 0.5)
    assert np.all((again >= 0) & (again <= 1))
    assert all(map(equal, configs, what.decode(again)))
    assert [what.validate(config) for config in configs] == [[]] * 4
    assert all(equal(config, what.complete(config, rng())) for config in configs)


@given(spaces)
def test_plain_forms_survive_json(what):
    for config in what.sample(3, rng(1)):
        plain = json.loads(json.dumps(what.plain(config), allow_nan=False))
        assert equal(config, what.resolve(plain))
    copy = space.Space.from_plain(json.loads(json.dumps(what.to_plain(), allow_nan=False)))
    assert copy.describe() == what.describe()
    assert all(map(equal, copy.sample(3, rng(2)), what.sample(3, rng(2))))


@given(spaces, st.integers(0, 2**32))
def test_same_seed_same_configs(what, seed):
    assert all(map(equal, what.sample(3, rng(seed)), what.sample(3, rng(seed))))


@given(finite_definitions)
def test_cardinality_and_at_agree_with_brute_force(definition):
    what = space.Space(definition)
    size = what.cardinality
    assert size is not None
    assume(size <= 2000)
    assert [repr(what.at(index)) for index in range(size)] == [repr(config) for config in every(definition)]


def every(part: Any) -> list[Any]:
    """All configs of a finite definition, the plain way: itertools.product."""
    if isinstance(part, space.Category):
        return [config for option in part.options for config in every(option)]
    if isinstance(part, space.Stepped):
        return [part.grain.value(part.first + index) for index in range(part.count)]
    if isinstance(part, dict):
        return [dict(zip(part, row, strict=True)) for row in itertools.product(*map(every, part.values()))]
    if isinstance(part, list):
        return [list(row) for row in itertools.product(*map(every, part))]
    return [part]


def test_parameters_name_their_paths_columns_and_conditions():
    what = space.Space(BRANCHING)
    assert [(each.path, each.column, each.condition) for each in what.parameters] == [
        ("model", 0, None),
        ("model[0]/C", 1, ("model", 0)),
        ("model[0]/kernel", 2, ("model", 0)),
        ("model[0]/kernel[1]/degree", 3, ("model[0]/kernel", 1)),
        ("model[1]/trees", 4, ("model", 1)),
        ("model[1]/layers/0", 5, ("model", 1)),
        ("lr", 6, None),
    ]
    assert what.dimension == 7
    assert what.cardinality is None


def test_only_the_columns_of_the_taken_branch_are_active():
    what = space.Space(BRANCHING)
    configs = [
        {"model": {"kind": "svm", "C": 1.0, "kernel": {"degree": 3}}, "lr": 0.25},
        {"model": {"kind": "svm", "C": 1.0, "kernel": "rbf"}, "lr": 0.5},
        {"model": {"kind": "forest", "trees": 50, "layers": [0.75, 3]}, "lr": 0},
        {"model": "none", "lr": 1},
    ]
    units, active = what.encode(configs)
    assert active.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0, 1],
        [1, 1, 1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1, 1, 1],
        [1, 0, 0, 0, 0, 0, 1],
    ]
    assert units[0].tolist() == pytest.approx([1 / 6, 0.5, 0.75, 0.5, 0.5, 0.5, 0.25])
    assert units[2].tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.9, 0.75, 0])


def test_inactive_units_are_ignored():
    what = space.Space(BRANCHING)
    row = np.array([[0.99, np.nan, np.nan, 7, -1, np.nan, 0.5]])
    assert what.decode(row) == [{"model": "none", "lr": 0.5}]


def test_domains_may_be_options_themselves():
    what = space.Space({"x": space.choice(["auto", space.uniform(0, 1), space.choice([[space.randint(0, 3)], 7])])})
    for config in what.sample(30, rng()):
        units, _ = what.encode([config])
        assert equal(what.decode(units), [config])
        assert what.validate(config) == []


def test_a_value_of_two_branches_is_of_the_first():
    what = space.Space({"x": space.choice([space.uniform(0, 1), space.uniform(0, 2)])})
    assert what.encode([{"x": 0.5}, {"x": 1.5}])[1].tolist() == [[True, True, False], [True, False, True]]


def test_values_are_plain_python():
    config = space.Space(
        {"a": space.randint(0, 3), "b": space.uniform(0, 1), "c": np.float64(2), "d": [np.int8(1)]}
    ).sample(1, rng())[0]
    assert [type(config[key]) for key in "abc"] == [int, float, float]


def test_configs_share_no_containers():
    options = [{"a": [1]}, {"a": [2]}]
    what = space.Space({"constant": {"a": [1]}, "option": space.choice(options), "x": [space.uniform(0, 1)]})
    first, second = what.decode(np.full((2, 2), 0.1))
    first["constant"]["a"].append(2)
    first["option"]["a"].append(2)
    first["x"].append(2)
    assert (second["constant"], second["option"], len(second["x"])) == ({"a": [1]}, {"a": [1]}, 1)
    assert what.decode(np.full((1, 2), 0.1))[0]["constant"] == {"a": [1]}


def test_callables_and_objects_are_constants():
    marker = object()
    what = space.Space({"f": len, "o": marker, "t": (1, 2), "w": {0: 0.1, 1: 0.9}, "x": space.uniform(0, 1)})
    config = what.sample(1, rng())[0]
    assert config["f"] is len
    assert config["o"] is marker
    assert (config["t"], config["w"]) == ((1, 2), {0: 0.1, 1: 0.9})


def test_the_definition_may_change_afterwards():
    definition = {"x": space.uniform(0, 1), "y": [1]}
    what = space.Space(definition)
    definition["z"], definition["y"] = 3, [2]
    assert what.to_plain() == {"x": {"$domain": ["uniform", 0, 1]}, "y": [1]}
    assert what.sample(1, rng())[0]["y"] == [1]


def test_an_empty_space_has_one_config():
    what = space.Space({"a": {"b": []}})
    assert (what.dimension, what.cardinality, what.grid_size, what.parameters) == (0, 1, 1, ())
    assert what.sample(2, rng()) == [{"a": {"b": []}}] * 2
    assert space.Space({}).sample(2, rng()) == [{}, {}]
    assert space.Space({}).decode(np.zeros((0, 0))) == []
    assert space.Space({}).describe() == ""


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 4), (1, 1, 3)])
def test_wrong_shapes_are_refused(shape):
    what = space.Space({key: space.uniform(0, 1) for key in "abc"})
    with pytest.raises(ValueError, match=r"it must be \(n, 3\)"):
        what.decode(np.zeros(shape))


@pytest.mark.parametrize("unit", [-0.1, 1.1, np.nan])
def test_units_outside_the_cube_are_refused(unit):
    with pytest.raises(ValueError, match=r"x/y: units must lie within \[0, 1\]"):
        space.Space({"x": {"y": space.choice([1, 2])}}).decode(np.array([[0.5], [unit]]))


def test_a_grid_tries_a_value_as_often_as_it_is_there():
    what = space.Space({"a": space.grid_search([(None, 1), 2, (None, 1)])})
    assert [config["a"] for config in what.sample(3, rng(), grid=range(3))] == [(None, 1), 2, (None, 1)]
    assert space.Space.from_plain(what.to_plain()).grid_size == 3


def test_the_grid_goes_through_the_product_in_order():
    what = space.Space(
        {"a": space.grid_search([1, 2]), "n": {"b": [space.grid_search(["x", "y", "z"])]}, "lr": space.uniform(0, 1)}
    )
    assert what.grid_size == 6
    configs = what.sample(13, rng(), grid=range(13))
    points = [(config["a"], config["n"]["b"][0]) for config in configs]
    assert points == [*itertools.product([1, 2], "xyz")] * 2 + [(1, "x")]
    assert len({config["lr"] for config in configs}) == 13
    assert what.grid_units(4) == what.grid_units(10) == {0: 0.75, 1: 0.5}
    assert what.grid_units(10**30) == what.grid_units(10**30 % 6)


def test_fix_grid_leaves_other_columns_and_its_argument_alone():
    what = space.Space({"lr": space.uniform(0, 1), "g": space.grid_search([1, 2])})
    units = np.full((3, 2), 0.3)
    fixed = what.fix_grid(units, np.arange(3))
    assert fixed.tolist() == [[0.3, 0.25], [0.3, 0.75], [0.3, 0.25]]
    assert np.all(units == 0.3)


def test_without_grid_indices_the_grid_is_drawn():
    what = space.Space({"g": space.grid_search([1, 2, 3])})
    assert {config["g"] for config in what.sample(50, rng())} == {1, 2, 3}


def test_a_grid_of_branches():
    what = space.Space({"g": space.grid_search([{"x": space.uniform(0, 1)}, "off"])})
    first, second = what.sample(2, rng(), grid=[0, 1])
    assert 0 <= first["g"]["x"] <= 1
    assert second == {"g": "off"}


def test_grid_indices_must_match():
    with pytest.raises(ValueError, match="grid has 2 indices for 3 configs"):
        space.Space({}).sample(3, rng(), grid=[0, 1])


def test_at_refuses_infinite_spaces_and_wrong_indices():
    what = space.Space({"a": space.uniform(0, 1), "b": space.randn(), "c": space.choice([1, 2])})
    with pytest.raises(ValueError, match="the space is infinite: a, b cannot be enumerated"):
        what.at(0)
    with pytest.raises(IndexError, match="index 2 is outside a space of 2 configs"):
        space.Space({"c": space.choice([1, 2])}).at(2)


def test_at_does_not_build_the_product():
    what = space.Space({str(k): space.randint(0, 1000) for k in range(30)})
    assert what.cardinality == 1000**30
    assert what.at(what.cardinality - 1) == {str(k): 999 for k in range(30)}


def test_all_problems_of_a_definition_are_listed_at_once():
    loop: dict[str, Any] = {"x": space.uniform(0, 1)}
    loop["again"] = loop
    shared = object()
    wrong: Any = [len, "not callable"]
    with pytest.raises(ValueError, match="the space has") as caught:
        space.Space(
            {
                "called": space.uniform,
                "tuple": (space.uniform(0, 1), 2),
                "ordered": OrderedDict(x=space.uniform(0, 1)),
                "keys": {3: space.uniform(0, 1)},
                "branch": space.choice([{"g": space.grid_search([1, 2])}, 1]),
                "levels": space.ordinal([{"x": space.uniform(0, 1)}, 2]),
                "a/b": space.uniform(0, 1),
                "a": {"b": space.uniform(0, 1)},
                "c/d": shared,
                "c": {"d": object()},
                "loop": loop,
                "$ref": 1,
                "inner": [{"$ref": 2}],
                "$domain": space.uniform(0, 1),
            },
            constraints=wrong,
        )
    message = str(caught.value)
    assert message.startswith("the space has 13 problems:\n  called: uniform is not called; add its arguments")
    for expected in [
        "tuple: a tuple holds a domain; use a plain list there",
        "ordered: a OrderedDict holds a domain; use a plain dict there",
        "keys: a dict that holds a domain needs string keys, got 3",
        "branch[0]/g: grid_search is not possible inside a branch of 'branch'; use choice",
        "levels: option 0 of an ordinal holds a domain; only choice can branch",
        "a/b: two entries have this path; rename one",
        "c/d: two entries have this path; rename one",
        "loop/again: is nested more than 100 levels deep or contains itself",
        "$ref: the key '$ref' is reserved for the journal",
        "inner/0/$ref: the key '$ref' is reserved for the journal",
        "$domain: the key '$domain' is reserved for the journal",
        "constraint 'not callable': the space has no 'callable'",
    ]:
        assert f"\n  {expected}" in message


@pytest.mark.parametrize("definition", [None, [space.uniform(0, 1)], space.uniform(0, 1), {1: 2}, "x"])
def test_a_definition_is_a_dict(definition):
    with pytest.raises(ValueError, match="a definition is a dict with string keys, got"):
        space.Space(definition)


def test_constraints_must_be_a_list():
    bare: Any = len
    with pytest.raises(ValueError, match="constraints must be a list of functions or strings, got <built-in"):
        space.Space({}, constraints=bare)


def test_too_deep_a_definition_is_refused():
    deep: Any = space.uniform(0, 1)
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ValueError, match="more than 100 levels"):
        space.Space({"x": deep})


def test_a_choice_that_contains_itself_is_refused():
    option: dict[str, Any] = {"x": 1}
    loop = space.choice([option, 2])
    option["x"] = loop
    with pytest.raises(ValueError, match=r"loop\[0\]/x: is nested"):
        space.Space({"loop": loop})


def test_foreign_domains_are_refused():
    class Odd(space.Domain):
        def draw(self, n, rng):
            return [None] * n

    with pytest.raises(ValueError, match="is not a domain of this library"):
        space.Space({"x": Odd()})


def test_describe_and_repr():
    what = space.Space({"lr": space.loguniform(1e-4, 1), "act": space.choice(["relu", len])}, constraints=[bool])
    assert what.describe() == "lr   loguniform(0.0001, 1)\nact  choice(['relu', <built-in function len>])"
    assert repr(what).startswith("Space({'lr': loguniform(0.0001, 1), 'act'")
    assert repr(what).endswith(", 1 constraints)")
    many = space.Space({"x": space.choice(list(range(10_000)))})
    assert len(many.describe()) < 120


def test_a_million_options():
    what = space.Space({"x": space.choice(range(10**6))})
    assert what.encode([{"x": 999_999}])[0] == 0.9999995
    assert what.at(123_456) == {"x": 123_456}
