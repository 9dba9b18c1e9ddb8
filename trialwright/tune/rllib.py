"""RLlib's algorithms as trainables: by name, by class, and by the names that they, their results, and environments had.

An algorithm runs in the trial's process, where RLlib's own class does all the work.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any, ClassVar

from trialwright.executors.base import Deputy
from trialwright.tune.resources import PlacementGroupFactory
from trialwright.tune.trainable.trainable import Trainable

EnvCreator = Callable[..., Any]

NAMES = frozenset({"APPO", "BC", "CQL", "DQN", "IMPALA", "MARWIL", "PPO", "SAC"})  # what ray.rllib.algorithms has
RUNNERS = "env_runners"
OLD_METRICS = {  # by what they were called until RLlib's new API stack -> in the results of its environment runners
    "episode_reward_mean": "episode_return_mean",
    "episode_reward_min": "episode_return_min",
    "episode_reward_max": "episode_return_max",
    "episode_len_mean": "episode_len_mean",
}
_OURS = frozenset({  # what a Trainable of this layer adds itself
    *("training_iteration", "time_total_s", "time_this_iter_s", "time_since_restore", "iterations_since_restore"),
    *("trial_id", "timestamp", "date", "pid", "hostname", "node_ip"),
    "config",  # RLlib's 300 settings, classes among them: the trial's config has those that were given
})  # fmt: skip

environments: dict[str, EnvCreator] = {}  # of ``register_env``, for the life of this process


class Algorithm(Trainable):
    """A trial of an algorithm. ``algorithm_class`` is RLlib's; ``environments`` are those of ``register_env``."""

    algorithm_class: ClassVar[Any]
    environments: ClassVar[Mapping[str, EnvCreator]]

    def setup(self, config: dict[str, Any]) -> None:
        """Build it, from a dict as its ``AlgorithmConfig.update_from_dict`` takes it."""
        for name, creator in self.environments.items():
            import_module("ray.tune.registry").register_env(name, creator)
        _start_ray()
        self.algorithm = self.algorithm_class(config=config)

    def step(self) -> dict[str, Any]:
        """Train one iteration."""
        return results(self.algorithm.train())

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save it as RLlib does."""
        self.algorithm.save(checkpoint_dir)

    def load_checkpoint(self, checkpoint: str) -> None:
        """Restore it as RLlib does."""
        self.algorithm.restore(checkpoint)
        self.algorithm._iteration = self.iteration  # noqa: SLF001 - else it would evaluate at other iterations

    def cleanup(self) -> None:
        """Stop its environment runners and learners."""
        if hasattr(self, "algorithm"):
            self.algorithm.stop()

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        """Return what RLlib says that it needs, its environment runners and learners included."""
        asked = cls.algorithm_class.default_resource_request(config)
        return PlacementGroupFactory(asked.bundles, asked.strategy)


def is_algorithm(trainable: object) -> bool:
    """Tell whether this is a class of RLlib's. RLlib is not imported: who has such a class has done so."""
    bases = trainable.__mro__ if isinstance(trainable, type) else ()
    return any((base.__module__, base.__name__) == ("ray.rllib.algorithms.algorithm", "Algorithm") for base in bases)


@cache  # one class of ours for each of RLlib's: a trainable is looked up several times
def as_trainable(algorithm: type) -> type[Algorithm]:
    """Return the trainable for a class of RLlib's."""
    # The environments must be here: this class is sent to the trial's process by its content, the other by its name.
    return type(algorithm.__name__, (Algorithm,), {"algorithm_class": algorithm, "environments": environments})


def named(name: str) -> type[Algorithm] | None:
    """Return the algorithm of this name; ``DQNTrainer`` is an old one of ``DQN``. None if there is none.

    Raises:
        ImportError: it is an algorithm's name, and RLlib is not installed.
    """
    current = name.removesuffix("Trainer")
    if current not in NAMES:
        return None
    if current != name:
        _warn(f"{name} is an old name: use {current}")
    return as_trainable(getattr(_rllib("ray.rllib.algorithms"), current))


def modernised(space: Any, asked: Iterable[str]) -> Any:  # noqa: ANN401 - a dict, a Space, or RLlib's AlgorithmConfig
    """Return the space of an algorithm's run, with a current environment; warn of each old name.

    Args:
        space: as it was given.
        asked: names of metrics that the run uses.
    """
    for name in sorted(OLD_METRICS.keys() & {*asked}):
        _warn(f"{name} is an old name, which still works: use {RUNNERS}/{OLD_METRICS[name]}")
    if hasattr(space, "to_dict"):
        usual = type(space)().to_dict()
        space = {name: value for name, value in space.to_dict().items() if value != usual.get(name)}
    if isinstance(space, Mapping) and isinstance(space.get("env"), str):
        return {**space, "env": current_environment(space["env"])}
    return space


def current_environment(name: str) -> str:
    """Return an environment's name; that of its newest version if Gymnasium says that this one is out of date."""
    numbered = re.fullmatch(r"(.+)-v(\d+)", name)
    if numbered is None or name in environments:
        return name
    known = [re.fullmatch(re.escape(numbered[1]) + r"-v(\d+)", each) for each in _rllib("gymnasium").registry]
    newest = max((int(each[1]) for each in known if each), default=0)
    if newest <= int(numbered[2]):
        return name
    _warn(f"the environment {name} is out of date: {numbered[1]}-v{newest} is used")
    return f"{numbered[1]}-v{newest}"


def results(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to report of an iteration: all but what this layer adds itself, and the old names of returns.

    A return is NaN while no episode has ended, and not missing: a run may be judged by it.
    """
    runners = {name: float("nan") for name in OLD_METRICS.values()} | dict(found.get(RUNNERS, {}))
    old = {name: runners[now] for name, now in OLD_METRICS.items()}
    return {**old, **{name: value for name, value in found.items() if name not in _OURS}, RUNNERS: runners}


def _start_ray() -> None:
    """Start Ray in this process, in a thread that stays: Ray ends the process if the thread ends that has started it,
    and in a trial of ``executor="local"`` that would be the trial's."""
    ray = import_module("ray")
    if not ray.is_initialized():
        _keeper().tell(partial(ray.init, include_dashboard=False, ignore_reinit_error=True)).result()


@cache
def _keeper() -> Deputy:
    return Deputy("trialwright-rllib")


def _rllib(module: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"RLlib is not complete ({error}): pip install 'ray[rllib]' torch") from error


def _warn(text: str) -> None:
    warnings.warn(text, FutureWarning, stacklevel=2)
