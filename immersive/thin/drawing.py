"""One visitor's pictures: from a pose to encoded bytes, on the thread that asks."""

from __future__ import annotations

import io
import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reconstruction.cameras import intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.kernels.binding import SplatRaster
from streaming.messages import Pose

from .asked import EYES_APART_M, LEAST_FOV_DEG, MOST_FOV_DEG, Asked
from .scene import DrawnScene, Rows

# A new cut of a scene that is not drawn whole costs 2 ms and a copy of its rows: not for every step.
_CUT_AGAIN_M = 0.5
_CUT_AGAIN_COS = math.cos(math.radians(20))
# JPEG takes 1.3 CPU-ms for 600 x 600, WebP 5.5 (its quickest method) for 0.65 of the bytes.
_JPEG_QUALITY, _WEBP_QUALITY = 80, 70
# Dim colours are lost on daylight: mid-grey 128 becomes 163. Black must stay black.
_BRIGHTER = [round(255 * (value / 255) ** 0.65) for value in range(256)] * 3
_UP = np.array([0.0, 1.0, 0.0])
_STEEPEST = 0.999  # of the height of a unit direction: `look_at_viewmat` needs to know what is up
_NO_LIGHT = (0.0, 0.0, 0.0)

_of_thread = threading.local()  # a raster serves one thread


@dataclass(frozen=True, slots=True)
class _Cut:
    pose: Pose
    rows: Rows


class Drawing:
    """What one visitor sees of a scene. Not for two threads at once."""

    def __init__(self, scene: DrawnScene, asked: Asked) -> None:
        self.scene, self.asked = scene, asked
        self._cut: _Cut | None = None

    def picture(self, pose: Pose) -> bytes:
        """Return the encoded picture from a pose; `fov_deg` is the cone that holds it, 20 to 120 degrees.

        Raises:
            AssetFormatError: Chunks that were not needed before are damaged.
        """
        return _encoded(self.pixels(pose), self.asked)

    def pixels(self, pose: Pose) -> NDArray[np.uint8]:
        """Return the picture [H, W, 3] before it is brightened and encoded."""
        asked = self.asked
        rows = self._rows(pose)
        pixels = np.empty((asked.height, asked.width, 3), np.uint8)
        if asked.stereo:
            half = asked.eye_width
            for eye, left in ((-0.5, 0), (0.5, half)):
                pixels[:, left : left + half] = self._eye(pose, rows, eye * EYES_APART_M)
        else:
            pixels[:] = self._eye(pose, rows, 0.0)
        return pixels

    def _rows(self, pose: Pose) -> Rows:
        if self.scene.is_whole:
            return self.scene.rows(pose, additive=self.asked.additive)
        if self._cut is None or _is_elsewhere(self._cut.pose, pose):
            self._cut = _Cut(pose, self.scene.rows(pose, additive=self.asked.additive))
        return self._cut.rows

    def _eye(self, pose: Pose, rows: Rows, shift_m: float) -> NDArray[np.uint8]:
        """Return the pixels [H, W, 3] of an eye that far to the right of the pose."""
        asked = self.asked
        forward = _not_straight_up(pose.forward)
        right = np.cross(forward, _UP)
        eye = np.array(pose.position, np.float64) + shift_m * right / np.linalg.norm(right)
        fov_deg = min(max(pose.fov_deg, LEAST_FOV_DEG), MOST_FOV_DEG)
        width, height = asked.eye_width, asked.height
        focal_px = math.hypot(width, height) / 2 / math.tan(math.radians(fov_deg) / 2)
        raster = _raster()
        background = _NO_LIGHT if asked.additive else self.scene.manifest.background
        raster.look(
            look_at_viewmat(eye, eye + forward),
            intrinsics(focal_px, width, height),
            width,
            height,
            background=background,
        )
        image = np.empty((height, width, 3), np.float32)
        raster.forward(rows.values, rows.count, image)
        # Colours are never below 0; in place, for a new array costs as much as the arithmetic.
        image *= 255.0
        image += 0.5
        return np.minimum(image, 255.0, out=image).astype(np.uint8)


def _raster() -> SplatRaster:
    """Return this thread's raster. It uses no other thread: that is cheaper, and others wait for those."""
    raster: SplatRaster | None = getattr(_of_thread, "raster", None)
    if raster is None:
        raster = _of_thread.raster = SplatRaster(threads=1)
    return raster


def _encoded(pixels: NDArray[np.uint8], asked: Asked) -> bytes:
    picture = Image.fromarray(pixels)
    if asked.additive:
        picture = picture.point(_BRIGHTER)
    file = io.BytesIO()
    if asked.kind == "webp":
        picture.save(file, "WEBP", quality=_WEBP_QUALITY, method=0)
    else:
        picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _is_elsewhere(then: Pose, now: Pose) -> bool:
    moved = math.dist(then.position, now.position)
    before, after = _unit(then.forward), _unit(now.forward)
    return moved > _CUT_AGAIN_M or float(before @ after) < _CUT_AGAIN_COS


def _unit(direction: tuple[float, float, float]) -> NDArray[np.float64]:
    vector = np.array(direction, np.float64)
    return vector / np.linalg.norm(vector)


def _not_straight_up(direction: tuple[float, float, float]) -> NDArray[np.float64]:
    unit = _unit(direction)
    if abs(unit[1]) > _STEEPEST:
        unit = _unit((unit[0], math.copysign(_STEEPEST, unit[1]), unit[2] - math.sqrt(1 - _STEEPEST**2)))
    return unit
