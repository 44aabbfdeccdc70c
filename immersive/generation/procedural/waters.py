"""Still water of a plan: lakes, the sea, and rivers that run past the walk. All lie at y = 0."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from .noise import fractal

Points = tuple[tuple[float, float], ...]  # (x, z), metres


def line_distance(line: Points, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Return metres from (x, z) to a line of points."""
    x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
    best = np.full(np.broadcast(x, z).shape, np.inf)
    for (ax, az), (bx, bz) in itertools.pairwise(line):
        ux, uz = bx - ax, bz - az
        along = np.clip(((x - ax) * ux + (z - az) * uz) / (ux * ux + uz * uz), 0, 1)
        best = np.minimum(best, np.hypot(x - ax - along * ux, z - az - along * uz))
    return best


@dataclass(frozen=True, slots=True)
class Lake:
    """Still water around a middle, inside a wavering shore."""

    x: float
    z: float
    radius: float
    seed: int
    is_frozen: bool = False

    @property
    def is_sea(self) -> bool:
        """Whether the far shore is out of sight."""
        return self.radius > 100

    def shore_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the shore line, negative over the water."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        dx, dz = x - self.x, z - self.z
        distance = np.hypot(dx, dz)
        angle_x, angle_z = dx / np.maximum(distance, 1e-9), dz / np.maximum(distance, 1e-9)
        # A wave of a fixed length, not of a fixed angle, or the sea's shore would be straight.
        waver = max(1.6, self.radius / 9.0)
        wobble = fractal(angle_x * waver + 7.0, angle_z * waver, 3, self.seed)
        return distance - self.radius - min(0.22 * self.radius, 4.0) * wobble

    def crossing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where a bridge over the side nearest to the walk begins and ends: two (x, z)."""
        away = np.array([self.x, self.z])
        away /= np.linalg.norm(away)
        across = np.array([-away[1], away[0]])
        middle = np.array([self.x, self.z]) - away * 0.35 * self.radius
        half = self.radius * 0.94 + 0.9
        return middle - across * half, middle + across * half


@dataclass(frozen=True, slots=True)
class River:
    """Water between two banks along a line, past the walk and out of sight."""

    line: Points
    half_width: float
    seed: int
    is_frozen: bool = False

    @property
    def x(self) -> float:
        """Of the point that is nearest to the middle of the walk."""
        return self._nearest[0]

    @property
    def z(self) -> float:
        """Of the point that is nearest to the middle of the walk."""
        return self._nearest[1]

    @property
    def radius(self) -> float:
        """Half its width, metres."""
        return self.half_width

    @property
    def is_sea(self) -> bool:
        """Whether the far shore is out of sight."""
        return False

    @property
    def _nearest(self) -> tuple[float, float]:
        return min(self.line, key=lambda point: float(np.hypot(*point)))

    def shore_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the nearer bank, negative over the water."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        wobble = fractal(x / 5.0, z / 5.0, 2, self.seed)
        return line_distance(self.line, x, z) - self.half_width - 0.3 * wobble

    def crossing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where a bridge begins and ends, ahead of the middle of the walk: two (x, z)."""
        line = np.array(self.line)
        index = int(np.argmin(np.hypot(line[:, 0] - self.x, line[:, 1] - (self.z - 3.0))))
        along = line[min(index + 1, len(line) - 1)] - line[max(index - 1, 0)]
        across = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        reach = self.half_width + 1.5
        near, far = line[index] - across * reach, line[index] + across * reach
        return (near, far) if np.hypot(*near) < np.hypot(*far) else (far, near)


Water = Lake | River


def river_beside(
    trail: Points, side: float, gap_m: float, half_width: float, rng: Generator, is_frozen: bool
) -> River:
    """Return a river that follows the walk at `gap_m` from its near bank, then bends out of sight."""
    phase, bend = rng.uniform(0, 6.28), rng.uniform(1.2, 2.2)
    along = np.arange(-96.0, 97.0, 3.0)
    track = np.array(trail)
    order = np.argsort(track[:, 1])
    middle = np.interp(np.clip(along, -14, 14), track[order, 1], track[order, 0])
    offset = side * (gap_m + half_width) + bend * np.sin(along / 11.0 + phase) * np.clip(
        np.abs(along) / 16, 0.25, 1
    )
    # Beyond the walk it turns away, so that the view does not end in a straight canal.
    turned = side * 0.012 * np.clip(np.abs(along) - 18, 0, None) ** 2
    x = middle + offset + turned
    return River(
        tuple(zip(x.tolist(), along.tolist(), strict=True)),
        half_width,
        int(rng.integers(1, 60_000)),
        is_frozen,
    )
