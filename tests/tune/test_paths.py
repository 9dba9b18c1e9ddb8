"""Each public module of Ray Tune, and each public name in one, is here, or is refused with what to use instead."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import trialwright
from trialwright.tune import paths

pytestmark = pytest.mark.filterwarnings("default")  # Ray Tune warns of its own deprecated parts
HIDDEN = ("tests", "examples")
NOBODY_IMPORTS = {  # names that are public only because they do not begin with an underscore
    "tune.progress_reporter": ("TuneReporterBase", "RemoteReporterMixin", "TrialProgressCallback"),
    "tune.registry": ("registry_contains_input", "registry_get_input"),
    "tune.resources": ("Resources", "json_to_resources", "resources_to_json"),
    "tune.schedulers.pb2": ("import_pb2_dependencies",),
    "tune.search": ("UNDEFINED_METRIC_MODE", "UNDEFINED_SEARCH_SPACE", "UNRESOLVED_SEARCH_SPACE", "SEARCH_ALG_IMPORT"),
    "tune.search.sample": ("BaseSampler", "Grid", "LogUniform", "Quantized", "Sampler", "Uniform"),
    "tune.search.variant_generator": ("assign_value", "format_vars", "parse_spec_vars", "RecursiveDependencyError"),
    "tune.utils": ("retry_fn", "Tee", "validate_warmstart"),
    "tune.experiment.trial": ("ExportFormat",),
}
WITHOUT_A_MODULE = {"tune.search.searcher": ("ConcurrencyLimiter",)}


def their_modules():
    """Return the paths of Ray Tune's modules, below ``ray``, without importing one."""
    found = find_spec("ray")
    if found is None or found.origin is None:
        return []
    root = Path(found.origin).parent
    files = sorted((root / "tune").rglob("*.py"))
    parts = [path.relative_to(root).with_suffix("").parts for path in files]
    public = [each for each in parts if not any(part in HIDDEN or part[0] == "_" for part in _named(each))]
    return [".".join(_named(each)) for each in public]


def _named(parts):
    return parts[:-1] if parts[-1] == "__init__" else parts


def names_of(module):
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return {name for name in [*own, *getattr(module, "__all__", ())] if name[0] != "_"}


MODULES = their_modules()


def ours(path):
    """Return our module at this path, or None where it is refused with what to use instead."""
    try:
        return import_module(f"trialwright.{path}")
    except ModuleNotFoundError as error:
        if f" does not exist: {paths.instead_of(path)}" not in str(error):
            raise
        return None


@pytest.mark.parametrize("path", MODULES)
def test_a_module_of_ray_tune_is_here_or_refused_with_what_to_use_instead(path):
    assert ours(path) or paths.instead_of(path)


@pytest.mark.parametrize("path", [path for path in MODULES if ours(path) is not None])
def test_a_name_in_a_module_of_ray_tune_is_here_or_refused_with_what_to_use_instead(path):
    where, module = paths.MIRRORED.get(path, path), ours(path)
    nobody = {*NOBODY_IMPORTS.get(path, ()), *NOBODY_IMPORTS.get(where, ()), *WITHOUT_A_MODULE.get(path, ())}
    for name in sorted(names_of(import_module(f"ray.{path}")) - nobody):
        if f"{where}:{name}" not in paths.MISSING:
            assert hasattr(module, name), f"{path}.{name}"


@pytest.mark.parametrize("entry", [entry for entry in paths.MISSING if ":" in entry])
def test_a_name_that_is_not_here_says_what_to_use_instead(entry):
    module, _, name = entry.partition(":")
    with pytest.raises(ImportError, match=f"{name} is not in trialwright.{module}: ") as caught:
        exec(f"from trialwright.{module} import {name}", {})
    assert str(caught.value).endswith(paths.MISSING[entry])


def test_what_is_mirrored_is_the_same_object():
    assert import_module("trialwright.tune.stopper.timeout").TimeoutStopper is trialwright.tune.stopper.TimeoutStopper
    assert import_module("trialwright.tune.tune").run is trialwright.tune.run


def test_no_mirrored_module_hides_what_its_parent_uses():
    for path, where in paths.MIRRORED.items():
        parent, _, name = path.rpartition(".")
        module = f"trialwright.{parent}"
        own = vars(import_module(module)).get(name)
        assert f"{module}.{name}" in sys.modules or own in (None, import_module(f"trialwright.{where}")), path


def test_an_unknown_name_is_no_module():
    with pytest.raises(ModuleNotFoundError, match="No module named 'trialwright.tune.nonsense'"):
        import_module("trialwright.tune.nonsense")
    with pytest.raises(AttributeError, match="nonsense"):
        trialwright.tune.utils.nonsense  # noqa: B018 - to look is what fails


def test_an_import_works_before_anything_else_is_imported():
    first, second = "tune.schedulers.hb_bohb import HyperBandForBOHB", "tune.stopper.noop import *"
    program = f"from trialwright.{first}; from trialwright.{second}"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
