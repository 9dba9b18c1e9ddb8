"""Acquisition: the logarithm of expected improvement, also where it is as small as 1e-300, with its gradient.

z: (best - mean) / sd. phi, Phi: density and distribution function of the normal. h(z) = phi(z) + z Phi(z).
EI = sd * h(z) (Jones et al. 1998); its logarithm in the tail is that of Ament et al. 2023 (LogEI).
m: rows. f: fantasies, assumed results of pending trials; EI is the mean over them.
"""

from __future__ import annotations

import math

import numpy as np

from trialwright.space.values import Floats

LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


def log_h(z: Floats) -> tuple[Floats, Floats]:
    """Return log h(z), and its derivative Phi(z) / h(z), both of z's shape.

    Below -1, phi(z) * (1 - |z| R) with Mills' ratio R = sqrt(pi/2) erfcx(|z| / sqrt 2) says the same without
    cancelling; below -1e5 it has lost all digits too, and 1 / z^2 remains.
    """
    from scipy.special import erfcx, ndtr  # a third of a second: only who models waits for it

    with np.errstate(all="ignore"):
        size = np.abs(z)
        log_phi = -0.5 * z * z - LOG_ROOT_2PI
        phi, big_phi = np.exp(log_phi), ndtr(z)
        near = phi + z * big_phi
        mills = math.sqrt(math.pi / 2.0) * erfcx(size / math.sqrt(2.0))
        factor = np.where(size > 1e5, 1.0 / (z * z), 1.0 - size * mills)
        tail = z < -1.0
        value = np.where(tail, log_phi + np.log(factor), np.log(near))
        derivative = np.where(tail, np.where(size > 1e5, size, mills / factor), big_phi / near)
    return value, derivative


def log_ei(best: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log EI below `best`, shape (m,), and its gradients in mean, shape (m, f), and sd, shape (m,).

    best: shape (f,). mean: shape (m, f). sd: shape (m,).
    """
    z = (best - mean) / sd[:, None]
    value, derivative = log_h(z)
    value += np.log(sd)[:, None]
    total = _log_mean(value)
    share = np.exp(value - total[:, None]) / mean.shape[1]
    slope = share * derivative / sd[:, None]
    return total, -slope, np.einsum("mf->m", share) / sd - np.einsum("mf,mf->m", slope, z)


def log_feasible(mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the log probability of being at most 0, shape (m,), and its gradients in mean, (m, f), and sd, (m,)."""
    from scipy.special import log_ndtr

    z = -mean / sd[:, None]
    value = log_ndtr(z)
    derivative = np.exp(-0.5 * z * z - LOG_ROOT_2PI - value)
    total = _log_mean(value)
    share = np.exp(value - total[:, None]) / mean.shape[1]
    slope = share * derivative / sd[:, None]
    return total, -slope, -np.einsum("mf,mf->m", slope, z)


def _log_mean(values: Floats) -> Floats:
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.mean(np.exp(values - top[:, None]), axis=1)))
