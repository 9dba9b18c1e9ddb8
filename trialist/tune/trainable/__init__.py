"""What can be tuned, in Ray Tune's forms: functions, generators, classes, and these with parameters or resources."""

from trialist.tune.trainable.trainable import Trainable
from trialist.tune.trainable.util import with_parameters, with_resources

__all__ = ["Trainable", "with_parameters", "with_resources"]
