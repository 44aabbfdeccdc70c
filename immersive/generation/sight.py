"""Views of a place and what falls into them: the geometry that planning a walk rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immersive.generation.procedural.rays import RayScene
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat

_FIELD_OF_VIEW_DEG = 70.0  # horizontal; a wide view sees more per picture, a wider one stretches its edges


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One level camera in the world frame."""

    eye: NDArray  # [3] metres
    heading_deg: float  # 0 looks along -Z, counter-clockwise seen from above
    pitch_deg: float  # up is positive
    forward: NDArray  # [3] unit
    viewmat: NDArray  # [4, 4]

    @classmethod
    def towards(cls, eye: NDArray, heading_deg: float, pitch_deg: float) -> View:
        """Return the view from `eye` [3] in a direction."""
        heading, pitch = math.radians(heading_deg), math.radians(pitch_deg)
        level = math.cos(pitch)
        forward = np.array([-level * math.sin(heading), math.sin(pitch), -level * math.cos(heading)])
        return cls(eye, heading_deg, pitch_deg, forward, look_at_viewmat(eye, eye + forward))

    @classmethod
    def at(cls, eye: NDArray, target: NDArray, steepest_deg: float) -> View:
        """Return the view from `eye` [3] with `target` [3] in its middle, or as near to it as may be."""
        ahead = np.asarray(target, np.float64) - eye
        pitch = math.degrees(math.atan2(ahead[1], math.hypot(ahead[0], ahead[2])))
        heading = math.degrees(math.atan2(-ahead[0], -ahead[2])) % 360.0
        return cls.towards(eye, heading, min(max(pitch, -steepest_deg), steepest_deg))


class Sight:
    """What one lens sees of a scene that rays are cast against."""

    def __init__(self, scene: RayScene, width: int, height: int) -> None:
        self.scene, self.width, self.height = scene, width, height
        self._focal = width / 2 / math.tan(math.radians(_FIELD_OF_VIEW_DEG) / 2)

    def cameras(self, views: Sequence[View]) -> Cameras:
        """Return the cameras of some views, in order."""
        Ks = np.repeat(intrinsics(self._focal, self.width, self.height)[None], len(views), axis=0)
        return Cameras(np.stack([view.viewmat for view in views]), Ks, self.width, self.height)

    def cast(self, eye: NDArray, heads: NDArray) -> NDArray:
        """Return how far one sees from `eye` [3] in unit directions [R, 3], metres; inf is the sky."""
        origins = np.ascontiguousarray(np.broadcast_to(eye, heads.shape), np.float32)
        return self.scene.closest(origins, np.ascontiguousarray(heads, np.float32))[0]

    def sees(self, eyes: NDArray, points: NDArray) -> NDArray[np.bool_]:
        """Return [E, P]: nothing stands between an eye [E, 3] and a point [P, 3]."""
        result = np.empty((len(eyes), len(points)), np.bool_)
        for index, eye in enumerate(eyes):
            towards = points - eye
            lengths = np.linalg.norm(towards, axis=1)
            heads = (towards / np.maximum(lengths, 1e-6)[:, None]).astype(np.float32)
            origins = np.ascontiguousarray(np.broadcast_to(eye, heads.shape), np.float32)
            # The point lies on a surface; stopping a little short keeps that surface from hiding it.
            reach = np.maximum(lengths - np.maximum(0.06, 0.01 * lengths), 0.01).astype(np.float32)
            result[index] = self.scene.is_free(origins, heads, reach)
        return result

    def frames(self, view: View, points: NDArray) -> NDArray[np.bool_]:
        """Return [P]: the point [P, 3] falls into the picture, whether or not something hides it."""
        cam = (points - view.eye) @ view.viewmat[:3, :3].T.astype(np.float64)
        ahead = np.maximum(cam[:, 2], 1e-6)
        inside = np.abs(cam[:, 0] / ahead) < 0.97 * self.width / 2 / self._focal
        inside &= np.abs(cam[:, 1] / ahead) < 0.97 * self.height / 2 / self._focal
        return inside & (cam[:, 2] > 0.2)
