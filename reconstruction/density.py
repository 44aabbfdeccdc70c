"""Where splats are: their order in memory, which are useless, and where the pictures ask for more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .conventions import F32

_DEAD_OPACITY = 0.02  # no pixel changes by more than 5 of 255


def morton_order(points: F32) -> NDArray[np.int64]:
    """Return the order [N] of points [N, 3] along a Z-curve: neighbours in space become neighbours in memory.

    Axes are ranked rather than scaled, so a few far points (sky) do not push all others into one cell.
    """
    codes = np.zeros(len(points), np.uint64)
    for axis in range(3):
        rank = np.empty(len(points), np.uint64)
        rank[np.argsort(points[:, axis], kind="stable")] = np.arange(len(points), dtype=np.uint64)
        cell = rank * np.uint64(1 << 20) // np.uint64(max(1, len(points)))
        for shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            cell = (cell | (cell << np.uint64(shift))) & np.uint64(mask)
        codes |= cell << np.uint64(axis)
    return np.argsort(codes, kind="stable")
