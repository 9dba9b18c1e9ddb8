"""Runs that are made once: what the commands are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trialwright import ASHA, Engine, report, space
from trialwright.cli.main import app
from trialwright.errors import PolicyError

SPACE = {"lr": space.uniform(0, 1), "model": {"width": space.choice([32, 64])}, "kind": "small"}
SETTINGS: dict[str, Any] = {"metric": "loss", "executor": "local", "searcher": "random", "verbose": 0}


def objective(config):
    for step in range(1, 5):
        if config["model"]["width"] == 32 and step == 3 and config["kind"] == "bad":
            raise ValueError("too \x1b[31mnarrow")
        report(loss=config["lr"] + 1 / step, accuracy=step / 4)


def ruled(trial, metrics):
    return metrics["step"] == 2


def broken(trial, metrics):
    raise KeyError("los")


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """A storage home with four runs: one that ASHA has cut, one with failures, one with a function as a stop rule, and
    one that was interrupted."""
    root = tmp_path_factory.mktemp("home")
    given = {**SETTINGS, "storage": root}
    Engine(objective, SPACE, name="digits", scheduler=ASHA(max_t=4), num_samples=12, seed=1, **given).run()
    Engine(objective, {**SPACE, "kind": "bad"}, name="bad", num_samples=6, seed=2, mode="max", **given).run()
    Engine(objective, SPACE, name="ruled", num_samples=2, seed=3, stop=ruled, **given).run()
    with pytest.raises(PolicyError):
        Engine(objective, SPACE, name="dig-broken", num_samples=3, seed=3, stop=broken, **given).run()
    return root


@pytest.fixture
def call(home, monkeypatch) -> Callable[..., Any]:
    """Calls the program with these arguments; the storage home is the one with the runs."""
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(home))
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)], prog_name="trialwright")


@pytest.fixture
def digits(home) -> Path:
    [path] = home.glob("digits-*")
    return path
