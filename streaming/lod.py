"""Coarser versions of a cloud, each splat standing for a group of splats of the next finer level.

Level 0 is the coarsest. Groups grow by merging pairs of neighbours, cheapest first: Ward's cost, the smaller
of two times how much looks wrong once they are one. How large a splat is, is how much of the pictures it
covers, which observation tells; in square metres a far sky outweighs what one stands before. A group becomes
one Gaussian with the group's moments; its covariance is then inflated, because opacity cannot exceed 1 to pay
for what the group covers (figures in README.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reconstruction.conventions import quats_from_rotmats, rotmats_from_quats
from reconstruction.spherical_harmonics import dc_from_rgb, rgb_from_dc
from reconstruction.splats import SplatCloud

ROOT_SPLATS = 1000  # 20 KB: two round trips of a fresh connection, and already a picture
RATIO = 8  # 22 % more bytes than the finest level alone; 4 costs 42 %

_NEIGHBOURS = 4  # five to eight merge no better
# Of what a pair covers, how much looks wrong once it is one: colours, places beside their size, unlike sizes.
_COLOR_WEIGHT = 0.5
_PLACE_WEIGHT = 0.2
_SIZE_WEIGHT = 0.05
# Only the cheapest pairs of a search merge, for the next one finds cheaper ones than the rest: 1.3 dB.
_SHARE = 1 / 3
_MAX_OPACITY = 0.99
# A group that asks for more opacity than one splat may have is paid in area, up to a limit; coarser levels
# get a little on top. Together 0.4 to 2 dB on two scenes of 250 000 and 300 000 splats.
_EXCESS_POWER = 0.4
_MAX_EXCESS_INFLATION = 1.6
_INFLATION = (1.0, 1.0, 1.2, 1.35)  # by levels above the finest, the last one repeated
_JITTER = 1e-7  # of the scene's extent
_UNUSED = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One version of the whole scene."""

    cloud: SplatCloud
    parents: NDArray[
        np.int64
    ]  # [N] the splat of the next coarser level that stands for each; empty at level 0
    errors: NDArray[np.float32]  # [N] appearance error of showing each, not its children; 0 at the finest


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Splats as what merging adds up."""

    means: NDArray[np.float64]  # [N, 3]
    covariances: NDArray[np.float64]  # [N, 3, 3]
    colors: NDArray[np.float64]  # [N, 3]
    opacities: NDArray[np.float64]  # [N]
    excess: NDArray[np.float64]  # [N] >= 1: how many times too little the opacity is for what a group covers
    attention: NDArray[np.float64]  # [N] how much is seen of each square metre that it covers, > 0

    def __len__(self) -> int:
        return len(self.means)

    @property
    def covers(self) -> NDArray[np.float64]:
        return self.opacities * _areas(self.covariances) + 1e-12

    @property
    def seen(self) -> NDArray[np.float64]:
        return self.covers * self.attention


def build_tree(
    cloud: SplatCloud,
    attention: NDArray | None = None,
    *,
    root_splats: int = ROOT_SPLATS,
    ratio: float = RATIO,
) -> tuple[Level, ...]:
    """Return the levels of `cloud`, coarsest first; the last one is `cloud` itself.

    Deterministic. Merged levels carry colour of degree 0 only.

    Args:
        cloud: At least one splat.
        attention: [N] how much is seen of each square metre that a splat covers, > 0, in any unit: what is
            far or hidden merges first. None: all alike.
        root_splats: Most splats of level 0.
        ratio: Most splats that one level may hold for each splat of the coarser one, on average.
    """
    level_count = max(1, 1 + math.ceil(math.log(max(len(cloud) / root_splats, 1), ratio)))
    step = (len(cloud) / root_splats) ** (1 / max(level_count - 1, 1))
    shown, moments = cloud, _moments(cloud, attention)
    errors = np.zeros(len(cloud), np.float32)
    levels: list[Level] = []
    for height in range(1, level_count):
        goal = root_splats if height == level_count - 1 else round(len(cloud) / step**height)
        parents = _group(moments, goal)
        coarser = _merge(moments, parents)
        levels.append(Level(shown, parents, errors))
        errors = _errors(moments, coarser, parents)
        shown, moments = _cloud(coarser, _INFLATION[min(height, len(_INFLATION) - 1)]), coarser
    levels.append(Level(shown, np.empty(0, np.int64), errors))
    return tuple(reversed(levels))


def _group(splats: _Moments, goal: int) -> NDArray[np.int64]:
    """Return for each splat which of at most `goal` groups it belongs to."""
    labels = np.arange(len(splats))
    while len(splats) > goal:
        pairs = _match(splats, min(len(splats) - goal, math.ceil(_SHARE * len(splats))))
        merged = np.arange(len(splats))
        merged[pairs[:, 1]] = pairs[:, 0]
        _, merged = np.unique(merged, return_inverse=True)
        splats = _merge(splats, merged)
        labels = merged[labels]
    return labels


def _match(splats: _Moments, most: int) -> NDArray[np.int64]:
    """Return the cheapest pairs [P, 2], P <= `most`, no splat in two of them.

    An edge that is the cheapest of both its ends is taken, its ends are gone, and so on: the pairs are those
    of a greedy sweep over all edges by cost, found a whole round at a time.
    """
    count = len(splats)
    neighbours = min(_NEIGHBOURS + 1, count)
    # Many splats in one place would be each other's only neighbours, and a search among them quadratic.
    extent = max(float(np.ptp(splats.means, axis=0).max()), 1e-6)
    points = splats.means + np.random.default_rng(0).normal(0, _JITTER * extent, splats.means.shape)
    distance, other = cKDTree(points).query(points, k=neighbours, workers=-1)
    i = np.repeat(np.arange(count), neighbours - 1)
    # Of many equal points the query may list another one first, so "self" is not always column 0.
    j, squared = other[:, 1:].ravel(), distance[:, 1:].ravel() ** 2
    # Neighbours of each other have two edges, of which one is enough.
    keep = (i < j) | ((i > j) & (other[j] != i[:, None]).all(axis=1))
    i, j, squared = i[keep], j[keep], squared[keep]
    edges = np.stack([i, j], axis=1)
    spread = np.trace(splats.covariances, axis1=1, axis2=2)
    weights = splats.seen
    color = sum((column[i] - column[j]) ** 2 for column in np.ascontiguousarray(splats.colors.T))
    size = np.sqrt(spread[i] * spread[j])
    cost = _COLOR_WEIGHT * color + _PLACE_WEIGHT * squared / (squared + size)
    cost += _SIZE_WEIGHT * np.abs(spread[i] - spread[j]) / (spread[i] + spread[j])
    cost *= weights[i] * weights[j] / (weights[i] + weights[j])
    order = np.argsort(cost, kind="stable")
    i, j, rank = i[order], j[order], np.arange(len(order))
    taken: list[NDArray[np.int64]] = []
    while len(rank):
        first = np.full(count, _UNUSED)
        # Written from the costliest to the cheapest, so the cheapest stays.
        first[i[::-1]] = rank[::-1]
        first_as_other = np.full(count, _UNUSED)
        first_as_other[j[::-1]] = rank[::-1]
        first = np.minimum(first, first_as_other)
        chosen = (first[i] == rank) & (first[j] == rank)
        taken.append(rank[chosen])
        gone = np.zeros(count, bool)
        gone[i[chosen]] = gone[j[chosen]] = True
        alive = ~(gone[i] | gone[j])
        i, j, rank = i[alive], j[alive], rank[alive]
    return edges[order[np.sort(np.concatenate(taken))[:most]]]


def _merge(splats: _Moments, labels: NDArray[np.int64]) -> _Moments:
    """Return one splat per label with the group's moments."""
    count = int(labels.max()) + 1
    weights = splats.covers
    total = np.bincount(labels, weights, count)

    def mean(values: NDArray) -> NDArray:
        flat = values.reshape(len(values), -1)
        columns = [np.bincount(labels, weights * column, count) / total for column in flat.T]
        return np.stack(columns, axis=1).reshape(count, *values.shape[1:])

    means = mean(splats.means)
    offset = splats.means - means[labels]
    covariances = mean(splats.covariances + offset[:, :, None] * offset[:, None, :])
    wanted = total / np.maximum(_areas(covariances), 1e-24)
    return _Moments(
        means,
        covariances,
        mean(splats.colors),
        np.minimum(_MAX_OPACITY, wanted),
        np.maximum(wanted / _MAX_OPACITY, 1.0),
        mean(splats.attention),
    )


