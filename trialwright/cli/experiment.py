"""An experiment as plain data, as a file or the command line gives it, and what an Engine gets for it.

The keys are the Engine's keywords, and ``objective: FILE.py:name``. A parameter of the space is
``lr: {loguniform: [1e-4, 1e-1]}``, and an object with options is ``scheduler: asha(max_t=20)``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from trialwright import space as domains
from trialwright.engine import catalogue
from trialwright.engine.engine import Engine
from trialwright.errors import nearest

DOMAINS: dict[str, Callable[..., object]] = {
    name: getattr(domains, name) for name in domains.__all__ if name[0].islower() and name != "sample_from"
}
_OF_OPTIONS = ("choice", "ordinal", "grid_search")  # their one argument is a list
_OBJECTS: dict[str, Mapping[str, Callable[..., object]]] = {
    "scheduler": catalogue.SCHEDULERS,
    "searcher": catalogue.SEARCHERS,
    "executor": catalogue.EXECUTORS,
}
_NOT_HERE = ("callbacks", "progress", "earlier", "verbose")  # these are code, or belong to the terminal
KEYS = frozenset(inspect.signature(Engine).parameters) - frozenset(_NOT_HERE[:3])


def read(path: Path) -> dict[str, Any]:
    """Read YAML or JSON, by the file's ending.

    Raises:
        ValueError: it is neither, or not a dict.
        ImportError: YAML is not installed.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        data = _parsed(json.loads, text, path)
    elif path.suffix in (".yaml", ".yml"):
        data = _parsed(_yaml().safe_load, text, path)
    else:
        raise ValueError(f"{str(path)!r} must end with .yaml, .yml or .json")
    if isinstance(data, dict):
        return data
    raise ValueError(f"{str(path)!r} must hold names with values, not {data!r}")


def _parsed(parse: Callable[[str], object], text: str, path: Path) -> object:
    try:
        return parse(text)
    except Exception as error:  # YAML's errors are classes of their own
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error


def _yaml() -> Any:  # noqa: ANN401 - PyYAML comes without types
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise ImportError("YAML files need PyYAML: pip install pyyaml") from error


def keywords(experiment: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Return an Engine's keywords, the objective among them.

    Args:
        experiment: plain data.
        directory: from which paths in it are read.

    Raises:
        ValueError: a key or a value is wrong.
    """
    if unknown := sorted(experiment.keys() - KEYS):
        raise ValueError(f"an experiment has no {unknown[0]!r}{nearest(unknown[0], KEYS)}")
    found = {name: value_of(name, value, directory) for name, value in experiment.items()}
    return {**found, "objective": load_object(str(experiment["objective"]), directory)}


def value_of(name: str, value: Any, directory: Path) -> Any:  # noqa: ANN401 - whatever the keyword takes
    """Return what the Engine gets for a plain value."""
    if name == "space":
        return _space(value, directory)
    if name == "stop" and isinstance(value, Mapping):
        return {metric: tuple(each) if isinstance(each, list) else each for metric, each in value.items()}
    if name in _OBJECTS and isinstance(value, str) and "(" in value:
        return _made(name, value)
    if name == "checkpoint_score" and isinstance(value, list):
        return tuple(value)
    return value


def _space(value: Any, directory: Path) -> Any:  # noqa: ANN401 - a dict, or an object of the user's
    if isinstance(value, str) and ":" in value:
        return load_object(value, directory)
    return space_of(read(directory / value) if isinstance(value, str) else value)


def space_of(data: Any) -> Any:  # noqa: ANN401 - of any depth
    """Return a space's definition: ``{"loguniform": [1e-4, 1e-1]}`` becomes that domain, at any depth.

    Raises:
        ValueError: the arguments of a domain are wrong.
    """
    if isinstance(data, list):
        return [space_of(item) for item in data]
    if not isinstance(data, Mapping):
        return data
    if len(data) == 1 and (name := next(iter(data))) in DOMAINS:
        return _domain(name, data[name])
    return {name: space_of(item) for name, item in data.items()}


def _domain(name: str, told: Any) -> object:  # noqa: ANN401 - what a file has
    try:
        if name in _OF_OPTIONS:
            return DOMAINS[name](space_of(told))
        if isinstance(told, Mapping):
            return DOMAINS[name](**{key: _number(item) for key, item in told.items()})
        return DOMAINS[name](*map(_number, told if isinstance(told, list) else [told]))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error


def _number(value: Any) -> Any:  # noqa: ANN401 - what a file has
    """Return a number for ``1e-4``, which YAML takes for a string: it wants ``1.0e-4``."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _made(role: str, text: str) -> object:
    """Make the object that ``asha(max_t=20)`` describes.

    Raises:
        ValueError: it is written otherwise, there is no such name, or it does not take these options.
    """
    known = _OBJECTS[role]
    found = re.fullmatch(r"\s*([\w-]+)\s*(\(.*\))\s*", text, flags=re.DOTALL)
    try:
        call = ast.parse(f"made{found[2]}" if found else "", mode="eval").body
        options = {str(each.arg): ast.literal_eval(each.value) for each in getattr(call, "keywords", ())}
    except (SyntaxError, ValueError):
        found = None
    if found is None or not isinstance(call, ast.Call) or call.args:
        raise ValueError(f"{role}={text!r} must be a name, or a name with options, such as asha(max_t=20)")
    name = found[1]
    if name not in known:
        raise ValueError(f"{role}={name!r} is not known{nearest(name, known)}")
    try:
        return known[name](**options)
    except TypeError as error:
        raise ValueError(f"{role}={text!r}: {error}") from error


def load_object(named: str, directory: Path) -> Any:  # noqa: ANN401 - the user's
    """Import ``FILE.py:name``, or ``package.module:name``.

    Raises:
        ValueError: it is not written so; or there is no such file, module, or name in it.
    """
    place, colon, name = named.rpartition(":")
    if not (place and colon and name):
        raise ValueError(f"{named!r} must be FILE.py:objective")
    module = _module(place, directory)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            functions = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
            raise ValueError(f"{place!r} has no {name!r}{nearest(name, functions)}")
        found = getattr(found, part)
    return found


def _module(place: str, directory: Path) -> ModuleType:
    if not place.endswith(".py"):
        sys.path[:0] = [str(directory.resolve())] if str(directory.resolve()) not in sys.path else []
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"there is no module {place!r}: {error}") from error
    file = (directory / Path(place).expanduser()).resolve()
    if not file.is_file():
        raise ValueError(f"there is no file {str(file)!r}")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None, "the ending is .py"
    module = importlib.util.module_from_spec(spec)
    if str(file.parent) not in sys.path:  # what lies beside it can be imported, as for `python FILE.py`
        sys.path.insert(0, str(file.parent))
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    # Workers cannot import it, since their paths differ: they get its code, as that of a program.
    cloudpickle.register_pickle_by_value(module)
    return module
