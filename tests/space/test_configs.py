"""Users' configs: validation, completion, constraints; and the plain form of configs."""

import copy
import enum
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright import space
from trialwright.space import region
from trialwright.space.plain import data_of, known_of, plain_data

from .strategies import spaces
from .test_space import BRANCHING, equal, rng

WHAT = space.Space(
    {
        "lr": space.loguniform(1e-4, 1),
        "units": space.randint(1, 9),
        "act": space.choice(["relu", "tanh"]),
        "opt": {"momentum": space.quniform(0, 1, 0.1), "name": "sgd"},
        "layers": [space.uniform(0, 1), 3],
        "twice": space.sample_from(lambda config: config["lr"] * 2),
    }
)
GOOD = {"lr": 0.1, "units": 3, "act": "relu", "opt": {"momentum": 0.3, "name": "sgd"}, "layers": [0.5, 3], "twice": 0.2}


def test_a_right_config_has_no_problems():
    assert WHAT.validate(GOOD) == []
    assert WHAT.validate({**GOOD, "lr": np.float64(0.1), "units": np.int64(3)}) == []


def test_constants_and_derived_values_may_be_omitted():
    config = {key: value for key, value in GOOD.items() if key != "twice"} | {"opt": {"momentum": 0.3}}
    assert WHAT.validate(config) == []


def test_all_problems_are_found():
    config = {"lr": 2, "units": 3.5, "akt": "relu", "opt": {"momentum": 0.25, "name": "adam"}, "layers": [0.5]}
    assert WHAT.validate(config) == [
        "lr: 2 is outside loguniform(0.0001, 1)",
        "units: 3.5 is of type float; randint(1, 9) needs an int",
        "akt: the space has no such key; did you mean 'act'?",
        "opt/momentum: 0.25 is not a step of quniform(0, 1, 0.1); the nearest is 0.2",
        "opt/name: 'adam' is given, but the space has the constant 'sgd'",
        "layers: [0.5] has 1 items; it must have 2",
        "act: missing; it must be from choice(['relu', 'tanh'])",
    ]


def test_more_problems():
    assert WHAT.validate({**GOOD, "act": "rely"}) == [
        "act: 'rely' is not one of the options of choice(['relu', 'tanh']); did you mean 'relu'?"
    ]
    assert WHAT.validate({**GOOD, "opt": 3}) == ["opt: 3 is of type int; it must be a dict"]
    assert WHAT.validate({**GOOD, "layers": (0.5, 3)}) == ["layers: (0.5, 3) is of type tuple; it must be a list"]
    assert WHAT.validate([1]) == ["a config is a dict with string keys, got [1]"]
    assert WHAT.validate({}, partial=True) == []
    assert WHAT.validate({}) == [
        "lr: missing; it must be from loguniform(0.0001, 1)",
        "units: missing; it must be from randint(1, 9)",
        "act: missing; it must be from choice(['relu', 'tanh'])",
        "opt/momentum: missing; it must be from quniform(0, 1, 0.1)",
        "layers/0: missing; it must be from uniform(0, 1)",
    ]


def test_problems_inside_a_branch_are_those_of_the_best_fitting_branch():
    what = space.Space(BRANCHING)
    assert what.validate({"model": {"kind": "forest", "trees": 55, "layers": [2, 3]}, "lr": 0.1}) == [
        "model[1]/trees: 55 is outside qrandint(10, 50, 10), whose values go from 10 to 50",
        "model[1]/layers/0: 2 is outside uniform(0, 1)",
    ]
    assert what.validate({"model": {"kind": "svm", "C": 1.0}, "lr": 0.1})[0].startswith("model[0]/kernel: missing")
    assert "model: 3 is not one of the options of choice" in what.validate({"model": 3, "lr": 0.1})[0]


@pytest.mark.parametrize(
    "change",
    [{"lr": "a"}, {"lr": True}, {"lr": math.nan}, {"units": None}, {"act": "x"}, {"opt": 3}, {"layers": "x"}],
)
def test_encode_refuses_what_it_cannot_place(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}: "):
        WHAT.encode([{**GOOD, **change}])


