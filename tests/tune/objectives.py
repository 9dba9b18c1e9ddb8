"""What the tests of the layer tune: small, and the same for the same config."""

from __future__ import annotations

from typing import Any

from trialwright import Engine, Result, get_checkpoint, report
from trialwright import space as s
from trialwright.tune import names

SPACE = {"weight": s.uniform(0, 1), "bias": s.uniform(0, 1)}


def objective(config: dict[str, Any]) -> None:
    """Report thirty scores, and a step of its own, as the users of Ray Tune do."""
    for step in range(30):
        report(names.escape({"score": config["weight"] * step**0.5 + config["bias"], "step": step, "more": {}}))


def saving(config: dict[str, Any]) -> None:
    """Report ten scores, each with a checkpoint, and go on from where it was."""
    state = get_checkpoint() or {"step": 0}
    for step in range(state["step"] + 1, 11):
        report({"score": config["weight"] * step}, checkpoint={"step": step})


def failing(config: dict[str, Any]) -> None:
    """Report once and fail."""
    report(score=1.0)
    raise RuntimeError("no luck")


def run(function: Any, tmp_path: Any, **keywords: Any) -> Result:
    """Run trials in threads of this process."""
    settings = {"metric": "score", "num_samples": 3, "executor": "local", "verbose": 0, "seed": 1} | keywords
    return Engine(function, settings.pop("space", SPACE), storage=tmp_path, **settings).run()
