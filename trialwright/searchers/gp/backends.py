"""Backends: where the large matrices of a model live, NumPy's memory or a torch device, and how many threads they take.

The model's code is one for both. What it does with operators and methods (+, @, .T, .sum) both understand; what they
call by other names is here. Arrays of a backend are typed as NumPy's: torch's answer to all that is asked of them.

n: rows. L: lower triangular, shape (n, n).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from threadpoolctl import ThreadpoolController

from trialwright.space.values import Floats

if TYPE_CHECKING:
    import torch


class Backend(Protocol):
    """What models need beside operators. Elementwise functions may use up what they are given."""

    def array(self, x: Floats) -> Floats:
        """Take an array in."""

    def host(self, x: Floats) -> Floats:
        """Give one back."""

    def zeros(self, n: int, m: int) -> Floats:
        """Return a new matrix."""

    def exp(self, x: Floats) -> Floats:
        """Elementwise."""

    def root(self, x: Floats) -> Floats:
        """Elementwise."""

    def at_least(self, x: Floats, floor: float) -> Floats:
        """Elementwise."""

    def lift(self, x: Floats, amount: float | Floats) -> None:
        """Add to the diagonal, in place: a number, or one for each row, shape (n,)."""

    def cholesky(self, x: Floats) -> Floats | None:
        """Return L, L L' = x, or None where x is not positive."""

    def half_solve(self, lower: Floats, b: Floats, *, transposed: bool = False) -> Floats:
        """Return L^-1 b, or L'^-1 b; b has shape (n, k)."""

    def inverse(self, lower: Floats) -> Floats:
        """Return (L L')^-1."""


class Numpy:
    """Arrays in memory; matrices by LAPACK, without SciPy's checks, which take longer than small ones do."""

    def __init__(self) -> None:
        from scipy.linalg import lapack  # a third of a second: only who models waits for it

        self._lapack = lapack

    def __reduce__(self) -> tuple[type[Numpy], tuple[()]]:
        """Be copied to other processes as a new one: modules cannot be pickled."""
        return Numpy, ()

    def array(self, x: Floats) -> Floats:
        return x

    def host(self, x: Floats) -> Floats:
        return x

    def zeros(self, n: int, m: int) -> Floats:
        return np.zeros((n, m), order="F")  # as LAPACK wants it: else each call copies

    def exp(self, x: Floats) -> Floats:
        return np.asarray(np.exp(x, out=x))

    def root(self, x: Floats) -> Floats:
        return np.asarray(np.sqrt(x, out=x))

    def at_least(self, x: Floats, floor: float) -> Floats:
        return np.asarray(np.maximum(x, floor, out=x))

    def lift(self, x: Floats, amount: float | Floats) -> None:
        np.fill_diagonal(x, x.diagonal() + amount)

    def cholesky(self, x: Floats) -> Floats | None:
        lower, failed = self._lapack.dpotrf(x, lower=1, clean=1)
        return None if failed else np.asarray(lower)

    def half_solve(self, lower: Floats, b: Floats, *, transposed: bool = False) -> Floats:
        return np.asarray(self._lapack.dtrtrs(lower, b, lower=1, trans=int(transposed))[0])

    def inverse(self, lower: Floats) -> Floats:
        half = self._lapack.dpotri(lower, lower=1)[0]  # only the lower half is filled
        return np.asarray(half + np.tril(half, -1).T)


class Torch:
    """Arrays on a device of torch, in double precision: worth it from some thousands of rows on."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch, self._device = torch, device

    def __reduce__(self) -> tuple[type[Torch], tuple[str]]:
        """As that of ``Numpy``."""
        return Torch, (self._device,)

    def array(self, x: Floats) -> Floats:
        # Torch takes no arrays with negative strides, as reversed ones have.
        return cast(Floats, self._torch.as_tensor(np.ascontiguousarray(x), device=self._device))

    def host(self, x: Floats) -> Floats:
        return np.asarray(_tensor(x).cpu().numpy())

    def zeros(self, n: int, m: int) -> Floats:
        return cast(Floats, self._torch.zeros((n, m), dtype=self._torch.float64, device=self._device))

    def exp(self, x: Floats) -> Floats:
        return cast(Floats, _tensor(x).exp_())

    def root(self, x: Floats) -> Floats:
        return cast(Floats, _tensor(x).sqrt_())

    def at_least(self, x: Floats, floor: float) -> Floats:
        return cast(Floats, _tensor(x).clamp_(min=floor))

    def lift(self, x: Floats, amount: float | Floats) -> None:
        _tensor(x).diagonal().add_(self._torch.as_tensor(amount, device=self._device))

    def cholesky(self, x: Floats) -> Floats | None:
        lower, failed = self._torch.linalg.cholesky_ex(_tensor(x))  # it tells of a failure, where cholesky would raise
        return None if int(failed) else cast(Floats, lower)

    def half_solve(self, lower: Floats, b: Floats, *, transposed: bool = False) -> Floats:
        factor = _tensor(lower).T if transposed else _tensor(lower)
        return cast(Floats, self._torch.linalg.solve_triangular(factor, _tensor(b), upper=transposed))

    def inverse(self, lower: Floats) -> Floats:
        return cast(Floats, self._torch.cholesky_inverse(_tensor(lower)))


def _tensor(x: Floats) -> torch.Tensor:
    return cast("torch.Tensor", x)


@lru_cache
def backend_of(device: str | None) -> Backend:
    """Return the backend of a device: None is NumPy.

    Raises:
        ValueError: torch is not installed, or has no such device.
    """
    if device is None:
        return Numpy()
    try:
        found = Torch(device)
        found.array(np.zeros(1))
    except (ImportError, RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ValueError(f"device={device!r} cannot be used: {error}; without it, NumPy is used") from error
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside: the fastest for the matrices of a searcher, and the trials keep the others."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@lru_cache
def _controller() -> ThreadpoolController:
    """Find the libraries once: that takes milliseconds, and they stay."""
    return ThreadpoolController()
