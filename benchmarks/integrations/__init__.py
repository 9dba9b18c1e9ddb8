"""Libraries that the package works with, each in a nox session of its own; what the sessions saw goes into docs/."""
