"""Results of other programs as earlier results of a run."""

import csv

import optuna
import pandas as pd
import pytest

from trialwright import Engine, earlier, space

WHAT = {
    "lr": space.loguniform(1e-5, 1.0),
    "model": {"layers": space.randint(1, 9), "kind": space.choice(["a", "b", True])},
    "fixed": 7,
}
BRANCHES = {
    "model": space.choice([{"kind": "svm", "C": space.uniform(0, 10)}, {"kind": "tree", "depth": space.randint(1, 9)}])
}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def run(what, path=None, **options):
    def objective(config):
        if config["lr"] > 0.5:
            raise ArithmeticError
        return {"loss": config["lr"]}

    settings = {"metric": "loss", "num_samples": 6, "executor": "local", "storage": path, "verbose": 0, "seed": 0}
    return Engine(objective, what, **{**settings, **options}).run()


def test_a_run_over_fewer_parameters_is_known_in_a_wider_space(tmp_path):
    result = run({"lr": space.loguniform(1e-3, 1.0), "old": 3}, tmp_path, searcher="sobol")
    known = earlier.from_run(result.path, WHAT, default={"model": {"layers": 2, "kind": "a"}})
    done = [trial for trial in result if trial.outcome == "completed"]
    assert [config for config, _ in known] == [
        {"model": {"layers": 2, "kind": "a"}, "lr": trial.config["lr"]} for trial in done
    ]
    assert [metrics["loss"] for _, metrics in known] == [trial.metrics["loss"] for trial in done]
    assert {each.why for each in known.missing} <= {"it failed"}
    assert known.unknown == ("old",)
    again = run(WHAT, searcher="tpe", earlier=known)
    assert len(again) == 6


def test_a_default_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="default: model/layers: "):
        earlier.fitted([], WHAT, {"model/layers": 99})


def test_a_constant_that_looks_like_a_number_stays_a_string():
    what = {
        "lr": space.uniform(0, 1),
        "version": "1.0",
        "model": space.choice([{"kind": "2", "x": space.uniform(0, 1)}, "b"]),
    }
    config = {"lr": 0.5, "version": "1.0", "model": {"kind": "2", "x": 0.25}}
    assert [*earlier.fitted([earlier.Row("a", config, {"loss": 1.0})], what)] == [(config, {"loss": 1.0})]


def test_what_is_outside_the_new_space_is_missing_with_the_reason():
    rows = [earlier.Row("a", {"lr": 2.0, "model/layers": 3, "model/kind": "a"}, {"loss": 1.0})]
    known = earlier.fitted(rows, WHAT)
    assert [*known] == []
    assert known.missing[0].trial == "a"
    assert "lr: 2.0 is outside" in known.missing[0].why
    assert str(known).splitlines()[0] == "0 results; 1 is missing:"


def test_reasons_are_listed_up_to_five():
    known = earlier.fitted([earlier.Row(f"{n}", {}, {}, "it failed") for n in range(9)], WHAT)
    assert str(known).splitlines()[-1] == "  and 4 more"