def _errors(finer: _Moments, coarser: _Moments, parents: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return per coarser splat what is lost: colour and extent of its members, times the area they cover."""
    weights = finer.covers
    color = ((finer.colors - coarser.colors[parents]) ** 2).sum(axis=1)
    offset = ((finer.means - coarser.means[parents]) ** 2).sum(axis=1)
    spread = np.trace(coarser.covariances, axis1=1, axis2=2)[parents]
    lost = weights * (color + 0.05 * offset / np.maximum(spread, 1e-24))
    return np.bincount(parents, lost, len(coarser)).astype(np.float32)


def _moments(cloud: SplatCloud, attention: NDArray | None) -> _Moments:
    axes = rotmats_from_quats(cloud.quats.astype(np.float64)) * cloud.scales[:, None, :]
    colors = np.maximum(rgb_from_dc(cloud.sh[:, 0].astype(np.float64)), 0)
    return _Moments(
        cloud.means.astype(np.float64),
        axes @ axes.swapaxes(1, 2),
        colors,
        cloud.opacities.astype(np.float64),
        np.ones(len(cloud)),
        np.ones(len(cloud)) if attention is None else attention.astype(np.float64),
    )


def _cloud(splats: _Moments, inflation: float) -> SplatCloud:
    paid = np.minimum(splats.excess**_EXCESS_POWER, _MAX_EXCESS_INFLATION) * inflation
    spread, axes = np.linalg.eigh(splats.covariances * paid[:, None, None])
    axes[np.linalg.det(axes) < 0, :, 0] *= -1
    return SplatCloud(
        splats.means.astype(np.float32),
        quats_from_rotmats(axes).astype(np.float32),
        np.sqrt(np.maximum(spread, 1e-14)).astype(np.float32),
        splats.opacities.astype(np.float32),
        dc_from_rgb(splats.colors)[:, None, :].astype(np.float32),
    )


def areas_of_scales(scales: NDArray) -> NDArray[np.float64]:
    """Return the size [N] in square metres of ellipsoids with these axes, as the tree weighs them."""
    a, b, c = (scales.astype(np.float64) ** 2).T
    return np.sqrt(a * b + b * c + a * c)


def _areas(covariances: NDArray) -> NDArray:
    """Return a size [N] in square metres that grows with what an ellipsoid covers, seen from anywhere."""
    c = covariances
    minors = (
        c[:, 0, 0] * c[:, 1, 1]
        - c[:, 0, 1] ** 2
        + c[:, 0, 0] * c[:, 2, 2]
        - c[:, 0, 2] ** 2
        + c[:, 1, 1] * c[:, 2, 2]
        - c[:, 1, 2] ** 2
    )
    return np.sqrt(np.maximum(minors, 1e-24))
