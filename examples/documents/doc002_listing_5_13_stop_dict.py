"""Document 002, listing 5-13: stopping each trial after ten results."""

from trialwright import tune


def objective(config):
    for step in range(30):
        score = config["weight"] * (step ** 0.5) + config["bias"]
        tune.report(score=score, step=step, more_metrics={})


search_space = {"weight": tune.uniform(0, 1), "bias": tune.uniform(0, 1)}

analysis = tune.run(
    objective,
    config=search_space,
    stop={"training_iteration": 10})
print([trial.last_result["training_iteration"] for trial in analysis.trials])
