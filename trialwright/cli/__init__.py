"""The command line: ``trialwright``, and ``python -m trialwright``."""
