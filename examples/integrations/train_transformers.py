"""A small BERT, trained by Hugging Face's ``Trainer``: which of two symbols is more frequent in a sequence?"""

from __future__ import annotations

from typing import Any

import numpy as np

from trialwright import ASHA, Engine, context, space


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Return sequences of 15 zeros and ones, and which of the two each has more of."""
    symbols = np.random.default_rng(seed).integers(0, 2, (count, 15))
    return [{"input_ids": each, "labels": int(each.sum() > 7)} for each in symbols]


def train(config: dict[str, Any]) -> None:
    """Train for eight epochs."""
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

    from trialwright.integrations.transformers import ReportCallback, restore

    set_seed(context().seed % 2**32)
    width = 16 * config["heads"]
    layout = BertConfig(
        vocab_size=2,
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=1,
        num_attention_heads=config["heads"],
        max_position_embeddings=15,
    )
    arguments = TrainingArguments(
        str(context().directory / "saved"),
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        num_train_epochs=8,
        learning_rate=config["rate"],
        per_device_train_batch_size=32,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    report = ReportCallback({"loss": "eval_loss"}, on="save")
    model = BertForSequenceClassification(layout)
    trainer = Trainer(model, arguments, train_dataset=rows(512, 0), eval_dataset=rows(256, 1), callbacks=[report])
    trainer.train(resume_from_checkpoint=restore())


SPACE = {"heads": space.randint(1, 3), "rate": space.loguniform(1e-4, 3e-2)}

if __name__ == "__main__":
    scheduler = ASHA(max_t=8, grace_period=2, reduction_factor=2)
    engine = Engine(
        train,
        SPACE,
        scheduler=scheduler,
        num_samples=4,
        metric="loss",
        mode="min",
        executor="processes",
        max_failures=1,
        seed=0,
    )
    result = engine.run()
    epochs = sum(trial.metrics["step"] for trial in result.trials)
    print(f"loss {result.best().metrics['loss']:.3f}; {epochs} of {8 * len(result.trials)} epochs")
