"""``tune.run`` and ``tune.run_experiments``: the older front door, with its flat keywords."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any

from trialwright.executors import Executor
from trialwright.space import Space
from trialwright.storage.place import find_run, is_run
from trialwright.tune import registry
from trialwright.tune.conversion import Job
from trialwright.tune.error import TuneError, settings_as_tune_errors
from trialwright.tune.experiments import Experiment, experiments_of
from trialwright.tune.kept import link_name
from trialwright.tune.resources import Resources
from trialwright.tune.results import ExperimentAnalysis
from trialwright.tune.settings import (
    DEPRECATED,
    CheckpointConfig,
    NameOf,
    ResumeConfig,
    ResumeType,
    RunConfig,
    SyncConfig,
    settings_of,
)
from trialwright.tune.trial import Trial


def run(
    run_or_experiment: str | registry.Trainable | Experiment,
    *,
    name: str | None = None,
    metric: str | Sequence[str] | None = None,
    mode: str | Sequence[str] | None = None,
    stop: Any = None,  # noqa: ANN401 - a dict, a function, a Stopper
    time_budget_s: float | timedelta | None = None,
    config: Mapping[str, Any] | Space | None = None,
    resources_per_trial: Resources | None = None,
    num_samples: int = 1,
    storage_path: str | os.PathLike[str] | None = None,
    storage_filesystem: object = None,
    search_alg: Any = None,  # noqa: ANN401 - of this layer's kind, the engine's, or a name
    scheduler: Any = None,  # noqa: ANN401 - of this layer's kind, the engine's, or a name
    checkpoint_config: CheckpointConfig | None = None,
    verbose: int | None = None,
    progress_reporter: Any = None,  # noqa: ANN401 - whatever reports
    log_to_file: bool | str | tuple[str, str] = False,
    trial_name_creator: NameOf | None = None,
    trial_dirname_creator: NameOf | None = None,
    sync_config: SyncConfig | None = None,
    export_formats: Sequence[str] | None = None,
    max_failures: int = 0,
    fail_fast: Any = False,  # noqa: ANN401 - True, False, "raise"
    restore: str | None = None,
    resume: bool | str | None = None,
    resume_config: ResumeConfig | None = None,
    reuse_actors: bool = False,
    raise_on_failed_trial: bool = True,
    callbacks: Sequence[Any] | None = None,
    max_concurrent_trials: int | None = None,
    keep_checkpoints_num: int | None = None,
    checkpoint_score_attr: str | None = None,
    checkpoint_freq: int = 0,
    checkpoint_at_end: bool = False,
    chdir_to_trial_dir: bool | str = DEPRECATED,
    local_dir: str | os.PathLike[str] | None = None,
    executor: str | Executor = "ray",
    seed: int | None = None,
) -> ExperimentAnalysis:
    """Tune a trainable, by random search if nothing else is said; return the analysis of its trials.

    Args:
        run_or_experiment: a trainable, the name of one, or an ``Experiment``, which has a name, a space, and more of
            its own.
        name: what people call the run; with ``resume``, its directory (absolute, or in the storage).
        metric: see ``TuneConfig``.
        mode: see ``TuneConfig``.
        stop: see ``RunConfig``.
        time_budget_s: see ``TuneConfig``.
        config: what may vary; bare lambdas are ``sample_from``.
        resources_per_trial: see ``TuneConfig``.
        num_samples: see ``TuneConfig``.
        storage_path: see ``RunConfig``.
        storage_filesystem: refused, see ``RunConfig``.
        search_alg: see ``TuneConfig``.
        scheduler: see ``TuneConfig``.
        checkpoint_config: see ``RunConfig``.
        verbose: see ``RunConfig``.
        progress_reporter: see ``RunConfig``.
        log_to_file: see ``RunConfig``.
        trial_name_creator: see ``TuneConfig``.
        trial_dirname_creator: see ``TuneConfig``.
        sync_config: see ``RunConfig``.
        export_formats: see ``Experiment``.
        max_failures: see ``FailureConfig``.
        fail_fast: see ``FailureConfig``.
        restore: refused, see ``Experiment``.
        resume: True: go on with the run of this name, as the same run; "AUTO": if there is one; "AUTO+ERRORED", or
            "AUTO+RESTART_ERRORED": and try failed trials again, from their last checkpoints or from scratch.
        resume_config: which trials are tried again when the run is resumed.
        reuse_actors: see ``TuneConfig``.
        raise_on_failed_trial: raise if a trial failed.
        callbacks: see ``RunConfig``.
        max_concurrent_trials: see ``TuneConfig``.
        keep_checkpoints_num: the old name of ``CheckpointConfig.num_to_keep``.
        checkpoint_score_attr: see ``Experiment``.
        checkpoint_freq: the old name of ``CheckpointConfig.checkpoint_frequency``.
        checkpoint_at_end: see ``CheckpointConfig``.
        chdir_to_trial_dir: see ``TuneConfig``.
        local_dir: the old name of ``storage_path``.
        executor: see ``RunConfig``.
        seed: see ``TuneConfig``.

    Raises:
        ValueError, TypeError: something given makes no sense, or there is no run to be resumed; nothing was started.
        TuneError: trials failed, and ``raise_on_failed_trial``.
        TrialError: a trial failed, and ``fail_fast="raise"``.
    """
    given = dict(locals())  # each keyword is spelled once, in the signature
    keywords = {name: given[name] for name in given.keys() - _OF_RUN}
    job = _job(run_or_experiment, config, keywords)
    return _analysis(job, resume, resume_config, raise_on_failed_trial=raise_on_failed_trial)


def run_experiments(  # noqa: PLR0917 - as in Ray Tune
    experiments: Any,  # noqa: ANN401 - see experiments_of
    scheduler: Any = None,  # noqa: ANN401 - of this layer's kind, the engine's, or a name
    verbose: int | None = None,
    progress_reporter: Any = None,  # noqa: ANN401 - whatever reports
    resume: bool | str | None = None,
    resume_config: ResumeConfig | None = None,
    reuse_actors: bool = False,  # noqa: FBT002 - as in Ray Tune
    raise_on_failed_trial: bool = True,  # noqa: FBT002 - as in Ray Tune
    concurrent: bool | None = None,
    callbacks: Sequence[Any] | None = None,
    *,
    search_alg: Any = None,  # noqa: ANN401 - of this layer's kind, the engine's, or a name
    executor: str | Executor = "ray",
    seed: int | None = None,
) -> list[Trial]:
    """Run experiments, one after another; return all their trials.

    Args:
        experiments: an ``Experiment``, a dict from names to what ``Experiment`` takes, the path of a JSON file with
            such a dict, or a list of these.
        scheduler: as in ``run``, for each.
        verbose: as in ``run``.
        progress_reporter: as in ``run``.
        resume: as in ``run``, for each.
        resume_config: as in ``run``.
        reuse_actors: as in ``run``.
        raise_on_failed_trial: as in ``run``.
        concurrent: refused if True: each experiment has the machine to itself.
        callbacks: as in ``run``.
        search_alg: as in ``run``, for each.
        executor: as in ``run``.
        seed: as in ``run``.

    Raises:
        TypeError: something given makes no sense; nothing was started.
        TuneError: trials failed, and ``raise_on_failed_trial``; or a setting makes no sense, which is a ``ValueError``
            too.
    """
    given = dict(locals())
    if concurrent:
        raise ValueError("concurrent=True: experiments run one after another, each with the machine to itself")
    keywords = {name: given[name] for name in given.keys() - {"experiments", "concurrent"}}
    with settings_as_tune_errors():
        analyses = [run(experiment, **keywords) for experiment in experiments_of(experiments)]
    return [trial for analysis in analyses for trial in analysis.trials]


_OF_RUN = {"run_or_experiment", "config", "resume", "resume_config", "raise_on_failed_trial"}  # these are no settings


def _job(
    given: str | registry.Trainable | Experiment, config: Mapping[str, Any] | Space | None, keywords: dict[str, Any]
) -> Job:
    if not isinstance(given, Experiment):
        registry.find(given)
        return Job(given, config, *settings_of(keywords))
    settings_of(keywords)  # what cannot be had at all is refused first
    default = signature(run).parameters
    told = {**keywords, "config": config or None}
    own = given.settings.keys() | {"config"}
    twice = [name for name in default if name in own and told[name] != default[name].default]
    if twice:
        raise ValueError(f"{', '.join(twice)}: say it in the Experiment")
    return Job(given.run, given.config, *settings_of({**keywords, **given.settings}))


def _analysis(
    job: Job, resume: bool | str | None, again: ResumeConfig | None, *, raise_on_failed_trial: bool
) -> ExperimentAnalysis:
    resume, said = _again(resume)
    if again is not None and not resume:
        raise ValueError("resume_config says how to resume a run: give resume=True or 'AUTO' as well")
    directory = _resumed(job.run, resume)
    analysis = ExperimentAnalysis(job.start() if directory is None else job.resume(directory, again or said))
    failed = [trial for trial in analysis.trials if trial.status == Trial.ERROR]
    if failed and raise_on_failed_trial:
        raise TuneError(
            f"{len(failed)} of {len(analysis.trials)} trials failed; {failed[0]} said: {failed[0].get_error()} "
            f"(the run is in {analysis.experiment_path!r}; raise_on_failed_trial=False returns it)"
        )
    return analysis


def _again(resume: bool | str | None) -> tuple[bool | str | None, ResumeConfig]:
    """Take apart what ``resume`` says of the run and of its failed trials.

    Raises:
        ValueError: failed trials only, or something that there is not.
    """
    first, plus, rest = resume.partition("+") if isinstance(resume, str) else (resume, "", "")
    if plus and rest not in _ERRORED:
        also = "unfinished trials go on as well: use 'AUTO+ERRORED'"
        raise ValueError(
            f"resume={resume!r} is not supported: {also if rest.endswith('_ONLY') else 'it may end in +ERRORED'}"
        )
    return first, ResumeConfig(errored=_ERRORED[rest])


_ERRORED = {"": ResumeType.SKIP, "ERRORED": ResumeType.RESUME, "RESTART_ERRORED": ResumeType.RESTART}


def _resumed(settings: RunConfig, resume: bool | str | None) -> Path | None:
    """Return the directory of the run that is to be resumed, if there is one.

    Raises:
        ValueError: there is none, or ``resume`` is none of what it may be.
    """
    name = settings.name
    if resume in (None, False):
        if name is not None and Path(name).is_absolute():
            raise ValueError(
                f"name={name!r} is a path: that is for resume=True; the place of a new run is storage_path"
            )
        return None
    if resume not in (True, "AUTO", "LOCAL"):
        raise ValueError(f"resume={resume!r} is not known: it may be True, False, 'AUTO', or 'AUTO+ERRORED'")
    if name is None:
        raise ValueError(f"resume={resume!r} needs the run's name")
    path = Path(name).expanduser()
    directory = path if path.is_absolute() else settings.storage / link_name(name)
    return None if resume == "AUTO" and not is_run(directory) else find_run(directory)
