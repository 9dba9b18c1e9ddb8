"""The display of a run, and the summary at its end. Everything goes to stderr: stdout is the user's.

The run hands over snapshots, which takes little time; they are shown in a thread of their own. So a slow terminal, or
one that is stopped with Ctrl-S, never delays a trial. What is shown is made by pure functions, apart from drawing.
"""

from trialwright.progress.choosing import choose_progress
from trialwright.progress.formatting import counts, duration, number, settings, shown
from trialwright.progress.lines import LineProgress, NoProgress
from trialwright.progress.notebook import in_notebook
from trialwright.progress.rendering import line, rows
from trialwright.progress.snapshot import Best, Ended, Progress, Running, Snapshot, Statistics
from trialwright.progress.summary import summary_lines

__all__ = [
    "Best",
    "Ended",
    "LineProgress",
    "NoProgress",
    "Progress",
    "Running",
    "Snapshot",
    "Statistics",
    "choose_progress",
    "counts",
    "duration",
    "in_notebook",
    "line",
    "number",
    "rows",
    "settings",
    "shown",
    "summary_lines",
]
