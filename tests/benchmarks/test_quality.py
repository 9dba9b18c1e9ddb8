"""The statistics of the quality benchmark, what it writes, and that traces are made once."""

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.quality.__main__ import main
from benchmarks.quality.base import plain_space
from benchmarks.quality.comparison import compare, compare_parallel, complete, duels, regrets, result
from benchmarks.quality.noise import normal
from benchmarks.quality.report import as_json, text, written
from benchmarks.quality.tasks import all_tasks
from benchmarks.quality.traces import COMMITTED, PEERS, Job, append, make, read, run
from trialwright.bench.searches import Ours, Trace

TASKS = all_tasks()
CAME_LATER = {task.name for task in TASKS if task.family in ("noisy", "edges")} - {
    "noisy/styblinski-2",
    "noisy/ellipsoid-20",
    "noisy/training-15",
}
FORMS = [task for task in TASKS if task.family == "forms"]


def trace(method: str, *falls: tuple[int, float], task: str = FORMS[0].name, seed: int = 0, batch: int = 1) -> Trace:
    return Trace(task, method, seed, batch, 100, [*falls], 0.0)


def some(**finals: float) -> list[Trace]:
    """A trace of each method on each closed form, which ends at its number."""
    return [trace(name, (1, 8.0), (20, final), task=task.name) for task in FORMS for name, final in finals.items()]


class TestRegret:
    def test_a_trace_has_the_best_value_so_far(self):
        falling = trace("a", (1, 9.0), (30, 4.0))
        assert [falling.best(at) for at in (1, 29, 30, 100)] == [9, 9, 4, 4]

    def test_it_is_0_at_the_optimum_and_1_at_the_median_first_value(self):
        traces = [trace("a", (1, 8.0), (2, 0.0)), trace("b", (1, 8.0))]
        assert regrets(traces, FORMS[:1], ["a", "b"], 25).tolist() == [[0, 1]]

    def test_it_is_a_mean_over_seeds(self):
        traces = [trace("a", (1, 8.0), (2, 0.0)), trace("a", (1, 8.0), seed=1)]
        assert regrets(traces, FORMS[:1], ["a"], 25).tolist() == [[0.5]]

    def test_a_method_without_traces_has_none(self):
        assert np.isnan(regrets([trace("a", (1, 8.0))], FORMS[:1], ["a", "b"], 25)[0, 1])


class TestStatistics:
    def test_a_difference_of_ranks_is_below_0_where_the_first_is_better(self):
        table = np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2], [0.2, 0.2, 0.3]])
        [second, third] = duels(table, ["gp", "b", "c"], "gp")
        assert (second.difference, second.wins, second.losses) == (pytest.approx(-1.0), 2, 0)
        assert (third.difference, third.wins) == (pytest.approx(-4.5 / 3), 3)
        assert second.low <= second.difference <= second.high <= 0


class TestComparison:
    def test_the_best_stands_first(self):
        found = result("regret", 50, np.array([[0.3, 0.1], [0.2, 0.1]]), ["a", "b"])
        assert [(standing.method, standing.rank) for standing in found.standings] == [("b", 1), ("a", 2)]
        assert found.standings[1].mean == pytest.approx(0.25)

    @pytest.mark.slow
    def test_ours_are_compared_with_all_others_and_others_with_none(self):
        [*_, last] = compare(some(gp=1.0, tpe=2.0, other=3.0), FORMS, ["gp", "tpe", "other"])
        assert [(duel.one, duel.other) for duel in last.duels] == [
            ("gp", "tpe"),
            ("gp", "other"),
            ("tpe", "gp"),
            ("tpe", "other"),
        ]

    def test_there_is_one_for_all_tasks_and_one_for_each_family(self):
        tasks = [FORMS[0], next(task for task in TASKS if task.family == "surfaces")]
        traces = [trace("a", (1, 8.0), task=task.name) for task in tasks]
        assert [(each.what, each.at) for each in compare(traces, tasks, ["a"])] == [
            (what, at) for what in ("regret", "forms", "surfaces") for at in (25, 50, 100)
        ]

    def test_a_task_that_a_method_lacks_is_omitted(self):
        traces = [*some(a=1.0), trace("b", (1, 8.0))]
        assert complete(traces, FORMS, ["a", "b"]) == FORMS[:1]
        assert compare(traces, FORMS, ["a", "b"])[0].tasks == 1

    def test_what_is_lost_to_parallelism_is_on_one_scale(self):
        alone, together = trace("a", (1, 8.0), (2, 0.0)), trace("a", (1, 8.0), (2, 4.0), batch=16)
        found = {(each.what, each.at): each for each in compare_parallel([alone, together], FORMS, ["a"], 16)}
        assert found["regret", 50].standings[0].mean == pytest.approx(0.5)
        assert found["loss", 50].standings[0].mean == pytest.approx(0.5)


