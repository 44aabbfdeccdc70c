"""Splats in the order of a space-filling curve: neighbours in space are neighbours in the file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELL_BITS = 20  # per axis: two thousandths of a millimetre in two metres
_ORDER_BITS = 10  # cells of a thousandth of the scene, finer than neighbours differ
# Bits of one axis, three apart, from masks ever finer.
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_order(points: NDArray) -> NDArray[np.int64]:
    """Return the indices [N] that sort `points` [N, 3] along a Morton curve; equal cells keep their order."""
    low, high = points.min(axis=0), points.max(axis=0)
    top = 2**_ORDER_BITS - 1
    cells = np.rint((points - low) / np.maximum(high - low, 1e-9) * top).astype(np.int64).clip(0, top)
    return np.argsort(codes_of(cells), kind="stable")


def codes_of(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place [N] of cells [N, 3] of 0 to 2^20 - 1 on the curve, 60 bits; x is lowest."""
    codes = np.zeros(len(cells), np.int64)
    for axis in range(3):
        spread = cells[:, axis]
        for shift, mask in _SPREAD:
            spread = (spread | spread << shift) & mask
        codes |= spread << axis
    return codes


def cells_of(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Undo `codes_of`."""
    cells = np.empty((len(codes), 3), np.int64)
    for axis in range(3):
        packed = codes >> axis & _SPREAD[-1][1]
        for (shift, _), (_, mask) in zip(
            _SPREAD[::-1], (*_SPREAD[-2::-1], (0, 2**CELL_BITS - 1)), strict=True
        ):
            packed = (packed | packed >> shift) & mask
        cells[:, axis] = packed
    return cells
