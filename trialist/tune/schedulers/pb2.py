"""PB2, where Ray Tune keeps it; it is refused."""

from trialist.tune.schedulers.refused import PB2

__all__ = ["PB2"]