def test_encode_refuses_missing_parameters():
    with pytest.raises(ValueError, match="units: missing"):
        WHAT.encode([{"lr": 0.1}])


def test_encode_clips_numbers():
    units, _ = WHAT.encode([{**GOOD, "lr": 7, "units": 0}])
    assert units[0, :2].tolist() == [1.0, 0.0625]


@given(spaces, st.data())
def test_completion_keeps_what_is_given(what, data):
    whole = what.sample(1, rng(3))[0]
    keys = data.draw(st.sets(st.sampled_from(sorted(whole)))) if whole else set()
    partial = {key: whole[key] for key in whole if key in keys}
    config = what.complete(partial, rng(4))
    assert what.validate(config) == []
    assert all(equal(config[key], partial[key]) for key in keys)
    assert list(config) == list(whole)


def test_the_given_branch_decides():
    config = space.Space(BRANCHING).complete({"model": {"kind": "forest", "trees": 20}}, rng())
    assert list(config["model"]) == ["kind", "trees", "layers"]
    assert config["model"]["trees"] == 20
    assert 0 <= config["lr"] <= 1


def test_completion_keeps_exact_values_and_computes_the_derived():
    config = WHAT.complete({"lr": 0.1, "units": np.int64(3)}, rng())
    assert (config["lr"], config["units"], config["twice"]) == (0.1, 3, 0.2)
    assert type(config["units"]) is int
    assert WHAT.complete({"twice": "given"}, rng())["twice"] == "given"


def test_completion_refuses_a_wrong_part_with_all_problems():
    with pytest.raises(ValueError, match=r"the config has 2 problems:\n  lr: 7 .*\n  axt: ") as caught:
        WHAT.complete({"lr": 7, "axt": 1}, rng())
    assert "did you mean 'act'?" in str(caught.value)


AB = {"a": space.uniform(0, 1), "b": space.uniform(0, 1)}


def a_less_than_b(config):
    return config["a"] < config["b"]


def test_samples_satisfy_the_constraints():
    what = space.Space(AB, constraints=[a_less_than_b, lambda config: config["a"] > 0.2])
    configs = what.sample(200, rng())
    assert len(configs) == 200
    assert all(0.2 < config["a"] < config["b"] and what.satisfies(config) for config in configs)
    assert what.complete({"b": 0.3}, rng())["a"] < 0.3


def test_grid_points_are_kept_under_constraints():
    what = space.Space({"g": space.grid_search([1, 2, 3]), **AB}, constraints=[a_less_than_b])
    assert [config["g"] for config in what.sample(6, rng(), grid=range(6))] == [1, 2, 3, 1, 2, 3]


def test_impossible_constraints_are_named(monkeypatch):
    monkeypatch.setattr(region, "SEARCHED", 5_000)
    what = space.Space(AB, constraints=[lambda config: config["a"] < 0.9, a_less_than_b, lambda config: False])
    with pytest.raises(ValueError, match="no config was found that satisfies the constraints") as caught:
        what.sample(2, rng())
    assert "constraint 1 (a_less_than_b, " in str(caught.value) or "constraint 2 (<lambda>, " in str(caught.value)
    assert "test_configs.py:" in str(caught.value)
    with pytest.raises(ValueError, match=r"\{'a': 0.5\} cannot be completed: no config was found"):
        what.complete({"a": 0.5}, rng())


def test_violated_constraints_are_validated():
    what = space.Space(AB, constraints=[a_less_than_b])
    (problem,) = what.validate({"a": 0.5, "b": 0.1})
    assert problem.startswith("constraint 0 (a_less_than_b, ")
    assert problem.endswith("is violated by {'a': 0.5, 'b': 0.1}")
    assert what.validate({"a": 0.1, "b": 0.5}) == []


