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


def dead(opacities: F32) -> NDArray[np.bool_]:
    """Return which splats [N] are too faint to matter and may be taken away."""
    return opacities < _DEAD_OPACITY


def seeds(
    image: F32,
    depth: F32,
    target: F32,
    viewmat: F32,
    K: F32,
    count: int,
    rng: np.random.Generator,
    trust: F32 | None = None,
) -> tuple[F32, F32, F32]:
    """Return splats for the places where a drawn picture is most wrong.

    Pixels are drawn with the squared error as their odds, so that large errors get splats first.

    Args:
        image: [H, W, 3] as drawn.
        depth: [H, W] metres; pixels without a depth (0 or infinite) get none.
        target: [H, W, 3] as it should be.
        viewmat: [4, 4].
        K: [3, 3].
        count: How many; fewer if too few pixels are wrong.
        rng: Decides which.
        trust: [H, W] how much each pixel of `target` counts, 0..1; None for all alike.

    Returns:
        Points [M, 3], colours [M, 3] and standard deviations [M] of half a pixel, in metres.
    """
    known = (depth > 0) & np.isfinite(depth)
    odds = np.where(known, ((image - target) ** 2).sum(-1), 0).ravel().astype(np.float64)
    if trust is not None:
        odds *= trust.ravel()
    count = min(count, int(np.count_nonzero(odds)))
    if count == 0:
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.float32), np.empty(0, np.float32)
    pixels = rng.choice(odds.size, count, replace=False, p=odds / odds.sum())
    rows, columns = np.divmod(pixels, depth.shape[1])
    z = depth[rows, columns]
    x_cam = np.stack([(columns + 0.5 - K[0, 2]) / K[0, 0] * z, (rows + 0.5 - K[1, 2]) / K[1, 1] * z, z], -1)
    points = (x_cam - viewmat[:3, 3]) @ viewmat[:3, :3]
    return points.astype(np.float32), target[rows, columns], (0.5 * z / K[0, 0]).astype(np.float32)
