"""``Tuner``: the front door."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from trialwright.errors import import_instead
from trialwright.space import Space
from trialwright.storage.place import find_run, is_run
from trialwright.tune import registry
from trialwright.tune.conversion import Job
from trialwright.tune.error import no_run_as_no_file
from trialwright.tune.kept import load
from trialwright.tune.records import Records
from trialwright.tune.results import ResultGrid
from trialwright.tune.settings import ResumeConfig, ResumeType, RunConfig, TuneConfig, local_path, refuse_filesystem


class Tuner:
    """Tunes a trainable.

    Args:
        trainable: a function of the config that reports, returns, or yields metrics; a ``tune.Trainable``; or the name
            of one that is registered.
        param_space: what may vary: a dict of domains and constants, nested as you like.
        tune_config: what to search for, and how.
        run_config: where the run is kept, when trials stop, and the like.

    Raises:
        TypeError: there is no trainable, or it is none.
        ValueError: no trainable of this name is registered, or the space is no dict.
    """

    def __init__(
        self,
        trainable: str | registry.Trainable,
        *,
        param_space: Mapping[str, Any] | Space | None = None,
        tune_config: TuneConfig | None = None,
        run_config: RunConfig | None = None,
    ) -> None:
        registry.find(trainable)
        if param_space is not None and not isinstance(param_space, Mapping | Space):
            raise ValueError(f"param_space must be a dict of domains and constants, not {param_space!r}")
        for name, given, kind in (("tune_config", tune_config, TuneConfig), ("run_config", run_config, RunConfig)):
            if given is not None and not isinstance(given, kind):
                raise TypeError(f"{name} must be a tune.{kind.__name__}, not {given!r}{import_instead(given)}")
        self._job = Job(trainable, param_space, tune_config or TuneConfig(), run_config or RunConfig())
        self._directory: Path | None = None  # of the run that is resumed
        self._again = ResumeConfig()
        self._records: Records | None = None
        vars(self)["restore"] = _refuse_restore

    @classmethod
    def restore(  # noqa: PLR0917 - as in Ray Tune
        cls,
        path: str | os.PathLike[str],
        trainable: str | registry.Trainable,
        resume_unfinished: bool = True,  # noqa: FBT002 - as in Ray Tune
        resume_errored: bool = False,  # noqa: FBT002 - as in Ray Tune
        restart_errored: bool = False,  # noqa: FBT002 - as in Ray Tune
        param_space: Mapping[str, Any] | Space | None = None,
        storage_filesystem: object = None,
        _resume_config: ResumeConfig | None = None,
        *,
        tune_config: TuneConfig | None = None,
        run_config: RunConfig | None = None,
    ) -> Tuner:
        """Return a tuner that goes on with a run, as the same run.

        Args:
            path: the run's directory, or the link to it.
            trainable: as before; code is not kept.
            resume_unfinished: refused if False: that is what going on means.
            resume_errored: try the trials again that failed, from their last checkpoints.
            restart_errored: the same, from scratch; ``resume_errored`` goes first.
            param_space: as before, if it holds functions or objects; else it is known.
            storage_filesystem: refused: runs are kept on a disk of this machine.
            tune_config: as before, where it holds objects that are no data: a user's own scheduler or searcher. Not in
                Ray Tune, which unpickles what it finds.
            run_config: the same: stop functions, callbacks, executor.

        Raises:
            ValueError: there is no run there, or one of another trainable or space; or something refused is given.
            FileNotFoundError: the same error, if there is no run there.
            AttributeError: it is called on a tuner, which would not change.
        """
        if not resume_unfinished:
            raise ValueError("resume_unfinished=False: a resumed run always resumes its unfinished trials")
        refuse_filesystem(storage_filesystem)
        with no_run_as_no_file():
            directory = find_run(local_path(path).resolve())  # a link may lead to another run by the time of fit()
        tuner = cls(trainable, param_space=param_space, tune_config=tune_config, run_config=run_config)
        tuner._job.check_notes(directory)
        tuner._directory = directory
        tuner._again = _resume_config or ResumeConfig(errored=_errored(resume_errored, restart_errored))
        return tuner

    @classmethod
    def can_restore(cls, path: str | os.PathLike[str], storage_filesystem: object = None) -> bool:
        """Tell whether there is a run in this directory.

        Raises:
            ValueError: a filesystem is given.
        """
        refuse_filesystem(storage_filesystem)
        return is_run(local_path(path))

    def fit(self) -> ResultGrid:
        """Run to the end. Trials that fail do not raise: see ``results.errors``.

        Raises:
            ValueError, TypeError: something given makes no sense; nothing was started.
            TrialError: a trial failed, and ``FailureConfig(fail_fast="raise")``.
            RunInterrupted: SIGINT or SIGTERM; the run can be restored.
        """
        self._records = self._job.start() if self._directory is None else self._job.resume(self._directory, self._again)
        return ResultGrid(self._records)

    def get_results(self) -> ResultGrid:
        """Return what ``fit`` returned; of a restored run that was not resumed, its results so far.

        Raises:
            RuntimeError: nothing has run yet.
        """
        if self._records is not None:
            return ResultGrid(self._records)
        if self._directory is None:
            raise RuntimeError("there are no results yet: call fit()")
        return ResultGrid(load(self._directory, self._job.space))


def _refuse_restore(*_: object, **__: object) -> NoReturn:
    raise AttributeError("restore() returns another tuner: call it on the class, as Tuner.restore(path, trainable)")


def _errored(resume: bool, restart: bool) -> ResumeType:
    if resume:
        return ResumeType.RESUME
    return ResumeType.RESTART if restart else ResumeType.SKIP
