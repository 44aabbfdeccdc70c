"""Which pictures may show the same place, told from their features alone: no vocabulary is downloaded.

A codebook is learned from the pictures themselves, and a picture is the sum of how its features differ from
their nearest codes. Source: Jegou et al. 2010, VLAD, with each code's sum of unit length (Arandjelovic and
Zisserman 2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

CODES = 64
_SAMPLE = 20_000  # features that the codebook is learned from
_ROUNDS = 8  # of k-means; more move no code that matters
_PER_PICTURE = 2_000  # features of a picture that are summed
_SEED = 0


def similar_pairs(features: list[NDArray[np.uint8]], count: int, apart: int) -> list[tuple[int, int]]:
    """Return for each picture the `count` most similar ones that are more than `apart` places away.

    Args:
        features: SIFT descriptors of each picture, [D, 128]; a picture may have none.
        count: Partners of each picture; fewer if there are not so many.
        apart: Pictures nearer to each other than this in their order are matched anyway.

    Returns:
        Pairs (i, j), i < j, each once, sorted.
    """
    rows = [_unit(_sample(one, _PER_PICTURE)) for one in features]
    everything = np.concatenate([np.empty((0, 128), np.float32), *rows])
    if not len(everything):
        return []
    codes = _codebook(_sample(everything, _SAMPLE))
    signatures = np.stack([_signature(one, codes) for one in rows])
    likeness = signatures @ signatures.T
    order = np.arange(len(features))
    likeness[np.abs(order[:, None] - order[None]) <= apart] = -np.inf
    likeness[:, [not len(one) for one in rows]] = -np.inf
    pairs = set()
    for i, row in enumerate(likeness):
        for j in np.argsort(-row, kind="stable")[:count]:
            if np.isfinite(row[j]) and len(rows[i]):
                pairs.add((min(i, int(j)), max(i, int(j))))
    return sorted(pairs)


def _sample(rows: NDArray, count: int) -> NDArray:
    if len(rows) <= count:
        return rows
    return rows[np.random.default_rng(_SEED).choice(len(rows), count, replace=False)]


def _unit(descriptors: NDArray) -> F32:
    """COLMAP's descriptors are roots of shares already; only their length is missing."""
    values = descriptors.reshape(-1, 128).astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1.0)


def _nearest(rows: F32, codes: F32) -> NDArray[np.int64]:
    return (0.5 * (codes**2).sum(axis=1) - rows @ codes.T).argmin(axis=1)


def _codebook(rows: F32) -> F32:
    codes = _sample(rows, CODES).copy()
    for _ in range(_ROUNDS):
        nearest = _nearest(rows, codes)
        sums = np.zeros_like(codes)
        np.add.at(sums, nearest, rows)
        counts = np.bincount(nearest, minlength=len(codes))
        codes[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
    return codes


def _signature(rows: F32, codes: F32) -> F32:
    sums = np.zeros_like(codes)
    nearest = _nearest(rows, codes)
    np.add.at(sums, nearest, rows - codes[nearest])
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    flat = sums.reshape(-1)
    return flat / max(float(np.linalg.norm(flat)), 1e-9)
