"""Why tests of Ray's do not pass on Trialwright: one sentence for all tests that fail for the same cause."""

from __future__ import annotations

REASONS: dict[str, tuple[str, ...]] = {  # reason -> names of tests, as regular expressions
    "Strings are not evaluated: write a function with `sample_from`.": ("testEval",),
    "HyperOpt makes tuples of lists; a configuration that is read from a journal has lists.": (
        "testConvertHyperOptChooseFromListOfList",
    ),
    "It looks for a message of Ray's in a log.": ("testBadTBX",),
    "A run has a directory of its own, with an id, to which a link of its name points; a trial's is `trials/000003`.": (
        "testCustomTrialDir",
        "testTrialDirCreation",
        "testTrialDirRegression",
        "test_result_grid_api",
        "testTempfile",
    ),
    "`AUTO+ERRORED_ONLY` is refused: unfinished trials of a run go on as well.": ("testRerun",),
    "The objects of `with_parameters` travel with the function, not through Ray's object store.": (
        "testWithParameters2",
        "testWithParameters3",
    ),
    "A space of constants is taken; on Ray HyperOpt refuses it.": ("testConvertHyperOptConstant",),
    "`np.random.seed` before a run has no effect; `TuneConfig(seed=)` has.": (
        "testCategoricalSeedInTrainingLoop",
        "ZOOptWarmStartTest::.*",
    ),
    "It gives the log files names: a trial's are `stdout` and `stderr`.": ("testLogToFile",),
    "`local_dir` still works here.": ("test_local_dir_deprecation",),
    "It expects an error that names Ray's variable `RAY_PICKLE_VERBOSE_DEBUG`.": ("testNotRaisesNonserializable",),
    "It calls a private method of `ExperimentAnalysis`, and damages files that are not read here.": (
        "test_fetch_trial_dataframes",
        "test_fetch_trial_dataframes_with_errors",
    ),
    "It calls private methods of a progress reporter.": ("testCurrentBestTrial", "testInfer", "testSortByMetric"),
    "It looks for Ray's own words in what a program prints.": ("testEndToEndReporting",),
    "It reads private attributes of `OptunaSearch`.": (
        "AddEvaluatedPointTest::testOptuna",
        "MultiObjectiveTest::.*",
        "SaveRestoreCheckpointTest::testOptuna.*",
    ),
    "The test replaces `ray.get_gpu_ids`, which is asked only where a Ray runs: else it would start one.": (
        "testDefaultGPU",
    ),
    "On a Ray of our own, what a trial starts always finds room; Ray Tune refuses what is not reserved.": (
        "test_warn_cpu",
        "test_bad_pg_slots",
        "test_dataset_ok",
    ),
    "It calls private methods of a scheduler.": ("test_pbt_with_nan_scores",),
    "There are no trainers of Ray Train here.": (
        "test_tuner_run_config_override",
        "test_trainer_no_chdir_to_trial_dir",
        "test_checkpoints_saved_after_resume::data_parallel",
    ),
    "`chdir_to_trial_dir` works here; Ray refuses it as deprecated.": ("test_tuner_no_chdir_to_trial_dir_deprecated",),
    "A function that cannot be pickled is refused when the run begins, not before.": (
        "test_nonserializable_trainable",
    ),
    "A callback that raises is disabled, with a warning, and the run goes on; here it is to end the run.": (
        "test_tuner_resume_unfinished",
        "testFailResumeGridSearch",
        "testResourceUpdateInResume",
        "testConfigUpdateInResume",
        "testFailResumeWithPreset",
        "testFailResumeAfterPreset",
        "testMultiExperimentFail",
        "testParamSpaceOverwrite",
    ),
    "`resume_unfinished=False` is refused: unfinished trials of a run go on as well.": (
        "test_tuner_resume_errored_only",
    ),
    "What `sample_from` returns must be plain data, or of the space: the journal holds it.": (
        "test_tuner_restore_resume_errored",
        "test_tuner_restore_restart_errored",
    ),
    "`Tuner.restore` needs again what is no data: here a `Path` in the space, or a searcher of the user's own.": (
        "test_restore_with_parameters",
        "test_custom_searcher_and_scheduler_restore",
    ),
    "It looks for Ray's names of checkpoints; here they are in a trial's `checkpoints`.": (
        "test_tuner_restore_from_moved_experiment_path",
        "test_checkpoints_saved_after_resume",
        "test_remote_trial_dir_with_reuse_actors",
    ),
    "A run's directory is made when the run begins, not by `Tuner(...)`.": ("test_tuner_can_restore",),
    "`TUNE_RESTORE_RETRY_NUM` is not read: no checkpoint is downloaded.": ("test_restore_retry",),
    "Functions run one after another in one process, also after one that failed and without `reuse_actors`.": (
        "test_trial_reuse_disabled::function",
        "test_trial_reuse_with_failing::function",
    ),
    "A class that cannot be reset is made anew, with `reuse_actors` too.": ("test_reuse_enabled_error",),
    "On a Ray that is joined, an idle process of another size ends to make room for the next trial.": (
        "test_multi_trial_reuse_heterogeneous",
    ),
    "A searcher saves its results, but not the random state of a sampler that the user has made.": (
        "OptunaWarmStartTest::.*",
    ),
}
