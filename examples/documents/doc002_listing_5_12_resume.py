"""Document 002, listing 5-12: resuming a run by the name of its directory."""

from trialwright import tune


def objective(config):
    for step in range(30):
        score = config["weight"] * (step ** 0.5) + config["bias"]
        tune.report(score=score, step=step, more_metrics={})


search_space = {"weight": tune.uniform(0, 1), "bias": tune.uniform(0, 1)}

earlier = tune.run(objective, config=search_space)  # the book uses the directory of an existing run: this makes one

analysis = tune.run(
    objective,
    name=earlier.experiment_path,
    resume=True,
    config=search_space)
print(analysis.experiment_path, len(analysis.trials), earlier.results == analysis.results)
