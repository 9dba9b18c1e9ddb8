"""MLflow: each trial is a run of an experiment, sent by a callback, or opened inside the trial by ``setup_mlflow``.

Written against MLflow 3; its client alone is enough (``pip install mlflow-skinny``), and no state of the process is
changed by the callback.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

from trialwright.integrations.sending import INTERRUPTED, Ending, Row, Tracked
from trialwright.integrations.tracking import Tracker, at_end, client, require, this_trial

PACKAGE = "mlflow-skinny"
RUN, TRIAL, OUTCOME, ERROR = (f"trialwright.{name}" for name in ("run", "trial", "outcome", "error"))  # our tags
BATCH_MAX = {"metrics": 1000, "params": 100, "tags": 100}  # of one request, by MLflow's REST interface
STRING_MAX = 4000  # characters of a tag; MLflow refuses longer ones than 5,000 to 8,000
PAGE = 1000  # runs that are looked up at a time


class MLflowLogger(Tracker):
    """Sends every trial to MLflow: parameters, metrics by step, how it ended.

    Args:
        tracking_uri: the server or store; None: ``MLFLOW_TRACKING_URI``, or MLflow's own default.
        registry_uri: of the model registry; None: the same.
        experiment: the experiment's name; None: ``MLFLOW_EXPERIMENT_NAME``, or the run's name. It is made if it is not
            there.
        tags: of every trial.
        token: sets ``MLFLOW_TRACKING_TOKEN`` in this process, the only way in which MLflow takes one.
        save_artifact: send the files of a trial's directory when it has ended.
        params_at_end: send the parameters when a trial has ended, as they are then.
        wait_s: how long the end of a run waits for what is still to be sent.

    Raises:
        ImportError: MLflow is not installed.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        registry_uri: str | None = None,
        experiment: str | None = None,
        tags: Mapping[str, object] | None = None,
        token: str | None = None,
        save_artifact: bool = False,
        params_at_end: bool = False,
        wait_s: float = 30.0,
    ) -> None:
        require("mlflow", PACKAGE)
        uris = {"tracking_uri": tracking_uri, "registry_uri": registry_uri}
        super().__init__("MLflow", Runs(uris, experiment, dict(tags or {}), save_artifact, params_at_end), wait_s)
        if token is not None:
            os.environ["MLFLOW_TRACKING_TOKEN"] = token


@dataclass
class Opened:
    """A run of MLflow, and its parameters, which cannot be changed there."""

    id: str
    params: dict[str, str]


@dataclass
class Runs:
    """The runs of one experiment."""

    uris: dict[str, str | None]
    experiment: str | None
    tags: dict[str, object]
    save_artifact: bool
    params_at_end: bool

    def connect(self, name: str, run: str, directory: str | None) -> None:
        """Find or make the experiment, and what an interrupted run has begun in it."""
        mlflow = client("mlflow")
        self._client, self._kinds = mlflow.MlflowClient(**self.uris), mlflow.entities
        wanted = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
        found = self._client.get_experiment_by_name(wanted)
        self._place = self._client.create_experiment(wanted) if found is None else found.experiment_id
        self._known = {each.data.tags[TRIAL]: each.info.run_id for each in self._found(run)}

    def begin(self, trial: Tracked) -> Opened:
        """Begin a run of MLflow; or have the one of an interrupted run continue."""
        known = self._known.get(trial.key)
        if known is None:
            tags = {**self.tags, RUN: trial.run, TRIAL: trial.key}
            opened = Opened(self._client.create_run(self._place, tags=tags, run_name=trial.name).info.run_id, {})
        else:
            self._client.update_run(known, status="RUNNING")
            opened = Opened(known, dict(self._client.get_run(known).data.params))
        if not self.params_at_end:
            self.change(opened, trial)
        return opened

    def change(self, handle: Opened, trial: Tracked) -> None:
        """Send parameters. One that has another value than before is a tag ``changed.NAME``, with its last value."""
        if self.params_at_end:
            return
        params = {mlflow_name(name): str(value) for name, value in trial.params.items()}
        new = {name: value for name, value in params.items() if name not in handle.params}
        changed = {
            f"changed.{name}": value for name, value in params.items() if handle.params.get(name, value) != value
        }
        handle.params |= new
        self._send(
            handle.id,
            params=[self._kinds.Param(name, value) for name, value in new.items()],
            tags=[self._kinds.RunTag(name, value[:STRING_MAX]) for name, value in changed.items()],
        )

    def log(self, handle: Opened, rows: Sequence[Row]) -> None:
        """Send metrics: numbers, as MLflow has no others. A string is a tag ``metric.NAME``, with its last value."""
        numbers, strings = list[Any](), dict[str, str]()
        for row in rows:
            for name, value in row.metrics.items():
                if isinstance(value, str):
                    strings[f"metric.{mlflow_name(name)}"] = value[:STRING_MAX]
                elif value is not None:
                    numbers.append(self._kinds.Metric(mlflow_name(name), float(value), int(row.time * 1000), row.step))
        self._send(handle.id, metrics=numbers, tags=[self._kinds.RunTag(*pair) for pair in strings.items()])

    def end(self, handle: Opened, trial: Tracked, ending: Ending) -> None:
        """Say how it ended; MLflow's statuses are FINISHED, FAILED, and KILLED."""
        if self.params_at_end:
            params = [self._kinds.Param(mlflow_name(name), str(value)) for name, value in trial.params.items()]
            self._send(handle.id, params=params)
        if self.save_artifact and trial.directory is not None and ending.status != INTERRUPTED:
            self._client.log_artifacts(handle.id, trial.directory)
        self._client.set_tag(handle.id, OUTCOME, ending.status)
        if ending.message:
            self._client.set_tag(
                handle.id, ERROR if ending.is_failure else f"{OUTCOME}.why", ending.message[:STRING_MAX]
            )
        self._client.set_terminated(handle.id, _status(ending))

    def close(self) -> None:
        """Nothing is open."""

    def _found(self, run: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._place], f"tags.`{RUN}` = '{run}'", max_results=PAGE, page_token=token
            )
            yield from (each for each in page if TRIAL in each.data.tags)
            token = page.token
            if not token:
                return

    def _send(self, run: str, **lists: Sequence[Any]) -> None:
        """Send in requests of the size that MLflow takes."""
        for kind, all_of_them in lists.items():
            rest = iter(all_of_them)
            while batch := [*islice(rest, BATCH_MAX[kind])]:
                self._client.log_batch(run, **{kind: batch})


