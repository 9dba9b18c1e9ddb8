"""Tune with a Gaussian process in which conditional parameters are part of the model."""

import optuna
import optunahub


def objective(trial: optuna.Trial) -> float:
    """Return the loss of one of two models, each with a parameter of its own."""
    if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
        return abs(trial.suggest_float("C", 1e-3, 1e3, log=True) - 3) / 100
    return 0.5 + trial.suggest_int("depth", 2, 20) / 100


if __name__ == "__main__":
    module = optunahub.load_module(package="samplers/trialwright")
    study = optuna.create_study(sampler=module.TrialwrightSampler("gp", seed=0))
    study.optimize(objective, n_trials=30)
    print(study.best_value, study.best_params)
