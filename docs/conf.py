"""The documentation as a site: ``sphinx-build -n -W docs build/docs``."""

from __future__ import annotations

import importlib.metadata
import re
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Trialwright"
version = release = importlib.metadata.version("trialwright")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
root_doc = "README"
exclude_patterns = ["build"]
html_theme = "furo"
html_title = f"Trialwright {release}"
html_show_copyright = False

myst_heading_anchors = 4  # pages link to each other's headings, as they do on a code host
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
# Names of other projects cannot be resolved without their inventories, and nothing is downloaded.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!trialwright\.).*"),
    (r"py:class", r"trialwright\..*\._\w+"),  # private base classes
]
nitpick_ignore = [  # internal classes that a public signature names
    ("py:class", "trialwright.columns.Column"),
    ("py:class", "trialwright.core.trial.Trial"),
    ("py:class", "trialwright.executors.in_slots.InSlots"),
    ("py:class", "trialwright.history.log.Entry"),
    ("py:class", "trialwright.history.log.Log"),
    ("py:class", "trialwright.plots.source.HasResult"),
    ("py:class", "trialwright.result_protocol.AnyResult"),
    ("py:class", "trialwright.html.SettingsTable"),
    ("py:class", "trialwright.schedulers.resizing.Policy"),
    ("py:class", "trialwright.searchers.parzen.Columns"),
    ("py:class", "trialwright.space.samplers.Sampled"),
]


def add_contents(_: Sphinx, page: str, source: list[str]) -> None:
    """Make a table of contents from each list of pages in ``README.md``: one list, for readers of files and for the
    site."""
    if page == root_doc:
        sections = re.split(r"^(?=## )", source[0], flags=re.MULTILINE)
        source[0] = "".join(section + _contents(section) for section in sections)


def _contents(section: str) -> str:
    title = section.partition("\n")[0].removeprefix("## ") if section.startswith("## ") else "Pages"
    pages = re.findall(r"^- \[.*?\]\(([\w/-]+)\.md\)", section, flags=re.MULTILINE)
    listed = "\n".join(pages)
    return f"\n:::{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n:::\n\n" if pages else ""


def setup(app: Sphinx) -> None:
    """Connect the table of contents."""
    # Diagrams are shown as their text: the program that draws them is on another host.
    app.add_lexer("mermaid", TextLexer)
    app.connect("source-read", add_contents)