class TestOptuna:
    def study(self, **options):
        def objective(trial):
            trial.suggest_float("lr", 1e-5, 1.0, log=True)
            trial.suggest_int("model/layers", 1, 8)
            trial.suggest_categorical("model/kind", ["a", "b", True])
            if trial.number == 1:
                raise optuna.TrialPruned
            if trial.number == 2:
                raise ArithmeticError
            return trial.params["lr"]

        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0), **options)
        study.optimize(objective, n_trials=6, catch=ArithmeticError)
        return study

    def test_its_parameters_are_paths_of_the_space(self):
        study = self.study()
        known = earlier.from_optuna(study, WHAT, metric="loss")
        trials = [trial for trial in study.trials if trial.number not in (1, 2)]
        assert [config["model"]["layers"] for config, _ in known] == [trial.params["model/layers"] for trial in trials]
        assert [metrics for _, metrics in known] == [{"loss": trial.value} for trial in trials]
        assert [(each.trial, each.why) for each in known.missing] == [
            ("trial 1", "it was pruned"),
            ("trial 2", "it failed"),
        ]
        assert len(run(WHAT, searcher="gp", earlier=known)) == 6

    def test_its_values_need_as_many_names(self):
        with pytest.raises(ValueError, match="must have 1 names"):
            earlier.from_optuna(self.study(), WHAT, metric=["a", "b"])

    @pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
    def test_its_own_names_of_metrics_are_the_default(self):
        study = self.study()
        study.set_metric_names(["loss"])
        assert {*earlier.from_optuna(study, WHAT)[0][1]} == {"loss"}

    def test_a_default_without_a_space_is_refused(self):
        with pytest.raises(ValueError, match="give the space, too"):
            earlier.from_optuna(self.study(), default={"x": 1})

    def test_without_a_space_it_is_that_of_the_trials(self):
        def objective(trial):
            if trial.suggest_categorical("model", ["svm", "tree"]) == "svm":
                return trial.suggest_float("C", 0, 10)
            return trial.suggest_int("depth", 1, 8)

        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
        study.optimize(objective, n_trials=12)
        known = earlier.from_optuna(study)
        assert len(known) == 12
        assert {each.path for each in known.space.parameters} == {"model", "model[0]/C", "model[1]/depth"}
        assert all(known.space.validate(config) == [] for config, _ in known)


class TestTables:
    ROWS = (
        {"lr": 0.1, "model/layers": 3, "model/kind": "a", "loss": 1.5, "note": "x"},
        {"lr": 0.2, "model/layers": 4, "model/kind": True, "loss": 2.5, "note": ""},
        {"lr": 0.3, "model/layers": 4, "model/kind": "b", "loss": float("nan"), "note": ""},
    )
    KNOWN = (
        ({"lr": 0.1, "model": {"layers": 3, "kind": "a"}}, {"loss": 1.5}),
        ({"lr": 0.2, "model": {"layers": 4, "kind": True}}, {"loss": 2.5}),
    )

    def test_a_data_frame(self):
        known = earlier.from_table(pd.DataFrame(self.ROWS), WHAT)
        assert tuple(known) == self.KNOWN
        assert [(each.trial, each.why) for each in known.missing] == [("row 2", "it has no metrics")]

    @pytest.mark.parametrize("prefix", ["", "config/", "params_"])
    def test_a_csv_file_of_strings(self, tmp_path, prefix):
        rows = [
            {name if name in ("loss", "note") else f"{prefix}{name}": value for name, value in row.items()}
            for row in self.ROWS[:2]
        ]
        with (tmp_path / "table.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        assert tuple(earlier.from_table(tmp_path / "table.csv", WHAT)) == self.KNOWN

    def test_branches(self):
        rows = [
            {"config/model/kind": "svm", "config/model/C": 3.0},
            {"config/model/kind": "tree", "config/model/depth": 4.0},
        ]
        known = earlier.from_table(pd.DataFrame([{**row, "loss": 1.0} for row in rows]), BRANCHES)
        assert [config for config, _ in known] == [
            {"model": {"kind": "svm", "C": 3.0}},
            {"model": {"kind": "tree", "depth": 4}},
        ]

    def test_our_own_export_can_be_read(self, tmp_path):
        result = run(WHAT, tmp_path, searcher="sobol")
        known = earlier.from_table(result.dataframe(), WHAT)
        assert len(known) == sum(trial.outcome == "completed" for trial in result)

    def test_a_data_frame_of_optuna(self):
        study = TestOptuna().study()
        known = earlier.from_table(study.trials_dataframe(), WHAT)
        assert [config for config, _ in known] == [config for config, _ in earlier.from_optuna(study, WHAT)]
        assert [each.why for each in known.missing] == ["it was pruned", "it failed"]

    def test_a_table_without_parameters_is_refused(self):
        with pytest.raises(ValueError, match=r"no column is a parameter: the columns are \['loss'\]"):
            earlier.from_table(pd.DataFrame([{"loss": 1.0}]), WHAT)


def test_a_directory_without_trials_of_ray_tune_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no trials of Ray Tune"):
        earlier.from_ray_tune(tmp_path, WHAT)
