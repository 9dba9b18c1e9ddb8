"""The benchmark of schedulers: what it compares is right, on tasks that are computed."""

import json

import numpy as np
import pytest

from benchmarks.fidelity import populations, report
from benchmarks.fidelity.__main__ import main
from benchmarks.fidelity.tasks import all_tasks
from trialwright.bench import statistics
from trialwright.bench.methods import METHODS
from trialwright.bench.runs import POINTS, budget_s, order, run, trace

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def tasks():
    return all_tasks(None)


def test_regret_is_0_for_the_best_of_all_and_1_for_the_middle_of_the_last(tasks):
    for task in tasks:
        assert task.regret(np.array([task.losses.min(), np.median(task.losses[:, -1])])) == pytest.approx([0, 1])


def test_a_trace_is_the_best_so_far():
    seen = [(1.0, 5.0), (2.0, np.nan), (5.0, 3.0), (6.0, 4.0), (99.0, 0.0)]
    values = trace(seen, 8.0)
    assert len(values) == POINTS
    assert values[[0, 4, 24, 39]].tolist() == [np.inf, 5.0, 3.0, 3.0]


def test_with_fifo_a_run_sees_the_rows_in_order_until_the_budget_is_spent(tasks):
    task = tasks[1]
    values, rows = run(task, METHODS["random"], 1, seed=3), order(task, 3)
    ends = np.cumsum(task.seconds[rows, -1])
    done = rows[: int(np.searchsorted(ends, budget_s(task, 1)))]
    assert task.losses[done].min() >= values[-1]
    assert values[-1] in task.losses[rows[: len(done) + 1]]


MODELS = ("mobster", "hyper-tune", "freeze-thaw", "bohb")


@pytest.mark.parametrize(
    "method", [pytest.param(each, marks=pytest.mark.slow) if each in MODELS else each for each in METHODS]
)
def test_every_method_runs_to_the_end_of_its_budget(method, tasks):
    values = run(tasks[2], METHODS[method], 16, seed=0)
    assert np.all(np.diff(values) <= 0)
    assert np.isfinite(values[-1])


def test_lines_rank_the_better_first_and_test_it_against_random():
    better, worse = np.full((8, 2, POINTS), 0.1), np.full((8, 2, POINTS), 0.2)
    traces = {"random": worse, "asha": better + np.arange(8)[:, None, None] / 1000}
    found = statistics.lines(4, traces, against="random")
    assert [line.method for line in found] == ["asha", "random"] * 3
    assert (found[0].rank, found[0].wins, found[0].losses) == (1.0, 8, 0)
    assert found[0].p == pytest.approx(2 / 2**8)
    assert statistics.matrix(4, 1.0, traces).wins == ((0, 0), (8, 0))


def test_the_best_constants_are_those_of_the_formulas():
    played = {
        name: [populations.play(dynamics, config) for config in populations.CONSTANTS[name]]
        for name, dynamics in populations.DYNAMICS.items()
    }
    assert max(played["drift"]) == pytest.approx(133.33, abs=0.01)
    assert played["toy"] == pytest.approx([1.2 - 0.81 - (0.9 * 0.98**200) ** 2] * 2)


def test_a_population_beats_both_on_dynamics_that_change():
    drift = populations.DYNAMICS["drift"]
    score = populations.tune(drift, populations.PBT(interval=10), populations.Perturb(populations.Random()), seed=1)
    assert score > 133.33


def test_a_duel_compares_four_members_of_each_on_the_same_seeds():
    told = report.duels([populations.Duel("toy", (1.0, 0.9, 1.1), (0.5, 0.4, 0.6), 7, 1, 0.012)])
    assert told.splitlines()[-1] == "| toy | 1 (0.9 to 1.1) | 0.5 (0.4 to 0.6) | 7 : 1 | 0.01 |"


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_json(tmp_path, capsys):
    target = tmp_path / "out" / "fidelity.json"
    flags = ["--tasks", "ordered", "--methods", "random", "asha", "--workers", "4", "--seeds", "2", "--jobs", "1"]
    main([*flags, "--population-seeds", "2", "--json", str(target), "--plot", str(tmp_path / "plot.png")])
    assert "| asha |" in capsys.readouterr().out
    results = json.loads(target.read_text())
    assert {line["method"] for line in results["schedulers"]} == {"random", "asha"}
    assert [(each["dynamics"], each["method"]) for each in results["populations"]] == [
        (name, method) for name in populations.DYNAMICS for method in ("pbt", "pbt, synchronous")
    ]
    assert [each["dynamics"] for each in results["few members"]] == [*populations.DYNAMICS]
    assert (tmp_path / "plot.png").exists()


def test_a_benchmark_that_was_interrupted_continues_with_what_is_missing(tmp_path, capsys):
    kept = tmp_path / "traces.jsonl"
    flags = ["--tasks", "ordered", "--workers", "4", "--jobs", "1", "--population-seeds", "0", "--traces", str(kept)]
    main([*flags, "--methods", "random", "asha", "--seeds", "1"])
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join([lines[0], lines[1][:30]]) + "\n")
    main([*flags, "--methods", "random", "asha", "--seeds", "2"])
    assert len(kept.read_text().splitlines()) == 1 + 1 + 3
    main([*flags, "--methods", "random", "asha", "--seeds", "2"])
    assert len(kept.read_text().splitlines()) == 1 + 1 + 3
