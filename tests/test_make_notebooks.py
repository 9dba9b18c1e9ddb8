"""The tutorials' notebooks are what their pages say, and run in a kernel."""

import json
import re
import warnings

import pytest

pytest.importorskip("nbformat")

import nbformat

from docs import make_notebooks

PAGES = make_notebooks.PAGES


def test_there_is_a_notebook_for_each_tutorial_and_no_other():
    assert {path.name for path in make_notebooks.NOTEBOOKS.glob("*.ipynb")} == {f"{page.stem}.ipynb" for page in PAGES}
    assert len(PAGES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_is_what_its_program_writes(page):
    written = make_notebooks.target(page).read_text(encoding="utf-8")
    assert written == make_notebooks.notebook(page), "run: python docs/make_notebooks.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_has_each_block_of_its_page_as_a_cell_and_no_outputs(page):
    cells = json.loads(make_notebooks.notebook(page))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert code == [block.strip() for block in blocks]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_notebook_lead_somewhere(page):
    cells = json.loads(make_notebooks.notebook(page))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    assert links
    assert [link for link in links if not (make_notebooks.NOTEBOOKS / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(300)  # a kernel on a busy machine
def test_a_notebook_runs_in_a_kernel(tmp_path):
    pytest.importorskip("ipykernel")
    client = pytest.importorskip("nbclient").NotebookClient
    path = make_notebooks.NOTEBOOKS / "several-objectives.ipynb"
    book = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what others' packages will change
        client(book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("text", "") for cell in book.cells for output in cell.get("outputs", ())]
    assert any("trials are on the front" in text for text in shown)
