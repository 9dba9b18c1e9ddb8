"""Document 002, listings 5-8 and 5-9: intermediate scores, and a scheduler that uses them to stop trials."""

from trialwright import tune
from trialwright.tune.schedulers import HyperBandScheduler


def objective(config):
    for step in range(30):
        score = config["weight"] * (step ** 0.5) + config["bias"]
        tune.report(score=score)


search_space = {"weight": tune.uniform(0, 1), "bias": tune.uniform(0, 1)}

scheduler = HyperBandScheduler(metric="score", mode="min")

analysis = tune.run(
    objective,
    config=search_space,
    scheduler=scheduler,
    num_samples=10,
)

print(analysis.get_best_config(metric="score", mode="min"))
