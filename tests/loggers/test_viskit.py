"""VisKit's own loader reads a run's directory: the layout of rllab, with ``progress.csv`` and ``params.json``."""

from __future__ import annotations

import pytest

from trialwright import Engine, report
from trialwright import space as s
from trialwright.loggers import CSVLogger

core = pytest.importorskip("viskit.core")


def train(config):
    for step in range(1, 4):
        report({"loss": config["lr"] / step, "deep": {"er": step}})


def test_viskits_loader_finds_each_trials_curve_and_what_differs(tmp_path):
    space = {"lr": s.grid_search([0.3, 0.6]), "model": {"width": 8}}
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "callbacks": [CSVLogger()]}
    result = Engine(train, space, **settings).run()
    found = sorted(core.load_exps_data([str(result.path)]), key=lambda each: each.flat_params["lr"])
    assert len(found) == 2
    for trial, each in zip(result, found, strict=True):
        assert list(each.progress["loss"]) == [row["loss"] for row in trial.history]
        assert list(each.progress["deep/er"]) == [1, 2, 3]
        assert each.flat_params["model.width"] == 8
    assert ("lr", [0.3, 0.6]) in core.extract_distinct_params(found)
    assert [each.flat_params["lr"] for each in core.Selector(found).where("lr", 0.6).extract()] == [0.6]
