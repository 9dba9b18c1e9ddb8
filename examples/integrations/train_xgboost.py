"""Trees of XGBoost: ASHA stops bad trials, and a trial that fails continues from its last checkpoint."""

from __future__ import annotations

from typing import Any

from digits_parts import digits_parts

from trialwright import ASHA, Engine, space


def train(config: dict[str, Any]) -> None:
    """Boost for 32 rounds."""
    import xgboost

    from trialwright.integrations.xgboost import ReportCallback, restore

    x, y, x_test, y_test = digits_parts()
    points, test = xgboost.DMatrix(x, y), xgboost.DMatrix(x_test, y_test)
    model, done = restore()
    xgboost.train(
        {**config, "objective": "multi:softmax", "num_class": 10, "nthread": 1},
        points,
        num_boost_round=32 - done,
        evals=[(test, "test")],
        xgb_model=model,
        callbacks=[ReportCallback({"loss": "test-mlogloss"}, checkpoint_every=8)],
        verbose_eval=False,
    )


SPACE = {"max_depth": space.randint(1, 8), "eta": space.loguniform(1e-2, 1), "lambda": space.loguniform(1e-3, 10)}

if __name__ == "__main__":
    scheduler = ASHA(max_t=32, grace_period=4, reduction_factor=2)
    engine = Engine(
        train,
        SPACE,
        scheduler=scheduler,
        num_samples=10,
        metric="loss",
        mode="min",
        executor="processes",
        max_failures=1,
        seed=0,
    )
    result = engine.run()
    rounds = sum(trial.metrics["step"] for trial in result.trials)
    print(f"log loss {result.best().metrics['loss']:.3f}; {rounds} of {32 * len(result.trials)} rounds")