def test_a_constraint_that_raises_is_named_with_the_config():
    what = space.Space(AB, constraints=[lambda config: config["c"] > 1])
    with pytest.raises(
        ValueError, match=r"constraint 0 \(<lambda>, .*\) raised KeyError: 'c', for \{'a': 0.5, 'b': 1\}"
    ):
        what.satisfies({"a": 0.5, "b": 1})


def test_a_constraint_that_forgets_to_return_is_named():
    with pytest.raises(ValueError, match=r"constraint 0 .* returned None, not True or False"):
        space.Space(AB, constraints=[lambda config: None]).sample(1, rng())


def test_callable_objects_may_be_constraints():
    class Small:
        def __call__(self, config):
            return config["a"] < 2

        def __repr__(self):
            return "Small()"

    assert space.Space(AB, constraints=[Small()]).sample(1, rng())


def test_constraints_see_derived_values():
    what = space.Space({**AB, "s": space.sample_from(lambda c: c.a + c.b)}, constraints=[lambda c: c["s"] < 0.5])
    assert all(config["s"] == config["a"] + config["b"] < 0.5 for config in what.sample(20, rng()))


class Colour(enum.StrEnum):
    RED = "red"


class Thing:
    """Neither JSON data nor hashable."""

    __hash__ = None  # type: ignore[assignment]


def test_what_json_cannot_hold_becomes_a_reference():
    array, thing = np.arange(3), Thing()
    what = space.Space(
        {
            "act": space.choice(["relu", len, math.inf, (1, 2)]),
            "data": {"x": array, "deep": [1, (thing,)]},
            "colour": Colour.RED,
            "g": space.grid_search([math.nan]),
            "m": space.choice([{"kind": print, "p": space.uniform(0, 1)}]),
        }
    )
    assert not what.is_plain
    for config in what.sample(10, rng()):
        plain = json.loads(json.dumps(what.plain(config), allow_nan=False))
        back = what.resolve(plain)
        assert plain["data"] == {"x": {"$ref": "data/x"}, "deep": [1, {"$ref": "data/deep/1"}]}
        assert plain["m"]["kind"] == {"$ref": "m[0]/kind"}
        assert back["data"]["x"] is array
        assert back["data"]["deep"][1][0] is thing
        assert back["colour"] is Colour.RED
        assert back["m"]["kind"] is print
        assert math.isnan(back["g"])
        assert back["act"] is config["act"] or back["act"] == config["act"]
        assert type(back["act"]) is type(config["act"])


def ruin(value: object) -> None:
    """Do the worst that user code can do to a config."""
    if not isinstance(value, dict | list | tuple):
        return
    for item in value.values() if isinstance(value, dict) else value:
        ruin(item)
    if not isinstance(value, tuple):
        value.clear()


@given(spaces)
def test_a_config_is_taken_in_and_handed_out_by_value(what):
    config = what.sample(1, rng())[0]
    plain = what.plain(config)
    kept = copy.deepcopy(plain)
    ruin(config)
    ruin(what.resolve(plain))
    assert equal(plain, kept)
    assert equal(what.plain(what.resolve(plain)), kept), "nor were the options of the space changed"


def test_options_that_are_no_json_data_are_handed_out_by_value_too():
    what = space.Space({"c": space.choice([{1: ["a"]}, ([],)])})
    for config in what.sample(9, rng()):
        ruin(what.resolve(what.plain(config)))
    assert {repr(config["c"]) for config in what.sample(9, rng())} == {"{1: ['a']}", "([],)"}


def test_a_constraint_may_change_the_config_that_it_is_asked_about():
    what = space.Space({"x": space.uniform(0, 1)}, constraints=[lambda config: config.pop("x") < 2])
    assert list(what.sample(1, rng())[0]) == ["x"]


def test_what_is_given_and_completed_stays_the_givers():
    what = space.Space({"c": space.choice([{"k": [1]}, None])})
    given = {"c": {"k": [1]}}
    whole = what.complete(given, rng())
    ruin(given)
    assert whole == {"c": {"k": [1]}}


