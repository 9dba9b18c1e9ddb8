"""Document 000, steps 7 and 8: twenty trials, most of which ASHA stops early, and their curves."""

import matplotlib.pyplot as plt
from trialwright import tune
from trialwright.tune.schedulers import ASHAScheduler

from budget import budget
from doc000_model import train_digits

search_space = {
    "lr": tune.loguniform(1e-4, 1),
    "momentum": tune.uniform(0.1, 0.9),
}

tuner = tune.Tuner(
    train_digits,
    tune_config=tune.TuneConfig(
        num_samples=budget(20, 6),
        scheduler=ASHAScheduler(metric="mean_accuracy", mode="max"),
    ),
    param_space=search_space,
)
results = tuner.fit()

dfs = {result.path: result.metrics_dataframe for result in results}
ax = None
for d in dfs.values():
    ax = d.mean_accuracy.plot(ax=ax, legend=False)
plt.savefig("asha.png")
print(sorted(len(d) for d in dfs.values()), results.get_best_result("mean_accuracy", "max").config)
