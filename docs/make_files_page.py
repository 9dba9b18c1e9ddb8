"""Writes ``docs/files.md`` from the first sentences of the modules: ``python docs/make_files_page.py``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "trialwright"
PAGE = DOCS / "files.md"
INTRODUCTION = """# Files

This page has one line for each file of the package: the first sentence of the module. A test compares it with the
files; `python docs/make_files_page.py` writes it.
"""


def first_sentence(module: Path) -> str:
    """Return the first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[^.]\.) (?=[A-Z`])", paragraph)[0].rstrip(".:").replace("``", "`")


def section(folder: Path) -> Iterator[str]:
    """Yield the lines of one folder's table: its own sentence, then a row for each file."""
    yield f"## {folder.relative_to(PACKAGE.parent)}/"
    yield ""
    yield f"{first_sentence(folder / '__init__.py')}."
    files = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
    if files:
        yield from ["", "| file | content |", "| --- | --- |"]
        yield from (f"| `{file.name}` | {first_sentence(file)} |" for file in files)
    yield ""


def page() -> str:
    """Return the whole page: a section for each folder that has modules, the package itself first."""
    folders = sorted({file.parent for file in PACKAGE.rglob("__init__.py")})
    return "\n".join([INTRODUCTION, *(line for folder in folders for line in section(folder))])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
