"""A trial may begin from the checkpoint of an earlier one."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from trialwright import ASHA, Engine, get_checkpoint, report, space

SPACE = {"rate": space.uniform(0, 1), "steps": space.randint(1, 100)}


def train(config: dict[str, Any]) -> None:
    """Add the rate at every step."""
    total = (get_checkpoint() or {"total": 0.0})["total"]
    for _ in range(config["steps"]):
        total += config["rate"]
        report({"total": total}, checkpoint={"total": total})


def engine(tmp_path: Any, **keywords: Any) -> Engine:
    told: dict[str, Any] = {"metric": "total", "executor": "local", "storage": tmp_path, "verbose": 0, "seed": 0}
    return Engine(train, SPACE, **{"searcher": "random", **told, **keywords})


@pytest.fixture
def first(tmp_path):
    start = engine(tmp_path, points_to_evaluate=[{"rate": 0.5, "steps": 4}])
    return start.run()[0]


def test_it_resumes_from_there_and_counts_on(tmp_path, first):
    following = engine(tmp_path, num_samples=1)
    following.enqueue({"rate": 0.25, "steps": 2}, checkpoint=first)
    result = following.run()
    [continued] = [trial for trial in result if trial.config == {"rate": 0.25, "steps": 2}]
    assert continued.metrics["total"] == pytest.approx(4 * 0.5 + 2 * 0.25)
    assert [row["step"] for row in continued.history] == [5, 6]
    assert first.checkpoint == {"total": 2.0}, "it is not ours to delete"


def test_a_scheduler_meets_it_where_it_stands(tmp_path, first):
    following = engine(tmp_path, num_samples=1, scheduler=ASHA(max_t=9, reduction_factor=3), mode="max")
    following.enqueue({"rate": 0.25, "steps": 90}, checkpoint=first)
    result = following.run()
    [continued] = [trial for trial in result if trial.config["steps"] == 90]
    assert result.explain(continued.id)[0].facts["rung"] == 3, "step 5 is past the rung at 3"


def test_one_that_has_no_checkpoint_or_not_any_more_is_refused(tmp_path, first):
    shutil.rmtree(first.saved.path)
    with pytest.raises(ValueError, match="trial 0 has no checkpoint to start from: .*checkpoints"):
        engine(tmp_path).enqueue({}, checkpoint=first)
    silent = Engine(lambda config: {"x": 1}, {}, executor="local", storage=None, verbose=0).run()[0]
    with pytest.raises(ValueError, match="trial 0 has no checkpoint to start from: None"):
        engine(tmp_path).enqueue({}, checkpoint=silent)
