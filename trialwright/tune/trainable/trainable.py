"""``Trainable``: an objective as a class, of which one ``step`` is one report."""

from __future__ import annotations

import copy
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwright.storage import checkpoints
from trialwright.tune import names, session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.resources import PlacementGroupFactory

METADATA = ".trialwright.json"  # beside what the user saves: how far the training had come
STATE = ".trialwright-state"  # what save_checkpoint returned, if that was a dict


class Trainable:
    """Override ``setup`` and ``step``; and ``save_checkpoint`` and ``load_checkpoint``, so that a trial can be paused,
    cloned, tried again, and resumed.

    A result with ``"done": True`` is the last one; one with ``"should_checkpoint": True`` is saved.

    Args:
        config: the trial's configuration.
        storage: refused: a trial's files are in its directory.

    Raises:
        ValueError: a storage is given.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, storage: object = None) -> None:
        if storage is not None:
            raise ValueError("storage: a trial's files are in its directory, logdir")
        self.config: dict[str, Any] = dict(config or {})
        self._iteration = 0
        self._time_total = 0.0
        self._stamp = names.Stamp()
        self.setup(copy.deepcopy(self.config))

    # What to override -------------------------------------------------------------------------------------------------

    def setup(self, config: dict[str, Any]) -> None:
        """Build the model and all that belongs to it."""

    def step(self) -> dict[str, Any]:
        """Train for a while; return metrics."""
        raise NotImplementedError(f"{type(self).__name__} needs a step()")

    def save_checkpoint(self, checkpoint_dir: str) -> Mapping[str, Any] | str | None:
        """Save into the directory; or return a dict of plain data, which is saved there."""
        raise NotImplementedError(f"{type(self).__name__} has no save_checkpoint()")

    def load_checkpoint(self, checkpoint: Any) -> None:  # noqa: ANN401 - it knows what it has saved
        """Go on from what ``save_checkpoint`` has saved: the directory, or the dict."""
        raise NotImplementedError(f"{type(self).__name__} has no load_checkpoint()")

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial, with ``reuse_actors=True``; return False if that is not possible."""
        return False

    def cleanup(self) -> None:
        """Let go of what ``setup`` took."""

    def _export_model(self, export_formats: list[str], export_dir: str) -> dict[str, str]:
        """Write the model into the directory in each of these forms; return a path for each. It is called when a trial
        ends, with ``export_formats`` of the run."""
        raise NotImplementedError(f"{type(self).__name__} has no _export_model()")

    def log_result(self, result: dict[str, Any]) -> None:
        """See each result, with the automatic metrics, before it is reported."""

    @classmethod
    def default_resource_request(
        cls,
        config: dict[str, Any],  # noqa: ARG003 - those that override it may want it
    ) -> PlacementGroupFactory | dict[str, float] | None:
        """Return what a trial needs if the user does not say; None: one CPU."""
        return None

    @classmethod
    def resource_help(cls, config: dict[str, Any]) -> str:  # noqa: ARG003 - the same
        """Return what to do where there is not that much."""
        return ""

    # What it is -------------------------------------------------------------------------------------------------------

    @property
    def iteration(self) -> int:
        """How many steps it has had, those before a restore too."""
        return self._iteration

    training_iteration = iteration

    @property
    def logdir(self) -> str:
        """The directory of the trial's files."""
        return session.get_trial_dir()

    @property
    def trial_id(self) -> str:
        return session.get_trial_id()

    @property
    def trial_name(self) -> str:
        return session.get_trial_name()

    @property
    def trial_resources(self) -> PlacementGroupFactory:
        """What the trial was granted."""
        return session.get_trial_resources()

    def get_config(self) -> dict[str, Any]:
        """Return the trial's configuration."""
        return self.config

    # What drives it ---------------------------------------------------------------------------------------------------

    def train(self) -> dict[str, Any]:
        """Do one step, and return its result with the automatic metrics.

        Raises:
            TypeError: ``step`` returned no dict.
        """
        return self.advance()[1]

    def advance(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Do one step; return what it returned, and that with the automatic metrics.

        Raises:
            TypeError: ``step`` returned no dict.
        """
        began = time.monotonic()
        result = self.step()
        if not isinstance(result, Mapping):
            raise TypeError(f"{type(self).__name__}.step() must return a dict of metrics, not {result!r}")
        self._iteration += 1
        self._time_total += time.monotonic() - began
        counted = {"training_iteration": self._iteration, "time_total_s": self._time_total, "config": self.config}
        automatic = names.result_of(self._stamp.on({}), done=bool(result.get("done", False)), **counted)
        full = names.Shown({**automatic, **result})
        self.log_result(full)
        return dict(result), full

    def train_buffered(self, buffer_time_s: float, max_buffer_length: int = 1000) -> list[dict[str, Any]]:
        """Do steps for a while, at least one; return their results, as ``train`` does.

        Args:
            buffer_time_s: no step begins later, in seconds.
            max_buffer_length: how many steps at most.

        Raises:
            TypeError: ``step`` returned no dict.
        """
        end, results = time.monotonic() + buffer_time_s, [self.train()]
        while len(results) < max_buffer_length and time.monotonic() < end and not _is_last(results[-1]):
            results.append(self.train())
        return results

    def get_state(self) -> dict[str, Any]:
        """Return how far the training has come."""
        return {"iteration": self._iteration, "time_total": self._time_total}

    def get_current_ip_pid(self) -> tuple[str, int]:
        """Return where this is: the machine's address, and the process."""
        _, process, address = names.place(os.getpid()).split(" ")
        return address, int(process)

    def save(self, checkpoint_dir: str | os.PathLike[str] | None = None) -> Checkpoint:
        """Save to a directory, a new temporary one by default.

        Raises:
            NotImplementedError: there is no ``save_checkpoint``.
            TypeError: it returned a dict that is not plain data.
            ValueError: it returned something else.
        """
        directory = Path(checkpoint_dir or tempfile.mkdtemp(prefix="trialwright-checkpoint-"))
        directory.mkdir(parents=True, exist_ok=True)
        saved = self.save_checkpoint(str(directory))
        if isinstance(saved, Mapping):
            checkpoints.save(saved, directory / STATE)
        elif saved is not None and not Path(saved).resolve().is_relative_to(directory.resolve()):
            raise ValueError(f"save_checkpoint() must save in {str(directory)!r}, and returned {saved!r}")
        told = {"iteration": self._iteration, "time_total_s": self._time_total}
        (directory / METADATA).write_text(json.dumps(told), encoding="utf-8")
        return Checkpoint(directory)

    def restore(self, checkpoint_path: Checkpoint | str | os.PathLike[str]) -> None:
        """Go on from what ``save`` has saved.

        Raises:
            NotImplementedError: there is no ``load_checkpoint``.
        """
        given = checkpoint_path
        directory = Path(given.path if isinstance(given, Checkpoint) else given)
        if (directory / METADATA).is_file():
            told = json.loads((directory / METADATA).read_text(encoding="utf-8"))
            self._iteration, self._time_total = told["iteration"], told["time_total_s"]
        self._stamp = names.Stamp()
        state = directory / STATE
        self.load_checkpoint(checkpoints.load(state) if state.is_dir() else str(directory))

    def reset(self, new_config: dict[str, Any]) -> bool:
        """Become another trial; tell whether that was possible."""
        self.config = new_config
        self._iteration, self._time_total, self._stamp = 0, 0.0, names.Stamp()
        return self.reset_config(new_config)

    def stop(self) -> None:
        """Let go of everything."""
        self.cleanup()

    def export_model(self, export_formats: Sequence[str] | str, export_dir: str | None = None) -> dict[str, str]:
        """Write the model in other forms; return a path for each.

        Args:
            export_formats: names of forms that ``_export_model`` knows.
            export_dir: where to; ``logdir`` by default.

        Raises:
            NotImplementedError: there is no ``_export_model``.
        """
        formats = [export_formats] if isinstance(export_formats, str) else list(export_formats)
        return self._export_model(formats, export_dir or self.logdir)


def _is_last(result: Mapping[str, Any]) -> bool:
    return bool(result.get(names.DONE) or result.get(names.SHOULD_CHECKPOINT))
