"""A scene in memory, ready to be drawn for those who cannot draw.

Colour of degree 0 only. Scenes of up to `max_splats` are drawn whole, for splats out of view cost next to
nothing; of larger ones each visitor holds the cut of the tree that the stream would send.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reconstruction.kernels.binding import padded, planar
from streaming.assemble import collider_mesh
from streaming.chunk_bytes import decode_chunks
from streaming.limits import MAX_CREDIT_BYTES
from streaming.messages import Chunk, Credit, Pose, decode_from_server, encode
from streaming.session import StreamedScene, ViewerSession

from .footing import Footing

# 100,000 of a larger scene look worse and cost as much: time goes into pixels (README.md has the rows).
MAX_SPLATS = 300_000
# Wider than any picture's cone: heads turn before the next cut.
_CUT_FOV_DEG = 130.0
# Generated skies hang at hundreds of metres; what one walks among ends at its bounds and a little beyond.
_FAR_OF_BOUNDS = 2.0
_LEAST_FAR_M = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Splats as the kernels take them: `values` [14, stride], the first `count` of each row."""

    values: NDArray[np.float32]
    count: int


class DrawnScene:
    """One version of a scene in memory, shared by all who look at it. Safe to use from several threads."""

    def __init__(self, scene: StreamedScene, max_splats: int = MAX_SPLATS) -> None:
        """Decode what is needed at once.

        Raises:
            AssetFormatError: Its chunks are damaged.
        """
        self.scene = scene
        self.manifest = scene.asset.manifest
        self._max_splats = max_splats
        self._lock = threading.Lock()
        self._chunks: dict[int, NDArray[np.float32]] = {}  # [14, n] of decoded chunks
        self._whole: dict[bool, Rows] = {}  # by whether the sky is left out
        mesh = collider_mesh(scene.asset)
        self.footing = None if mesh is None else Footing(*mesh)
        extent = np.subtract(self.manifest.bounds_max, self.manifest.bounds_min)
        self._far_m = max(_LEAST_FAR_M, _FAR_OF_BOUNDS * float(np.linalg.norm(extent)))
        self.rows(scene.start_pose, additive=False)

    @property
    def is_whole(self) -> bool:
        """Whether it is drawn whole, whatever the pose."""
        return self.manifest.splat_count <= self._max_splats

    @property
    def byte_length(self) -> int:
        """Bytes of memory that it holds now, its pack included."""
        arrays = [*self._chunks.values(), *(rows.values for rows in self._whole.values())]
        held = sum(array.nbytes for array in arrays) + self.scene.asset.byte_length
        return held + (0 if self.footing is None else self.footing.byte_length)

    def rows(self, pose: Pose, *, additive: bool) -> Rows:
        """Return the splats to draw for a pose and those near it."""
        if not self.is_whole:
            return self._join(self._cut(pose), additive=additive)
        with self._lock:
            if additive not in self._whole:
                last = self.manifest.level_count - 1
                leaves = [c.index for c in self.scene.asset.chunks if c.kind == "splats" and c.level == last]
                values = [self._decoded(leaves)[index] for index in leaves]
                self._whole[additive] = self._rows(values, additive=additive)
                self._chunks.clear()  # the rows are all that is needed
            return self._whole[additive]

    def entered(self, pose: Pose) -> Pose:
        """Return a pose that a visitor claims to come from, or one at the start if nobody stands there."""
        x, y, z = pose.position
        if self.footing is None or self.footing.stand((x, y - self.manifest.eye_height_m, z)) is not None:
            return pose
        return replace(pose, position=self.scene.start_pose.position)

    def _cut(self, pose: Pose) -> dict[int, list[tuple[int, int]]]:
        """Return the chunks that the stream would send, each with the ranges that finer ones replace."""
        look = Pose(pose.epoch, pose.position, pose.forward, _CUT_FOV_DEG)
        session = ViewerSession(self.scene, pose=look, credit=MAX_CREDIT_BYTES, max_splats=self._max_splats)
        found: dict[int, list[tuple[int, int]]] = {}
        refill = encode(Credit(MAX_CREDIT_BYTES))
        while (data := session.next_to_send()) is not None:
            if data[0] != Chunk.TYPE:
                continue
            message = decode_from_server(data)
            assert isinstance(message, Chunk)
            info = self.scene.asset.chunks[message.chunk]
            if info.kind == "splats":
                found[message.chunk] = []
                if info.parent >= 0:
                    found[info.parent].append((info.range_start, info.range_stop))
            session.receive(refill)
        return found

    def _join(self, cut: dict[int, list[tuple[int, int]]], *, additive: bool) -> Rows:
        with self._lock:
            decoded = self._decoded(list(cut))
        parts = []
        for index, replaced in cut.items():
            values = decoded[index]
            if replaced:
                is_shown = np.ones(values.shape[1], bool)
                for start, stop in replaced:
                    is_shown[start:stop] = False
                values = values[:, is_shown]
            parts.append(values)
        return self._rows(parts, additive=additive)

    def _decoded(self, indices: list[int]) -> dict[int, NDArray[np.float32]]:
        missing = [index for index in indices if index not in self._chunks]
        clouds = decode_chunks([self.scene.asset.chunk_bytes(index) for index in missing])
        for index, cloud in zip(missing, clouds, strict=True):
            plain = replace(cloud, sh=cloud.sh[:, :1].copy())  # older packs hold all of their colour in it
            self._chunks[index] = planar(plain)[:, : len(plain)]
        return self._chunks

    def _rows(self, parts: list[NDArray[np.float32]], *, additive: bool) -> Rows:
        if additive:
            eye = np.array(self.scene.start_pose.position, np.float32)[:, None]
            parts = [part[:, ((part[:3] - eye) ** 2).sum(axis=0) < self._far_m**2] for part in parts]
        count = sum(part.shape[1] for part in parts)
        values = np.zeros((14, padded(count)), np.float32)
        np.concatenate(parts, axis=1, out=values[:, :count])
        return Rows(values, count)
