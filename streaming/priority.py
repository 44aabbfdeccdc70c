"""Which chunk removes most visible error per byte, for a given view.

The error that a chunk removes was measured where it lies (`probes`). What a viewer sees of it falls with
squared distance, and counts little out of view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .asset import ChunkInfo, SplatAsset
from .messages import Pose
from .probes import decode_probes

# Chunks behind the viewer still come, after what is in view: a turn of the head should not find nothing.
_OUT_OF_VIEW_WEIGHT = 0.02
# The cone is widened so that chunks arrive before a slow turn shows their place.
_CONE_MARGIN = 1.25
# A picture is a rectangle in the cone: near its rim only the corners are.
_CERTAIN = 0.7
# Nearer than this, nothing needs to be finer.
_NEAREST_M = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class ChunkPriority:
    """The parts of a chunk table that decide the order, one row per chunk."""

    center: NDArray[np.float32]  # [C, 3] metres
    radius: NDArray[np.float32]  # [C] metres
    probes: NDArray[np.float32]  # [C, K, 3] metres
    reach: NDArray[np.float32]  # [C, K] metres
    gain_per_byte: NDArray[np.float32]  # [C, K] error removed, seen from a metre away

    @classmethod
    def prepare(cls, asset: SplatAsset) -> ChunkPriority:
        """Take the table of an asset apart.

        Raises:
            AssetFormatError: Probes that are none.
        """
        chunks = asset.chunks
        center = np.array([chunk.center for chunk in chunks]).reshape(-1, 3)
        radius = np.array([chunk.radius for chunk in chunks])
        probes = np.stack(
            [decode_probes(c.probes, at, r) for c, at, r in zip(chunks, center, radius, strict=True)]
        )
        gain = np.array([_gain(chunks, chunk) / max(chunk.byte_length, 1) for chunk in chunks])
        return cls(
            center=center.astype(np.float32),
            radius=radius.astype(np.float32),
            probes=probes[:, :, :3].astype(np.float32),
            reach=probes[:, :, 3].astype(np.float32),
            gain_per_byte=(gain[:, None] * probes[:, :, 4]).astype(np.float32),
        )

    def scores(self, pose: Pose) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return [C] how urgently `pose` wants each chunk (>= 0, higher is sooner), and [C] what it sees."""
        position = np.asarray(pose.position, np.float32)
        forward = np.asarray(pose.forward, np.float64)
        forward = (forward / np.linalg.norm(forward)).astype(np.float32)
        # A cone of 180 degrees has no slope.
        slope = math.tan(math.radians(min(pose.fov_deg, 170.0) / 2))
        along, across, _ = _seen_from(self.center - position, forward)
        wide = np.maximum(along, 0.0) * slope * _CONE_MARGIN
        in_view = (across < wide + self.radius) & (along > -self.radius)
        along, across, distance2 = _seen_from(self.probes - position, forward)
        aside = (across - self.reach) / np.maximum(along * slope, 1e-6)
        weight = np.clip((_CONE_MARGIN - aside) / (_CONE_MARGIN - _CERTAIN), _OUT_OF_VIEW_WEIGHT, 1.0)
        weight[(along <= 0) & (distance2 > self.reach**2)] = _OUT_OF_VIEW_WEIGHT
        seen = self.gain_per_byte * weight / (distance2 + self.reach**2 + _NEAREST_M**2)
        return seen.sum(axis=1), in_view


def _seen_from(offset: NDArray, forward: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return distances of offsets [..., 3] along and across the line of sight, and squared from the eye."""
    distance2 = np.einsum("...i,...i->...", offset, offset)
    along = offset @ forward
    return along, np.sqrt(np.maximum(distance2 - along * along, 0.0)), distance2


def _gain(chunks: Sequence[ChunkInfo], chunk: ChunkInfo) -> float:
    if chunk.gain is not None or chunk.parent < 0:
        return chunk.gain or 0.0
    # Older packs do not say where in the parent its error lies: as if it were everywhere alike.
    parent = chunks[chunk.parent]
    return parent.error * (chunk.range_stop - chunk.range_start) / max(parent.splat_count, 1)
