"""A space as JSON Schema (2020-12), and a schema as a space.

Other programs can check a configuration by the schema, and build a form from it. What JSON Schema has no keyword for is
in keywords of our own, which other programs ignore: ``x-scale: log``, ``x-ordered: true``, ``x-grid: true``, and
``x-normal: [mean, sd]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from trialwright.space.constraints import Constraint
from trialwright.space.domains import DEEPEST_SD, Category, Continuous, Domain, Normal, Stepped
from trialwright.space.make import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)
from trialwright.space.nodes import join
from trialwright.space.space import Space
from trialwright.space.values import brief, is_json_scalar

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]


def to_json_schema(space: Space) -> Schema:
    """Return the schema of the configurations of a space. Its constraints are in ``x-constraints``, as strings.

    Raises:
        TypeError: a part of the space is no data of JSON: a function, an object, a tuple; the message has its path.
    """
    plain = space.to_plain()
    if plain is None:
        raise TypeError("the space has functions or objects, which JSON Schema cannot express")
    if space.has_prior:
        raise TypeError("the space has priors, which JSON Schema cannot express")
    schema = {"$schema": DIALECT, **_schema(space.definition, "")}
    constraints = plain.get("$constraints")
    return {**schema, "x-constraints": constraints} if constraints else schema


def from_json_schema(schema: Mapping[str, object]) -> Space:
    """Return the space of a schema: an object of numbers with bounds, enums, booleans, constants, objects, and "oneOf".

    Raises:
        ValueError: a part of the schema is no domain, as a number without bounds; the message has its path.
        TypeError: a part of it is no schema.
    """
    definition = _domain(schema, "")
    if not isinstance(definition, dict):
        raise TypeError("the schema of a space must be an object with properties")
    return Space(definition, cast("list[Constraint]", schema.get("x-constraints", [])))


def _schema(value: object, path: str) -> Schema:
    if isinstance(value, Domain):
        return _of_domain(value, path)
    if isinstance(value, dict):
        properties = {name: _schema(item, join(path, name)) for name, item in value.items()}
        return {"type": "object", "properties": properties, "required": [*value], "additionalProperties": False}
    if isinstance(value, list) and value:
        parts = [_schema(item, join(path, place)) for place, item in enumerate(value)]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
    if is_json_scalar(value) or value == []:
        return {"const": value}
    raise TypeError(f"{path}: {brief(value)} has no JSON Schema")


def _of_domain(domain: Domain, path: str) -> Schema:
    if isinstance(domain, Category):
        return _of_category(domain, path)
    if isinstance(domain, Normal):
        step = {} if domain.grain is None else {"multipleOf": domain.grain.q}
        width = DEEPEST_SD * domain.sd
        bounds = {"minimum": domain.mean - width, "maximum": domain.mean + width}
        return {"type": "number", **bounds, **step, "x-normal": [domain.mean, domain.sd]}
    if not isinstance(domain, Continuous | Stepped):
        raise TypeError(f"{path}: {brief(domain)} has no JSON Schema")
    if isinstance(domain, Stepped) and domain.count == 1:
        return {"const": domain.lower}
    kind = "integer" if isinstance(domain, Stepped) and domain.grain.integer else "number"
    schema: Schema = {"type": kind, "minimum": domain.lower, "maximum": domain.upper}
    if isinstance(domain, Stepped) and (kind == "number" or domain.grain.q != 1):
        schema["multipleOf"] = domain.grain.q
    return {**schema, "x-scale": "log"} if domain.log else schema


def _of_category(domain: Category, path: str) -> Schema:
    if all(is_json_scalar(option) for option in domain.options):
        schema: Schema = {"enum": [*domain.options]}
    else:
        schema = {"oneOf": [_schema(option, f"{path}[{place}]") for place, option in enumerate(domain.options)]}
    mark = {"ordinal": {"x-ordered": True}, "grid_search": {"x-grid": True}}.get(domain.kind, {})
    return {**schema, **mark}


def _domain(schema: object, path: str) -> object:
    """Return what a schema says may vary: a domain, a constant, or dicts and lists of these."""
    if not isinstance(schema, Mapping):
        raise TypeError(f"{path or 'the schema'}: a schema must be an object, not {brief(schema)}")
    if "const" in schema:
        return schema["const"]
    if "enum" in schema or "oneOf" in schema:
        return _category(schema, path)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind in ("number", "integer"):
        return _number(schema, path, is_integer=kind == "integer")
    if kind == "object":
        parts = cast("Mapping[str, object]", schema.get("properties", {}))
        return {name: _domain(each, join(path, name)) for name, each in parts.items()}
    if kind == "array" and "prefixItems" in schema:
        listed = cast("list[object]", schema["prefixItems"])
        return [_domain(each, join(path, place)) for place, each in enumerate(listed)]
    if kind in ("boolean", "null"):
        return choice([False, True]) if kind == "boolean" else None
    raise ValueError(f"{path}: {brief(dict(schema))} is not a domain: give numbers bounds, and strings an enum")


def _category(schema: Mapping[str, object], path: str) -> Domain:
    make = ordinal if schema.get("x-ordered") else grid_search if schema.get("x-grid") else choice
    if "enum" in schema:
        return make(cast("list[object]", schema["enum"]))
    listed = cast("list[object]", schema["oneOf"])
    return make([_domain(each, f"{path}[{place}]") for place, each in enumerate(listed)])


def _number(schema: Mapping[str, object], path: str, *, is_integer: bool) -> object:
    step = cast("float | None", schema.get("multipleOf"))
    if "x-normal" in schema:
        mean, sd = cast("list[float]", schema["x-normal"])
        return randn(mean, sd) if step is None else qrandn(mean, sd, step)
    try:
        low, high = cast(float, schema["minimum"]), cast(float, schema["maximum"])
    except KeyError as error:
        raise ValueError(f"{path}: a number needs a minimum and a maximum; {error} is missing") from None
    if low == high:
        return low
    is_log = schema.get("x-scale") == "log"
    if is_integer:
        return _integers(cast(int, low), cast(int, high), cast(int, step or 1), is_log=is_log)
    if step is None:
        return (loguniform if is_log else uniform)(low, high)
    return (qloguniform if is_log else quniform)(low, high, step)


def _integers(low: int, high: int, step: int, *, is_log: bool) -> Domain:
    if step == 1:
        return (lograndint if is_log else randint)(low, high + 1)
    return (qlograndint if is_log else qrandint)(low, high, step)
