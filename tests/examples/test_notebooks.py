"""The notebooks of examples/ run in a real kernel, and show what they promise."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

pytest.importorskip("ipykernel")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
for needed in ("matplotlib", "pandas", "sklearn"):
    pytest.importorskip(needed)

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Both notebooks as they are after they ran, in their order; and the cells whose displays were updated."""
    folder, updates = tmp_path_factory.mktemp("notebooks"), []

    class Client(nbclient.NotebookClient):
        def process_message(self, message, cell, cell_index):
            if message["msg_type"] == "update_display_data":
                updates.append(cell_index)
            return super().process_message(message, cell, cell_index)

    def run(name):
        notebook = nbformat.read(FOLDER / name, as_version=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what others' packages will change
            Client(notebook, timeout=100, resources={"metadata": {"path": str(folder)}}).execute()
        return notebook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        return run("tuning.ipynb"), run("earlier_run.ipynb"), updates


def output(notebook, source, kind="text/html"):
    """What cells show whose code ends so."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.endswith(source)]
    assert cells
    return "".join(str(shown.data.get(kind, "")) for cell in cells for shown in cell.outputs if "data" in shown)


@pytest.mark.slow
def test_a_run_is_one_table_that_is_updated_in_place(ran):
    tuning, _, updates = ran
    [cell] = [cell for cell in tuning.cells if cell.source.endswith("engine.run()")]
    assert [shown.output_type for shown in cell.outputs] == ["display_data"]  # nothing in red, and one table
    [shown] = cell.outputs
    assert "16 of 16 ended" in shown.data["text/html"]
    assert "ended last" in shown.data["text/html"]
    assert shown.data["text/plain"].startswith("notebook ")
    assert set(updates) == {tuning.cells.index(cell)}


@pytest.mark.slow
def test_results_trials_spaces_and_schedulers_are_tables(ran):
    tuning, earlier, _ = ran
    assert "loguniform(0.0001, 0.1)" in output(tuning, "\nwhat")
    assert "reduction_factor" in output(tuning, "\nscheduler")
    assert "the best 10 of 16 trials" in output(tuning, "result")
    assert "config/lr" in output(tuning, "result.best_trial")
    assert "the best 10 of 16 trials" in output(earlier, "\nresult")
    assert output(earlier, "\ntrial") == output(tuning, "result.best_trial")


@pytest.mark.slow
def test_an_earlier_run_is_read_and_drawn(ran):
    _, earlier, _ = ran
    assert "'accuracy': " in output(earlier, "trial.history[:3]", "text/plain")
    assert "config/width" in output(earlier, ".head()")
    assert output(earlier, "figure", "image/png")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_their_output(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"]] == []
