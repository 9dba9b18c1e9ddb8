"""Which of Ray's modules are internal to Ray, and so which of its tests say nothing about any other program.

The rule is Ray's own: its reference for users (``doc/source/tune/api``) and its annotations. A module of ``ray.tune``,
``ray.train`` or ``ray.air`` is internal if

- a part of its path begins with an underscore; or
- Ray marks nothing in it as ``@PublicAPI``, and the reference documents nothing in it, except on the page "Tune
  Internals".

A name that another module only passes on belongs to the module that defines it. A module that has only constants, as
``ray.tune.result``, is public: users read them. So are the trainers of Ray Train, which Tune's tests also use. The
states of a trial are strings, and public, though the class that has them is not. ``TOOLS`` are functions on plain
strings and files with which tests make their data; a test that uses no more of Ray's internals counts.
"""

from __future__ import annotations

LIBRARIES = ("ray.tune", "ray.train", "ray.air")
MODULES = (
    "ray._private",
    "ray.air.execution",
    "ray.air.util",
    "ray.tune.cli",
    "ray.tune.execution",
    "ray.tune.experiment.config_parser",
    "ray.tune.experiment.trial",  # page "Tune Internals"
    "ray.tune.experimental",
    "ray.tune.impl",
    "ray.tune.schedulers.pb2_utils",
    "ray.tune.schedulers.util",
    "ray.tune.search.search_algorithm",
    "ray.tune.search.search_generator",
    "ray.tune.search.util",
    "ray.tune.trainable.function_trainable",  # page "Tune Internals"
    "ray.tune.trainable.metadata",
    "ray.tune.utils.callback",
    "ray.tune.utils.file_transfer",
    "ray.tune.utils.mock",
    "ray.tune.utils.object_cache",
    "ray.tune.utils.release_test_util",
    "ray.tune.utils.resource_updater",
    "ray.tune.utils.serialization",
)
PASSED_ON = (  # by a public package, from one of the modules above
    "ray.tune.experiment.Trial",
    "ray.tune.search.SearchAlgorithm",
    "ray.tune.search.SearchGenerator",
    "ray.tune.trainable.FunctionTrainable",
    "ray.tune.trainable.wrap_function",
)
STATES = ("PENDING", "RUNNING", "PAUSED", "TERMINATED", "ERROR")
TOOLS = (
    "ray._private.test_utils",
    "ray.air._internal.uri_utils",
    "ray.train._internal.storage._delete_fs_path",
    "ray.train._internal.storage._download_from_fs_path",
    "ray.train._internal.storage.get_fs_and_path",
    "ray.train._internal.storage._create_directory",
)
PUBLIC = (
    "ray.tune.execution.placement_groups",  # page "Trainable"
    *(f"ray.tune.experiment.{trial}.{state}" for trial in ("Trial", "trial.Trial") for state in STATES),
    *TOOLS,
)


def is_internal(path: str) -> bool:
    """Tell whether this is the path of an internal module, or of something in one.

    Args:
        path: dotted, from ``ray`` on; a name that is imported from a module is its last part.
    """
    if any(_within(path, module) for module in PUBLIC):
        return False
    hidden = any(part.startswith("_") and not part.endswith("__") for part in path.split("."))
    ours = any(_within(path, library) for library in LIBRARIES)
    return (hidden and ours) or any(_within(path, module) for module in (*MODULES, *PASSED_ON))


def is_tool(path: str) -> bool:
    """Tell whether this is something of Ray's with which tests make their data."""
    return any(_within(path, tool) for tool in TOOLS)


def _within(path: str, module: str) -> bool:
    return path == module or path.startswith(module + ".")
