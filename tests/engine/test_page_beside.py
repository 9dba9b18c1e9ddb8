"""The page beside a run: what it needs is checked before the run, and nothing that goes wrong with it ends the run."""

from __future__ import annotations

import asyncio
import threading

import pytest

from trialwright import Engine, report, space
from trialwright.engine import page_beside
from trialwright.engine.page_beside import PageBeside


def engine(storage, **keywords):
    return Engine(
        lambda config: report(loss=config["x"]),
        {"x": space.uniform(0, 1)},
        metric="loss",
        executor="local",
        storage=storage,
        verbose=0,
        **keywords,
    )


def test_a_page_needs_a_storage():
    with pytest.raises(ValueError, match="page=True needs a storage"):
        engine(None, page=True).run()


def test_page_is_true_or_false(tmp_path):
    with pytest.raises(ValueError, match="page must be True or False, not 8080"):
        engine(tmp_path, page=8080).run()


def test_a_page_whose_packages_are_missing_is_refused_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("trialwright.engine.checking.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"page=True needs starlette and uvicorn: pip install 'trialwright\[page\]'"):
        engine(tmp_path, page=True).run()
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_shown_is_said_and_ends(tmp_path):
    lines, said = [], threading.Event()

    def tell(line):
        lines.append(line)
        said.set()

    page = PageBeside(tmp_path / "nothing", tell)
    assert said.wait(60)
    asyncio.run(page.close())
    assert lines == [f"there is no page: error: there is no directory '{tmp_path / 'nothing'}'"]


def test_a_run_goes_on_without_a_page_that_cannot_be_started(tmp_path, monkeypatch, capfd):
    def start(directory):
        raise OSError("no more processes")

    pytest.importorskip("starlette", reason="the extra page is not installed")
    monkeypatch.setattr(page_beside, "_start", start)
    result = engine(tmp_path, page=True).run()
    assert result[0].outcome == "completed"
    assert "the page could not be started: no more processes" in capfd.readouterr().err
