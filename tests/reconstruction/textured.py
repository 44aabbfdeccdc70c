"""Pictures of the L-shaped room with features on every surface, from cameras that are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.frames import FrameSequence, Provenance
from tests.reconstruction.clips import texture
from tests.reconstruction.rooms import depths_of, l_room, points_of

_PX_PER_M = 60


def room_cameras_along(
    eyes: NDArray, targets: NDArray, *, focal_over_edge: float, width: int = 320, height: int = 200
) -> Cameras:
    """Return cameras at `eyes` [F, 3] that look at `targets` [F, 3]."""
    viewmats = [look_at_viewmat(eye, target) for eye, target in zip(eyes, targets, strict=True)]
    K = intrinsics(focal_over_edge * max(width, height), width, height)
    return Cameras(np.stack(viewmats), np.repeat(K[None], len(eyes), axis=0), width, height)


def pictures_of_room(cameras: Cameras) -> FrameSequence:
    """Return what cameras see of the room, without the cameras; walls, floor and ceiling differ."""
    depths = depths_of(l_room(), cameras)
    places = points_of(depths, cameras)
    images = np.empty((*depths.shape, 3), np.uint8)
    sheets = [texture(10 * _PX_PER_M, 10 * _PX_PER_M, seed).astype(np.float32) for seed in range(3)]
    for image, place in zip(images, places, strict=True):
        # The two lines of pixels beside each give the surface's normal; its largest part chooses the sheet.
        across, down = np.gradient(place, axis=1), np.gradient(place, axis=0)
        axis = np.abs(np.cross(across, down)).argmax(axis=-1)
        for k, sheet in enumerate(sheets):
            is_on = axis == k
            # A shear, so that a surface parallel to another does not repeat it.
            a, b = np.delete(place, k, axis=-1)[is_on].T
            at = np.stack([b + 0.31 * place[is_on, k], a + 0.73 * place[is_on, k]]) * _PX_PER_M
            for c in range(3):
                image[is_on, c] = map_coordinates(sheet[..., c], at, order=1, mode="mirror")
    return FrameSequence(images, Provenance("clip", is_generated=False))


def room_walk(count: int, *, focal_over_edge: float = 0.7) -> tuple[FrameSequence, Cameras]:
    """Return a walk along the room's long wall, a little up and down, looking ahead to the side."""
    t = np.linspace(0, 1, count)
    eyes = np.stack([1.0 + 3.2 * t, 1.5 + 0.1 * np.sin(6 * t), 3.4 - 0.5 * t], axis=1)
    targets = np.stack([2.0 + 2.2 * t, 1.0 - 0.1 * t, 0.3 + 0 * t], axis=1)
    cameras = room_cameras_along(eyes, targets, focal_over_edge=focal_over_edge)
    return pictures_of_room(cameras), cameras
