"""The documentation is true: its code runs, its links lead somewhere, and what it says of the code is so."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import logging
import math
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import cloudpickle
import pytest
import yaml

import trialwright
from docs import make_files_page
from tests.contracts.scheduler import SchedulerContract
from tests.contracts.searcher import SearcherContract
from trialwright import callbacks, metrics, reporting, space
from trialwright.core.trial import TABLE, Fork, State
from trialwright.core.waiting import OVERTAKES
from trialwright.progress import Snapshot, Statistics, summary_lines
from trialwright.schedulers import Scheduler
from trialwright.searchers import Searcher

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "trialwright"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("tutorials/*.md")])
NAMES = [page.relative_to(DOCS).as_posix() for page in PAGES]
LINES_MAX = {"files.md": 560}  # it has a line for each file
NO_RUN = "python no-run"
EXAMPLE_LINES_MAX = 30


class Block(NamedTuple):
    """A fenced block: where it begins, what is written behind the fence, and what is in it."""

    line: int
    kind: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    begin, kind, lines = 0, "", list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif begin:
            yield Block(begin, kind, "\n".join(lines) + "\n")
            begin = 0
        else:
            begin, kind, lines = number, line[3:].strip(), []
    assert not begin, f"{page.name}:{begin}: this block does not end"


def prose(page: Path) -> str:
    """The page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def everything() -> str:
    return "".join(page.read_text(encoding="utf-8") for page in PAGES)


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# What the pages say of the code ---------------------------------------------------------------------------------------


def transition_table() -> str:
    """The transition table as the design page shows it, made from the table that the engine goes by."""
    rows = ["| in state | message | goes to |", "|---|---|---|"]
    for state, row in TABLE.items():
        goals: dict[State | Fork, list[str]] = {}
        for message, goal in row.items():
            goals.setdefault(goal, []).append(f"`{message.__name__}`")
        rows += [f"| {state.name} | {', '.join(messages)} | {_goal(goal)} |" for goal, messages in goals.items()]
        rows += [] if row else [f"| {state.name} | none | |"]
    return "\n".join(rows)


def _goal(goal: State | Fork) -> str:
    return goal.name if isinstance(goal, State) else goal.value


