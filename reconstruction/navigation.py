"""Where a body can stand on a collider, and how far it gets from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .conventions import F32
from .fusion import Collider
from .ground import Ground, Mask

_LATTICE_M = 0.08  # finer ones are asked for more often, coarser ones decide less; 0.05 to 0.12 cost the same
_MANY = 1 << 20  # lattice points from the origin to the farthest place: 80 km


@dataclass(frozen=True, slots=True)
class Body:
    """An upright capsule, in metres. The page walks with the same numbers."""

    radius_m: float = 0.22  # shoulders are wider, but people turn in doorways of 60 cm
    height_m: float = 1.7
    eye_height_m: float = 1.6
    step_m: float = 0.35  # a high stair is 0.2; fused ground adds its roughness
    slope_deg: float = 45.0  # steeper is climbing

    @property
    def axis_heights(self) -> F32:
        """Heights over the feet of spheres that fill the capsule above what feet step over."""
        low, high = self.step_m + self.radius_m, self.height_m - self.radius_m
        count = int(np.ceil((high - low) / (2 * self.radius_m))) + 1
        return np.linspace(low, high, count).astype(np.float32)


def is_clear(collider: Collider, feet: NDArray, body: Body) -> Mask:
    """Return whether [P] a body with its feet at [P, 3] touches nothing above stepping height."""
    clear = np.ones(len(feet), bool)
    for height in body.axis_heights:
        still = np.nonzero(clear)[0]
        if not len(still):
            break
        centres = feet[still] + np.array([0.0, height, 0.0], np.float32)
        clear[still] = collider.distance(centres) >= body.radius_m
    return clear


def clearance(collider: Collider, feet: NDArray, body: Body) -> F32:
    """Return the distance [P] from the capsule's axis above stepping height to the nearest triangle.

    It shrinks at most as fast as a body moves, and a body is clear where it is `radius_m` or more.
    """
    centres = feet[:, None] + body.axis_heights[:, None] * np.array([0.0, 1.0, 0.0], np.float32)
    distances = collider.distance(centres.reshape(-1, 3)).reshape(-1, len(body.axis_heights))
    return distances.min(axis=1).astype(np.float32)


class Clearances:
    """Answers `is_clear` for many bodies that come by the same places; the answers are the same.

    Clearance is kept on a lattice. It changes at most as fast as a body moves, so the nearest lattice point
    decides for most places, and distances are asked for only where it does not.
    """

    def __init__(self, collider: Collider, body: Body) -> None:
        self._collider, self._body = collider, body
        self._codes = np.zeros(0, np.int64)  # sorted
        self._values = np.zeros(0, np.float32)

    def is_clear(self, feet: F32) -> Mask:
        """Return whether [P] a body with its feet at [P, 3] touches nothing above stepping height."""
        cells = np.rint(feet / _LATTICE_M).astype(np.int64)
        codes, first, inverse = np.unique(
            (cells + _MANY) @ [4 * _MANY**2, 2 * _MANY, 1], return_index=True, return_inverse=True
        )
        new = ~np.isin(codes, self._codes)
        found = clearance(self._collider, (cells[first[new]] * _LATTICE_M).astype(np.float32), self._body)
        place = np.searchsorted(self._codes, codes[new])
        self._codes = np.insert(self._codes, place, codes[new])
        self._values = np.insert(self._values, place, found)
        near = self._values[np.searchsorted(self._codes, codes)][inverse.reshape(-1)]
        away = np.linalg.norm(feet - cells * _LATTICE_M, axis=1)
        clear = near - away >= self._body.radius_m
        unsure = np.nonzero(~clear & (near + away >= self._body.radius_m))[0]
        clear[unsure] = is_clear(self._collider, feet[unsure], self._body)
        return clear


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Cells a body can get to; NaN where it cannot."""

    feet: F32  # [Z, X] height of the feet, metres
    cell_m: float

    @property
    def cells(self) -> Mask:
        """Reached cells [Z, X]."""
        return np.isfinite(self.feet)

    @property
    def area_m2(self) -> float:
        """Area of the reached cells, in plan: a slope counts by its shadow, a floor above another once."""
        return float(self.cells.sum()) * self.cell_m**2


def standing_cells(collider: Collider, ground: Ground, region: Mask, body: Body) -> F32:
    """Return the height [Z, X] at which a body can stand on each cell of `region`, else NaN.

    Looks down from a step above the height field: what is lower than a step is stood upon.
    """
    feet = np.full(ground.shape, np.nan, np.float32)
    x, z = ground.centres()
    row, column = np.nonzero(region)
    if not len(row):
        return feet
    above = np.stack([x[region], ground.heights[region] + body.step_m, z[region]], axis=1)
    height, steepness = collider.ground_below(above)
    good = np.isfinite(height) & (steepness >= np.cos(np.radians(body.slope_deg)))
    good &= above[:, 1] - height < 2 * body.step_m
    points = np.stack([above[:, 0], height, above[:, 2]], axis=1)
    good[good] = is_clear(collider, points[good], body)
    feet[row[good], column[good]] = height[good]
    return feet


