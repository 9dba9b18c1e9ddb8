"""Trees of LightGBM: ASHA stops bad trials, and a trial that fails continues from its last checkpoint."""

from __future__ import annotations

from typing import Any

from digits_parts import digits_parts

from trialwright import ASHA, Engine, space


def train(config: dict[str, Any]) -> None:
    """Boost for 32 rounds."""
    import lightgbm

    from trialwright.integrations.lightgbm import ReportCallback, restore

    x, y, x_test, y_test = digits_parts()
    points = lightgbm.Dataset(x, y)
    model, done = restore()
    if done < 32:  # lightgbm.train refuses to train for no rounds
        lightgbm.train(
            {**config, "objective": "multiclass", "num_class": 10, "num_threads": 1, "verbose": -1},
            points,
            num_boost_round=32 - done,
            valid_sets=[points.create_valid(x_test, y_test)],
            valid_names=["test"],
            init_model=model,
            callbacks=[ReportCallback({"loss": "test-multi_logloss"}, checkpoint_every=8)],
        )


SPACE = {"num_leaves": space.randint(2, 32), "learning_rate": space.loguniform(1e-2, 1)}

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
