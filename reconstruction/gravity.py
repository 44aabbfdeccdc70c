"""Where up is and where the floor is, from the way cameras are held, from upright edges and from points.

People hold cameras without roll, but on a straight way nothing tells how far they look down: cameras that do
so by 20 degrees come out level. Floors and upright edges tell, where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .conventions import opengl_c2w_from_viewmats
from .upright_edges import upright_direction

F64 = NDArray[np.float64]

# Weight of "cameras look level" beside "cameras are not rolled": hands roll a camera by some 1.5 degrees and
# pitch it by some 10, and least squares weighs by inverse variance.
_PITCH_WEIGHT = 0.02
# How far each kind of evidence is off, from the rooms of the tests and from a street whose phone recorded
# gravity: floors 0.1 to 0.7, edges 1.3 to 2.0 degrees, and real ground slopes. Cameras that look down were
# off by 5, 17 and 27 degrees; people mostly hold them level.
_ERROR_DEG = {"floor and edges": 1.5, "floor": 2.0, "edges": 2.5, "cameras": 10.0}
_FOUND_FROM = {
    "floor and edges": "up is found from the floor and upright edges",
    "floor": "up is found from the floor",
    "edges": "up is found from upright edges",
    "cameras": "up is a guess: the direction in which the cameras are least rolled",
}
# A floor and edges that differ by less say the same; by more, the ground slopes, and edges know gravity.
_AGREE_DEG = 4.0
# Beyond this no ground slopes that people walk, and the plane is something else.
_NO_GROUND_DEG = 12.0

# A floor leans no more than this against the way cameras are held.
_LEAN_DEG = 35.0
# Points within this share of the median depth of a plane are on it.
_ON_PLANE = 0.015
# Floors held 21 to 60 % of the points of five scenes; planes that were none, 7 and 13 %.
_LEAST_SHARE = 0.18
_LEAST_POINTS = 60
# Points below a floor are mismatches and reflections.
_MOST_BELOW = 0.06
# A floor is under all cameras about alike; a wall or a slope across the path is not.
_HEIGHT_SPREAD = 0.35
_TRIALS = 500
_POINTS = 5_000  # more do not move a floor


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """A plane under the cameras: `normal @ x == offset`."""

    normal: F64  # [3] unit length, up
    offset: float

    def heights(self, positions: NDArray) -> F64:
        """Return how far places [N, 3] are above the floor."""
        return positions @ self.normal - self.offset


@dataclass(frozen=True, slots=True, eq=False)
class Up:
    """The direction against gravity in a source's frame, and what told it."""

    direction: F64  # [3] unit length
    error_deg: float  # about how far it may be off
    note: str
    floor: Floor | None


def find_up(cameras: Cameras, points: F64, images: NDArray[np.uint8] | None) -> Up:
    """Return up and the floor of a scene in any frame.

    Args:
        cameras: In the source's frame and unit.
        points: [P, 3] in the same frame; may be empty.
        images: [F, H, W, 3] what the cameras saw, for upright edges; None: not looked at.
    """
    held = held_up(cameras)
    floor = find_floor(cameras, points, held)
    edges = None if images is None else upright_direction(images, cameras, held)
    apart = _angle_deg(floor.normal, edges) if floor is not None and edges is not None else 0.0
    if floor is not None and apart > _NO_GROUND_DEG:
        floor = None
    if floor is not None and edges is not None and apart <= _AGREE_DEG:
        both = floor.normal + edges
        direction, how = both / np.linalg.norm(both), "floor and edges"
    elif edges is not None:
        direction, how = edges, "edges"
    elif floor is not None:
        direction, how = floor.normal, "floor"
    else:
        direction, how = held, "cameras"
    error = _ERROR_DEG[how]
    if how == "cameras":
        note = (
            f"up is a guess, to some {error:g} degrees: the direction in which the cameras are least rolled"
        )
    else:
        what = {
            "floor and edges": "the floor and upright edges",
            "floor": "the floor",
            "edges": "upright edges",
        }
        note = f"up is found from {what[how]}, to some {error:g} degrees"
    return Up(direction, error, note, floor)


