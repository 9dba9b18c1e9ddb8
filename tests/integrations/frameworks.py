"""A small training with each library: eight steps, each reported; the first attempt may be killed at one of them."""

from __future__ import annotations

import os
import signal
from functools import partial
from importlib.util import find_spec

import numpy as np

from trialwright import context

STEPS = 8
os.environ.setdefault("KERAS_BACKEND", "torch" if find_spec("torch") else "tensorflow")  # Keras looks for neither


def data():
    """Two clouds of points in the plane, always the same."""
    generator = np.random.default_rng(0)
    labels = np.arange(96) % 2
    points = generator.normal(size=(96, 2)) + labels[:, None]
    return points.astype("float32"), labels.astype("float32")


def note(config):
    """Write down that a step was trained; kill this process if it is the one to be killed at."""
    path = context().directory / "trained"
    with path.open("a") as file:
        file.write(".")
    if path.stat().st_size == config.get("killed_at") and context().attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def with_keras(make, config):
    import keras

    train_keras(keras, make, config)


def with_tensorflow(make, config):
    from tensorflow import keras

    train_keras(keras, make, config)


def train_keras(keras, make, config):
    from trialwright.integrations.keras import restore

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03 * config["x"]), loss="binary_crossentropy")
    noted = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: note(config))
    model.fit(*data(), initial_epoch=restore(model), epochs=STEPS, shuffle=False, verbose=0, callbacks=[make(), noted])


def with_xgboost(make, config):
    import xgboost

    from trialwright.integrations.xgboost import restore

    class Noted(xgboost.callback.TrainingCallback):
        def before_iteration(self, model, epoch, evals_log):
            note(config)
            return False

    model, done = restore()
    points = xgboost.DMatrix(*data())
    params = {"max_depth": 1, "eta": 0.3 * config["x"], "objective": "binary:logistic", "nthread": 1}
    xgboost.train(
        params,
        points,
        STEPS - done,
        evals=[(points, "train")],
        xgb_model=model,
        callbacks=[make(), Noted()],
        verbose_eval=False,
    )


def with_lightgbm(make, config):
    import lightgbm

    from trialwright.integrations.lightgbm import restore

    def noted(env):
        note(config)

    noted.before_iteration = True
    model, done = restore()
    points = lightgbm.Dataset(*data(), free_raw_data=False)
    params = {"num_leaves": 3, "learning_rate": 0.3 * config["x"], "objective": "binary", "verbose": -1}
    lightgbm.train(
        {**params, "num_threads": 1},
        points,
        STEPS - done,
        valid_sets=[points],
        valid_names=["train"],
        init_model=model,
        callbacks=[make(), noted],
    )


def with_lightning(make, config):
    import torch
    from lightning import pytorch
    from torch.utils.data import DataLoader, TensorDataset

    from trialwright.integrations.lightning import restore

    class Model(pytorch.LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))

        def on_train_epoch_start(self):
            note(config)

        def training_step(self, batch):
            return torch.nn.functional.binary_cross_entropy_with_logits(self.layers(batch[0])[:, 0], batch[1])

        def validation_step(self, batch):
            self.log("loss", self.training_step(batch))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.03 * config["x"])

    torch.manual_seed(1)
    loader = DataLoader(TensorDataset(*map(torch.tensor, data())), batch_size=32)
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    trainer = pytorch.Trainer(max_epochs=STEPS, accelerator="cpu", callbacks=[make()], **quiet)
    trainer.fit(Model(), loader, loader, ckpt_path=restore())


def with_transformers(make, config):
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from trialwright.integrations.transformers import restore

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))

        def forward(self, points, labels):
            logits = self.layers(points)[:, 0]
            return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(logits, labels), "logits": logits}

    class Noted(TrainerCallback):
        def on_epoch_begin(self, *_, **__):
            note(config)

    torch.manual_seed(1)
    rows = [{"points": point, "labels": label} for point, label in zip(*map(torch.tensor, data()), strict=True)]
    arguments = TrainingArguments(
        str(context().directory / "saved"),
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        num_train_epochs=STEPS,
        learning_rate=0.03 * config["x"],
        lr_scheduler_type="constant",
        per_device_train_batch_size=32,
        disable_tqdm=True,
        report_to="none",
        use_cpu=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(Model(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[make(), Noted()])
    trainer.train(resume_from_checkpoint=restore())


def training(train, module, name, *args, **keywords):
    """An objective: this training, with a callback of this module, which only the worker imports."""

    def make():
        from importlib import import_module

        return getattr(import_module(module), name)(*args, **keywords)

    return partial(train, make)