def test_derived_values_must_be_data():
    def plain_of(value):
        what = space.Space({"o": {"x": space.sample_from(lambda: value)}, "t": (1, 2)})
        return what.plain(what.sample(1, rng())[0])["o"]["x"]

    assert plain_of([1, {"a": None}]) == [1, {"a": None}]
    assert type(plain_of(np.float64(2))) is float
    assert plain_of((1, (2, math.inf))) == {"$tuple": [1, {"$tuple": [2, {"$float": "inf"}]}]}
    for odd in [{1, 2}, object(), {"$ref": "t"}, {1: 2}, (1, {2}), [(1, object())]]:
        with pytest.raises(ValueError, match=r"o/x.*: .* is neither plain data nor from the space"):
            plain_of(odd)
    with pytest.raises(ValueError, match="o/x/k/1: "):
        plain_of({"k": [1, {2}]})


def test_data_comes_back_without_the_space_and_only_what_is_none_is_missing():
    held = (len, 1)
    what = {
        "t": space.choice([(1, (2,)), (math.inf,)]),
        "m": {"net": space.choice([int, float]), "lr": 0.1, "held": held, "list": [(3,), 4]},
        "deep": [1, len],
        "d": space.sample_from(lambda c: (c["t"], -math.inf)),
    }
    whole = space.Space(what).sample(1, rng())[0]
    plain = json.loads(json.dumps(space.Space(what).plain(whole), allow_nan=False))
    known, missing = known_of(plain)
    assert known == {"t": whole["t"], "d": (whole["t"], -math.inf), "m": {"lr": 0.1, "list": [(3,), 4]}}
    assert missing == ["m/net", "m/held", "deep"]
    assert space.Space(what).resolve(plain) == whole
    assert space.Space(what).resolve(plain)["m"]["held"] == held


@pytest.mark.parametrize("data", [(1, [2, (3,)]), {"x": [math.inf, (None,)]}, [{"a": ()}]])
def test_data_has_a_plain_form_without_a_space(data):
    assert data_of(json.loads(json.dumps(plain_data(data), allow_nan=False))) == data


def test_what_is_no_data_has_no_plain_form_without_a_space():
    with pytest.raises(TypeError, match="a: .*len.* is neither plain data"):
        plain_data({"a": len})


def test_references_to_another_space_are_refused():
    what = space.Space({"f": len})
    with pytest.raises(ValueError, match="a stored config refers to 'g', which is not in this space"):
        what.resolve({"f": {"$ref": "g"}})


def test_definitions_with_functions_have_no_plain_form():
    assert space.Space({"f": len}).to_plain() is None
    assert space.Space({"f": space.sample_from(lambda: 1)}).to_plain() is None
    assert space.Space({"x": space.choice([print])}).to_plain() is None
    assert space.Space({"x": 1}, constraints=[bool]).to_plain() is None


def test_the_plain_definition_keeps_tuples_and_odd_floats():
    what = space.Space({"x": space.choice([(1, (2,)), math.inf, -math.inf]), "y": [space.qrandint(0, 9, 3), math.nan]})
    data = json.loads(json.dumps(what.to_plain(), allow_nan=False))
    assert space.Space.from_plain(data).describe() == what.describe()


@pytest.mark.parametrize(
    "data",
    [
        {"x": {"$domain": ["nothing", 1]}},
        {"x": {"$domain": ["sample_from", 1]}},
        {"x": {"$domain": ["uniform"]}},
        {"x": {"$domain": 3}},
        {"x": {"$domain": ["uniform", 0, 1], "more": 2}},
        {"x": {"$float": "one"}},
        {"x": {"$tuple": 3}},
        {"x": {"$ref": "a"}},
    ],
)
def test_data_that_is_no_definition_is_refused(data):
    with pytest.raises(ValueError, match="is not the plain form of a definition"):
        space.Space.from_plain(data)


def test_a_plain_definition_is_a_dict():
    data: Any = [1]
    with pytest.raises(TypeError, match="a config is a dict with string keys"):
        space.Space.from_plain(data)
