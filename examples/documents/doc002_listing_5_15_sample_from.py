"""Document 002, listing 5-15: parameters drawn by functions; one depends on the other.

The book prints ``context.config.alpha``, but the space has no ``alpha``; this listing uses ``weight``.
"""

import numpy as np
from trialwright import tune


def objective(config):
    for step in range(30):
        score = config["weight"] * (step ** 0.5) + config["bias"]
        tune.report(score=score, step=step, more_metrics={})


search_space = {
    "weight": tune.sample_from(lambda context: np.random.uniform(low=0.0, high=1.0)),
    "bias": tune.sample_from(lambda context: context.config.weight * np.random.normal())
}

analysis = tune.run(objective, config=search_space)
print(analysis.trials[0].config)
