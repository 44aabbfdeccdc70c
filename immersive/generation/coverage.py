"""How much of each picture shows which kind of element, from a coarse grid of rays per view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immersive.generation.procedural.mesh import label_of
from immersive.generation.procedural.rays import RayScene
from immersive.generation.procedural.vocabulary import VOCABULARY
from immersive.generation.procedural.world import World
from reconstruction.cameras import Cameras
from reconstruction.conventions import F32

SHOWN_SHARE = 0.001  # of a picture: less is a speck
COLUMNS = 96  # rays across a picture; 0.1 % of 96 x 54 is six of them


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What F pictures show of the kinds of the vocabulary that have any triangles."""

    kinds: tuple[str, ...]
    shares: F32  # [F, kinds] of the picture, 0..1

    def share_of(self, kind: str) -> F32:
        """Return the share [F] of each picture that shows a kind; zeros where nothing of it was built."""
        if kind not in self.kinds:
            return np.zeros(len(self.shares), np.float32)
        return self.shares[:, self.kinds.index(kind)]

    def frames_that_show(self, kind: str, share: float = SHOWN_SHARE) -> NDArray[np.intp]:
        """Return the pictures, in order, of which at least `share` shows a kind."""
        return np.flatnonzero(self.share_of(kind) >= share)


def built_kinds(world: World) -> tuple[str, ...]:
    """Return the kinds that a world has triangles of, or shows in its sky, in the order of the vocabulary."""
    counts = np.bincount(world.mesh.face_labels, minlength=len(VOCABULARY) + 1)
    if world.lighting.sky.aurora > 0:
        counts[label_of("aurora")] += 1
    return tuple(kind for kind in VOCABULARY if counts[label_of(kind)])


def coverage_of(world: World, scene: RayScene, cameras: Cameras, columns: int = COLUMNS) -> Coverage:
    """Return what each of the cameras sees, by the labels of the triangles that its rays meet.

    Args:
        world: The place.
        scene: Rays against `world.mesh`.
        cameras: F views in the frame of the world.
        columns: Rays across a picture; as many rows as keep them evenly spaced.
    """
    rows = max(1, round(columns * cameras.height / cameras.width))
    x, y = np.meshgrid(
        (np.arange(columns) + 0.5) * cameras.width / columns,
        (np.arange(rows) + 0.5) * cameras.height / rows,
    )
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(columns * rows)], -1)
    # A ray that meets nothing has triangle -1, so the sky's label comes last.
    labels = np.append(world.mesh.face_labels, np.int16(0))
    kinds = built_kinds(world)
    columns_of = [label_of(kind) for kind in kinds]
    shares = np.zeros((len(cameras), len(kinds)), np.float32)
    for frame in range(len(cameras)):
        in_camera = pixels @ np.linalg.inv(cameras.Ks[frame].astype(np.float64)).T
        heads = in_camera @ cameras.viewmats[frame, :3, :3].astype(np.float64)
        heads /= np.linalg.norm(heads, axis=1, keepdims=True)
        origins = np.broadcast_to(cameras.positions[frame], heads.shape)
        hits = scene.closest(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(heads, np.float32)
        )[1]
        seen = labels[hits]
        if world.lighting.sky.aurora > 0:
            seen = np.where((hits < 0) & _is_aurora(heads), label_of("aurora"), seen)
        counts = np.bincount(seen, minlength=len(VOCABULARY) + 1)
        shares[frame] = counts[columns_of] / len(pixels)
    return Coverage(kinds, shares)


def _is_aurora(heads: NDArray) -> NDArray[np.bool_]:
    """Return which directions [R, 3] look where `sky` draws its curtains."""
    return (heads[:, 1] > 0.12) & (heads[:, 1] < 0.6)
