"""Which chunk removes most visible error per byte, for a given view.

The error that a chunk removes is its parent's, over the range that it replaces. What a viewer sees of it
falls with squared distance. Where a chunk is, its own sphere says badly: a coarse one spans ground and sky.
So visibility comes from the leaves, whose spheres are tight, and is averaged up the tree by the shares of
the ranges. On the posed cabin set (2.3 MB, seven views) that gives +1.3 dB at 200 kB and +2.5 dB at 800 kB
over the chunks' own spheres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .messages import CHUNK_KINDS, Pose, Tree

# Chunks behind the viewer still come, after what is in view: a turn of the head should not find nothing.
_OUT_OF_VIEW_WEIGHT = 0.02
# The cone is widened so that chunks arrive before a slow turn shows their place.
_CONE_MARGIN = 1.25
# Nearer than this, nothing needs to be finer.
_NEAREST_M = 0.25
# Spherical harmonics refine colours that are already there; shapes come first.
_SH_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class ChunkPriority:
    """The parts of a chunk table that decide the order. Arrays are [C], one row per chunk."""

    center: NDArray[np.float64]  # [C, 3] metres
    spread2: NDArray[np.float64]  # square metres that the extent of a chunk adds to its squared distance
    radius: NDArray[np.float64]  # metres
    gain_per_byte: NDArray[np.float64]  # error removed, seen from a metre away
    parent: NDArray[np.int64]
    share: NDArray[np.float64]  # of the parent's splats that the chunk replaces
    own_share: NDArray[np.float64]  # of its splats that no child replaces
    ranks: tuple[NDArray[np.int64], ...]  # chunks with parents, the deepest generation first

    @classmethod
    def prepare(cls, tree: Tree) -> ChunkPriority:
        """Take the table apart. Parents must come before their children."""
        parent = tree.parent.astype(np.int64)
        count = len(parent)
        is_splats = tree.kind == CHUNK_KINDS.index("splats")
        replaced = tree.range_stop.astype(np.float64) - tree.range_start
        share = np.where(parent >= 0, replaced / np.maximum(tree.splat_count[parent], 1), 0.0)
        gain = share * tree.error[parent] * np.where(is_splats, 1.0, _SH_WEIGHT)
        generation = np.zeros(count, np.int64)
        for index in np.flatnonzero(parent >= 0):
            generation[index] = generation[parent[index]] + 1
        replacing = (parent >= 0) & is_splats
        ranks = [np.flatnonzero(replacing & (generation == g)) for g in range(generation.max(), 0, -1)]
        covered = np.bincount(parent[replacing], share[replacing], count)
        radius = tree.radius.astype(np.float64)
        return cls(
            center=tree.center.astype(np.float64),
            # Splats spread evenly in a ball look, from its middle, as if all were at radius / sqrt(3).
            spread2=radius * radius / 3 + _NEAREST_M**2,
            radius=radius,
            gain_per_byte=gain / np.maximum(tree.byte_length, 1),
            parent=parent,
            share=share,
            own_share=np.maximum(1.0 - covered, 0.0),
            ranks=tuple(ranks),
        )

    def scores(self, pose: Pose) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return [C] how urgently `pose` wants each chunk (>= 0, higher is sooner), and [C] what it sees."""
        forward = np.asarray(pose.forward)
        forward = forward / np.linalg.norm(forward)
        offset = self.center - np.asarray(pose.position)
        distance2 = np.einsum("ij,ij->i", offset, offset)
        along = offset @ forward
        across = np.sqrt(np.maximum(distance2 - along * along, 0.0))
        # A cone of 180 degrees has no slope.
        slope = math.tan(math.radians(min(pose.fov_deg, 170.0) / 2)) * _CONE_MARGIN
        in_view = (across < np.maximum(along, 0.0) * slope + self.radius) & (along > -self.radius)
        visibility = np.where(in_view, 1.0, _OUT_OF_VIEW_WEIGHT) / (distance2 + self.spread2)
        for rank in self.ranks:
            parents = self.parent[rank]
            below = np.bincount(parents, visibility[rank] * self.share[rank], len(visibility))
            visibility[parents] = below[parents] + visibility[parents] * self.own_share[parents]
        return (self.gain_per_byte * visibility).astype(np.float32), in_view
