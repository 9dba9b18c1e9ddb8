"""A network in PyTorch Lightning: ASHA stops bad trials, and a trial that fails continues from its last checkpoint."""

from __future__ import annotations

from typing import Any

from digits_parts import digits_parts

from trialwright import ASHA, Engine, space


def train(config: dict[str, Any]) -> None:
    """Train a network for eight epochs."""
    import torch
    from lightning import pytorch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from trialwright.integrations.lightning import ReportCallback, restore

    class Network(pytorch.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(64, config["hidden"]), nn.ReLU(), nn.Linear(config["hidden"], 10))

        def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
            return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

        def validation_step(self, batch: list[torch.Tensor]) -> None:
            self.log("accuracy", (self.layers(batch[0]).argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), config["rate"])

    x, y, x_test, y_test = map(torch.tensor, digits_parts())
    training = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    test = DataLoader(TensorDataset(x_test, y_test), batch_size=597)
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    report = ReportCallback(checkpoint_every=4)
    trainer = pytorch.Trainer(max_epochs=8, accelerator="cpu", callbacks=[report], **quiet)
    trainer.fit(Network(), training, test, ckpt_path=restore())


SPACE = {"hidden": space.randint(8, 128), "rate": space.loguniform(1e-4, 1e-1)}

if __name__ == "__main__":
    scheduler = ASHA(max_t=8, grace_period=2, reduction_factor=2)
    engine = Engine(
        train,
        SPACE,
        scheduler=scheduler,
        num_samples=4,
        metric="accuracy",
        mode="max",
        executor="processes",
        max_failures=1,
        seed=0,
    )
    result = engine.run()
    epochs = sum(trial.metrics["step"] for trial in result.trials)
    print(f"accuracy {result.best().metrics['accuracy']:.3f}; {epochs} of {8 * len(result.trials)} epochs")
