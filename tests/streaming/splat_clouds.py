"""Clouds for tests of formats: no symmetry anywhere, so that a swapped or mirrored axis shows."""

from __future__ import annotations

import numpy as np

from reconstruction.conventions import rotmats_from_quats
from reconstruction.splats import SplatCloud


def lopsided_cloud(count: int, *, degree: int = 0, seed: int = 7) -> SplatCloud:
    """Return splats of a wide, one-sided scene with every attribute inside what all formats hold."""
    rng = np.random.default_rng(seed)
    means = rng.gamma([2.0, 1.2, 3.0], [1.5, 0.4, 0.7], size=(count, 3)) * [1, 1, -1] + [-1, 0.2, 0.5]
    quats = rng.normal(size=(count, 4)) + [0.4, 0.1, -0.3, 0.2]
    scales = np.exp(rng.normal([-3.0, -3.6, -4.5], 0.5, size=(count, 3)))
    sh = rng.normal(0, 0.15, size=(count, (degree + 1) ** 2, 3))
    sh[:, 0] = rng.uniform([-1.2, -0.4, -1.6], [1.5, 1.1, 0.3], size=(count, 3))
    return SplatCloud(
        means.astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales.astype(np.float32),
        rng.uniform(0.05, 0.97, count).astype(np.float32),
        sh.clip(-0.95, 1.6).astype(np.float32),
    )


def covariances(cloud: SplatCloud) -> np.ndarray:
    """Return [N, 3, 3]; equal for the 48 ways to write down one ellipsoid."""
    axes = rotmats_from_quats(cloud.quats.astype(np.float64)) * cloud.scales[:, None, :]
    return axes @ axes.swapaxes(1, 2)


def angles_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the turn [N] between quaternions [N, 4] wxyz, whichever of both signs they have."""
    dots = np.abs((a.astype(np.float64) * b).sum(axis=1))
    dots /= np.linalg.norm(a.astype(np.float64), axis=1) * np.linalg.norm(b.astype(np.float64), axis=1)
    return np.degrees(2 * np.arccos(np.minimum(dots, 1)))
