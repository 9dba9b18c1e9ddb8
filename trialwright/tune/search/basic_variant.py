"""Random search and grids, by Ray Tune's name. A run has the engine draw; a program may also take trials by hand."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trialwright.callbacks import TrialInfo
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.searchers.variants import Variants
from trialwright.space import Space
from trialwright.storage.checkpoints import trial_directory
from trialwright.streams import Streams
from trialwright.tune import registry, spaces
from trialwright.tune.experiments import Experiment, experiments_of
from trialwright.tune.kept import link_name
from trialwright.tune.search.searcher import merged
from trialwright.tune.trial import RunFacts, Trial
from trialwright.tune.utils import newest_file


class BasicVariantGenerator:
    """Draws each trial from the space, and tries every grid point in every sample: what a run does by default.

    Programs that run trials themselves take them one by one: ``add_configurations`` says what to draw, ``next_trial``
    returns a trial, and ``on_trial_complete`` hears of its end. A run does not call these.

    Args:
        points_to_evaluate: configurations to try first, whole or in part.
        max_concurrent: how many trials at a time; 0: as many as there is room for.
        constant_grid_search: what is drawn stays the same for the whole grid.
        random_state: the run's seed, or a generator of NumPy's that one is drawn from.
    """

    CKPT_FILE_TMPL: ClassVar[str] = "search_gen_state-{}.json"
    metric = mode = None

    def __init__(
        self,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_concurrent: int = 0,
        constant_grid_search: bool = False,  # noqa: FBT002 - Ray Tune's order
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
    ) -> None:
        self.points_to_evaluate = [dict(point) for point in points_to_evaluate or ()]
        self.max_concurrent = max_concurrent
        self.seed = _seed(random_state)
        self._constant = constant_grid_search
        self._drawn_from = secrets.randbits(32) if self.seed is None else self.seed
        self._experiments: list[Experiment] = []
        self._left: Iterator[Trial] | None = None
        self._made, self._live, self._finished = 0, set[str](), False

    def engine_searcher(self) -> EngineSearcher:
        """Return random search in Ray Tune's order. The points, the limit, and the seed are for the engine itself.

        Raises:
            TypeError: a subclass has methods that Ray Tune would call and nothing here does.
        """
        base = BasicVariantGenerator
        own = [hook for hook in _NOT_CALLED if getattr(type(self), hook, None) is not getattr(base, hook, None)]
        if own:
            raise TypeError(
                f"{type(self).__name__}.{own[0]} would never be called: a searcher of your own is a subclass of "
                "tune.search.Searcher"
            )
        return Variants(constant_grid=self._constant)

    # By hand ---------------------------------------------------------------------------------------------------------

    def add_configurations(self, experiments: Experiment | Sequence[Experiment] | Mapping[str, Any]) -> None:
        """Draw trials of these experiments too.

        Args:
            experiments: an ``Experiment``, several, or a dict from names to what ``Experiment`` takes.

        Raises:
            ValueError: something in them makes no sense.
        """
        self._experiments += experiments_of(experiments)
        self._left = None

    @property
    def total_samples(self) -> int:
        """How many trials there are in all."""
        return sum(space.grid_size for each in self._experiments for space in self._samples(each))

    def next_trial(self) -> Trial | None:
        """Return the next trial; None if as many as are allowed are running, or there is none left."""
        if self._finished or (self.max_concurrent and len(self._live) >= self.max_concurrent):
            return None
        self._left = self._left or islice(self._trials(), self._made, None)
        trial = next(self._left, None)
        if trial is None:
            self.set_finished()
            return None
        self._made += 1
        self._live.add(trial.trial_id)
        return trial

    def _trials(self) -> Iterator[Trial]:
        """Yield the trials of all experiments. What is drawn depends on their places only."""
        numbers = count()
        for which, experiment in enumerate(self._experiments):
            facts = _facts(experiment)
            for sample, space in enumerate(self._samples(experiment)):
                for config in spaces.variants(space, partial(self._generator, which, sample)):
                    yield _trial(facts, next(numbers), config)

    def _generator(self, which: int, sample: int, place: int) -> np.random.Generator:
        return Streams(self._drawn_from)("variant", which, sample, 0 if self._constant else place)

    def _samples(self, experiment: Experiment) -> Iterator[Space]:
        """Yield the space of each sample: in those of the points, which come first, what is given is constant."""
        whole, points = spaces.as_space(experiment.config), self.points_to_evaluate
        yield from (Space(merged(whole.definition, point)) for point in points)
        yield from repeat(whole, max(experiment.tune_config.num_samples - len(points), 0))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: no trial depends on another one's results."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """Another trial may run in its place."""
        self._live.discard(trial_id)

    def is_finished(self) -> bool:
        """Tell whether there will be no more trials."""
        return self._finished

    def set_finished(self) -> None:
        """Draw no more trials."""
        self._finished = True

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Return True: any metric will do, as none is looked at."""
        return True

    # What was drawn, as data -----------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what ``set_state`` goes on from: plain data."""
        live = sorted(self._live)
        return {"seed": self._drawn_from, "made": self._made, "live": live, "finished": self._finished}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state. The experiments, which are code, have to be added again, before or afterwards."""
        self._drawn_from, self._made = state["seed"], state["made"]
        self._live, self._finished = set(state["live"]), state["finished"]
        self._left = None

    def save_to_dir(self, dirpath: str, session_str: str = "default") -> None:
        """Write the state to a file of this directory."""
        file = Path(dirpath, self.CKPT_FILE_TMPL.format(session_str))
        file.write_text(json.dumps(self.get_state()), encoding="utf-8")

    def has_checkpoint(self, dirpath: str) -> bool:
        """Tell whether there is such a file."""
        return bool(list(Path(dirpath).glob(self.CKPT_FILE_TMPL.format("*"))))

    def restore_from_dir(self, dirpath: str) -> None:
        """Go on from the newest such file.

        Raises:
            RuntimeError: there is none.
        """
        self.set_state(json.loads(Path(newest_file(dirpath, self.CKPT_FILE_TMPL)).read_text(encoding="utf-8")))


_NOT_CALLED = ("next_trial", "suggest", "on_trial_result", "on_trial_complete", "add_configurations", "is_finished")


def _facts(experiment: Experiment) -> RunFacts:
    tune, run = experiment.tune_config, experiment.run_config
    return RunFacts(
        name=registry.name_of(experiment.run),
        directory=str(run.storage / link_name(experiment.name)),
        varied=spaces.varied(spaces.as_space(experiment.config)),
        num_samples=tune.num_samples,
        stop=run.stop,
        trial_name_creator=tune.trial_name_creator,
        max_failures=run.failure_config.max_failures if run.failure_config else 0,
    )


def _trial(facts: RunFacts, number: int, config: dict[str, Any]) -> Trial:
    directory = str(trial_directory(Path(str(facts.directory)), number))
    return Trial(facts, TrialInfo(number, config, "waiting", None, 0, 0, {}, "", None, directory))


def _seed(given: int | np.random.Generator | np.random.RandomState | None) -> int | None:
    if isinstance(given, np.random.Generator):
        return int(given.integers(2**32))
    return int(given.randint(2**32, dtype=np.int64)) if isinstance(given, np.random.RandomState) else given
