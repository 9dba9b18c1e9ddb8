"""Threads: linear algebra of small matrices is fastest on one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Find the libraries once: that takes milliseconds."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread inside the block. More wait for each other longer than they work, where n is hundreds."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context
