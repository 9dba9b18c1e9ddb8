"""What can be tuned, in Ray Tune's forms: functions, generators, classes, and these with parameters or resources."""

from trialwright.tune.trainable.trainable import Trainable
from trialwright.tune.trainable.util import with_parameters, with_resources

__all__ = ["Trainable", "with_parameters", "with_resources"]
