"""The statistics of the quality benchmark, and that traces are made once."""

import json
import sys

import numpy as np
import pytest

from benchmarks.quality.__main__ import main
from benchmarks.quality.comparison import holm, interval, ranks, regrets, wilcoxon
from benchmarks.quality.tasks import all_tasks, plain_space
from benchmarks.quality.traces import Job, Trace, run

FORMS = [task for task in all_tasks() if task.family == "forms"]


def trace(method: str, *falls: tuple[int, float], task: str = FORMS[0].id, seed: int = 0) -> Trace:
    return Trace(task, method, seed, 1, 100, [*falls], 0.0)


class TestComparison:
    def test_a_trace_has_the_best_value_so_far(self):
        falling = trace("a", (1, 9.0), (30, 4.0))
        assert [falling.best(at) for at in (1, 29, 30, 100)] == [9, 9, 4, 4]

    def test_regret_is_0_at_the_optimum_and_1_at_the_median_first_value(self):
        traces = [trace("a", (1, 8.0), (2, 0.0)), trace("b", (1, 8.0))]
        assert regrets(traces, FORMS[:1], ["a", "b"], 25).tolist() == [[0, 1]]

    def test_a_method_without_traces_has_no_regret(self):
        assert np.isnan(regrets([trace("a", (1, 8.0))], FORMS[:1], ["a", "b"], 25)[0, 1])

    def test_ties_share_their_rank(self):
        assert ranks(np.array([[1.0, 1.0, 0.0]])).tolist() == [[2.5, 2.5, 1]]

    def test_an_interval_excludes_0_where_all_differences_have_one_sign(self):
        low, high = interval(np.array([1.0, 2.0, 3.0, 1.0]))
        assert 1 <= low < high <= 3

    def test_holm_multiplies_and_never_falls(self):
        assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})

    def test_equal_results_are_no_evidence(self):
        assert wilcoxon(np.zeros(9)) == 1


class TestTraces:
    def test_a_run_of_ours_is_the_same_for_the_same_seed(self):
        first, second = (run(Job(FORMS[0], "tpe", 3, 4, 20, sys.executable)) for _ in range(2))
        assert first.falls == second.falls
        assert first.evaluations == 20

    def test_a_peer_is_asked_through_its_pipe(self):
        found = run(Job(FORMS[0], "optuna-tpe", 0, 2, 6, sys.executable))
        assert (found.method, found.evaluations) == ("optuna-tpe", 6)
        assert found.falls == run(Job(FORMS[0], "optuna-tpe", 0, 2, 6, sys.executable)).falls

    def test_what_is_there_is_not_run_again(self, tmp_path, capsys):
        out = tmp_path / "traces.jsonl"
        arguments = ["--methods", "random", "tpe", "--tasks", "levy-4", "--seeds", "2", "--evaluations", "12"]
        main([*arguments, "--out", str(out), "--jobs", "1"])
        lines = out.read_text().splitlines()
        assert len(lines) == 4
        main([*arguments, "--out", str(out), "--plot", str(tmp_path / "plot.png")])
        assert out.read_text().splitlines() == lines
        assert (tmp_path / "plot.png").stat().st_size > 0
        assert "1 of 1 tasks have all methods" in capsys.readouterr().out


def test_there_are_enough_tasks_of_enough_families_and_none_serves_twice():
    tasks = all_tasks()
    judging = [task for task in tasks if task.judging]
    assert len(judging) >= 24
    assert len({task.family for task in judging}) >= 4
    assert len({task.id for task in tasks}) == len(tasks)


def test_spaces_are_told_to_others_as_plain_data():
    for task in all_tasks():
        assert json.loads(json.dumps(plain_space(task.space))) == plain_space(task.space)
