"""``Experiment``: a run described before it is run, in Python or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwright.errors import nearest, refuse
from trialwright.tune import registry
from trialwright.tune.config import (
    CheckpointConfig,
    FailureConfig,
    NameOf,
    RunConfig,
    SyncConfig,
    TuneConfig,
    as_checkpoint_config,
)
from trialwright.tune.resources import Resources
from trialwright.tune.trial import Trial

__all__ = ["Experiment", "Trial", "checkpoint_settings", "experiments_of", "refuse_old"]

Stop = Mapping[str, Any] | Callable[[str, dict[str, Any]], bool] | None

_OLD_NAMES = {"trial_resources": "resources_per_trial", "local_dir": "storage_path", "repeat": "num_samples"}
_SPEC = frozenset(
    {
        *("run", "stop", "time_budget_s", "config", "resources_per_trial", "num_samples", "storage_path"),
        *("checkpoint_config", "checkpoint_freq", "checkpoint_at_end", "keep_checkpoints_num", "checkpoint_score_attr"),
        *("max_failures", "sync_config", "log_to_file", *_OLD_NAMES),
    }
)


class Experiment:
    """What is tuned, and how.

    Args:
        name: what people call it.
        run: a trainable, or the name of one.
        stop: when a trial ends.
        time_budget_s: end the run after so many seconds.
        config: what may vary; bare lambdas are ``sample_from``.
        resources_per_trial: what one trial needs; ``trial_resources`` is its old name.
        num_samples: how many trials; with ``grid_search``, how often the grid is repeated.
        storage_path: the directory in which runs are kept; ``local_dir`` is its old name.
        storage_filesystem: refused: the storage is a directory of this machine.
        sync_config: nothing, but it may be given.
        checkpoint_config: what to keep of what trials save, and when to save classes; or a dict of its fields.
        trial_name_creator: makes a trial's name, as it is shown.
        trial_dirname_creator: see ``TuneConfig``.
        log_to_file: see ``RunConfig``.
        export_formats: refused: save what is to be kept as a checkpoint.
        max_failures: how often a trial that failed is tried again, from its last checkpoint; -1: no end.
        restore: refused: a trainable loads what it wants to begin with.
        trial_resources: see ``resources_per_trial``.
        local_dir: see ``storage_path``.
        checkpoint_freq: see ``CheckpointConfig.checkpoint_frequency``.
        checkpoint_at_end: see ``CheckpointConfig``.
        keep_checkpoints_num: see ``CheckpointConfig.num_to_keep``.
        checkpoint_score_attr: see ``CheckpointConfig.checkpoint_score_attribute``; "min-" before it turns the order
            round.

    Raises:
        ValueError: something cannot be had; the text says what to use instead.
        TypeError: ``run`` is no trainable.
    """

    def __init__(
        self,
        name: str,
        run: str | registry.Trainable,
        *,
        stop: Any = None,  # noqa: ANN401 - a dict, a function, a Stopper
        time_budget_s: Any = None,  # noqa: ANN401 - seconds or a timedelta
        config: Mapping[str, Any] | None = None,
        resources_per_trial: Resources | None = None,
        num_samples: int = 1,
        storage_path: str | os.PathLike[str] | None = None,
        storage_filesystem: object = None,
        sync_config: SyncConfig | Mapping[str, Any] | None = None,
        checkpoint_config: CheckpointConfig | Mapping[str, Any] | None = None,
        trial_name_creator: NameOf | None = None,
        trial_dirname_creator: NameOf | None = None,
        log_to_file: bool | str | tuple[str, str] = False,
        export_formats: Sequence[str] | None = None,
        max_failures: int = 0,
        restore: str | None = None,
        trial_resources: Resources | None = None,
        local_dir: str | os.PathLike[str] | None = None,
        checkpoint_freq: int = 0,
        checkpoint_at_end: bool = False,
        keep_checkpoints_num: int | None = None,
        checkpoint_score_attr: str | None = None,
    ) -> None:
        registry.find(run)
        refuse_old(export_formats=export_formats, restore=restore)
        if resources_per_trial is not None and trial_resources is not None:
            raise ValueError("trial_resources is the old name of resources_per_trial: give one of them")
        self.name, self.run, self.config = name, run, config
        self.tune_config = TuneConfig(
            num_samples=num_samples,
            time_budget_s=time_budget_s,
            trial_name_creator=trial_name_creator,
            trial_dirname_creator=trial_dirname_creator,
            resources_per_trial=trial_resources if resources_per_trial is None else resources_per_trial,
        )
        self.run_config = RunConfig(
            name=name,
            stop=stop,
            storage_path=storage_path,
            local_dir=local_dir,
            storage_filesystem=storage_filesystem,
            failure_config=FailureConfig(max_failures=max_failures),
            checkpoint_config=checkpoint_settings(
                checkpoint_config, checkpoint_freq, checkpoint_at_end, keep_checkpoints_num, checkpoint_score_attr
            ),
            sync_config=SyncConfig(**sync_config) if isinstance(sync_config, Mapping) else sync_config,
            log_to_file=log_to_file,
        )

    @property
    def checkpoint_config(self) -> CheckpointConfig | None:
        """What to keep of what trials save."""
        return self.run_config.checkpoint_config

    @property
    def stopper(self) -> Any:  # noqa: ANN401 - as it was given
        """When a trial ends."""
        return self.run_config.stop

    @classmethod
    def from_json(cls, name: str, spec: Mapping[str, Any]) -> Experiment:
        """Make an experiment of what a JSON file holds: ``{"run": "mine", "config": {...}, "stop": {...}}``.

        Args:
            name: what people call it.
            spec: the arguments of ``Experiment``; ``run`` is the name of a registered trainable.

        Raises:
            ValueError: ``run`` is missing, or something in it is not known; the nearest is named.
        """
        problems = [f"{key!r} is not known{nearest(key, _SPEC)}" for key in spec if key not in _SPEC]
        refuse(
            [*problems, *([] if "run" in spec else ["'run' is missing: what is to be tuned?"])], f"experiment {name!r}"
        )
        renamed = {_OLD_NAMES.get(key, key): value for key, value in spec.items()}
        return cls(name, renamed.pop("run"), **renamed)


def experiments_of(given: object) -> list[Experiment]:
    """Return the experiments in one of the forms in which they may be given: an ``Experiment``, a dict from names to
    what ``Experiment`` takes, the path of a JSON file with such a dict, or a list of these.

    Raises:
        TypeError: it is none of these.
        ValueError: see ``Experiment.from_json``.
    """
    if isinstance(given, Experiment):
        return [given]
    if isinstance(given, str | os.PathLike):
        return experiments_of(json.loads(Path(given).read_text(encoding="utf-8")))
    if isinstance(given, Mapping):
        return [Experiment.from_json(name, spec) for name, spec in given.items()]
    if isinstance(given, Sequence):
        return [experiment for each in given for experiment in experiments_of(each)]
    raise TypeError(f"experiments are Experiments, dicts, a JSON file, or a list of these, not {given!r}")


def checkpoint_settings(
    config: CheckpointConfig | Mapping[str, Any] | None,
    frequency: int,
    at_end: bool,
    keep: int | None,
    score: str | None,
) -> CheckpointConfig:
    """Return a ``CheckpointConfig``, also from the keywords that it has replaced.

    Raises:
        ValueError: both are given.
    """
    if not (frequency or at_end or keep or score):
        return as_checkpoint_config(config) or CheckpointConfig()
    if config is not None:
        raise ValueError(
            "checkpoint_freq, checkpoint_at_end, keep_checkpoints_num, checkpoint_score_attr: say it in "
            "checkpoint_config, which is given too"
        )
    attribute = score.removeprefix("min-") if score else None
    return CheckpointConfig(
        num_to_keep=keep,
        checkpoint_score_attribute=attribute,
        checkpoint_score_order="max" if attribute == score else "min",
        checkpoint_frequency=frequency,
        checkpoint_at_end=at_end,
    )


def refuse_old(*, export_formats: object, restore: object) -> None:
    """Refuse what has no place here.

    Raises:
        ValueError: one of them is given.
    """
    refuse(
        [
            *(["export_formats: save what is to be kept as a checkpoint"] if export_formats else []),
            *(["restore: have the trainable load the checkpoint in its setup()"] if restore else []),
        ],
        "this cannot be had",
    )
