"""Six trials, as VisKit's own loader reads them from the directory of the run."""

import tempfile

from tracked_digits import tune
from viskit import core

from trialwright.loggers import CSVLogger

with tempfile.TemporaryDirectory() as folder:
    result = tune(folder, CSVLogger())
    found = core.load_exps_data([str(result.path)])
    differing = [name for name, _ in core.extract_distinct_params(found)]
    best = max(found, key=lambda each: each.progress["accuracy"].max())
    print(f"{len(found)} curves by {', '.join(differing)}; the best reaches {best.progress['accuracy'].max():.3f}")
