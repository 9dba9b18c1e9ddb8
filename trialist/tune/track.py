"""The oldest way to report: ``tune.track.log(mean_accuracy=0.9)``."""

from __future__ import annotations

from trialist.reporting import Reply
from trialist.tune import session
from trialist.tune.session import get_trial_dir as trial_dir
from trialist.tune.session import get_trial_name as trial_name

__all__ = ["log", "trial_dir", "trial_name"]


def log(**metrics: object) -> Reply:
    """Report metrics of the trial.

    Args:
        metrics: names and values.

    Raises:
        TrialStopped: the trial is to end.
    """
    return session.report(metrics)
