"""BOHB's searcher, by Ray Tune's name: the engine's own, without the package HpBandSter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from trialwright.engine.catalogue import RANDOM_IN_BOHB
from trialwright.errors import nearest
from trialwright.history import History
from trialwright.messages import Config, Request, Suggestion
from trialwright.searchers import TPE, Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.streams import Streams
from trialwright.tune.search.library import LibrarySearcher

CONFIG = {  # HpBandSter's names -> those of TPE
    "min_points_in_model": "startup",
    "top_n_percent": "share",
    "num_samples": "candidates",
    "random_fraction": "random_fraction",
}


class TuneBOHB(LibrarySearcher):
    """Parzen estimators that look at the highest level that enough trials have reached. See ``trialwright.TPE``.

    It is meant for ``HyperBandForBOHB``, and goes with any scheduler. A tenth of the trials is random; HpBandSter has a
    third.

    Args:
        space: refused: ``param_space`` is searched.
        bohb_config: HpBandSter's ``min_points_in_model``, ``top_n_percent``, ``num_samples``, ``random_fraction``.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part.
        seed: of the suggestions; the run's, if it is not given.
        max_concurrent: how many trials at a time; 0: as many as there is room for.

    Raises:
        ValueError: a space is given, or ``bohb_config`` has something else in it.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: object = None,
        bohb_config: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        seed: int | None = None,
        max_concurrent: int = 0,
    ) -> None:
        super().__init__(metric, mode, points_to_evaluate)
        if space is not None:
            raise ValueError("TuneBOHB(space=) is not supported: give the space as param_space")
        self._model, self._seed, self.max_concurrent = _model(bohb_config or {}), seed, max(max_concurrent, 0)

    def _library(self) -> EngineSearcher:
        model, points = replace(self._model), tuple(self._points)
        return model if not points and self._seed is None else Begun(model, points, self._seed)

    def restore(self, checkpoint_path: str) -> None:
        """Refuse: a restored run gives the searcher all results again.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "TuneBOHB.restore is not supported: Tuner.restore resumes a run, Engine(earlier=) learns from one"
        )


def _model(config: Mapping[str, Any]) -> TPE:
    """Return the model of these settings. Raises ValueError for those that it does not have."""
    for name in config.keys() - CONFIG.keys():
        raise ValueError(f"bohb_config has {name!r}, which the engine's own model does not have{nearest(name, CONFIG)}")
    told = {CONFIG[name]: value for name, value in config.items() if value is not None}
    if "share" in told:
        told["share"] /= 100
    return TPE(**{"random_fraction": RANDOM_IN_BOHB, **told})


@dataclass
class Begun:
    """Suggests some configurations before it asks a searcher; that one draws from a seed of its own, if it has one."""

    base: EngineSearcher
    points: tuple[Mapping[str, Any], ...] = ()
    seed: int | None = None

    learns: ClassVar[bool] = True

    @property
    def process_from(self) -> int | None:
        """As the base wants it."""
        return getattr(self.base, "process_from", None)

    def setup(self, problem: Problem) -> int:
        """Take any problem that the base takes.

        Raises:
            ValueError: a point is none of the space.
        """
        self._space = problem.space
        for index, point in enumerate(self.points):
            for wrong in problem.space.validate(point, partial=True):
                raise ValueError(f"points_to_evaluate[{index}]: {wrong}")
        return self.base.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Answer with the points as long as there are any."""
        rng, count = (rng if self.seed is None else Streams(self.seed)), len(self.points)
        given = [self._point(request.sample, rng) for request in requests if request.sample < count]
        rest = [replace(each, sample=each.sample - count) for each in requests if each.sample >= count]
        return [*given, *(self.base.suggest(history, rest, rng) if rest else ())]

    def _point(self, index: int, rng: Streams) -> Suggestion:
        config = self._space.complete(dict(self.points[index]), rng("point", index))
        return Suggestion(cast(Config, self._space.plain(config)))
