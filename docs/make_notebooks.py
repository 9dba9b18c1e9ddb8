"""Writes ``examples/tutorials/*.ipynb`` from the tutorials' pages: ``python docs/make_notebooks.py``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

DOCS = Path(__file__).parent
PAGES = sorted((DOCS / "tutorials").glob("*.md"))
NOTEBOOKS = DOCS.parent / "examples" / "tutorials"
_CODE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def target(page: Path) -> Path:
    """Return the path of a page's notebook."""
    return NOTEBOOKS / f"{page.stem}.ipynb"


def notebook(page: Path) -> str:
    """Return a page as a notebook, without outputs: each block of Python that is run is a cell."""
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    text = page.read_text(encoding="utf-8")
    cells = [_cell(number, kind, source) for number, (kind, source) in enumerate(_sources(text))]
    book = nbformat.v4.new_notebook(metadata=metadata, cells=cells)
    nbformat.validate(book)
    return nbformat.writes(book) + "\n"


def _sources(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the source of each cell."""
    for position, part in enumerate(_CODE.split(text)):
        if part.strip():
            yield ("code", part.strip()) if position % 2 else ("markdown", _linked(part.strip()))


def _linked(text: str) -> str:
    """Return prose whose links lead from the notebooks' folder to the pages."""
    text = re.sub(r"\]\(\.\./([\w./-]+)", r"](../../docs/\1", text)
    text = re.sub(r"\]\(([\w-]+)\.md", r"](\1.ipynb", text)  # from tutorial to tutorial
    return text.replace("```python no-run", "```python")


def _cell(number: int, kind: str, source: str) -> nbformat.NotebookNode:
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source, id=f"cell-{number}")  # a number, where the library would draw at random


if __name__ == "__main__":
    NOTEBOOKS.mkdir(exist_ok=True)
    for each in PAGES:
        target(each).write_text(notebook(each), encoding="utf-8")
