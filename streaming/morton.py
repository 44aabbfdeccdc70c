"""Splats in the order of a space-filling curve: neighbours in space are neighbours in the file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 10  # per axis: cells of a thousandth of the scene, finer than neighbours differ


def morton_order(points: NDArray) -> NDArray[np.int64]:
    """Return the indices [N] that sort `points` [N, 3] along a Morton curve; equal cells keep their order."""
    low, high = points.min(axis=0), points.max(axis=0)
    top = 2**_BITS - 1
    cells = np.rint((points - low) / np.maximum(high - low, 1e-9) * top).astype(np.int64).clip(0, top)
    code = np.zeros(len(points), np.int64)
    for bit in range(_BITS):
        for axis in range(3):
            code |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")
