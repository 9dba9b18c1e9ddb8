"""Reporters, where Ray Tune keeps them: see ``reporter``."""

from trialwright.tune.reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter, TuneReporterBase

__all__ = ["CLIReporter", "JupyterNotebookReporter", "ProgressReporter", "TuneReporterBase"]
