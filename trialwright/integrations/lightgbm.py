"""LightGBM: a callback that reports after each boosting round, and ``restore`` for its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.integrations.adapter import library
from trialwright.integrations.reports import Names, Reports, saved_directory

lightgbm = library("lightgbm", "lightgbm")
MODEL = "model.txt"


class ReportCallback:
    """Reports the metrics of ``lightgbm.train`` and ``cv`` after each round, and saves checkpoints.

    A metric is called ``data-metric``, for instance ``valid_0-l2``; those of ``cv`` end in ``-mean`` and ``-stdv``.

    Args:
        metrics: which to report: a name, several, or a dict from the name in the report to LightGBM's; None: all.
        checkpoint_every: each n-th report has a checkpoint, and so has each on which the scheduler decides; 0: none.

    Raises:
        ValueError: ``checkpoint_every`` is less than 0; later: there is no such metric.
        TypeError: later: ``cv`` is to save checkpoints.
    """

    _send = staticmethod(reporting.report)
    _filename = MODEL

    def __init__(self, metrics: Names = None, *, checkpoint_every: int = 0) -> None:
        self._reports = Reports(metrics, checkpoint_every, self._send)

    def __call__(self, env: Any) -> None:  # noqa: ANN401 - LightGBM's CallbackEnv
        """Report one round."""
        self._report(env)

    def _report(self, env: Any, *, now: bool = False) -> None:  # noqa: ANN401 - as above
        self._reports(dict(_named(env.evaluation_result_list or ())), partial(self._save, env.model), now=now)

    def _save(self, model: Any, directory: Path) -> None:  # noqa: ANN401 - a Booster, or several
        if not isinstance(model, lightgbm.Booster):
            raise TypeError("lightgbm.cv trains several models: there is no checkpoint of them; turn checkpoints off")
        model.save_model(directory / self._filename)


def _named(results: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, object]]:
    """Yield a round's values by their names."""
    for data, metric, value, _, *deviation in results:
        name = f"{data}-{metric}"
        if deviation:
            yield f"{name}-stdv", deviation[0]
        yield (f"{name}-mean" if deviation else name), value


def restore(filename: str = MODEL) -> tuple[Any, int]:
    """Return the model of the checkpoint from which this trial continues, and the number of its rounds.

    Returns:
        A ``Booster`` for ``init_model=``, and how many rounds it has; ``(None, 0)`` if the trial starts from the
        beginning. ``num_boost_round`` counts only further rounds.

    Raises:
        TypeError: the checkpoint is not one of the callback's.
    """
    directory = saved_directory()
    if directory is None:
        return None, 0
    model = lightgbm.Booster(model_file=directory / filename)
    return model, model.current_iteration()
