"""Reporters, where Ray Tune keeps them: see ``reporter``."""

from trialist.tune.reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter, TuneReporterBase

__all__ = ["CLIReporter", "JupyterNotebookReporter", "ProgressReporter", "TuneReporterBase"]
