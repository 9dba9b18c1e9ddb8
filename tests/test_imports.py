"""Imports point down without a cycle. Imports inside functions count, those for type checkers do not."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import pytest

import trialwright
from trialwright import executors

ROOT = Path(trialwright.__file__).parent
LAZY = {package.__name__: package._HOMES for package in (trialwright, executors)}  # what is imported at first use

Graph = Mapping[str, set[str]]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in sorted(ROOT.rglob("*.py"))}


def import_statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import below a node that is carried out when the program runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from import_statements(ast.Module(child.orelse, []))
        else:
            yield from import_statements(child)


def names(statement: ast.Import | ast.ImportFrom, package: str) -> set[str]:
    """All that an import may load: of ``from a import b`` a, and a.b if that is a module."""
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    above = package.split(".")[: len(package.split(".")) + 1 - statement.level] if statement.level else []
    origin = ".".join([*above, statement.module] if statement.module else above)
    return {origin, *(f"{origin}.{alias.name}" for alias in statement.names)}


def imported(source: str, module: str, package: str) -> set[str]:
    """The names that a module imports. Its own packages are none: they import it, and it is loaded after they began."""
    found = {name for statement in import_statements(ast.parse(source)) for name in names(statement, package)}
    return {name for name in found if not f"{module}.".startswith(f"{name}.")}


def with_packages(name: str) -> set[str]:
    return {*accumulate(name.split("."), "{}.{}".format)}


def loaded(name: str, module: str) -> set[str]:
    """What a module loads for a name: where that is, and the packages above. An own package is none, except for a name
    that is in the package itself."""
    package, _, last = name.rpartition(".")
    home = LAZY.get(package, {}).get(last)
    if home is not None:
        return loaded(package, module) | loaded(f"{ROOT.name}.{home}", module)
    own = with_packages(module) - (set() if name in MODULES else {package})
    return (with_packages(name) - own) & MODULES.keys()


def read(module: str, file: Path) -> set[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found = imported(file.read_text(), module, package)
    return {other for name in found for other in loaded(name, module)}


def cycle(graph: Graph, start: str) -> list[str]:
    """The shortest way from a module back to itself; empty if there is none."""
    ways, seen = [[start]], set[str]()
    for way in ways:  # it grows meanwhile: breadth first
        for following in sorted(graph[way[-1]] - seen):
            if following == start:
                return [*way, start]
            seen.add(following)
            ways.append([*way, following])
    return []


def test_no_module_comes_back_to_itself_by_its_imports():
    graph = {module: read(module, file) for module, file in MODULES.items()}
    assert [way for module in graph if (way := cycle(graph, module))] == []


def test_every_package_is_looked_at():
    packages = {file.parent.relative_to(ROOT.parent) for file in ROOT.rglob("*.py")}
    assert {".".join(package.parts) for package in packages} <= MODULES.keys()


@pytest.mark.parametrize(
    ("name", "module", "found"),
    [
        ("numpy.linalg", "trialwright.core", set()),
        ("trialwright.core", "trialwright.cli", {"trialwright.core"}),
        ("trialwright.core.waiting", "trialwright.cli", {"trialwright.core", "trialwright.core.waiting"}),
        ("trialwright.core.waiting", "trialwright.core.trial", {"trialwright.core.waiting"}),
        ("trialwright.core.TrialId", "trialwright.core.trial", {"trialwright.core"}),
        ("trialwright.load", "trialwright.core", {"trialwright.loading"}),
    ],
)
def test_what_an_import_loads(name, module, found):
    assert loaded(name, module) == found


def test_a_cycle_is_found_from_each_of_its_modules_and_from_no_other():
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str](), "above": {"a"}}
    assert cycle(graph, "a") == ["a", "b", "c", "a"]
    assert cycle(graph, "c") == ["c", "a", "b", "c"]
    assert [cycle(graph, module) for module in ("d", "above")] == [[], []]


def test_two_modules_that_import_each_other_are_a_cycle():
    assert cycle({"a": {"b"}, "b": {"a"}}, "a") == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import p.q.other", {"p.q.other"}),
        ("from p.q import other", {"p.q.other"}),
        ("from . import other", {"p.q.other"}),
        ("from .other import thing", {"p.q.other", "p.q.other.thing"}),
        ("from ..r import thing", {"p.r", "p.r.thing"}),
        ("def f():\n    from p import r", {"p.r"}),
        ("class C:\n    def f(self):\n        import p.r", {"p.r"}),
        ("try:\n    import p.r\nexcept ImportError:\n    import p.s", {"p.r", "p.s"}),
        ("if TYPE_CHECKING:\n    import p.r\nelse:\n    import p.s", {"p.s"}),
        ("if typing.TYPE_CHECKING:\n    import p.r", set()),
        ("from p.q import *", {"p.q.*"}),
    ],
)
def test_what_counts_as_an_import(source, found):
    assert imported(source, "p.q.own", "p.q") == found


def test_to_import_the_package_imports_no_library():
    code = "import sys, trialwright; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    libraries = {"apsw", "cloudpickle", "msgpack", "numpy", "pandas", "ray", "rich", "scipy", "torch", "uvloop"}
    assert not libraries & {*done.stdout.split()}
