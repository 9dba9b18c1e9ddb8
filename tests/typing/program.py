"""What a user might write; a type checker must find nothing in it. ``test_typing.py`` checks and runs it."""

from typing import Any

from trialwright import ASHA, TPE, AskTell, Engine, Local, Result, TrialResult, get_checkpoint, report, space


def train(config: dict[str, Any]) -> None:
    """Report a loss at each of nine steps."""
    saved = get_checkpoint()
    begin: int = saved["step"] if saved else 0
    for step in range(begin, 9):
        report(loss=(config["lr"] - 0.01) ** 2 + 1 / (step + 1), checkpoint={"step": step + 1})


def tuned() -> Result:
    """Run twelve trials."""
    engine = Engine(
        train,
        {"lr": space.loguniform(1e-4, 1e-1), "layers": space.randint(1, 5), "kind": space.choice(["a", "b"])},
        metric="loss",
        mode="min",
        num_samples=12,
        searcher=TPE(),
        scheduler=ASHA(max_t=9),
        executor=Local(cpus=2),
        storage=None,
        seed=0,
        verbose=0,
    )
    return engine.run()


def asked() -> float:
    """Minimise a parabola in a loop of one's own."""
    study = AskTell({"x": space.uniform(-1, 1)}, metric="y", searcher="random", seed=0)
    for _ in range(5):
        trial = study.ask()
        study.tell(trial, trial.config["x"] ** 2)
    y = study.best.metrics["y"]
    return y if isinstance(y, float) else 0.0


def best_of_both() -> tuple[float, float]:
    """Return a learning rate, and the least value."""
    result = tuned()
    best: TrialResult = result.best()
    lr: float = best.config["lr"]
    assert result.best("last").id in {trial.id for trial in result}
    return lr, asked()