def mlflow_name(name: str) -> str:
    """Return a name that MLflow takes: other characters than letters, digits, and ``_-.:/`` and blanks are ``_``, and
    it is no path that leads elsewhere."""
    plain = re.sub(r"[^\w\-.:/ ]", "_", name, flags=re.ASCII)
    is_path = plain == posixpath.normpath(plain) and not plain.startswith(("/", ".."))
    return plain if is_path else re.sub(r"[/.]+", "_", plain)


def _status(ending: Ending) -> str:
    if ending.is_failure:
        return "FAILED"
    return "KILLED" if ending.status in ("cancelled", INTERRUPTED) else "FINISHED"


# Inside a trial -------------------------------------------------------------------------------------------------------


def setup_mlflow(  # noqa: PLR0917 - Ray's signature
    config: Mapping[str, Any] | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    experiment_id: str | None = None,
    experiment_name: str | None = None,
    tracking_token: str | None = None,
    artifact_location: str | None = None,
    run_name: str | None = None,
    create_experiment_if_not_exists: bool = False,  # noqa: FBT002 - as above
    tags: Mapping[str, object] | None = None,
    rank_zero_only: bool = True,  # noqa: ARG001, FBT002 - as above
) -> ModuleType:
    """Open MLflow's run of this trial, in the trial; it is closed when the trial ends. A later attempt continues it.

    Args:
        config: becomes the run's parameters, flat.
        tracking_uri: where runs are kept; of the whole process, as MLflow has it.
        registry_uri: where models are kept; the same.
        experiment_id: of an experiment that is there; it goes before the name.
        experiment_name: of an experiment; without either, ``MLFLOW_EXPERIMENT_ID``, ``MLFLOW_EXPERIMENT_NAME``, or an
            experiment of the run's name, which is made if it is not there.
        tracking_token: becomes ``MLFLOW_TRACKING_TOKEN``.
        artifact_location: of an experiment that is made now.
        run_name: what MLflow shows; the trial's own name if it is not given.
        create_experiment_if_not_exists: make the experiment that is named.
        tags: of the run.
        rank_zero_only: has no effect: a trial has no ranks.

    Returns:
        The module ``mlflow``.

    Raises:
        RuntimeError: this is not inside a trial.
        ImportError: MLflow is not installed.
        ValueError: there is no such experiment.
    """
    require("mlflow", PACKAGE)
    trial, mlflow = this_trial(config), client("mlflow")
    if tracking_token is not None:
        os.environ["MLFLOW_TRACKING_TOKEN"] = tracking_token
    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    if registry_uri is not None:
        mlflow.set_registry_uri(registry_uri)
    given = experiment_name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    place = experiment_id or (None if given else os.environ.get("MLFLOW_EXPERIMENT_ID"))
    if place is None:
        is_made = create_experiment_if_not_exists or given is None
        place = _experiment(mlflow, given or trial.run_name, artifact_location, is_made=is_made)
    run = _opened(mlflow, place, trial, run_name or trial.name, dict(tags or {}))
    at_end(lambda ending: _close(mlflow, ending))
    new = {mlflow_name(name): value for name, value in trial.params.items()}
    mlflow.log_params({name: value for name, value in new.items() if name not in run.data.params})
    module: ModuleType = mlflow
    return module


def _experiment(mlflow: Any, name: str, artifacts: str | None, *, is_made: bool) -> str:  # noqa: ANN401
    found = mlflow.get_experiment_by_name(name)
    if found is None and not is_made:
        raise ValueError(f"MLflow has no experiment {name!r}: create it, or pass create_experiment_if_not_exists=True")
    place: str = mlflow.create_experiment(name, artifacts) if found is None else found.experiment_id
    return place


def _opened(mlflow: Any, place: str, trial: Tracked, name: str, tags: dict[str, object]) -> Any:  # noqa: ANN401
    """Continue the trial's run where there is one; else start it."""
    if mlflow.active_run() is not None:  # of an attempt that ended without closing it, as one that was given up
        mlflow.end_run("KILLED")
    found = mlflow.search_runs([place], f"tags.`{TRIAL}` = '{trial.key}'", max_results=1, output_format="list")
    if found:
        return mlflow.start_run(found[0].info.run_id)
    own = {**tags, RUN: trial.run, TRIAL: trial.key}
    return mlflow.start_run(experiment_id=place, run_name=name, tags=own)


def _close(mlflow: Any, ending: Ending) -> None:  # noqa: ANN401
    if mlflow.active_run() is not None:  # else the trial has closed it itself
        mlflow.set_tags({OUTCOME: ending.status, **({ERROR: ending.message[:STRING_MAX]} if ending.message else {})})
        mlflow.end_run(_status(ending))
