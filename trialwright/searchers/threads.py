"""Threads of linear algebra: one thread is fastest for the matrices of a searcher, and the other CPUs stay free for
trials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@lru_cache
def _controller() -> ThreadpoolController:
    """Find the libraries once: that takes milliseconds, and they stay."""
    return ThreadpoolController()
