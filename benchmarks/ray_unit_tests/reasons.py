"""Why tests of Ray's do not pass on Trialwright: one sentence for all tests that fail for the same cause."""

from __future__ import annotations

REASONS: dict[str, tuple[str, ...]] = {  # reason -> names of tests, as regular expressions
    "`Domain.sample` takes only keywords.": ("testFunctionSignature", "testLogUniform"),
    "It expects `RecursiveDependencyError`; here it is a `ValueError`.": ("testRecursiveDep",),
    "A run has a directory of its own, with an id, to which a link of its name points; a trial's is `trials/000003`.": (
        "testCustomTrialDir",
        "testTrialDirCreation",
        "testTrialDirRegression",
        "test_result_grid_api",
    ),
    "It calls `BasicVariantGenerator` as Ray's own loop does: `add_configurations`, `next_trial`.": (
        "VariantGeneratorTest::.*",
        "testConstantGridSearchBasicVariant",
        "testGridSearchGenerator",
        "testPointsToEvaluateBasicVariantAdvanced",
        "test_basic_variant_limiter",
    ),
    "It uses `generate_variants`, by which Ray's searchers draw; `Space(config).sample(n, generator)` draws here.": (
        "testSampleBoundsRandom",
    ),
    "It makes a `Result` and a `ResultGrid` without a run, and changes a private attribute.": (
        "test_result_grid_repr",
    ),
    "It saves callbacks as Ray's own loop does; here the journal has what they were told.": ("test_callback_list_.*",),
    "It hands loggers an object with the attributes that Ray's loggers read from a trial; ours read others.": (
        "LoggerSuite::.*",
    ),
    "Helpers of Ray's own loop, which its reference does not document.": (
        "test_format_vars",
        "test_retry_fn_.*",
        "test_tee_recursion",
    ),
    "Environments are RLlib's: `env` in an experiment and `register_env` are refused.": (
        "testRegisterEnv",
        "testRegisterEnvOverwrite",
        "testRewriteEnv",
    ),
    "`AUTO+ERRORED_ONLY` is refused: unfinished trials of a run go on as well.": ("testRerun",),
    "A rule of one's own for resources is a policy of the engine's `ResourceChanging`.": ("testNewResources",),
    "`tune.grid_search` refuses a string itself, with a `TypeError`.": ("testBadParams3",),
    "A run whose metric is never reported ends and says so, without an error.": ("testMetricCheckingEndToEnd",),
    "The objects of `with_parameters` travel with the function, not through Ray's object store.": (
        "testWithParameters2",
        "testWithParameters3",
    ),
    "A space of constants is taken; on Ray HyperOpt refuses it.": ("testConvertHyperOptConstant",),
    "`np.random.seed` before a run has no effect; `TuneConfig(seed=)` has.": ("testCategoricalSeedInTrainingLoop",),
    "It reads the private attribute `_limit_concurrency`.": ("test_set_max_concurrency",),
    "It compares two runs' results key by key; ours have a `logdir`, in which they differ.": (
        "testAllValuesReceived",
        "testNoDoneReceived",
        "testReportTimeStep",
    ),
    "It reads `trial.storage`, and gives the log files names: a trial's are `stdout` and `stderr`.": ("testLogToFile",),
    "It reads `trial.placement_group_factory`, which is not there.": (
        "testTrialInfoAccess",
        "testTrialInfoAccessFunction",
    ),
    "An object that is no trainable is refused with a `TypeError`, not a `TuneError`.": ("testRegisterTrainable",),
    "It copies a wrapper's state with `get_state` and `set_state`, which searchers do not have here.": (
        "test_set_get_repeater",
        "test_set_get_limiter",
    ),
    "A `ConcurrencyLimiter` that is called by hand does not notice that its searcher has nothing more to suggest.": (
        "test_batch_limiter_infinite_loop",
    ),
    "It calls `convert_search_space`, which searchers do not have here: spaces are converted inside.": (
        "testConvertHyperOpt",
        "testConvertHyperOptChooseFromListOfList",
        "testConvertOptuna",
        "testOptunaReportTooOften",
    ),
    "`local_dir` still works here.": ("test_local_dir_deprecation",),
    "It expects an error that names Ray's variable `RAY_PICKLE_VERBOSE_DEBUG`.": ("testNotRaisesNonserializable",),
    "It calls a private method of `ExperimentAnalysis`, and damages files that are not read here.": (
        "test_fetch_trial_dataframes",
        "test_fetch_trial_dataframes_with_errors",
    ),
    "`export_formats` is refused: a model is saved as a checkpoint.": ("testExportFormats",),
    "It calls private methods of a progress reporter.": ("testCurrentBestTrial", "testInfer", "testSortByMetric"),
    "It looks for Ray's own words in what a program prints.": ("testEndToEndReporting",),
    "A reporter accepts the same column twice.": ("testAddMetricColumn",),
    "It reads private attributes of `OptunaSearch`.": (
        "AddEvaluatedPointTest::testOptuna",
        "MultiObjectiveTest::.*",
        "SaveRestoreCheckpointTest::testOptuna.*",
    ),
    "The trial's GPU is the first of `CUDA_VISIBLE_DEVICES`; the test replaces `ray.get_gpu_ids`.": ("testDefaultGPU",),
}
