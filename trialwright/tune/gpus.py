"""Waiting in a trial until a GPU has nothing in its memory any more."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def wait_for_gpu(
    gpu_id: int | str | None = None,
    target_util: float = 0.01,
    retry: int = 20,
    delay_s: float = 5,
    gpu_memory_limit: float | None = None,
) -> bool:
    """Wait until a GPU's memory is free; return True.

    It is needed where other programs use the GPU: a GPU is granted again only when the trial that had it has ended.

    Args:
        gpu_id: its number or its UUID; the first one of this trial by default.
        target_util: which part of its memory may be in use, from 0 to 1.
        retry: how often to look.
        delay_s: how many seconds to wait in between.
        gpu_memory_limit: refused: give ``target_util``.

    Raises:
        ImportError: GPUtil is not installed.
        ValueError: there is no such GPU.
        RuntimeError: its memory is still in use at the end; or no GPU is given, and this trial has none.
    """
    if gpu_memory_limit is not None:
        raise ValueError(f"gpu_memory_limit={gpu_memory_limit!r}: give target_util, the part that may be in use")
    find = _finder(_own() if gpu_id is None else gpu_id)
    for _ in range(int(retry)):
        used = float(find().memoryUtil)
        if used <= target_util:
            return True
        time.sleep(delay_s)
    raise RuntimeError(f"GPU {gpu_id!r} has {used:.0%} of its memory in use after {retry} looks, {delay_s} s apart")


def _finder(gpu_id: int | str) -> Callable[[], Any]:
    """Return what reads the state of the GPU of this number or UUID."""
    if isinstance(gpu_id, bool) or not isinstance(gpu_id, int | str):
        raise ValueError(f"gpu_id must be a number or a UUID, not {gpu_id!r}")  # noqa: TRY004 - as in Ray Tune
    wanted = int(gpu_id) if str(gpu_id).isdigit() else gpu_id
    read = importlib.import_module("GPUtil").getGPUs

    def find() -> Any:  # noqa: ANN401 - of GPUtil, which has no types
        known = {(gpu.id if isinstance(wanted, int) else gpu.uuid): gpu for gpu in read()}
        if wanted not in known:
            raise ValueError(f"there is no GPU {wanted!r}; there are {', '.join(map(repr, known)) or 'none'}")
        return known[wanted]

    return find


def _own() -> int | str:
    """Return the first GPU of this trial."""
    # Ray is asked first: it can be told (RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES) to leave the variable alone,
    # which then names all GPUs of the machine. A Ray that does not run is not asked: the question would start it.
    ray = sys.modules.get("ray")
    granted: list[int | str] = ray.get_gpu_ids() if ray is not None and ray.is_initialized() else []
    if granted:
        return granted[0]
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
    if not first:
        raise RuntimeError("this trial has no GPU: ask for one with tune.with_resources(objective, {'gpu': 1})")
    return first
