"""Why a run decided as it did, retold from its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.core.driving import Curve
from trialwright import Engine, Simulated, report, space
from trialwright.executors.simulated import Delays, Faults
from trialwright.messages import Continue, Drop, New, Pause, Resume, Start, Stop, Wait, at_step
from trialwright.schedulers import (
    ASHA,
    FIFO,
    MOASHA,
    PASHA,
    PBT,
    HyperBand,
    MedianStopping,
    ResourceChanging,
    Scheduler,
    TrialView,
)


def tune(scheduler: Scheduler, **keywords: Any) -> Any:
    told: dict[str, Any] = {
        "searcher": "random",
        "num_samples": 24,
        "executor": Simulated(workers=3, delays=Delays(halt_s=0.1)),
        **keywords,
    }
    what = {"x": space.uniform(0, 1)}
    return Engine(Curve(), what, metric="loss", scheduler=scheduler, storage=None, seed=2, verbose=0, **told).run()  # type: ignore[arg-type]


def descend(config: dict[str, float]) -> None:
    for step in range(1, 28):
        report(loss=config["x"] + 1 / step)


@pytest.mark.parametrize("kept", [False, True], ids=["in memory", "on disk"])
def test_of_asha_every_decision_says_how_the_trial_stood(kept, tmp_path):
    asha = ASHA(max_t=27, reduction_factor=3)
    if kept:
        keywords: dict[str, Any] = {
            "executor": "local",
            "storage": tmp_path,
            "seed": 2,
            "verbose": 0,
            "searcher": "random",
        }
        what = {"x": space.uniform(0, 1)}
        result = Engine(descend, what, metric="loss", num_samples=12, scheduler=asha, **keywords).run()
        result = Engine.resume(result.path, descend, executor="local", verbose=0).run()  # type: ignore[arg-type]
    else:
        result = tune(asha)
    for trial in result:
        story = result.explain(trial.id)
        assert [decided.step for decided in story] == [step for step in (1, 3, 9, 27) if step <= trial.metrics["step"]]
        for decided in story[:-1] if trial.outcome == "completed" else story:
            facts = decided.facts
            assert facts["rung"] == decided.step
            assert facts["value"] == pytest.approx(trial.config["x"] + 1 / decided.step)
            assert (facts["rank"] <= facts["survivors"]) == isinstance(decided.decision, Continue)
            assert facts["best"][0][1] <= facts["value"]
    stopped = next(trial for trial in result if trial.outcome == "stopped")
    last = str(result.explain(stopped.id)[-1])
    assert f"Stop ({stopped.reason}): rung" in last
    assert "cut_off" in last


@pytest.mark.parametrize(
    "scheduler",
    [
        ASHA(max_t=27, reduction_factor=3, promote=True, brackets=2),
        HyperBand(max_t=27, reduction_factor=3),
        MedianStopping(),
        MOASHA(max_t=27),
        PASHA(max_t=27, reduction_factor=3),
        PBT(interval=5, synchronous=True),
        PBT(interval=5),
        ResourceChanging(ASHA(max_t=9)),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
@pytest.mark.parametrize("lost", [0, 30])
def test_every_scheduler_of_ours_can_say_why_after_any_run(scheduler, lost):
    executor = Simulated(workers=3, delays=Delays(halt_s=0.1, report_s=0.01), faults=Faults(lost_per_hour=lost))
    result = tune(scheduler, executor=executor, max_failures=-1, stop={"step": 25})
    story = [decided for trial in result for decided in result.explain(trial.id)]
    assert any(decided.facts for decided in story)
    stopped = [decided for decided in story if getattr(decided.decision, "reason", "") == "step >= 25"]
    assert not any(decided.facts for decided in stopped), "a stop rule needs no ranks"


def test_promotions_and_drops_are_explained_with_their_ranks():
    result = tune(ASHA(max_t=27, reduction_factor=3, promote=True))
    story = [decided for trial in result for decided in result.explain(trial.id)]
    resumed = [decided for decided in story if isinstance(decided.decision, Resume)]
    assert resumed
    assert all(decided.facts["rank"] <= decided.facts["survivors"] for decided in resumed)
    assert all(decided.step == decided.facts["rung"] for decided in resumed)
    assert any(isinstance(decided.decision, Pause) for decided in story)
    halved = tune(HyperBand(max_t=27, reduction_factor=3))
    dropped = [d for trial in halved for d in halved.explain(trial.id) if isinstance(d.decision, Drop)]
    assert dropped
    assert all(decided.facts["rank"] > decided.facts["survivors"] for decided in dropped)


def test_retelling_asks_no_code_of_users():
    asked = []

    def rule(trial: int, metrics: dict[str, Any]) -> bool:
        asked.append(trial)
        return bool(metrics["step"] == 4)

    result = tune(ASHA(max_t=27, reduction_factor=3), stop=rule)
    before = len(asked)
    story = result.explain(0)
    assert len(asked) == before
    assert isinstance(story[-1].decision, Stop)


@dataclass
class Plain:
    """A scheduler that cannot say why."""

    def setup(self, rng: object) -> None:
        self.asked = 0

    def on_start(self, trial: TrialView) -> Start:
        self.asked += 1
        return Start(at_step(5))

    def on_report(self, trial: TrialView, report: object) -> Stop:
        return Stop("enough")

    def on_end(self, trial: TrialView, outcome: object) -> None: ...

    def next(self, can_ask: bool) -> New | Wait:
        return New() if can_ask else Wait()

    def state(self) -> None: ...

    def restore(self, state: object) -> None: ...


def test_of_a_scheduler_that_cannot_say_why_there_are_the_decisions():
    scheduler = Plain()
    result = tune(scheduler)  # type: ignore[arg-type]
    assert [(d.trial, d.step, d.decision, d.facts) for d in result.explain(3)] == [(3, 5, Stop("enough"), {})]
    assert scheduler.asked == 24, "it is not asked again"


def test_a_trial_that_is_not_there_has_no_story():
    with pytest.raises(ValueError, match="no trial 99"):
        tune(FIFO()).explain(99)
    assert tune(FIFO()).explain(0) == []