class TestReport:
    RESULTS = staticmethod(lambda: (compare(some(gp=1.0, a=2.0), FORMS, ["gp", "a"]), some(gp=1.0, a=2.0)))

    @pytest.mark.slow
    def test_the_text_tells_ranks_and_intervals(self):
        said = text(*self.RESULTS())
        assert f"after 50 evaluations, {len(FORMS)} tasks" in said
        assert "gp - a            -1.00 [-1.00, -1.00]" in said

    @pytest.mark.slow
    def test_the_json_has_all_of_it(self):
        found = json.loads(as_json(*self.RESULTS()))
        assert found["seeds"] == {"gp": 1, "a": 1}
        assert found["results"][0]["standings"][0] == {"method": "gp", "rank": 1.0, "mean": 0.125, "median": 0.125}

    def test_a_page_keeps_all_but_what_is_between_the_marks(self):
        page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"
        assert written(page, "a", "new") == "before\n<!-- a -->\n\nnew\n\n<!-- /a -->\nafter\n"
        assert written(written(page, "a", "new"), "a", "new") == written(page, "a", "new")

    def test_a_page_without_marks_is_refused(self):
        with pytest.raises(ValueError, match="<!-- a -->"):
            written("nothing", "a", "new")


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
        main([*arguments, "--out", str(out), "--plot", str(tmp_path / "plot.png"), "--json", str(tmp_path / "json")])
        assert out.read_text().splitlines() == lines
        assert (tmp_path / "plot.png").stat().st_size > 0
        assert json.loads((tmp_path / "json").read_text())["seeds"] == {"random": 2, "tpe": 2}
        assert "after 50 evaluations, 1 tasks" in capsys.readouterr().out

    def test_a_line_that_was_cut_short_costs_that_trace_alone(self, tmp_path):
        path = tmp_path / "traces.jsonl"
        first, second = trace("a", (1, 8.0)), trace("b", (1, 8.0))
        append([first, second], path)
        path.write_text(path.read_text()[:-20])
        append([trace("c", (1, 8.0))], path)
        assert [each.method for each in read([path]).values()] == ["a", "c"]

    def test_a_run_that_fails_is_printed_and_the_others_are_kept(self, tmp_path, capfd):
        jobs = [Job(FORMS[0], method, 0, 1, 3, sys.executable) for method in ("nonesuch", "random")]
        made = list(make(jobs, tmp_path / "traces.jsonl", 1))
        assert [each.method for each in made] == ["random"]
        assert "nonesuch forms/ackley-6 0 failed" in capfd.readouterr().err

    def test_an_error_of_a_peer_reaches_who_asked(self):
        with pytest.raises(RuntimeError, match="Seed must be"):
            run(Job(FORMS[0], "optuna-tpe", 2**40, 1, 3, sys.executable))

    def test_a_method_gets_the_noisy_value_and_the_true_one_counts(self):
        told = []
        task = replace(FORMS[0], make=lambda: lambda config: 1.0, noise=partial(normal, 0.5))

        class Listening(Ours):
            def tell(self, values):
                told.extend(values)
                super().tell(values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("benchmarks.quality.traces.Ours", Listening)
            found = run(Job(task, "random", 0, 1, 30, sys.executable))
        assert found.falls == [(1, 1.0)]
        assert 0.3 < np.std(told) < 0.7

    @pytest.mark.parametrize("method", ["random", "optuna-tpe"])
    def test_where_results_are_noisy_what_is_recommended_counts_too(self, method):
        task = next(task for task in TASKS if task.name == "noisy/rosenbrock-3-factor")
        found = run(Job(task, method, 0, 1, 50, sys.executable))
        assert [at for at, _ in found.recommended] == [25, 50]
        assert found.final(50) >= found.best(50)
        assert {each.what for each in compare([replace(found, recommended=[])], [task], [method])} == {
            "regret",
            "noisy",
        }

    @pytest.mark.parametrize("method", ["optuna-tpe", "optuna-gp", "hyperopt", "botorch", "nevergrad", "smac"])
    def test_those_of_others_are_in_the_repository(self, method):
        known = read(COMMITTED.glob("*.jsonl"))
        for seed in range(3):
            slow = method == "botorch" and seed > 0  # 100 s a run: one seed of the tasks that came later
            judging = {task.name for task in TASKS if task.judging and not (slow and task.name in CAME_LATER)}
            assert judging == {task for task, name, of, batch in known if (name, of, batch) == (method, seed, 1)}

    def test_what_is_committed_is_of_peers_on_tasks_that_judge_and_is_small(self):
        files = sorted(COMMITTED.glob("*.jsonl"))
        found = read(files).values()
        assert {each.method for each in found} <= PEERS.keys()
        assert {each.task for each in found} <= {task.name for task in TASKS if task.judging}
        assert sum(path.stat().st_size for path in files) < 1_500_000


def test_there_are_enough_tasks_of_enough_families_and_none_serves_twice():
    judging = [task for task in TASKS if task.judging]
    assert len(judging) >= 24
    assert len({task.family for task in judging}) >= 4
    assert len({task.name for task in TASKS}) == len(TASKS)


def test_other_libraries_get_spaces_as_plain_data():
    for task in TASKS:
        assert json.loads(json.dumps(plain_space(task.space))) == plain_space(task.space)
