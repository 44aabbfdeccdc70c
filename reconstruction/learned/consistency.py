"""Depths of single pictures are checked against each other through the cameras between them.

A model that looks at one picture at a time may be sure and wrong; what neighbours contradict is dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cameras import Cameras
from ..checks import check_array
from ..conventions import F32
from ..gates import Observations

F64 = NDArray[np.float64]

AGREE = 0.05  # relative difference of depth up to which two pictures show the same surface
NEIGHBORS = 4
_SAME_WAY = 0.5  # cosine between lines of sight above which a near camera counts as a neighbour
_PER_FRAME = 150  # points whose sightings feed the gates; a picture of structure from motion has some 300


def confirmed(depths: F32, cameras: Cameras, *, agree: float = AGREE) -> NDArray[np.bool_]:
    """Return which depths [F, H, W] no majority of neighbours contradicts; never True where depth is 0.

    A neighbour contradicts a point that floats in front of the surface it sees there. One behind that
    surface may be hidden, which says nothing.

    Args:
        depths: [F, H, W] metres along +Z, 0 unknown.
        cameras: Of pictures of that size.
        agree: Relative difference of depth that is no contradiction.

    Raises:
        InvalidArrayError: Shapes differ.
    """
    check_array("depths", depths, shape=(len(cameras), cameras.height, cameras.width), dtype=np.float32)
    kept = depths > 0
    neighbors = _neighbors(cameras)
    for a, others in enumerate(neighbors):
        points = unproject(depths[a], cameras, a)
        votes = np.zeros(len(points), np.int64)
        for b in others:
            z, _, there = look(points, depths[b], cameras, b)
            is_known = there > 0
            votes += is_known & (np.abs(there - z) < agree * z)
            votes -= is_known & (there > z * (1 + agree))
        kept[a][depths[a] > 0] = votes >= 0
    return kept


def observe(
    depths: F32, cameras: Cameras, *, agree: float = AGREE, seed: int = 0
) -> tuple[F64, Observations]:
    """Return some points of the depths [P, 3] and where every frame sees them, for the gates of `gates`.

    A frame sees a point where its own depth agrees. Arguments as for `confirmed`.
    """
    rng = np.random.default_rng(seed)
    points: list[F64] = []
    rows: list[NDArray] = []
    start = 0
    for a in range(len(cameras)):
        own = unproject(depths[a], cameras, a)
        own = own[rng.choice(len(own), min(_PER_FRAME, len(own)), replace=False)]
        points.append(own)
        for b in range(len(cameras)):
            z, pixels, there = look(own, depths[b], cameras, b)
            seen = np.flatnonzero((there > 0) & (np.abs(there - z) < agree * z))
            rows.append(np.c_[np.full(len(seen), b), start + seen, pixels[seen]])
        start += len(own)
    table = np.concatenate(rows)
    seen = Observations(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])
    return np.concatenate(points), seen


def unproject(depth: F32, cameras: Cameras, index: int) -> F64:
    """Return the world points [P, 3] of the known pixels of one frame, row by row."""
    rows, columns = np.nonzero(depth > 0)
    K, viewmat = cameras.Ks[index].astype(np.float64), cameras.viewmats[index].astype(np.float64)
    z = depth[rows, columns].astype(np.float64)
    x, y = (columns + 0.5 - K[0, 2]) / K[0, 0], (rows + 0.5 - K[1, 2]) / K[1, 1]
    return (np.stack([x * z, y * z, z], axis=-1) - viewmat[:3, 3]) @ viewmat[:3, :3]


def look(points: F64, depth: F32, cameras: Cameras, index: int) -> tuple[F64, F64, F64]:
    """Return what frame `index` says of points [P, 3].

    Returns:
        Depth of the points [P], their pixels [P, 2], and the frame's own depth there [P]; the last is 0
        where the point is behind the camera, outside the picture, or the depth is unknown.
    """
    K, viewmat = cameras.Ks[index].astype(np.float64), cameras.viewmats[index].astype(np.float64)
    x_cam = np.asarray(points, np.float64) @ viewmat[:3, :3].T + viewmat[:3, 3]
    z = x_cam[:, 2]
    ahead = z > 1e-6
    pixels = x_cam[:, :2] / np.where(ahead, z, 1)[:, None] * K[[0, 1], [0, 1]] + K[:2, 2]
    inside = ahead & (pixels >= 0).all(axis=1) & (pixels < (cameras.width, cameras.height)).all(axis=1)
    columns, rows = np.where(inside[:, None], pixels, 0).astype(np.int64).T
    return z, pixels, np.where(inside, depth[rows, columns], 0).astype(np.float64)


def _neighbors(cameras: Cameras) -> list[list[int]]:
    """Return for each camera the nearest ones that look about the same way."""
    positions, forwards = cameras.positions, cameras.forwards
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    distances[forwards @ forwards.T < _SAME_WAY] = np.inf
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBORS]
    return [[int(b) for b in row if np.isfinite(distances[a, b])] for a, row in enumerate(order)]
