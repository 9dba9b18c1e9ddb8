"""``Experiment``: what is tuned, and how, under one name; and the forms in which several of them are given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from trialwright.errors import nearest, refuse
from trialwright.tune import registry
from trialwright.tune.resources import Resources
from trialwright.tune.settings import CheckpointConfig, NameOf, SyncConfig, settings_of
from trialwright.tune.trainable.trainable import Trainable


class Experiment:
    """What is tuned, and how.

    Args:
        name: what people call it.
        run: a trainable, or the name of one.
        stop: see ``RunConfig``.
        time_budget_s: see ``TuneConfig``.
        config: what may vary; bare lambdas are ``sample_from``.
        resources_per_trial: see ``TuneConfig``.
        num_samples: see ``TuneConfig``.
        storage_path: see ``RunConfig``.
        storage_filesystem: refused, see ``RunConfig``.
        sync_config: see ``RunConfig``; or a dict of its fields.
        checkpoint_config: see ``RunConfig``; or a dict of its fields.
        trial_name_creator: see ``TuneConfig``.
        trial_dirname_creator: see ``TuneConfig``.
        log_to_file: see ``RunConfig``.
        export_formats: forms in which a class is to write its model into the trial's directory when a trial ends;
            ``Trainable._export_model`` does it.
        max_failures: see ``FailureConfig``.
        restore: refused: a trainable loads what it wants to begin with.
        trial_resources: the old name of ``resources_per_trial``.
        local_dir: the old name of ``storage_path``.
        checkpoint_freq: the old name of ``CheckpointConfig.checkpoint_frequency``.
        checkpoint_at_end: see ``CheckpointConfig``.
        keep_checkpoints_num: the old name of ``CheckpointConfig.num_to_keep``.
        checkpoint_score_attr: the old name of ``CheckpointConfig.checkpoint_score_attribute``; "min-" before it turns
            the order round.

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
        given = dict(locals())
        registry.find(run)
        if not isinstance(config, Mapping | None):
            raise ValueError(f"config: a search space is a dict of domains and constants, not {config!r}")  # noqa: TRY004 - as in Ray Tune
        self.name, self.run, self.config = name, run, config
        self.settings = {each: given[each] for each in given.keys() - {"self", "run", "config"}}
        self.tune_config, self.run_config = settings_of(self.settings)
        check_saving(self.run_config.checkpoint_config or CheckpointConfig(), run)
        check_exports(export_formats, run)

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
            spec: the arguments of ``Experiment``; ``run`` is the name of a registered trainable, ``repeat`` an old name
                of ``num_samples``, and ``env`` is ``env`` in the ``config``.

        Raises:
            ValueError: ``run`` is missing, or something in it is not known; the nearest is named.
        """
        known = signature(cls).parameters.keys() - {"name"} | {"repeat", "env"}
        problems = [f"{key!r} is not known{nearest(key, known)}" for key in spec if key not in known]
        refuse(
            [*problems, *([] if "run" in spec else ["'run' is missing: what is to be tuned?"])], f"experiment {name!r}"
        )
        given = {"num_samples" if key == "repeat" else key: value for key, value in spec.items() if key != "env"}
        if "env" in spec:
            given["config"] = {**given.get("config", {}), "env": spec["env"]}
        return cls(name, **given)


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


def check_saving(checkpoints: CheckpointConfig, trainable: str | registry.Trainable) -> None:
    """Refuse to save a function's trials.

    Raises:
        ValueError: the trainable is a function, and it should be saved now and then, or at the end.
    """
    if (checkpoints.checkpoint_frequency or checkpoints.checkpoint_at_end) and not registry.is_class(
        registry.find(trainable)
    ):
        raise ValueError(
            "checkpoint_frequency and checkpoint_at_end are for classes: a function says itself when it saves, by "
            "report(..., checkpoint=...)"
        )


def check_exports(formats: Sequence[str] | None, trainable: str | registry.Trainable) -> None:
    """Refuse to have a model written by what cannot.

    Raises:
        ValueError: the trainable is a function, or a class that does not override ``_export_model``.
    """
    found = registry.find(trainable)
    name = "_export_model"  # Ray Tune's name of what users override
    if not formats or (registry.is_class(found) and getattr(found, name) is not getattr(Trainable, name)):
        return
    raise ValueError(
        "export_formats: a model is written by the method _export_model of a Trainable class, and there is none; "
        "a function writes it itself, into its directory or a checkpoint"
    )
