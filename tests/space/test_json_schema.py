"""Spaces as JSON Schema, and back."""

import json

import numpy as np
import pytest
from hypothesis import given, reject

from tests.space.strategies import definitions
from trialwright import space
from trialwright.space import Space
from trialwright.space.json_schema import from_json_schema, to_json_schema

jsonschema = pytest.importorskip("jsonschema")

WHAT = Space(
    {
        "lr": space.loguniform(1e-5, 1e-1),
        "units": space.qrandint(16, 64, 16),
        "model": space.choice([{"kind": "svm", "C": space.uniform(0, 1)}, "none", None]),
        "size": space.ordinal(["s", "m", "l"]),
        "grid": space.grid_search([1, 2]),
        "list": [space.randn(0, 1), 7],
    },
    constraints=["units < 64"],
)


def test_a_space_as_a_schema():
    schema = to_json_schema(WHAT)
    parts = schema["properties"]
    assert parts["lr"] == {"type": "number", "minimum": 1e-5, "maximum": 1e-1, "x-scale": "log"}
    assert parts["units"] == {"type": "integer", "minimum": 16, "maximum": 64, "multipleOf": 16}
    assert parts["model"]["oneOf"][0]["properties"]["kind"] == {"const": "svm"}
    assert parts["size"] == {"enum": ["s", "m", "l"], "x-ordered": True}
    assert schema["x-constraints"] == ["units < 64"]
    again = from_json_schema(json.loads(json.dumps(schema)))
    assert again.to_plain() == WHAT.to_plain()


@given(definitions)
def test_a_schema_made_of_a_space_makes_the_same_schema_and_the_same_configurations(definition):
    what = Space(definition)
    try:
        schema = to_json_schema(what)
    except TypeError:  # tuples and objects are no data of JSON
        reject()
    again = from_json_schema(schema)
    assert to_json_schema(again) == schema
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_configuration_meets_the_schema():
    validator = jsonschema.Draft202012Validator(to_json_schema(WHAT))
    for config in WHAT.sample(50, np.random.default_rng(0)):
        validator.validate(config)
    assert not validator.is_valid({"lr": 1.0})


def test_a_schema_of_another_program_is_a_space():
    what = from_json_schema(
        {
            "properties": {
                "depth": {"type": "integer", "minimum": 1, "maximum": 8},
                "shuffle": {"type": "boolean"},
                "name": {"const": "run"},
                "optimiser": {"enum": ["sgd", "adam"]},
                "nothing": {"type": "null"},
                "one": {"type": "number", "minimum": 2, "maximum": 2},
            }
        }
    )
    definition = {
        "depth": space.randint(1, 9),
        "shuffle": space.choice([False, True]),
        "name": "run",
        "optimiser": space.choice(["sgd", "adam"]),
        "nothing": None,
        "one": 2,
    }
    assert what.to_plain() == Space(definition).to_plain()


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (
            {"properties": {"x": {"type": "number", "minimum": 0}}},
            "x: a number needs a minimum and a maximum; 'maximum'",
        ),
        ({"properties": {"net": {"properties": {"x": {"type": "string"}}}}}, "net/x: .* is not a domain"),
        ({"properties": {"x": 3}}, "x: a schema must be an object, not 3"),
        ({"enum": [1]}, "must be an object with properties"),
    ],
)
def test_what_is_no_domain_is_named_by_its_path(schema, why):
    with pytest.raises((ValueError, TypeError), match=why):
        from_json_schema(schema)


def test_functions_have_no_schema():
    with pytest.raises(TypeError, match="functions or objects"):
        to_json_schema(Space({"x": space.sample_from(lambda config: 1)}))
