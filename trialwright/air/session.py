"""``ray.air.session``: ``session.report`` and similar functions: those of ``trialwright.tune``."""

from trialwright.tune.session import (
    get_checkpoint,
    get_context,
    get_experiment_name,
    get_trial_dir,
    get_trial_id,
    get_trial_name,
    get_trial_resources,
    report,
)

__all__ = [
    "get_checkpoint",
    "get_context",
    "get_experiment_name",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "report",
]
