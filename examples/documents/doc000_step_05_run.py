"""Document 000, steps 5 and 6: one trial, drawn at random, and its curve."""

import matplotlib.pyplot as plt
import numpy as np
from trialwright import tune

from doc000_model import train_digits

search_space = {
    "lr": tune.sample_from(lambda spec: 10 ** (-10 * np.random.rand())),
    "momentum": tune.uniform(0.1, 0.9),
}

tuner = tune.Tuner(train_digits, param_space=search_space)
results = tuner.fit()

dfs = {result.path: result.metrics_dataframe for result in results}
for d in dfs.values():
    d.mean_accuracy.plot()
plt.savefig("one_trial.png")
print([len(d) for d in dfs.values()], results[0].metrics["mean_accuracy"])
