"""PB2, where Ray Tune keeps it; it is refused."""

from trialwright.tune.schedulers.refused import PB2

__all__ = ["PB2"]
