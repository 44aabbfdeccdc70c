"""Few values that stand for many: codebooks of numbers and palettes of vectors, the same on every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 2**16
_COARSE_BINS_PER_ENTRY = 4  # fine enough for the shape of a distribution, coarse enough to have one
_CODEBOOK_ROUNDS = 60
_COARSE_ROUNDS = 8
_FINE_ROUNDS = 4
_BLOCK_BYTES = 8 * 2**20  # of distances at a time
# Multiplications in one product of matrices. Beyond, OpenBLAS starts threads that wait more than they work:
# 2.9 instead of 0.6 CPU-seconds for 31 000 splats of degree 2.
_MOST_PRODUCTS = 2**17


def codebook(values: NDArray, size: int = 256) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return `size` ascending numbers and, for each of `values`, the index of the nearest.

    The least and the greatest value are among the numbers, so the largest error is half the widest gap
    between neighbours. Up to `size` distinct values are kept exactly.

    Args:
        values: Any shape, finite, at least one.
        size: At most 256; unused places at the end repeat the greatest value.
    """
    flat = np.asarray(values, np.float32).ravel()
    entries = np.unique(flat)
    if len(entries) > size:
        entries = _lloyd_of_numbers(flat.astype(np.float64), size).astype(np.float32)
        # Rounding to float32 must not push the ends inside.
        entries[0], entries[-1] = flat.min(), flat.max()
    entries = np.append(entries, np.full(size - len(entries), entries[-1], np.float32))
    middles = (entries[:-1].astype(np.float64) + entries[1:]) / 2
    labels = np.searchsorted(middles, flat).astype(np.uint8)
    return entries, labels.reshape(np.shape(values))


def _lloyd_of_numbers(flat: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    counts, edges = np.histogram(flat, _BINS)
    centers = (edges[:-1] + edges[1:]) / 2
    # At high resolution the best density of entries follows the cube root of that of the values.
    blocks = np.histogram(flat, _COARSE_BINS_PER_ENTRY * size)[0]
    density = np.concatenate([[0.0], np.cumsum(np.cbrt(blocks))])
    places = np.interp((np.arange(size) + 0.5) / size * density[-1], density, np.arange(len(density)))
    entries = edges[0] + places * (edges[-1] - edges[0]) / len(blocks)
    mass = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * centers)])
    for _ in range(_CODEBOOK_ROUNDS):
        entries[0], entries[-1] = flat.min(), flat.max()
        cuts = np.searchsorted(centers, (entries[:-1] + entries[1:]) / 2)
        cuts = np.concatenate([[0], cuts, [_BINS]])
        weights, sums = np.diff(mass[cuts]), np.diff(moment[cuts])
        entries = np.where(weights > 0, sums / np.maximum(weights, 1), entries)
    entries[0], entries[-1] = flat.min(), flat.max()
    return np.sort(entries)


def palette(vectors: NDArray, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return at most `size` vectors [P, D] and the index [N] of the one that stands for each of `vectors`.

    Two rounds of k-means: into about the square root of `size` groups, then inside each of them. That costs
    N * sqrt(size) distances instead of N * size and loses little, since a group is a region.
    """
    points = np.ascontiguousarray(vectors, np.float32)
    count = len(points)
    if count <= size:
        return points, np.arange(count)
    groups = _k_means(points, round(np.sqrt(size)), _COARSE_ROUNDS)[1]
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    # Shares of the places in proportion to members; rounding down leaves no group above its members.
    bounds = np.cumsum([0] + [len(part) for part in members]) * size // count
    shares = np.maximum(np.diff(bounds), 1)
    while shares.sum() > size:
        shares[np.argmax(shares)] -= 1
    found, labels, start = [], np.empty(count, np.int64), 0
    for part, share in zip(members, shares, strict=True):
        centers, own = _k_means(points[part], int(share), _FINE_ROUNDS)
        labels[part] = own + start
        found.append(centers)
        start += len(centers)
    return np.concatenate(found), labels


def _k_means(points: NDArray[np.float32], size: int, rounds: int) -> tuple[NDArray, NDArray[np.int64]]:
    if len(points) <= size:
        return points, np.arange(len(points))
    centered = points - points.mean(axis=0)
    axis = np.linalg.eigh(centered.T @ centered)[1][:, -1]
    along = np.argsort(centered @ axis, kind="stable")
    centers = points[along[((np.arange(size) + 0.5) * len(points) / size).astype(np.int64)]]
    labels = _nearest(points, centers)
    for _ in range(rounds):
        counts = np.bincount(labels, minlength=size)
        sums = np.stack([np.bincount(labels, column, size) for column in points.T], axis=1)
        means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        centers = np.where(counts[:, None] > 0, means, centers)
        labels = _nearest(points, centers)
    return centers, labels


def _nearest(points: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    half = (centers**2).sum(axis=1) / 2
    rows = max(1, _MOST_PRODUCTS // centers.size)
    stacked = max(1, _BLOCK_BYTES // (4 * len(centers) * rows)) * rows
    labels = np.empty(len(points), np.int64)
    for start in range(0, len(points), stacked):
        part = points[start : start + stacked]
        whole = len(part) // rows * rows
        stack = part[:whole].reshape(-1, rows, part.shape[1])
        labels[start : start + whole] = np.argmin(half - stack @ centers.T, axis=2).ravel()
        labels[start + whole : start + len(part)] = np.argmin(half - part[whole:] @ centers.T, axis=1)
    return labels
