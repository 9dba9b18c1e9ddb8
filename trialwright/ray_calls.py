"""Finds calls of Ray Tune's functions in an objective, before it runs. In a program where only some imports were
changed, ``report`` may still be Ray's: its reports would not reach this run, and Ray would not raise an error."""

from __future__ import annotations

import dis
from collections.abc import Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType

_CALLS = frozenset({"report", "get_checkpoint"})
_PACKAGES = ("ray.tune.", "ray.train.", "ray.air.")


def refuse_ray_calls(objective: object) -> None:
    """Look at an objective, and at the functions of its own module that it names.

    Raises:
        TypeError: it calls ``report`` or ``get_checkpoint`` of Ray's.
    """
    for call in _found(_function_of(objective), set()):
        raise TypeError(
            f"the objective calls {call}() of ray.tune, which has no effect in this run: from trialwright import tune, "
            f"and call tune.{call}()"
        )


def _function_of(value: object) -> object:
    """Return the function behind a partial, a method, or a callable object."""
    while isinstance(value, partial):
        value = value.func
    if not isinstance(value, FunctionType | MethodType | type):
        value = getattr(type(value), "__call__", None)  # noqa: B004 - it is the code that is wanted
    return getattr(value, "__func__", value)


def _found(function: object, seen: set[CodeType]) -> Iterator[str]:
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return
    seen.add(function.__code__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    names = {**function.__globals__, **{name: cell.cell_contents for name, cell in cells if _is_filled(cell)}}
    for path, value in _named(function.__code__, names):
        package, _, call = path.rpartition(".")
        if call in _CALLS and f"{package}.".startswith(_PACKAGES):
            yield call
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            yield from _found(value, seen)


def _is_filled(cell: object) -> bool:
    try:
        cell.cell_contents  # type: ignore[attr-defined]  # noqa: B018 - to ask is to find out
    except ValueError:
        return False
    return True


def _named(code: CodeType, names: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the names that code uses: the path, as ``ray.tune.report``, and the value if it is known."""
    imported: dict[str, str] = {}
    path, constant = "", None
    for step in dis.get_instructions(code):
        value: object = None
        match step.opname:
            case "LOAD_CONST":
                constant = step.argval
                continue
            case "IMPORT_NAME":  # of ``import a.b``, the name is that of a; of ``from a.b import c``, that of a.b
                path = step.argval
                continue
            case "IMPORT_FROM":
                path = path if constant is None else f"{path}.{step.argval}"
                constant = constant or path  # ``import a.b as c`` comes here too
                continue
            case "STORE_FAST" | "STORE_NAME" | "STORE_DEREF" if path:
                imported[step.argval] = path if constant else path.split(".")[0]
                path = ""
            case "LOAD_ATTR" | "LOAD_METHOD" if path:
                path = f"{path}.{step.argval}"
            case "LOAD_GLOBAL" | "LOAD_NAME" | "LOAD_FAST" | "LOAD_DEREF":
                value = names.get(step.argval)
                path = imported.get(step.argval) or _path_of(value)
            case "SWAP" | "POP_TOP" | "PUSH_NULL" | "PRECALL" | "EXTENDED_ARG" | "RESUME":
                continue
            case _:
                path = ""
        yield path, value
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _named(part, {**names, **dict.fromkeys(part.co_varnames)})


def _path_of(value: object) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{value.__module__}.{value.__name__}" if isinstance(value, FunctionType) else ""
