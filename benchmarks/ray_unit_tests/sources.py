"""Ray's test files with changed imports, and which of Ray's modules each of their tests reaches."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from benchmarks.ray_examples import changed
from benchmarks.ray_unit_tests.internal import LIBRARIES, is_internal, is_tool

HELPERS = {  # a module that only tests use -> its file, below the package; it is copied beside the test files
    "ray.train.tests.util": "train/tests/util.py",
    "ray.tune.tests.execution.utils": "tune/tests/execution/utils.py",
    "ray.tune.tests.tune_test_util": "tune/tests/tune_test_util.py",
    "ray.tune.utils.mock_trainable": "tune/utils/mock_trainable.py",
}
AROUND = ("setup", "teardown")
DOTTED = re.compile(r"ray(\.\w+)+")


def local(helper: str) -> str:
    """Return the name that a helper module has beside the test files."""
    return helper.removeprefix("ray.").replace(".", "_")


def rewritten(source: str, *, ours: bool) -> str:
    """Return a test file in which an absent name fails only the tests that use it.

    Args:
        source: the file.
        ours: have what is public in Ray Tune come from Trialwright; else all comes from Ray.
    """
    tree = _Imports(ours=ours).visit(ast.parse(source))
    tree.body = [_defined_or_absent(node) for node in tree.body]
    start = next((at for at, node in enumerate(tree.body) if not _is_head(node)), 0)
    packages = ["absent", *(["trialwright.air", "trialwright.train", "trialwright.tune"] if ours else [])]
    tree.body[start:start] = [ast.Import([ast.alias(name)]) for name in packages]
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_head(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def _defined_or_absent(node: ast.stmt) -> ast.stmt:
    """Guard a class or function as imports are: its bases and decorators may be absent."""
    return _or_absent(node, node.name) if isinstance(node, ast.ClassDef | ast.FunctionDef) else node


def _or_absent(node: ast.stmt, name: str) -> ast.stmt:
    guard = ast.parse(f"try:\n    pass\nexcept Exception as error:\n    {name} = absent.Absent(error)").body[0]
    assert isinstance(guard, ast.Try)
    guard.body = [node]
    return guard


class _Imports(ast.NodeTransformer):
    """Changes imports, dotted names and strings that are or have imports."""

    def __init__(self, *, ours: bool) -> None:
        self._ours = ours
        self._depth = 0

    def moved(self, path: str) -> str:
        """Return where something of Ray's is imported from."""
        for helper in HELPERS:
            if path == helper or path.startswith(helper + "."):
                return local(helper) + path.removeprefix(helper)
        public = path.startswith(LIBRARIES) and not is_internal(path) and not is_tool(path)
        return "trialwright" + path.removeprefix("ray") if self._ours and public else path

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave the imports of a function bare: there they fail one test only."""
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        """Import each name by itself."""
        found: list[ast.stmt] = []
        for alias in node.names:
            module, _, name = self.moved(f"{node.module}.{alias.name}").rpartition(".")
            found += self._guarded(ast.ImportFrom(module, [ast.alias(name, alias.asname)], 0), alias.asname or name)
        return found

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        """Import each module by itself; what it is part of stays, as other modules of it are used."""
        found: list[ast.stmt] = []
        for alias in node.names:
            path = self.moved(alias.name)
            if path != alias.name and alias.asname is None:
                found.append(ast.Import([ast.alias("ray")]))
            name = alias.asname or path.partition(".")[0]
            new = ast.Import([ast.alias(path, alias.asname)])
            found += self._guarded(new, name) if alias.asname else [new]
        return found

    def _guarded(self, node: ast.stmt, name: str) -> list[ast.stmt]:
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        return [node] if self._depth or name == "*" or is_future else [_or_absent(node, name)]

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Change a dotted name that begins with ``ray``."""
        path = dotted(node)
        return ast.parse(self.moved(path), mode="eval").body if path.startswith("ray.") else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Change a string that is a path, or a program."""
        text = node.value
        if isinstance(text, str) and DOTTED.fullmatch(text):
            return ast.Constant(self.moved(text))
        if isinstance(text, str) and self._ours and "\n" in text and "import" in text:
            return ast.Constant(changed(text))
        return node


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` of an expression that is such a name, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (start := dotted(node.value)):
        return f"{start}.{node.attr}"
    return ""


class Reach:
    """What a module's tests reach: through their class, fixtures, and the functions and helpers that they call.

    Args:
        file: the test file or helper.
        package: Ray's package ``ray``, in a checkout.
    """

    def __init__(self, file: Path, package: Path) -> None:
        self._package, self._name = package, file.name
        self._imports: dict[str, str] = {}  # a name in this module -> its path
        self._defined: dict[str, ast.stmt] = {}
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            self._bind(node)

    def _bind(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._imports.update(_imported(node))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            self._defined[node.name] = node
        elif isinstance(node, ast.Assign):
            self._defined.update({name.id: node for name in node.targets if isinstance(name, ast.Name)})
        elif isinstance(node, ast.Try | ast.If):
            for inner in node.body:
                self._bind(inner)

    def tests(self) -> list[str]:
        """Return the names of the tests, without parameters."""
        found: list[str] = []
        for key, node in self._defined.items():
            methods: dict[str, ast.stmt] = {}
            self._collect(key, methods)
            found += [f"{key}::{name}" for name in methods if name.startswith("test")]
            found += [key] if isinstance(node, ast.FunctionDef) and key.startswith("test") else []
        return [f"{self._name}::{test}" for test in found]

    def internal(self, test: str) -> list[str]:
        """Return the internal modules that a test reaches, with the names that it takes from them.

        Args:
            test: as pytest names it: ``file.py::Class::method[parameters]``.
        """
        *owner, name = test.partition("[")[0].split("::")[1:]
        found: set[str] = set()
        for start in [*self._around(), *(self._of_class(owner[0], name) if owner else [self._defined[name]])]:
            found |= self._paths(start, set())
        return sorted(path for path in found if is_internal(path))

    def reached(self, name: str) -> set[str]:
        """Return the paths that something of this module reaches."""
        return self._named(name, set())

    def _around(self) -> list[ast.stmt]:
        """Return the fixtures that every test has."""
        functions = [node for node in self._defined.values() if isinstance(node, ast.FunctionDef)]
        return [node for node in functions if any("autouse" in ast.unparse(mark) for mark in node.decorator_list)]

    def _of_class(self, owner: str, name: str) -> list[ast.stmt]:
        """Return a test method, what its class does around it, and the other methods that these call."""
        methods: dict[str, ast.stmt] = {}
        self._collect(owner, methods)
        found = [part for key, part in methods.items() if key == name or key.lower().startswith(AROUND)]
        for part in found:  # grows
            names = [node for node in ast.walk(part) if isinstance(node, ast.Attribute)]
            called = [methods.get(node.attr) for node in names if dotted(node.value) == "self"]
            found += [method for method in called if method is not None and method not in found]
        return found

    def _collect(self, owner: str, methods: dict[str, ast.stmt]) -> None:
        node = self._defined.get(owner)
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                methods.setdefault(getattr(part, "name", f"setup {part.lineno}"), part)
            for base in node.bases:
                self._collect(dotted(base), methods)

    def _paths(self, node: ast.AST, seen: set[str]) -> set[str]:
        """Return the paths below ``ray`` that some code names, itself or through what it uses; types aside."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return set(_imported(node).values())
        if isinstance(node, ast.Constant):
            return {node.value} if isinstance(node.value, str) and DOTTED.fullmatch(node.value) else set()
        if isinstance(node, ast.Attribute) and self._resolved(dotted(node)):
            return {self._resolved(dotted(node))}
        found = self._named(node.id, seen) if isinstance(node, ast.Name) else set()
        found |= self._named(node.arg, seen) if isinstance(node, ast.arg) else set()
        for name, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST) and name not in ("annotation", "returns"):
                    found |= self._paths(part, seen)
        return found

    def _named(self, name: str, seen: set[str]) -> set[str]:
        path = self._imports.get(name, "")
        helper, _, wanted = path.rpartition(".")
        if helper in HELPERS:
            return Reach(self._package / HELPERS[helper], self._package).reached(wanted)
        if name in seen or name not in self._defined:
            return {path}
        seen.add(name)
        return self._paths(self._defined[name], seen)

    def _resolved(self, name: str) -> str:
        """Return the path of a dotted name that begins with an import, up to its first class and a constant of it."""
        start, _, rest = name.partition(".")
        if start not in self._imports:
            return ""
        parts = [*self._imports[start].split("."), *rest.split(".")]
        end = next((at for at, part in enumerate(parts) if part[:1].isupper()), len(parts))
        return ".".join(parts[: end + 2] if parts[end + 1 : end + 2] and parts[end + 1].isupper() else parts[: end + 1])


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {alias.asname or alias.name.partition(".")[0]: _bound(alias) for alias in node.names}


def _bound(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]
