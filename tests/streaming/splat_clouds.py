"""Clouds for tests of formats: no symmetry anywhere, so that a swapped or mirrored axis shows."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

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


def damaged(data: bytes, tries: int, *, seed: int, keep: int = 0) -> Iterator[bytes]:
    """Yield copies of `data` with one to four bytes changed, none of the first `keep`."""
    noise = random.Random(seed)
    for _ in range(tries):
        copy = bytearray(data)
        for _ in range(noise.randint(1, 4)):
            copy[noise.randrange(keep, len(copy))] = noise.randrange(256)
        yield bytes(copy)


@st.composite
def clouds(draw: st.DrawFn, *, reach: float = 900, degrees: tuple[int, ...] = (0,)) -> SplatCloud:
    """Draw up to 40 splats with values as wide as formats hold, positions within `reach`."""
    row = st.tuples(
        *[st.floats(-reach, reach, width=32)] * 3,
        *[st.floats(-1, 1, width=32)] * 4,
        *[st.floats(-9, 4, width=32)] * 3,
        st.floats(0, 1, width=32),
        *[st.floats(-3, 5, width=32)] * 3,
    )
    rows = np.array(draw(st.lists(row, min_size=1, max_size=40)), np.float64)
    quats = rows[:, 3:7]
    quats[np.linalg.norm(quats, axis=1) < 1e-3] = [0.1, -0.2, 0.3, 0.4]
    degree = draw(st.sampled_from(degrees))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rest = noise.uniform(-1.3, 1.5, (len(rows), (degree + 1) ** 2 - 1, 3))
    return SplatCloud(
        rows[:, :3].astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        np.exp(rows[:, 7:10]).astype(np.float32),
        rows[:, 10].astype(np.float32),
        np.concatenate([rows[:, None, 11:14], rest], axis=1).astype(np.float32),
    )
