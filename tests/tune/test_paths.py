"""Each public module of Ray Tune, and each public name in one, is here, or is refused with what to use instead."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from types import ModuleType

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
NOT_INSTALLED = "this integration needs"
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
    """Return our module at this path, or None where it is refused with what to use instead, or with what to install."""
    try:
        return import_module(f"trialwright.{path}")
    except ImportError as error:
        if not any(told in str(error) for told in (f" does not exist: {paths.instead_of(path)}", NOT_INSTALLED)):
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


@pytest.mark.parametrize("path", paths.MIRRORED)
def test_a_mirrored_module_has_the_same_objects_by_every_spelling(path):
    parent, _, name = f"trialwright.{path}".rpartition(".")
    if paths.MIRRORED[path].startswith("tune.integration."):
        pytest.importorskip(f"trialwright.{paths.MIRRORED[path]}", exc_type=ImportError)
    found = {}
    exec(f"import {parent}.{name}; from {parent} import {name}", found)
    home = import_module(f"trialwright.{paths.MIRRORED[path]}")
    public = {key: each for key, each in vars(home).items() if key[0] != "_" and not isinstance(each, ModuleType)}
    assert public
    for module in (import_module(f"trialwright.{path}"), found[name], attrgetter(path)(found["trialwright"])):
        assert public.items() <= vars(module).items()


def test_a_mirrored_module_stands_only_in_place_of_what_it_mirrors():
    for path, where in paths.MIRRORED.items():
        if ours(where) is None:  # its library is not installed here
            continue
        parent, _, name = path.rpartition(".")
        there = vars(import_module(f"trialwright.{parent}")).get(name)
        homes = {f"trialwright.{path}", import_module(f"trialwright.{where}").__name__}
        assert there is None or there.__name__ in homes, path


def test_a_folder_that_an_older_version_left_behind_is_no_module(monkeypatch, tmp_path):
    (tmp_path / "suggest" / "__pycache__").mkdir(parents=True)
    monkeypatch.setattr(trialwright.tune, "__path__", [*trialwright.tune.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "trialwright.tune.suggest", raising=False)
    assert import_module("trialwright.tune.suggest").Searcher is trialwright.tune.search.Searcher


def test_an_unknown_name_is_no_module():
    with pytest.raises(ModuleNotFoundError, match="No module named 'trialwright.tune.nonsense'"):
        import_module("trialwright.tune.nonsense")
    with pytest.raises(AttributeError, match="nonsense"):
        trialwright.tune.utils.nonsense  # noqa: B018 - to look is what fails


@pytest.mark.parametrize(
    "program",
    [
        "from trialwright.tune.schedulers.hb_bohb import HyperBandForBOHB; from trialwright.tune.stopper.noop import *",
        "import trialwright.air.session; trialwright.air.session.report",
        "from trialwright.air import session; from trialwright.air.config import RunConfig",
        "import trialwright.tune.suggest.hyperopt; trialwright.tune.suggest.ConcurrencyLimiter",
    ],
)
def test_an_import_works_before_anything_else_is_imported(program):
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("path", ["tune.integration.xgboost", "train.xgboost"])
def test_a_library_that_is_missing_is_named_with_what_to_install(path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "trialwright" and "xgboost" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "xgboost", None)  # as if it were not installed
    with pytest.raises(ImportError, match="this integration needs xgboost: pip install xgboost-cpu"):
        import_module(f"trialwright.{path}")


def test_a_trainer_of_rays_is_refused_with_what_to_use_instead():
    with pytest.raises(ModuleNotFoundError, match="a trial is a function here"):
        import_module("trialwright.train.torch")
    refuse = paths._missing_names("tune.integration.xgboost")
    with pytest.raises(ImportError, match="XGBoostTrainer is not in .*: a trial is a function here"):
        refuse("XGBoostTrainer")
    with pytest.raises(AttributeError):
        refuse("__wrapped__")