def transition_diagram() -> str:
    """The same as a diagram: an arrow for each pair of states, with the messages that lead along it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, row in TABLE.items():
        for message, goal in row.items():
            for target in _TARGETS.get(goal, (goal,)):
                if target is not state:
                    arrows.setdefault((state, target), []).append(message.__name__)
    lines = [f"    {state.name} --> {target.name}: {', '.join(names)}" for (state, target), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> WAITING", *lines, "    ENDED --> [*]"]) + "\n"


_TARGETS: dict[State | Fork, tuple[State, ...]] = {
    Fork.RETRY: (State.WAITING, State.ENDED),
    Fork.THEN: (State.WAITING, State.PAUSED, State.ENDED),
    Fork.COMPLETE: (State.WAITING, State.ENDED),
}


def test_the_design_page_has_the_transition_table_of_the_code():
    assert transition_table() in read("design.md"), f"docs/design.md should have:\n\n{transition_table()}"


def test_the_design_page_has_the_transition_diagram_of_the_code():
    shown = [block.text for block in blocks(DOCS / "design.md") if block.kind == "mermaid"]
    assert shown == [transition_diagram()], f"docs/design.md should have:\n\n{transition_diagram()}"


def test_the_page_of_files_is_what_its_program_writes():
    assert read("files.md") == make_files_page.page(), "run: python docs/make_files_page.py"


def test_every_module_says_what_is_in_it():
    assert [file.name for file in PACKAGE.rglob("*.py") if not make_files_page.first_sentence(file)] == []


@pytest.mark.parametrize("name", trialwright.__all__)
def test_every_public_name_is_documented(name):
    assert re.search(rf"\b{name}\b", everything())


def test_every_domain_is_in_the_table_of_domains():
    domains = [name for name in space.__all__ if name.islower()]
    assert "uniform" in domains
    assert [name for name in domains if f"| `{name}(" not in read("space.md")] == []


def test_every_keyword_of_the_engine_is_documented():
    keywords = inspect.signature(trialwright.Engine).parameters
    assert [name for name in keywords if not re.search(rf"\b{name}\b", everything())] == []


def test_every_hook_is_documented():
    assert [hook for hook in callbacks.HOOKS if f"`{hook}`" not in read("results.md")] == []


def test_every_method_of_the_two_protocols_is_documented():
    methods = {name for cls in (Scheduler, Searcher) for name in vars(cls) if not name.startswith("_")}
    pages = read("write-a-scheduler.md") + read("extending.md")
    assert [name for name in methods if f"`{name}" not in pages] == []


def test_every_contract_is_documented():
    contracts = [f"tests/contracts/{path.name}" for path in (ROOT / "tests" / "contracts").glob("[!_]*.py")]
    assert [path for path in contracts if f"`{path}`" not in read("extending.md")] == []


def test_every_line_of_the_summary_is_explained():
    lines = summary_lines(Snapshot("a run"), Statistics(), verbose=3)
    labels = [line[:14].strip() for line in lines if line.startswith("  ")]
    assert "idle slots" in labels
    assert [label for label in labels if f"| `{label}`" not in read("progress.md")] == []


@pytest.mark.parametrize(
    ("page", "number"),
    [
        ("objective.md", metrics.KEYS_MAX),
        ("objective.md", metrics.KEY_LENGTH_MAX),
        ("objective.md", metrics.TEXT_LENGTH_MAX),
        ("objective.md", metrics.DEPTH_MAX),
        ("objective.md", reporting.FLUSH_REPORTS),
        ("resources.md", OVERTAKES),
        ("results.md", callbacks.QUEUE_LENGTH),
    ],
)
def test_a_limit_is_the_one_of_the_code(page, number):
    assert re.search(rf"\b{number:,}\b", read(page)), f"docs/{page} does not say {number:,}"


# The examples of the pages keep the contracts ----------------------------------------------------------------------


@cache
def example(name: str) -> Any:
    """A class of one of the pages, by its block alone."""
    module = ModuleType("an_example")
    sys.modules[module.__name__] = module
    pages = (DOCS / "write-a-scheduler.md", DOCS / "extending.md")
    texts = [block.text for page in pages for block in blocks(page) if block.kind == "python"]
    [text] = [text for text in texts if re.search(rf"^class {name}\b", text, re.MULTILINE)]
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef)]
    vars(module)["math"] = math
    exec(compile(tree, f"docs, {name}", "exec", dont_inherit=True), vars(module))
    [length] = [node.end_lineno - node.lineno + 1 for node in tree.body if getattr(node, "name", "") == name]
    assert length <= EXAMPLE_LINES_MAX
    return vars(module)[name]


class TestHurdle(SchedulerContract):
    rungs = True

    def make(self):
        return example("Hurdle")()


class TestClimb(SearcherContract):
    def make(self):
        return example("Climb")()


# The pages themselves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = {"TRIALWRIGHT_HOME": str(tmp_path / "home"), "MPLBACKEND": "Agg"}
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    module = ModuleType("a_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where classes look for what their annotations mean
    cloudpickle.register_pickle_by_value(module)  # as what is written in a main module is: workers have no such page
    try:
        with patch.dict(os.environ, own):  # what a page changes in it is put back too
            for block in blocks(DOCS / name):
                if block.kind == "python":
                    code = compile("\n" * block.line + block.text, f"docs/{name}", "exec", dont_inherit=True)
                    with contextlib.redirect_stdout(io.StringIO()):
                        exec(code, vars(module))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.parametrize("name", NAMES)
def test_code_that_is_not_run_is_at_least_python(name):
    for block in blocks(DOCS / name):
        if block.kind == NO_RUN:
            ast.parse(block.text)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(DOCS / name)):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        page = ((DOCS / name).parent / file) if file else DOCS / name
        assert page.exists(), f"docs/{name}: there is no {target}"
        assert not heading or heading in _anchors(page), f"docs/{name}: there is no {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_a_page_names_exists(name):
    named = re.findall(r"`((?:trialwright|tests|examples|benchmarks|docs)/[\w./]+\.\w+)`", prose(DOCS / name))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_index_leads_to_every_page():
    assert [name for name in NAMES if name != "README.md" and f"]({name})" not in read("README.md")] == []


@pytest.mark.parametrize(
    ("look_for", "page", "call"),
    [
        ("resume a run", "faq.md", "Engine.resume("),
        ("four GPUs", "gpus.md", '"gpu": 1'),
        ("stop one trial", "faq.md", "trialwright.stop("),
        ("why a trial was stopped", "faq.md", ".explain("),
        ("compare two runs", "faq.md", "for run in (result, other)"),
    ],
)
def test_what_a_newcomer_looks_for_is_two_clicks_away(look_for, page, call):
    assert "](docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    [row] = [line for line in read("README.md").splitlines() if line.startswith("| ") and look_for in line]
    assert f"]({page}#" in row
    assert call in read(page)


def test_the_index_for_language_models_leads_to_pages():
    links = re.findall(r"\]\(([^)]+)\)", read("llms.txt"))
    assert len(links) > 20
    assert [link for link in links if link not in NAMES] == []


@pytest.mark.parametrize("name", NAMES)
def test_scripts_and_settings_on_a_page_can_be_parsed(name):
    for block in blocks(DOCS / name):
        if block.kind == "bash":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
        if block.kind == "yaml":
            assert yaml.safe_load(block.text)


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_every_extra_is_explained():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert [extra for extra in extras if f"`{extra}`" not in read("installation.md")] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_short(name):
    assert len(read(name).splitlines()) <= LINES_MAX.get(name, 200)
