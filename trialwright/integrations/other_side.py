"""The other side of ``InEnvironment``: a program for another interpreter, which asks a library what it is told to ask.

A message is a JSON line, ``[what, arguments...]``, and so is the answer, ``{"answer": ...}`` or ``{"error": ...}``. The
interpreter needs the library and NumPy: of Trialwright it gets the one package, not what is installed beside it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any

KINDS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    ImportError,
    Exception,
)  # that are raised on the first side as what they are


def main() -> None:
    """Answer until there are no more messages."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    adapter: Any = None
    library: Any = None
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        try:
            if what == "open":
                adapter, library = open_library(*arguments)
                answer = None
            elif what == "design_seed":
                (adapter.design_seed,) = arguments
                answer = None
            else:
                answer = getattr(library, what)(*arguments)
            reply = {"answer": answer}
        except Exception as error:  # libraries raise anything
            kind = next(each for each in KINDS if isinstance(error, each)).__name__
            reply = {"error": [kind, traceback.format_exception_only(error)[-1].strip()]}
        out.write(f"{json.dumps(reply)}\n")
        out.flush()


def open_library(
    folder: str, name: str, options: dict[str, Any], plan: list[Any], axes: list[list[Any]]
) -> tuple[Any, Any]:
    """Make the adapter of this name, and its library.

    Args:
        folder: of the package trialwright.
        name: of the adapter.
        options: of the adapter.
        plan: of the run.
        axes: of the space, as ``InEnvironment`` describes them.

    Raises:
        RuntimeError: the interpreter is too old.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this is not the interpreter that the package was installed for
        raise RuntimeError(f"Python 3.11 or later is needed, not {sys.version.split()[0]}")
    _load(folder)
    from trialwright.integrations.adapter import Plan
    from trialwright.integrations.adapters import ADAPTERS
    from trialwright.integrations.forms import Axis

    adapter = ADAPTERS[name](**options)
    adapter.plan = Plan(*plan)
    form: Any = SimpleNamespace(axes=[Axis.read(each) for each in axes])  # all that an adapter asks of a space of ours
    return adapter, adapter.open(form)


def _load(folder: str) -> None:
    """Import one package from where it is. If its parent folder were on the path, all that is installed there would be
    found too, for another version of Python or of NumPy."""
    spec = importlib.util.spec_from_file_location(
        "trialwright", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["trialwright"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
