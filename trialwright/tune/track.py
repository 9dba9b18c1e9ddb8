"""An old way to report: ``tune.track.log(mean_accuracy=0.9)``."""

from __future__ import annotations

from trialwright.reporting import Reply
from trialwright.tune import session
from trialwright.tune.session import get_trial_dir as trial_dir
from trialwright.tune.session import get_trial_name as trial_name

__all__ = ["log", "trial_dir", "trial_name"]


def log(**metrics: object) -> Reply:
    """Report metrics of the trial.

    Args:
        metrics: names and values.

    Raises:
        TrialStopped: the trial is to end.
    """
    return session.report(metrics)
