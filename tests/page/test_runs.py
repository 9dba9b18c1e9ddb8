"""The list of runs: what is in it is what ``trialwright.runs`` says, and is read once."""

from __future__ import annotations

import os

from tests.page.shown import make_run
from trialwright import runs
from trialwright.page.runs import Runs


def test_a_line_has_what_the_description_of_the_run_has(tmp_path):
    run = runs.describe(make_run(tmp_path, num_samples=4).path)
    [line] = Runs(tmp_path).listed()
    assert (line["id"], line["state"], line["trials"], line["wanted"]) == (run.id, "finished", 4, 4)
    assert (line["best"], line["now"]) == (run.best.value, run.elapsed_s)
    assert line["created"] == run.created.isoformat(sep=" ", timespec="seconds")


def test_a_run_is_read_again_only_if_it_has_changed(tmp_path, monkeypatch):
    read, real = [], runs.described
    monkeypatch.setattr(runs, "described", lambda path: (read.append(path.name), real(path))[1])
    one, two = (make_run(tmp_path, name=name, num_samples=3).path for name in ("one", "two"))
    listed = Runs(tmp_path)
    assert listed.listed() == listed.listed()
    assert sorted(read) == [one.name, two.name]
    os.utime(two / "journal.sqlite", ns=(1, 1))
    listed.listed()
    assert sorted(read) == [one.name, two.name, two.name]


def test_links_and_runs_that_cannot_be_read_hide_no_other(tmp_path):
    path = make_run(tmp_path, name="one", num_samples=3).path
    (tmp_path / "link").symlink_to(path.name)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "journal.sqlite").write_bytes(b"no database")
    assert [(line["id"], line["state"]) for line in Runs(tmp_path).listed()] == [
        (path.name, "finished"),
        ("broken", "unreadable"),
    ]
