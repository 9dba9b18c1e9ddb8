"""Six trials, as six runs in a repository of Aim, in the run's directory."""

import tempfile

from aim import Repo, Run
from tracked_digits import tune

from trialwright.integrations.aim import AimLogger

# The folder stays: Aim writes to it until the process ends.
result = tune(tempfile.mkdtemp(), AimLogger(wait_s=60))
repo = Repo(str(result.path))
runs = [Run(name, repo=repo, system_tracking_interval=None) for name in repo.list_all_runs()]
for warning in result.warnings:
    print(warning)
print(f"{len(runs)} runs; {sum(run.tags == ['completed'] for run in runs)} completed")
