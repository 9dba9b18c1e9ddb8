"""What if: the same trials under another scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.driving import Curve
from trialwright import ASHA, FIFO, PBT, Engine, Simulated, report, space
from trialwright.what_if import what_if


class Uneven(Curve):
    """No two reports of two trials come at the same moment, so that their order is no matter of chance."""

    def step(self, config: dict[str, Any], state: int) -> Any:
        step = super().step(config, state)
        return step and (*step[:2], 0.5 + config["x"])


def tune(scheduler: Any, **keywords: Any) -> Any:
    told: dict[str, Any] = {"executor": Simulated(workers=4), "storage": None, "num_samples": 30, "searcher": "random"}
    return Engine(
        Uneven(), {"x": space.uniform(0, 1)}, metric="loss", scheduler=scheduler, seed=5, verbose=0, **told, **keywords
    ).run()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def everything():
    return tune(FIFO())


@pytest.mark.parametrize("promote", [False, True])
def test_of_whole_curves_it_is_what_the_other_run_would_have_been(everything, promote):
    asha = ASHA(max_t=27, reduction_factor=3, promote=promote)
    asked, real = what_if(everything, asha), tune(asha)
    assert [fate.steps for fate in asked.fates] == [trial.metrics["step"] for trial in real]
    assert [fate.seconds for fate in asked.fates] == pytest.approx([trial.metrics["time_s"] for trial in real])
    assert asked.wall_s == pytest.approx(real.wall_s)
    assert asked.censored == ()
    assert asked.saved_steps == 30 * 27 - sum(trial.metrics["step"] for trial in real) > 300
    assert asked.saved_s == pytest.approx(sum(t.metrics["time_s"] for t in everything) - sum(asked_s(asked)))
    assert asked.recorded_best[1] == everything.best("best").id


def asked_s(asked: Any) -> list[float]:
    return [fate.seconds for fate in asked.fates]


def test_under_the_same_scheduler_nothing_changes_and_nothing_is_unknown():
    asha = ASHA(max_t=27, reduction_factor=3)
    result = tune(asha)
    again = what_if(result, asha)
    assert again.saved_steps == 0
    assert again.kept_winner
    assert again.best == again.recorded_best
    assert again.censored == ()


def test_where_a_curve_was_cut_short_what_would_have_come_is_unknown():
    result = tune(ASHA(max_t=27, reduction_factor=3))
    lenient = what_if(result, ASHA(max_t=27, reduction_factor=2))
    cut = {trial.id for trial in result if trial.outcome == "stopped"}
    assert lenient.censored
    assert set(lenient.censored) <= cut
    assert "would continue beyond their recorded steps" in str(lenient)


def test_it_says_whether_the_winner_would_have_been_lost(everything):
    late = [trial.config["x"] for trial in everything]
    strict = what_if(everything, ASHA(max_t=27, reduction_factor=9), workers=1)
    assert strict.winner.trial == late.index(min(late))
    assert strict.kept_winner == (strict.winner.steps == 27)
    text = str(strict)
    assert f"trial {strict.winner.trial} is {'kept' if strict.kept_winner else 'lost'}" in text
    assert f"{strict.saved_steps} of 810 steps saved" in text


def climb(config: dict[str, float]) -> None:
    for step in range(1, 10):
        report(score=config["x"] * step)


def test_a_directory_will_do_and_more_may_be_better(tmp_path):
    keywords: dict[str, Any] = {"executor": "local", "storage": tmp_path, "seed": 0, "verbose": 0, "searcher": "random"}
    what = {"x": space.uniform(0, 1)}
    result = Engine(climb, what, metric="score", mode="max", num_samples=9, **keywords).run()
    by_result, by_directory = (
        what_if(run, ASHA(max_t=9, reduction_factor=3), workers=2) for run in (result, result.path)
    )
    assert by_result.fates == by_directory.fates
    assert by_directory.recorded_best == (result.best_metrics["score"], result.best_trial.id)
    assert by_directory.best[0] <= by_directory.recorded_best[0]


@pytest.mark.parametrize("scheduler", ["pbt", PBT()])
def test_a_scheduler_that_changes_configurations_cannot_be_asked(everything, scheduler):
    with pytest.raises(ValueError, match="only those of the run are recorded"):
        what_if(everything, scheduler)


def test_a_run_without_a_metric_or_reports_has_nothing_to_compare():
    what = {"x": space.uniform(0, 1)}
    keywords: dict[str, Any] = {"executor": Simulated(), "storage": None, "verbose": 0}
    with pytest.raises(ValueError, match="has no metric"):
        what_if(Engine(Curve(), what, **keywords).run(), FIFO())
    with pytest.raises(ValueError, match="no trial of this run has made any"):
        what_if(Engine(Curve(steps=0), what, metric="loss", **keywords).run(), FIFO())


@pytest.mark.parametrize("name", ["mobster", "BOHB"])
def test_a_method_with_a_searcher_of_its_own_is_refused_by_name(everything, name):
    with pytest.raises(ValueError, match=rf"cannot use '{name}'.* use its scheduler, (ASHA|HyperBand)\("):
        what_if(everything, name)
