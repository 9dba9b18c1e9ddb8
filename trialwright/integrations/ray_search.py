"""Trialwright's searchers as a search algorithm for Ray Tune.

``TuneConfig(search_alg=TrialwrightSearch("gp"))``: the run stays Ray Tune's, with its schedulers and loggers, and each
trial's configuration is suggested by a searcher of ours.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

try:
    from ray.tune.search import Searcher
except ImportError as error:
    raise ImportError("this integration needs Ray Tune: pip install 'ray[tune]'") from error

from trialwright.ask_tell import AskTell
from trialwright.integrations.ray_domains import of_ray
from trialwright.messages import Metric
from trialwright.searchers import Searcher as OurSearcher
from trialwright.space import Space


class TrialwrightSearch(Searcher):
    """Suggests configurations by a searcher of ours.

    It learns from every result that Ray Tune gets, not only from the last ones: a trial that a scheduler of Ray's stops
    counts at its last step, and is compared with others there.

    Args:
        searcher: a name or an object, as ``Engine`` takes it: "gp", "tpe", "cmaes", ...
        space: what may vary, in domains of ours or of Ray Tune's; by default the ``param_space`` of the ``Tuner``.
        metric: to optimise; by default that of the ``TuneConfig``.
        mode: "min" or "max"; by default that of the ``TuneConfig``.
        time_attr: the result that counts a trial's steps.
        seed: of every random draw; by default a random one.
        parallelism: how many trials run at a time, for searchers that plan by it.

    Raises:
        ValueError, TypeError: an argument is wrong, or the searcher cannot search the space.
    """

    def __init__(
        self,
        searcher: str | OurSearcher = "auto",
        *,
        space: Mapping[str, object] | Space | None = None,
        metric: str | None = None,
        mode: Literal["min", "max"] | None = None,
        time_attr: str = "training_iteration",
        seed: int | None = None,
        parallelism: int = 1,
    ) -> None:
        super().__init__(metric=metric, mode=mode or ("min" if metric else None))
        self._searcher, self._time_attr, self._seed, self._parallelism = searcher, time_attr, seed, parallelism
        self._trials: dict[str, int] = {}  # Ray's name of a trial, and our number
        self._steps: dict[str, int] = {}  # the last step of each that was learnt from
        self._study: AskTell | None = None
        if space is not None and metric is not None:
            self._open(space)
        self._space = space

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: object
    ) -> bool:
        """Take what the ``Tuner`` says; False if there is a space already, and the ``Tuner`` has one too."""
        if self._study is not None or (self._space is not None and config):
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode or "min"
        if self._metric is None:
            raise ValueError("TrialwrightSearch learns from results: give the TuneConfig a metric")
        self._open(config if self._space is None else self._space)
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Return a configuration, or "FINISHED" if there are no more."""
        study = self._opened()
        try:
            asked = study.ask()
        except LookupError:
            return cast("dict[str, Any]", Searcher.FINISHED)  # a string, as Ray Tune wants it
        self._trials[trial_id] = asked.id
        return asked.config

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Learn from a result on the way. One without the metric, or that repeats a step, is left out."""
        study, step, value = self._opened(), result.get(self._time_attr), self._value(result)
        number = self._trials.get(trial_id)
        if number is None or value is None or not isinstance(step, int) or step <= self._steps.get(trial_id, 0):
            return
        self._steps[trial_id] = step
        study.report(number, step, value)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Learn how a trial ended. One that was not done was stopped by a scheduler."""
        number = self._trials.pop(trial_id, None)
        if number is None:
            return
        study, value = self._opened(), self._value(result or {})
        if not error and result and not result.get("done"):
            self._trials[trial_id] = number
            self.on_trial_result(trial_id, result)
            del self._trials[trial_id]
            study.stop(number)
        else:
            study.tell(number, None if error else value)
        self._steps.pop(trial_id, None)

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Learn from a trial of another run. A pruned one is left out: at which step it stood is not known here."""
        if pruned:
            warnings.warn("TrialwrightSearch does not learn from pruned trials of other runs", stacklevel=2)
        else:
            self._opened().add(parameters, None if error else value)

    def save(self, checkpoint_path: str) -> None:
        """Write all that it has learnt to a file."""
        kept = {"study": self._opened().state(), "trials": self._trials, "steps": self._steps}
        Path(checkpoint_path).write_text(json.dumps(kept), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Read what ``save`` has written, into one with the same settings."""
        kept = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        study = self._opened()
        self._open(study.space)
        self._opened().load_state(kept["study"])
        self._trials, self._steps = kept["trials"], kept["steps"]

    def _open(self, space: Mapping[str, object] | Space) -> None:
        self._study = AskTell(
            space if isinstance(space, Space) else cast("dict[str, object]", of_ray(space)),
            searcher=self._searcher,
            metric=cast(str, self._metric),
            mode=cast("Literal['min', 'max']", self._mode),
            # Ray Tune counts the trials: in a finite space, configurations are repeated; a grid is gone through once.
            num_samples=None if self._searcher == "grid" else -1,
            parallelism=self._parallelism,
            seed=self._seed,
        )

    def _opened(self) -> AskTell:
        if self._study is None:
            raise ValueError("TrialwrightSearch has no space: give it space= and metric=, or the Tuner a param_space")
        return self._study

    def _value(self, result: Mapping[str, Any]) -> float | Mapping[str, Metric] | None:
        value = result.get(cast(str, self._metric))
        return None if value is None else {cast(str, self._metric): value}
