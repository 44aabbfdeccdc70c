"""A LoD tree cut into chunks: each replaces one range of its parent's splats and can be shown alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from .lod import Level
from .probes import NO_PROBES, probes_of

# Of 1024 to 65 536 splats, 4096 cost 5.6 % more bytes than the largest and give the finest choice under 15 %.
MAX_CHUNK_SPLATS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A chunk before it has bytes. Parents come before their children in a list of pieces."""

    level: int
    parent: int  # index of a piece, -1 for roots
    range_start: int
    range_stop: int
    cloud: SplatCloud
    runs: tuple[int, ...]  # lengths of the ranges that its children replace; only inside them may splats move
    error: float  # left while no child is shown
    gain: float  # error of the range that it replaces
    probes: NDArray[np.float64]  # [K, 5] where that error is; see `probes`
    # As gain and probes, of its own view-dependent colour; leaves only.
    sh_gain: float = 0.0
    sh_probes: NDArray[np.float64] = field(default_factory=lambda: NO_PROBES)


def cut(
    levels: Sequence[Level],
    sh_errors: NDArray[np.float32] | None = None,
    *,
    max_splats: int = MAX_CHUNK_SPLATS,
) -> list[Piece]:
    """Cut a tree, coarsest level first, so that every prefix of the result can be shown.

    Pieces of one parent split its splats into contiguous ranges.

    Args:
        sh_errors: [N] error of showing the finest level without its view-dependent colour; None: not known.
        max_splats: Of one piece.
    """
    families = [_Family(level.parents, len(coarser.cloud)) for coarser, level in pairwise(levels)]
    pieces: list[Piece] = []
    shares: list[NDArray[np.float64]] = []
    waiting: deque[tuple[int, NDArray, int, int, int]] = deque()
    for root in _split(levels[0].cloud.means, np.arange(len(levels[0].cloud)), None, max_splats):
        waiting.append((0, root, -1, 0, 0))
    while waiting:
        depth, members, parent, start, stop = waiting.popleft()
        level = levels[depth]
        parts = [members]
        if depth + 1 < len(levels):
            counts = families[depth].counts
            parts = _split(level.cloud.means, members, counts, max_splats)
        order = np.concatenate(parts)
        index = len(pieces)
        if depth + 1 < len(levels):
            at = 0
            for part in parts:
                waiting.append((depth + 1, families[depth].children(part), index, at, at + len(part)))
                at += len(part)
        errors = level.errors[order].astype(np.float64)
        # What the chunk itself leaves wrong is not taken off: measured apart, the difference may be nothing,
        # and such a chunk would come last of all.
        cloud, gain, found = level.cloud.subset(order), 0.0, NO_PROBES
        if parent >= 0:
            gain, found = _lies(pieces[parent].cloud, shares[parent], start, stop)
        sh_gain, sh_found = 0.0, NO_PROBES
        if depth + 1 == len(levels) and sh_errors is not None:
            sh_gain, sh_found = _lies(cloud, sh_errors[order].astype(np.float64), 0, len(cloud))
        shares.append(errors)
        error = float(errors.sum())
        runs = tuple(map(len, parts))
        pieces.append(Piece(depth, parent, start, stop, cloud, runs, error, gain, found, sh_gain, sh_found))
    return pieces


def leaf_parts(means: NDArray[np.float32], *, max_splats: int = MAX_CHUNK_SPLATS) -> list[NDArray[np.int64]]:
    """Return the indices of a cloud's splats, chunk by chunk, as a tree of one level would be cut."""
    return _split(means, np.arange(len(means)), None, max_splats)


def _lies(
    cloud: SplatCloud, errors: NDArray[np.float64], start: int, stop: int
) -> tuple[float, NDArray[np.float64]]:
    """Return how much error the splats of a range have, and where."""
    own = errors[start:stop]
    return float(own.sum()), probes_of(cloud.means[start:stop], cloud.scales[start:stop].max(axis=1), own)


class _Family:
    """Which splats of a finer level each splat of a coarser one stands for."""

    def __init__(self, parents: NDArray[np.int64], count: int) -> None:
        self._members = np.argsort(parents, kind="stable")
        self.counts = np.bincount(parents, minlength=count)
        self._starts = np.concatenate([[0], np.cumsum(self.counts)])

    def children(self, coarse: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the finer splats of several coarser ones."""
        counts = self.counts[coarse]
        first = np.repeat(self._starts[coarse] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        return self._members[first + np.arange(counts.sum())]


def _split(
    means: NDArray, members: NDArray[np.int64], counts: NDArray[np.int64] | None, most: int
) -> list[NDArray[np.int64]]:
    """Split `members` in space until each part stands for at most `most` splats (one by one when None)."""
    weights = np.ones(len(members), np.int64) if counts is None else counts[members]
    total = int(weights.sum())
    if total <= most or len(members) < 2:
        return [members]
    # Uneven halves of a whole number of parts leave fuller chunks than halving does.
    parts = -(-total // most)
    share = (parts // 2) / parts
    points = means[members]
    axis = int(np.argmax(points.max(axis=0) - points.min(axis=0)))
    order = np.argsort(points[:, axis], kind="stable")
    sums = np.cumsum(weights[order])
    middle = int(np.clip(np.searchsorted(sums, total * share), 1, len(members) - 1))
    left, right = members[order[:middle]], members[order[middle:]]
    return _split(means, left, counts, most) + _split(means, right, counts, most)