def reach(collider: Collider, ground: Ground, start: tuple[int, int], body: Body) -> Reach:
    """Flood the grid with a body's steps from cell `start` (row, column).

    A step goes to one of eight neighbour cells when the collider has ground there, at most `step_m` higher
    or lower, not steeper than `slope_deg`, on which the body stands clear. The ground of each cell is found
    from the cell it is stepped from, so stairs and bridges count; each cell counts once.
    """
    feet = np.full(ground.shape, np.nan, np.float32)
    x, z = ground.centres()
    above = np.array([[x[start], ground.heights[start] + body.step_m, z[start]]], np.float32)
    height, _ = collider.ground_below(above)
    if not np.isfinite(height[0]):
        return Reach(feet, ground.cell_m)
    feet[start] = height[0]
    rows, columns = ground.shape
    around = np.array([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)])
    front = np.array([start])
    while len(front):
        cells = (front[:, None] + around).reshape(-1, 2)
        before = np.repeat(feet[front[:, 0], front[:, 1]], len(around))
        inside = ((cells >= 0) & (cells < (rows, columns))).all(axis=1)
        cells, before = cells[inside], before[inside]
        new = np.isnan(feet[cells[:, 0], cells[:, 1]])
        cells, before = cells[new], before[new]
        # Of several ways into a cell the highest is tried: it sees most of what can be stepped on.
        order = np.lexsort((-before, cells[:, 1], cells[:, 0]))
        cells, before = cells[order], before[order]
        first = np.ones(len(cells), bool)
        first[1:] = (cells[1:] != cells[:-1]).any(axis=1)
        cells, before = cells[first], before[first]
        if not len(cells):
            break
        row, column = cells.T
        above = np.stack([x[row, column], before + body.step_m, z[row, column]], axis=1)
        height, steepness = collider.ground_below(above)
        good = np.abs(height - before) <= body.step_m
        good &= steepness >= np.cos(np.radians(body.slope_deg))
        points = np.stack([above[:, 0], height, above[:, 2]], axis=1)
        good[good] = is_clear(collider, points[good], body)
        front = cells[good]
        feet[front[:, 0], front[:, 1]] = height[good]
    return Reach(feet, ground.cell_m)


def choose_start(standing: F32, ground: Ground, camera_positions: NDArray) -> tuple[int, int] | None:
    """Choose the cell (row, column) to begin at: in the open near the first camera.

    Of several pieces that are cut off from each other the one with most cameras over it counts: what is
    larger may be the garden behind the window.

    Args:
        standing: [Z, X] from `standing_cells`.
        camera_positions: [F, 3], the first camera first.

    Returns:
        None when a body can stand nowhere.
    """
    free = np.isfinite(standing)
    if not free.any():
        return None
    labels, _ = ndimage.label(free, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    x, z = ground.centres()
    away_m = np.hypot(x - camera_positions[0, 0], z - camera_positions[0, 2])
    # A camera may hang over a table: its vote goes to the nearest place where one can stand.
    nearest = ndimage.distance_transform_edt(~free, return_distances=False, return_indices=True)
    row, column = ground.cells(camera_positions[:, 0], camera_positions[:, 2])
    votes = np.bincount(labels[tuple(nearest[:, row, column])], minlength=len(sizes))
    piece = max(np.nonzero(sizes)[0], key=lambda label: (votes[label], sizes[label]))
    room_m = ndimage.distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1] * ground.cell_m
    # One metre of room is enough to feel free; beyond that, nearness to the first picture counts.
    score = np.where(labels == piece, np.minimum(room_m, 1.0) - 0.25 * away_m, -np.inf)
    return tuple(int(i) for i in np.unravel_index(score.argmax(), score.shape))  # type: ignore[return-value]


def choose_heading(collider: Collider, eye: NDArray, forward: NDArray, *, boundary_start: int) -> float:
    """Return the yaw in degrees that faces the content from `eye` [3].

    Yaw 0 looks along -Z and grows to the left, as three.js turns about +Y. The heading of the first camera
    is kept unless something visible stands within 2 m of the nose; then the heading with the widest view.
    """
    level = np.array([forward[0], forward[2]])
    wanted = float(np.degrees(np.arctan2(-level[0], -level[1]))) if np.linalg.norm(level) > 1e-6 else 0.0
    offsets = np.arange(0.0, 360.0, 15.0)
    spread = np.array([-20.0, -10.0, 0.0, 10.0, 20.0])
    yaws = np.radians(wanted + offsets[:, None] + spread).ravel()
    directions = np.stack([-np.sin(yaws), np.zeros(len(yaws)), -np.cos(yaws)], axis=1)
    distances, triangles = collider.cast(np.broadcast_to(eye, directions.shape), directions)
    distances[triangles >= boundary_start] = np.inf
    view_m = np.minimum(distances, 8.0).reshape(len(offsets), -1)
    best = 0.0 if np.median(view_m[0]) >= 2.0 else offsets[view_m.mean(axis=1).argmax()]
    return float((wanted + best + 180.0) % 360.0 - 180.0)
