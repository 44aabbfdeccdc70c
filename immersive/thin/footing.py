"""Where a visitor whose device knows no collider may go: NumPy on the triangles nearby, no open3d.

The page walks with a capsule (`viewer/src/walk`); this is less exact, and enough for steps of an arrow key.
A server that drew pictures for one visitor would otherwise hold 200 MB of open3d.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# As in the page's walker.
_RADIUS_M = 0.25
_STEP_M = 0.36
_STEEPEST_Y = math.cos(math.radians(50))
# Shorter than the body is wide, so that no stride jumps through a wall.
_STRIDE_M = 0.2
# Visitors who see a picture or two a stride behind do not jump down walls.
_DEEPEST_DROP_M = 0.6
_LONGEST_MOVE_M = 1.5  # what is asked for at once beyond this comes later
# Chest and knees, over what feet step over.
_WALL_HEIGHTS_M = (0.55, 1.2)
# Ways around what blocks the straight one.
_DETOURS_DEG = (0.0, 40.0, -40.0, 75.0, -75.0)
_ALL = slice(None)
_DOWN = np.array([0.0, -1.0, 0.0])

Point = tuple[float, float, float]


class Footing:
    """The ground and the walls of one scene."""

    def __init__(self, vertices: NDArray, faces: NDArray) -> None:
        """Take a collider in: vertices [V, 3] in metres, world frame, and faces [T, 3]."""
        corners = np.asarray(vertices, np.float64)[np.asarray(faces, np.int64)]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=1)
        solid = lengths > 1e-12
        self._corners = corners[solid]
        self._normal_y = np.abs(normals[solid, 1] / lengths[solid])
        self._low, self._high = self._corners.min(axis=1), self._corners.max(axis=1)

    @property
    def byte_length(self) -> int:
        """Bytes of memory."""
        return 17 * 8 * len(self._corners)

    def walk(self, feet: Point, towards: Point) -> Point:
        """Return where feet come that walk from one place straight towards another: as far as it is walkable.

        Only the plan of `towards` counts; heights are the ground's. Walls are slid along.
        """
        here = np.array(feet, np.float64)
        goal = np.array(towards, np.float64)
        to_go = min(math.hypot(goal[0] - here[0], goal[2] - here[2]), _LONGEST_MOVE_M)
        nearby = self._near(here, to_go + 2 * _RADIUS_M)
        while to_go > 1e-6:
            way = np.array([goal[0] - here[0], 0.0, goal[2] - here[2]])
            left = float(np.linalg.norm(way))
            stride = min(left, to_go, _STRIDE_M)
            if stride < 1e-6:
                break
            around = self._near(here, _STRIDE_M + 2 * _RADIUS_M, nearby)
            next_place = self._stride(around, here, way / left, stride)
            if next_place is None:
                break
            here, to_go = next_place, to_go - stride
        x, y, z = (float(value) for value in here)
        return x, y, z

    def stand(self, feet: Point) -> Point | None:
        """Return the feet put on the ground at their place, or None where there is none near."""
        place = np.array(feet, np.float64)
        height = self._ground(self._near(place, _RADIUS_M), place)
        return None if height is None else (feet[0], height, feet[2])

    def _near(
        self, place: NDArray, reach_m: float, among: NDArray[np.int64] | slice = _ALL
    ) -> NDArray[np.int64]:
        """Return the triangles, of some, whose boxes lie within reach in plan."""
        low, high = place - reach_m, place + reach_m
        lowest, highest = self._low[among], self._high[among]
        is_near = (lowest[:, 0] <= high[0]) & (highest[:, 0] >= low[0])
        is_near &= (lowest[:, 2] <= high[2]) & (highest[:, 2] >= low[2])
        found = np.flatnonzero(is_near)
        return found if isinstance(among, slice) else among[found]

    def _stride(self, nearby: NDArray, here: NDArray, way: NDArray, length: float) -> NDArray | None:
        for detour_deg in _DETOURS_DEG:
            turn = math.radians(detour_deg)
            along = np.array([
                way[0] * math.cos(turn) + way[2] * math.sin(turn), 0.0,
                way[2] * math.cos(turn) - way[0] * math.sin(turn),
            ])  # fmt: skip
            stride = length * math.cos(turn)
            ahead = here + along * stride
            height = self._ground(nearby, ahead)
            if height is None or self._is_blocked(nearby, here, along, stride):
                continue
            ahead[1] = height
            return ahead
        return None

    def _ground(self, nearby: NDArray, place: NDArray) -> float | None:
        """Return the height of the ground at a place, if a step from the height there reaches it."""
        above = place + (0.0, _STEP_M, 0.0)
        distances = self._hits(nearby, above[None], _DOWN)[0]
        nearest = int(distances.argmin()) if len(distances) else -1
        if nearest < 0 or distances[nearest] > _STEP_M + _DEEPEST_DROP_M:
            return None
        if self._normal_y[nearby[nearest]] < _STEEPEST_Y:
            return None
        return float(above[1] - distances[nearest])

    def _is_blocked(self, nearby: NDArray, here: NDArray, along: NDArray, stride: float) -> bool:
        side = np.array([-along[2], 0.0, along[0]]) * _RADIUS_M
        shifts = (0.0 * side, side, -side)
        origins = [here + (0.0, height, 0.0) + shift for height in _WALL_HEIGHTS_M for shift in shifts]
        return bool((self._hits(nearby, np.array(origins), along) < stride + _RADIUS_M).any())

    def _hits(self, nearby: NDArray, origins: NDArray, direction: NDArray) -> NDArray[np.float64]:
        """Return how far triangles are along rays [R, T], inf where missed. Source: Möller and Trumbore."""
        first = self._corners[nearby, 0]
        edge1, edge2 = self._corners[nearby, 1] - first, self._corners[nearby, 2] - first
        across = np.cross(direction, edge2)
        determinant = (edge1 * across).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / determinant
            to_origin = origins[:, None] - first
            u = (to_origin * across).sum(axis=2) * inverse
            turned = np.cross(to_origin, edge1)
            v = (turned @ direction) * inverse
            distance = (edge2 * turned).sum(axis=2) * inverse
            is_hit = (np.abs(determinant) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
        return np.where(is_hit, distance, np.inf)
