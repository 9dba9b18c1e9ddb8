"""The OptunaHub package: the sampler is in Trialwright."""

from trialwright import TrialwrightSampler

__all__ = ["TrialwrightSampler"]
