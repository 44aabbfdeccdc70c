"""Finding room for things: on walkable ground, apart from each other, off the trail, in view.

`Ground` remembers what was put where as discs and turned rectangles, which is also what keeps people and
cameras out of solid things.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from .layout import Layout
from .terrain import Terrain

_BODY_M = 0.4  # half a person's width, and a little
_STEEPEST_DEG = 30.0


class Ground:
    """What is taken, and what is left."""

    def __init__(self, layout: Layout, terrain: Terrain) -> None:
        self.layout, self.terrain = layout, terrain
        self._discs: list[tuple[float, float, float, bool]] = []  # x, z, radius, solid
        self._boxes: list[
            tuple[float, float, float, float, float]
        ] = []  # x, z, yaw, half along x, half along z
        self._decks: list[tuple[float, float, float, float, float]] = []
        self._sights: list[tuple[float, float, float, float]] = []  # x, z of both ends

    def take_disc(self, x: float, z: float, radius: float, is_solid: bool = True) -> None:
        """Reserve a disc; people cannot walk through a solid one."""
        self._discs.append((x, z, radius, is_solid))

    def take_box(self, x: float, z: float, yaw_deg: float, half_x: float, half_z: float) -> None:
        """Reserve a solid rectangle turned by `yaw_deg`."""
        self._boxes.append((x, z, yaw_deg, half_x, half_z))

    def take_deck(self, x: float, z: float, yaw_deg: float, half_x: float, half_z: float) -> None:
        """Reserve a rectangle over water."""
        self._decks.append((x, z, yaw_deg, half_x, half_z))

    def keep_in_sight(self, x: float, z: float) -> None:
        """Keep tall things out of the lines from three places on the trail to (x, z)."""
        trail = self.layout.trail
        for index in (1, len(trail) // 3, len(trail) // 2):
            self._sights.append((*trail[index], x, z))

    def is_dry(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.bool_]:
        """Return where land, or ice that carries, is underfoot."""
        lake = self.layout.lake
        if lake is None or lake.is_frozen:
            return np.ones(np.broadcast(x, z).shape, np.bool_)
        return np.asarray(lake.shore_distance(x, z) > 0.5)

    def is_free(self, x: NDArray, z: NDArray) -> NDArray[np.bool_]:
        """Return where a person can stand: see `World.is_free`."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        free = self.is_dry(x, z) & (self.terrain.slope_deg(x, z) < _STEEPEST_DEG)
        for cx, cz, radius, is_solid in self._discs:
            if is_solid:
                free &= np.hypot(x - cx, z - cz) > radius + _BODY_M
        for deck in self._decks:
            free &= ~_inside(x, z, deck, _BODY_M)
        for block in self._boxes:
            free &= ~_inside(x, z, block, _BODY_M)
        return free

    def surface(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return y of what one stands on: the ground, or ice over it."""
        y = self.terrain.height(x, z)
        lake = self.layout.lake
        return np.maximum(y, 0.0) if lake is not None and lake.is_frozen else y

    def foot(self, x: float, z: float, radius: float) -> float:
        """Return the lowest y of the ground under a disc: what stands there does not float on a slope."""
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        rim = self.surface(x + radius * np.sin(angle), z + radius * np.cos(angle))
        return float(min(rim.min(), self.surface(x, z)))

    def is_open(
        self,
        x: NDArray,
        z: NDArray,
        radius: float,
        off_trail_m: float,
        steepest_deg: float = 24.0,
        sight_m: float = 0.0,
    ) -> NDArray[np.bool_]:
        """Return where a thing of `radius` may stand: dry, level enough, clear of the trail and all else."""
        open_ = self.layout.trail_distance(x, z) > off_trail_m + radius
        lake = self.layout.lake
        if lake is not None:
            open_ &= lake.shore_distance(x, z) > radius + 0.5
        open_ &= self.terrain.slope_deg(x, z) < steepest_deg
        for cx, cz, taken, _ in self._discs:
            open_ &= np.hypot(x - cx, z - cz) > taken + radius
        for block in (*self._boxes, *self._decks):
            open_ &= ~_inside(x, z, block, radius + 0.4)
        if sight_m > 0:
            for ax, az, bx, bz in self._sights:
                open_ &= _segment_distance(x, z, ax, az, bx, bz) > sight_m
        return open_

    def find(
        self,
        rng: Generator,
        count: int,
        near_m: float,
        far_m: float,
        radius: float,
        off_trail_m: float = 1.6,
        spacing_m: float = 0.0,
        ahead_share: float = 0.0,
        is_solid: bool = True,
        sight_m: float = 0.0,
        steepest_deg: float = 24.0,
    ) -> NDArray[np.float64]:
        """Return up to `count` places [P, 2] between two distances from the trail's middle, and take them.

        Args:
            rng: Source of the draw.
            count: How many are wanted; fewer come back only when no room is left.
            near_m: Least distance from the middle of the walk.
            far_m: Greatest distance, while there is room.
            radius: Of the thing's foot, metres.
            off_trail_m: Clear ground between the thing and the trail.
            spacing_m: Extra room around each, on top of `radius`.
            ahead_share: 0 all around, 1 all in front of who walks the trail.
            is_solid: People cannot walk through it.
            sight_m: How far it must stay off the lines of `keep_in_sight`.
            steepest_deg: Things with a broad flat foot need level ground.
        """
        placed: list[tuple[float, float]] = []
        clear_m = max(off_trail_m, _BODY_M + 0.15) if is_solid else off_trail_m
        for attempt in range(40):
            if len(placed) >= count:
                break
            batch = max(64, 4 * count)
            # Where room is short, look farther off, and then on steeper ground.
            reach = far_m * (1 + max(0, attempt - 15) / 15)
            limit = steepest_deg if attempt < 30 else max(steepest_deg, 22.0)
            distance = np.sqrt(rng.uniform(near_m**2, reach**2, batch))
            half_turn = np.pi * (1 - 0.6 * ahead_share)
            angle = rng.uniform(-half_turn, half_turn, batch)
            x, z = distance * np.sin(angle), -distance * np.cos(angle)
            room = radius + spacing_m / 2
            good = self.is_open(x, z, radius, clear_m, limit, sight_m)
            for px, pz in zip(x[good], z[good], strict=True):
                if len(placed) >= count:
                    break
                if all(np.hypot(px - qx, pz - qz) > 2 * room for qx, qz in placed):
                    placed.append((float(px), float(pz)))
        for px, pz in placed:
            self.take_disc(px, pz, radius, is_solid)
        return np.array(placed, np.float64).reshape(-1, 2)


def _segment_distance(
    x: NDArray, z: NDArray, ax: float, az: float, bx: float, bz: float
) -> NDArray[np.float64]:
    ux, uz = bx - ax, bz - az
    along = np.clip(((x - ax) * ux + (z - az) * uz) / max(ux * ux + uz * uz, 1e-9), 0, 1)
    return np.hypot(x - ax - along * ux, z - az - along * uz)


def _inside(
    x: NDArray, z: NDArray, block: tuple[float, float, float, float, float], margin: float
) -> NDArray[np.bool_]:
    cx, cz, yaw_deg, half_x, half_z = block
    cos, sin = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    # The inverse of `mesh.yaw_matrix` brings a point into the rectangle's own frame.
    along_x = cos * (x - cx) - sin * (z - cz)
    along_z = sin * (x - cx) + cos * (z - cz)
    return (np.abs(along_x) < half_x + margin) & (np.abs(along_z) < half_z + margin)
