"""Weights & Biases: each trial is a run of a project, sent by a callback, or opened inside the trial by
``setup_wandb``. Written against wandb 0.31.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialwright.integrations.sending import Ending, Row, Tracked
from trialwright.integrations.tracking import Tracker, at_end, client, require, this_trial
from trialwright.storage.place import harmless

ID_MAX = 64  # characters of a run's id


class WandbLogger(Tracker):
    """Sends every trial to Weights & Biases: configuration, metrics by step, how it ended.

    A resumed run continues the runs of its trials, by their ids. ``mode="offline"`` sends nothing: what is written to
    ``wandb/`` in the run's directory is sent later by ``wandb sync``.

    Args:
        project: None: ``WANDB_PROJECT``, or the run's name.
        group: of the runs; None: ``WANDB_RUN_GROUP``, or the name of the run's directory.
        api_key: None: the one that ``wandb login`` or ``WANDB_API_KEY`` has set.
        excludes: names of metrics and parameters that are not sent.
        log_config: send the parameters with every report too, as ``config/NAME``.
        wait_s: how long the end of a run waits for what is still to be sent.
        init: further arguments of ``wandb.init``.

    Raises:
        ImportError: wandb is not installed.
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        group: str | None = None,
        api_key: str | None = None,
        excludes: Sequence[str] = (),
        log_config: bool = False,
        wait_s: float = 30.0,
        **init: object,
    ) -> None:
        require("wandb", "wandb")
        given = {"project": project or os.environ.get("WANDB_PROJECT"), "group": group, **init}
        super().__init__("Weights & Biases", Runs(given, api_key, frozenset(excludes), log_config), wait_s)


@dataclass
class Opened:
    """A run of Weights & Biases, and what each of its reports has besides its metrics."""

    run: Any
    extra: dict[str, Any]


@dataclass
class Runs:
    """The runs of one project."""

    given: dict[str, Any]
    api_key: str | None
    excludes: frozenset[str]
    log_config: bool

    def connect(self, name: str, run: str, directory: str | None) -> None:
        """Import wandb.

        Raises:
            RuntimeError: there is no API key. It would be asked for at the terminal, while the run goes on.
        """
        self._wandb = client("wandb")
        mode = self.given.get("mode") or os.environ.get("WANDB_MODE", "online")
        if mode == "online" and self.api_key is None and not self._wandb.login(prompt=False):
            raise RuntimeError("there is no API key: call `wandb login` first, or pass api_key=... or mode='offline'")
        self._usual = {"project": name, "group": os.environ.get("WANDB_RUN_GROUP") or run, "dir": directory}

    def begin(self, trial: Tracked) -> Opened:
        """Begin a run, or continue the one of this id."""
        chosen = {**self._usual, **{name: value for name, value in self.given.items() if value is not None}}
        run = self._wandb.init(
            **{"id": id_of(trial.key), "name": trial.name, "resume": "allow", **chosen},
            config=self._without(trial.params),
            reinit="create_new",  # the trials run beside one another
            settings=self._wandb.Settings(api_key=self.api_key, silent=True, console="off"),
        )
        # By our steps: wandb's own may not go back, as after a retry they do.
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        return Opened(run, self._extra(trial))

    def change(self, handle: Opened, trial: Tracked) -> None:
        """Replace the configuration."""
        handle.run.config.update(self._without(trial.params), allow_val_change=True)
        handle.extra = self._extra(trial)

    def log(self, handle: Opened, rows: Sequence[Row]) -> None:
        """Send metrics."""
        for row in rows:
            known = {name: value for name, value in row.metrics.items() if value is not None}
            handle.run.log({**self._without({**known, **handle.extra}), "step": row.step})

    def end(self, handle: Opened, trial: Tracked, ending: Ending) -> None:
        """Say how it ended, in the summary, and finish the run."""
        _finish(handle.run, ending)

    def close(self) -> None:
        """All runs are finished."""

    def _extra(self, trial: Tracked) -> dict[str, Any]:
        return {f"config/{name}": value for name, value in trial.params.items()} if self.log_config else {}

    def _without(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name not in self.excludes}


def id_of(key: str) -> str:
    """Return a run's id: letters, digits, ``_`` and ``-``; of a key that is too long its end, which differs."""
    return harmless(key.replace("/", "-"), len(key))[-ID_MAX:].lstrip("-.")


def _finish(run: Any, ending: Ending) -> None:  # noqa: ANN401 - wandb's run
    run.summary["outcome"] = ending.status
    if ending.message:
        run.summary["error" if ending.is_failure else "outcome_why"] = ending.message
    run.finish(exit_code=1 if ending.is_failure else 0)


# Inside a trial -------------------------------------------------------------------------------------------------------


def setup_wandb(
    config: Mapping[str, Any] | None = None,
    api_key: str | None = None,
    api_key_file: str | None = None,
    rank_zero_only: bool = True,  # noqa: ARG001, FBT002 - Ray's signature
    **kwargs: Any,  # noqa: ANN401 - as above
) -> Any:  # noqa: ANN401 - wandb's run
    """Open the run of this trial, in the trial; it is finished when the trial ends. A later attempt continues it.

    Args:
        config: the run's configuration, flat.
        api_key: the key.
        api_key_file: the path of a file with the key, instead.
        rank_zero_only: has no effect: a trial has no ranks.
        kwargs: arguments of ``wandb.init``; without them the project is ``WANDB_PROJECT`` or the run's name, the group
            the name of the run's directory, and the name that of the trial.

    Returns:
        The run: ``run.log({"loss": 0.1})``.

    Raises:
        RuntimeError: this is not inside a trial.
        ImportError: wandb is not installed.
    """
    require("wandb", "wandb")
    trial, wandb = this_trial(config), client("wandb")
    usual: dict[str, Any] = {
        "id": id_of(trial.key),
        "name": trial.name,
        "group": trial.run,
        "project": os.environ.get("WANDB_PROJECT") or trial.run_name,
        "dir": trial.directory,
        "resume": "allow",
        "reinit": "create_new",  # other trials may run in this process, in other threads
        "settings": wandb.Settings(api_key=key_of(api_key, api_key_file), console="off"),
    }
    run = wandb.init(**{**usual, **kwargs}, config=trial.params, allow_val_change=True)
    at_end(lambda ending: _finish(run, ending))
    return run


def key_of(api_key: str | None, api_key_file: str | None) -> str | None:
    """Return the key, read from the file if there is one.

    Raises:
        ValueError: both are given.
    """
    if api_key_file is None:
        return api_key
    if api_key is not None:
        raise ValueError("api_key and api_key_file exclude each other")
    return Path(api_key_file).expanduser().read_text(encoding="utf-8").strip()
