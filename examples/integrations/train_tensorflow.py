"""A network in `tensorflow.keras`, which is Keras 3: ASHA pauses bad trials, and a promoted one continues."""

from __future__ import annotations

from typing import Any

from digits_parts import digits_parts

from trialwright import ASHA, Engine, space


def train(config: dict[str, Any]) -> None:
    """Train a network for eight epochs."""
    from tensorflow import keras

    from trialwright.integrations.keras import ReportCallback, restore

    x, y, x_test, y_test = digits_parts()
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(config["hidden"], "relu"), keras.layers.Dense(10, "softmax")]
    )
    rate = keras.optimizers.Adam(config["rate"])
    model.compile(rate, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    report = ReportCallback({"accuracy": "val_accuracy"}, checkpoint_every=4)
    done = restore(model)
    model.fit(x, y, validation_data=(x_test, y_test), initial_epoch=done, epochs=8, verbose=0, callbacks=[report])


SPACE = {"hidden": space.randint(8, 128), "rate": space.loguniform(1e-4, 1e-1)}

if __name__ == "__main__":
    scheduler = ASHA(max_t=8, grace_period=2, reduction_factor=2, promote=True)
    engine = Engine(
        train,
        SPACE,
        scheduler=scheduler,
        num_samples=4,
        metric="accuracy",
        mode="max",
        executor="processes",
        seed=0,
    )
    result = engine.run()
    epochs = sum(trial.metrics["step"] for trial in result.trials)
    print(f"accuracy {result.best().metrics['accuracy']:.3f}; {epochs} of {8 * len(result.trials)} epochs")
