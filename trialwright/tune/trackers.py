"""MLflow, Weights & Biases, and Aim, with the names and arguments of Ray's own integrations.

``tune.logger.mlflow``, ``air.integrations.mlflow`` and the like are this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwright import callbacks as engine
from trialwright.callbacks import TrialInfo
from trialwright.integrations.aim import AimLogger
from trialwright.integrations.mlflow import MLflowLogger, setup_mlflow
from trialwright.integrations.tracking import Tracker, View
from trialwright.integrations.wandb import WandbLogger, key_of, setup_wandb
from trialwright.tune import names
from trialwright.tune.callbacks import LoggerCallback
from trialwright.tune.trial import RunFacts, TrialBook

__all__ = ["AimLoggerCallback", "MLflowLoggerCallback", "WandbLoggerCallback", "setup_mlflow", "setup_wandb"]

UPLOAD_S = 1800  # Ray's default for how long the end of a run waits
_NO_METRICS = frozenset(
    {"config", "date", "done", "experiment_id", "experiment_tag", "hostname", "logdir", "node_ip", "pid", "trial_id"}
)  # they do not change from report to report


class _Tracking(LoggerCallback):
    """A callback that is a tracker of the engine, which names trials and metrics as Ray Tune's users know them."""

    def __init__(self, make: Callable[[], Tracker]) -> None:
        self._make = make
        make()  # what is wrong with its arguments is said now

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Return a tracker for one run; and what calls the hooks of a subclass, beside it."""
        tracker = self._make()
        tracker.view = _RayView(facts)
        return [tracker, *(super().to_engine(facts) if any(map(self.wants, engine.HOOKS)) else ())]


class _RayView(View):
    """Names as in Ray Tune: ``train_85955_00000``, ``training_iteration``."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts, self._book = facts, TrialBook(facts)

    def locate(self, directory: str | None) -> None:
        self._facts.locate(directory)

    def name(self, trial: TrialInfo, run: str) -> str:
        return str(self._book.see(trial))

    def row(self, trial: TrialInfo, result: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        shown = self._book.see(trial).note(result)
        metrics = {name: value for name, value in names.flatten(shown).items() if name.split("/")[0] not in _NO_METRICS}
        step = shown.get("timesteps_total") or shown.get("training_iteration")
        return step if isinstance(step, int) else int(result["step"]), metrics


class MLflowLoggerCallback(_Tracking):
    """Sends trials to MLflow; see ``trialwright.integrations.mlflow.MLflowLogger``.

    Args:
        tracking_uri, registry_uri, tags, save_artifact: as there.
        experiment_name: ``experiment`` there; the run's name if it is not given.
        tracking_token: ``token`` there.
        log_params_on_trial_end: ``params_at_end`` there.

    Raises:
        ImportError: MLflow is not installed.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        registry_uri: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, object] | None = None,
        tracking_token: str | None = None,
        save_artifact: bool = False,
        log_params_on_trial_end: bool = False,
    ) -> None:
        super().__init__(
            lambda: MLflowLogger(
                tracking_uri,
                registry_uri=registry_uri,
                experiment=experiment_name,
                tags=tags,
                token=tracking_token,
                save_artifact=save_artifact,
                params_at_end=log_params_on_trial_end,
            )
        )


class WandbLoggerCallback(_Tracking):
    """Sends trials to Weights & Biases; see ``trialwright.integrations.wandb.WandbLogger``.

    Args:
        project, group, api_key, log_config, kwargs: as there; kwargs go to ``wandb.init``.
        api_key_file: the path of a file with the key.
        excludes: as there.
        upload_timeout: how many seconds the end of a run waits; Ray's default is 30 minutes, ours 30 s.
        upload_checkpoints, save_checkpoints, video_kwargs, image_kwargs: refused: reports are numbers and strings here;
            send files and pictures from the trial, through the run that ``setup_wandb`` returns.

    Raises:
        ImportError: wandb is not installed.
        ValueError: an argument that is refused.
    """

    def __init__(  # noqa: PLR0917 - Ray's signature
        self,
        project: str | None = None,
        group: str | None = None,
        api_key_file: str | None = None,
        api_key: str | None = None,
        excludes: Sequence[str] | None = None,
        log_config: bool = False,  # noqa: FBT002 - as above
        upload_checkpoints: bool = False,  # noqa: FBT002 - as above
        save_checkpoints: bool = False,  # noqa: FBT002 - as above
        upload_timeout: float = UPLOAD_S,
        video_kwargs: Mapping[str, object] | None = None,
        image_kwargs: Mapping[str, object] | None = None,
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        refused = {
            "upload_checkpoints": upload_checkpoints,
            "save_checkpoints": save_checkpoints,
            "video_kwargs": video_kwargs,
            "image_kwargs": image_kwargs,
        }
        for name, value in refused.items():
            if value:
                raise ValueError(f"{name}={value!r}: send files and pictures from the trial: run = setup_wandb(config)")
        wait = {} if upload_timeout == UPLOAD_S else {"wait_s": upload_timeout}
        super().__init__(
            lambda: WandbLogger(
                project,
                group=group,
                api_key=key_of(api_key, api_key_file),
                excludes=excludes or (),
                log_config=log_config,
                **wait,
                **kwargs,
            )
        )


class AimLoggerCallback(_Tracking):
    """Sends trials to Aim; see ``trialwright.integrations.aim.AimLogger``.

    Args:
        repo, metrics: as there.
        experiment_name: ``experiment`` there; the run's name if it is not given.
        aim_run_kwargs: further arguments of ``aim.Run``.

    Raises:
        ImportError: Aim is not installed.
    """

    def __init__(
        self,
        repo: Any = None,  # noqa: ANN401 - a path or Aim's own object
        experiment_name: str | None = None,
        metrics: Sequence[str] | None = None,
        **aim_run_kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        super().__init__(lambda: AimLogger(repo, experiment=experiment_name, metrics=metrics, **aim_run_kwargs))
