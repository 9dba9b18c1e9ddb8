"""The plain forms, which are JSON data: of a config (with references into the space) and of a definition."""

import math
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress

from trialwright.space import make
from trialwright.space.compiling import REFERENCE, RESERVED
from trialwright.space.domains import Category, Domain, Numeric
from trialwright.space.nodes import join
from trialwright.space.values import Config, brief, fresh, is_json_scalar, is_structure, items, python_value, token

_FACTORIES: Mapping[str, Callable[..., Domain]] = {
    name: getattr(make, name)
    for name in (
        *("uniform", "quniform", "loguniform", "qloguniform", "randn", "qrandn", "randint", "qrandint"),
        *("lograndint", "qlograndint", "choice", "ordinal", "grid_search"),
    )
}
_PRIOR, _FLOAT, _TUPLE = "$prior", "$float", "$tuple"
_NAMED_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class References:
    """The values of a space that are no data: functions, classes, objects. Each is known by its path in the definition.

    A config refers to them by path; so the values themselves are never written, and never read back.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._paths: dict[Hashable, str] = {}
        for path, value in values.items():
            self._paths.setdefault(token(value), path)

    def plain(self, value: object, path: str = "") -> object:
        """Return the value as JSON data, in which tuples and odd floats are marked. Raises ValueError for what is
        neither data nor from the space."""
        value = python_value(value)
        if is_json_scalar(value):
            return value
        if is_structure(value) and not any(key in RESERVED for key, _ in items(value)):
            parts = {key: self.plain(item, join(path, key)) for key, item in items(value)}
            return parts if isinstance(value, dict) else list(parts.values())
        if type(value) is float:
            return {_FLOAT: str(value)}
        if type(value) is tuple:
            with suppress(ValueError):  # one that holds an object is from the space as a whole
                return {_TUPLE: [self.plain(item, join(path, index)) for index, item in enumerate(value)]}
        if (place := self._paths.get(token(value))) is None:
            message = f"{path}: {brief(value)} of type {type(value).__name__} is neither plain data nor from the space"
            raise ValueError(message)
        return {REFERENCE: place}

    def resolve(self, value: object) -> object:
        """Undo `plain`. Raises ValueError for a reference to something the space does not have."""
        return _read(value, self._found)

    def _found(self, place: str) -> object:
        if place not in self._values:
            message = f"a stored config refers to {place!r}, which is not in this space; was it stored with another?"
            raise ValueError(message)
        return fresh(self._values[place])


def plain_data(value: object) -> object:
    """Return data as JSON data, in which tuples and odd floats are marked. Raises TypeError for what is no data."""
    try:
        return _NOTHING.plain(value)
    except ValueError as error:
        raise TypeError(str(error)) from error


def data_of(plain: object) -> object:
    """Undo `plain_data`. Raises ValueError for a reference to a space."""
    return _NOTHING.resolve(plain)


def known_of(plain: Config) -> tuple[Config, list[str]]:
    """Return what a config's plain form tells without its space, and the paths of the parameters that are no data and
    so are missing. A list or tuple with an object in it is missing as a whole."""
    missing: list[str] = []
    known = _known(plain, "", missing)
    assert isinstance(known, dict)
    return known, missing


def shown_of(plain: Config) -> Config:
    """Return what a config's plain form tells without its space; what is no data is shown by its place: "net[1]"."""
    return as_config(_read(plain, str))


def _known(value: object, path: str, missing: list[str]) -> object:
    if not isinstance(value, dict) or RESERVED.intersection(value):
        return _read(value, _refuse)
    known = {}
    for key, item in value.items():
        try:
            known[key] = _known(item, join(path, key), missing)
        except _NoDataError:
            missing.append(join(path, key))
    return known


class _NoDataError(Exception):
    pass


def _refuse(place: str) -> object:
    raise _NoDataError(place)


def _read(value: object, found: Callable[[str], object]) -> object:
    """Turn a plain form into values; what it refers to is found by this."""
    if isinstance(value, list):
        return [_read(item, found) for item in value]
    if not isinstance(value, dict):
        return value
    if REFERENCE in value:
        return found(value[REFERENCE])
    if _TUPLE in value:
        return tuple(_read(item, found) for item in value[_TUPLE])
    if _FLOAT in value:
        return _NAMED_FLOATS[value[_FLOAT]]
    return {key: _read(item, found) for key, item in value.items()}


_NOTHING = References({})


def definition_to_plain(value: object) -> object:
    """Return a definition as JSON data. Raises TypeError at the first callable or other object."""
    value = python_value(value)
    if is_json_scalar(value):
        return value
    if is_structure(value):
        parts = {key: definition_to_plain(item) for key, item in items(value)}
        return parts if isinstance(value, dict) else list(parts.values())
    if type(value) is float:
        return {_FLOAT: str(value)}
    if type(value) is tuple:
        return {_TUPLE: [definition_to_plain(item) for item in value]}
    return {"$domain": _domain_to_plain(value)}


def _domain_to_plain(domain: object) -> list[object]:
    belief: list[object] = [{_PRIOR: [*domain.belief.said]}] if isinstance(domain, Domain) and domain.belief else []
    if isinstance(domain, Numeric):
        name, arguments = domain.call
        return [name, *arguments, *belief]
    if isinstance(domain, Category):
        return [domain.kind, [definition_to_plain(option) for option in domain.options], *belief]
    message = f"{domain!r} has no plain form"
    raise TypeError(message)


def definition_from_plain(data: object) -> object:
    """Undo `definition_to_plain`. Raises ValueError for data it did not write."""
    if isinstance(data, list):
        return [definition_from_plain(item) for item in data]
    if not isinstance(data, dict):
        return data
    marks = RESERVED.intersection(data)
    if not marks:
        return {key: definition_from_plain(item) for key, item in data.items()}
    try:
        return _marked(*marks, *data.values())
    except (KeyError, TypeError) as error:
        message = f"{brief(data)} is not the plain form of a definition"
        raise ValueError(message) from error


def _marked(mark: str, content: object) -> object:
    if mark == _FLOAT and isinstance(content, str):
        return _NAMED_FLOATS[content]
    if mark == _TUPLE and isinstance(content, list):
        return tuple(definition_from_plain(item) for item in content)
    if mark == "$domain" and isinstance(content, list):
        name, *arguments = content
        belief = (
            arguments.pop()[_PRIOR]
            if arguments and isinstance(arguments[-1], dict) and _PRIOR in arguments[-1]
            else None
        )
        domain = _FACTORIES[name](*(definition_from_plain(item) for item in arguments))
        return domain if belief is None else _believed(domain, belief)
    raise KeyError(mark)


def _believed(domain: Domain, said: list[float]) -> Domain:
    if isinstance(domain, Category):
        return domain.prior(said)
    assert isinstance(domain, Numeric), domain
    return domain.prior(*said)


def is_config(value: object) -> bool:
    """Return True for what can be a config at all: a dict with string keys."""
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def as_config(value: object) -> Config:
    """Return the value as a config. Raises TypeError if it is not a dict with string keys."""
    if not is_config(value):
        message = f"a config is a dict with string keys, got {brief(value)}"
        raise TypeError(message)
    return value  # type: ignore[return-value]
