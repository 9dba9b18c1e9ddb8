"""Document 002, the listing without a number: what a trial needs, and how many run at a time.

The book asks for two CPUs and half a GPU; on a machine without a GPU, this listing asks for none.
"""

import torch
from trialwright import tune

from budget import budget


def objective(config):
    return {"score": 1.0}


gpu = 0.5 if torch.cuda.is_available() else 0

analysis = tune.run(
    objective, num_samples=10, resources_per_trial={"cpu": budget(2, 1), "gpu": gpu}, max_concurrent_trials=2
)
print(len(analysis.trials), analysis.trials[0].status)
