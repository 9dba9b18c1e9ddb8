"""Waiting for a GPU."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from trialwright.tune.utils import wait_for_gpu


@pytest.fixture
def uses(monkeypatch):
    """What the only GPU says at each look; no machine of the tests has one, so its library is made up."""
    said = []
    module = ModuleType("GPUtil")
    module.getGPUs = lambda: [SimpleNamespace(id=0, uuid="GPU-a", memoryUtil=said.pop(0) if said else 1.0)]
    monkeypatch.setitem(sys.modules, "GPUtil", module)
    return said


@pytest.mark.parametrize("gpu", [0, "0", "GPU-a"])
def test_it_waits_until_the_memory_is_free(uses, gpu):
    uses += [0.9, 0.5, 0.0]
    assert wait_for_gpu(gpu, delay_s=0)
    assert not uses


def test_the_first_gpu_of_the_trial_is_meant(uses, monkeypatch):
    uses.append(0.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert wait_for_gpu()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(RuntimeError, match="this trial has no GPU"):
        wait_for_gpu()


def test_on_ray_it_is_the_one_that_ray_granted(uses, monkeypatch):
    ray = pytest.importorskip("ray")
    uses.append(0.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")  # of the machine: Ray was told to leave the variable alone
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: ["0"])  # no machine of the tests has a GPU
    assert wait_for_gpu()


def test_it_gives_up_after_so_many_looks(uses):
    with pytest.raises(RuntimeError, match="100% of its memory in use after 3 looks"):
        wait_for_gpu(0, retry=3, delay_s=0)


@pytest.mark.parametrize("gpu", [1, "GPU-b", 0.5])
def test_a_gpu_that_is_not_there_is_an_error(uses, gpu):
    with pytest.raises(ValueError, match=r"no GPU|must be a number"):
        wait_for_gpu(gpu)
