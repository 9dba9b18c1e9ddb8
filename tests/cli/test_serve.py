"""``trialwright serve`` finds what to show as the other commands do."""

from __future__ import annotations

import pytest

from trialwright import Engine, page, space
from trialwright.cli.serve import shown


@pytest.fixture
def run(tmp_path):
    where = {"storage": tmp_path / "runs", "name": "digits", "executor": "local", "verbose": 0}
    return Engine(lambda config: {"loss": config["x"]}, {"x": space.uniform(0, 1)}, metric="loss", **where).run().path


def test_it_serves_a_run_by_the_beginning_of_its_name(run, call, monkeypatch):
    asked = []
    monkeypatch.setattr(page, "serve", lambda where, **keywords: asked.append((where, keywords["control"])))
    call("serve", "digits", "--storage", str(run.parent), "--control")
    assert asked == [(run, True)]


def test_it_serves_a_directory_of_runs(run):
    assert shown(str(run.parent), None) == run.parent
    assert shown(None, run.parent) == run.parent


def test_a_run_that_is_not_there_is_refused_with_those_that_are(run):
    with pytest.raises(ValueError, match="digits"):
        shown("numbers", run.parent)
