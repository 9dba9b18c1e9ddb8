"""How the whole suite uses Hypothesis."""

from hypothesis import HealthCheck, settings

# No example has a deadline, and slow generation is no fault: on a machine that does other work, both fail by chance.
settings.register_profile("suite", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
