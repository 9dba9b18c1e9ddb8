"""What is public in the packages is a name of ``trialwright`` itself."""

import inspect
from types import ModuleType

import pytest

import trialwright
from trialwright import executors, schedulers, searchers, space, stopping


def public_classes(module: ModuleType) -> dict[str, type]:
    """The classes that a package lists, or that a module without a list defines, by name."""
    defined = [name for name, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    listed = getattr(module, "__all__", None) or [name for name in defined if name[0] != "_"]
    return {name: getattr(module, name) for name in listed}


@pytest.mark.parametrize("module", [executors, schedulers, searchers, stopping], ids=lambda module: module.__name__)
def test_every_public_class_is_a_name_of_the_package(module):
    classes = public_classes(module)
    assert classes
    assert {name: getattr(trialwright, name, None) for name in classes} == classes
    assert classes.keys() <= set(trialwright.__all__)


def test_every_public_name_is_found_at_its_home():
    assert [name for name in trialwright.__all__ if not hasattr(trialwright, name)] == []
    assert {*trialwright.__all__} == {*trialwright._HOMES, "space"}
    assert trialwright.Space is space.Space
