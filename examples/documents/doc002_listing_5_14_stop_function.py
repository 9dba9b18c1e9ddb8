"""Document 002, listing 5-14: a stop rule that stops a trial when a metric is small."""

from trialwright import tune


def objective(config):
    for step in range(30):
        score = config["weight"] * (step ** 0.5) + config["bias"]
        tune.report(score=score, step=step, more_metrics={})


search_space = {"weight": tune.uniform(0, 1), "bias": tune.uniform(0, 1)}


def stopper(trial_id, result):
    return result["score"] < 2


analysis = tune.run(
    objective,
    config=search_space,
    stop=stopper)
print([(trial.last_result["training_iteration"], trial.last_result["score"]) for trial in analysis.trials])
