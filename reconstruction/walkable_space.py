"""What a walker must know of a scene, and how it is asked for. Light to import; `walkable` makes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .checks import check_array
from .conventions import F32
from .errors import InvalidArrayError
from .reports import WalkabilityReport


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """How a walkable space is made and tried."""

    is_indoor: bool = False
    metres_per_unit: float = 1.0
    water_y: float | None = None  # height of open water in the world frame; nobody walks on it
    margin_m: float = 7.0  # people may stray this far from the cameras' path; the wall stands there
    target_triangles: int = 30_000  # ground and obstacles; 1 MB in the asset
    walkers: int = 10_000
    strides: int = 80  # of 0.2 m: 16 m of walk
    rays: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("metres_per_unit", "margin_m", "target_triangles", "walkers", "strides", "rays"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InvalidArrayError(name, f"must be a positive number, got {value!r}")


@dataclass(frozen=True, slots=True, eq=False)
class WalkableSpace:
    """A scene's collider and what a walker must know, in the world frame."""

    vertices: F32  # [V, 3]
    faces: NDArray[np.int32]  # [T, 3] counter-clockwise seen from free space
    boundary_start: int  # faces[boundary_start:] are the invisible wall at the edge of the known world
    floor_y: float  # median height of the ground in reach
    spawn_position: F32  # [3] feet
    spawn_yaw_deg: float  # 0 looks along -Z, grows to the left
    bounds_min: F32  # [3] of the collider; nobody gets out of it
    bounds_max: F32  # [3]
    metres_per_unit: float
    eye_height_m: float
    report: WalkabilityReport

    def __post_init__(self) -> None:
        count = check_array("vertices", self.vertices, shape=("V", 3), dtype=np.float32)["V"]
        faces = check_array("faces", self.faces, shape=("T", 3), dtype=np.int32)["T"]
        for name in ("spawn_position", "bounds_min", "bounds_max"):
            check_array(name, getattr(self, name), shape=(3,), dtype=np.float32)
        if faces and (self.faces.min() < 0 or self.faces.max() >= count):
            raise InvalidArrayError("faces", f"must index the {count} vertices")
        if not 0 <= self.boundary_start <= faces:
            raise InvalidArrayError("boundary_start", f"must be 0 to {faces}, got {self.boundary_start}")