def held_up(cameras: Cameras) -> F64:
    """Return the unit direction [3] opposite to gravity, from the way people hold cameras.

    Cameras are rarely rolled, so up is nearly orthogonal to every camera's right axis; they look about
    level, so up is near the mean of the cameras' up axes. Both are weighed in one quadratic form, and
    cameras that disagree (a portrait photo among landscapes) lose weight over a few rounds.
    """
    axes = opengl_c2w_from_viewmats(cameras.viewmats).astype(np.float64)
    rights, ups = axes[:, :3, 0], axes[:, :3, 1]
    roll = np.einsum("fi,fj->fij", rights, rights)
    pitch = np.eye(3) - np.einsum("fi,fj->fij", ups, ups)
    up = ups.sum(axis=0) / len(ups)
    for _ in range(10):
        weights = 1.0 / np.maximum(np.abs(rights @ up), np.sin(np.radians(3.0)))
        form = np.einsum("f,fij->ij", weights, roll + _PITCH_WEIGHT * pitch)
        up = np.linalg.eigh(form)[1][:, 0]
    return up if float(np.sum(ups @ up)) >= 0 else -up


def find_floor(cameras: Cameras, points: F64, up: F64, lean_deg: float = _LEAN_DEG) -> Floor | None:
    """Return the plane under the cameras that holds most points and has none below, or None.

    Args:
        cameras: In any frame.
        points: [P, 3] in the same frame.
        up: [3] unit direction that is about up.
        lean_deg: How far the floor's normal may be from `up`.
    """
    points = np.asarray(points, np.float64).reshape(-1, 3)
    if len(points) > _POINTS:
        points = points[np.random.default_rng(0).choice(len(points), _POINTS, replace=False)]
    positions = cameras.positions.astype(np.float64)
    low = points[points @ up < np.median(positions @ up)]
    if len(low) < _LEAST_POINTS:
        return None
    near = _ON_PLANE * float(np.median(np.linalg.norm(points - np.median(positions, axis=0), axis=1)))
    normals, offsets = _trial_planes(low, up, lean_deg)
    best, best_count = None, 0
    for normal, offset in zip(normals, offsets, strict=True):
        count = int((np.abs(low @ normal - offset) < near).sum())
        if count > best_count and (points @ normal < offset - 3 * near).mean() <= _MOST_BELOW:
            best, best_count = Floor(normal, float(offset)), count
    if best is None or best_count < _LEAST_POINTS:
        return None
    for _ in range(5):
        on = low[np.abs(best.heights(low)) < near]
        if len(on) < _LEAST_POINTS:
            return None
        middle = on.mean(axis=0)
        normal = np.linalg.svd(on - middle, full_matrices=False)[2][2]
        normal *= np.sign(normal @ up)
        best = Floor(normal, float(normal @ middle))
    count = int((np.abs(best.heights(low)) < near).sum())
    return (
        best
        if count >= max(_LEAST_POINTS, _LEAST_SHARE * len(points)) and _carries(best, positions)
        else None
    )


def _trial_planes(low: F64, up: F64, lean_deg: float) -> tuple[F64, F64]:
    """Return unit normals [T, 3] and offsets [T] of planes through three points that lie about level."""
    rng = np.random.default_rng(0)
    corners = low[rng.integers(0, len(low), (_TRIALS, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals / np.maximum(lengths, 1e-12)[:, None] * np.where(normals @ up < 0, -1.0, 1.0)[:, None]
    is_level = (lengths > 1e-12) & (normals @ up > np.cos(np.radians(lean_deg)))
    return normals[is_level], np.einsum("ti,ti->t", normals, corners[:, 0])[is_level]


def _carries(floor: Floor, positions: F64) -> bool:
    heights = floor.heights(positions)
    middle = float(np.median(heights))
    return middle > 0 and float(np.std(heights)) < _HEIGHT_SPREAD * middle


def _angle_deg(a: F64, b: F64) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0))))
