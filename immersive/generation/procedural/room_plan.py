"""Where furniture stands: rectangles on the floor that never overlap, and what is left to walk on.

Pieces are placed by relation: against a wall, in a corner, around a table, beside a bed. A piece that finds
no room is reported; the builder then tries a larger room.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from .furniture import Piece
from .mesh import Mesh
from .room_shell import WALLS, Opening, Room, yaw_deg

BODY_M = 0.32  # half a person's width, and a little
_GAP_M = 0.03  # between pieces
_BEHIND_M = 0.03  # between a piece and its wall


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An upright rectangle on the floor, metres."""

    x: float
    z: float
    half_x: float
    half_z: float

    def overlaps(self, other: Rectangle, gap: float = _GAP_M) -> bool:
        """Return whether two rectangles come nearer than `gap`."""
        return (
            abs(self.x - other.x) < self.half_x + other.half_x + gap
            and abs(self.z - other.z) < self.half_z + other.half_z + gap
        )


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A piece in its place."""

    piece: Piece
    mesh: Mesh
    floor: Rectangle
    wall: str | None = None
    u: float = 0.0
    yaw_deg: float = 0.0
    is_flat: bool = False  # lies flat on a wall or the floor and casts no shade


@dataclass(slots=True)
class RoomPlan:
    """A room being furnished."""

    room: Room
    openings: tuple[Opening, ...]
    placed: list[Placed] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    kept_free: list[Rectangle] = field(default_factory=list)
    unrelated: list[str] = field(default_factory=list)  # kinds that stand, but not where the brief puts them

    def first(self, kind: str) -> Placed | None:
        """Return the first piece of a kind."""
        return next((entry for entry in self.placed if entry.piece.kind == kind), None)

    def against_wall(
        self, piece: Piece, walls: tuple[str, ...], prefer: float = 0.0, apart: float = 0.0
    ) -> bool:
        """Put a piece with its back to the first of `walls` that has room, as near as can be to u = `prefer`.

        `prefer` is a share of half the wall's length, -1..1; `apart` is kept free on both sides.
        """
        for wall in walls:
            reach = self.room.length(wall) / 2 - piece.width / 2 - 0.04
            if reach < 0:
                continue
            wanted = float(np.clip(prefer * self.room.length(wall) / 2, -reach, reach))
            steps = np.arange(0.0, 2 * reach + 0.1, 0.1)
            for shift in np.stack([steps, -steps], -1).ravel():
                u = wanted + float(shift)
                if abs(u) <= reach and self._fits_wall(piece, wall, u, apart):
                    self._put_on_wall(piece, wall, u)
                    return True
        return False

    def near_wall_spot(self, piece: Piece, wall: str, u: float, slack_m: float) -> bool:
        """Put a piece with its back to `wall` within `slack_m` of u, or not at all."""
        reach = self.room.length(wall) / 2 - piece.width / 2 - 0.04
        steps = np.arange(0.0, slack_m + 0.01, 0.05)
        for shift in np.stack([steps, -steps], -1).ravel():
            spot = u + float(shift)
            if abs(spot) <= reach and self._fits_wall(piece, wall, spot, 0.0):
                self._put_on_wall(piece, wall, spot)
                return True
        return False

    def hung_over(self, piece: Piece, mesh: Mesh, wall: str, u: float) -> None:
        """Note a flat piece that hangs where nothing else can be."""
        floor = Rectangle(*self.room.spot(wall, u, 0.0), 0.0, 0.0)
        self.placed.append(Placed(piece, mesh, floor, wall, u, is_flat=True))

    def at(self, piece: Piece, x: float, z: float, turn_deg: float, search_m: float = 0.0) -> bool:
        """Put a piece at (x, z), or as near as there is room within `search_m`."""
        for dx, dz in _spiral(search_m):
            floor = _rectangle(piece, x + dx, z + dz, turn_deg)
            if self._is_clear(floor):
                mesh = piece.mesh.placed([x + dx, 0.0, z + dz], turn_deg)
                self.placed.append(Placed(piece, mesh, floor, yaw_deg=turn_deg))
                return True
        return False

    def on_top(self, piece: Piece, x: float, y: float, z: float, is_flat: bool = False) -> None:
        """Put a small piece on another or on open floor, or hang it from the ceiling; it takes no floor."""
        floor = Rectangle(x, z, 0.0, 0.0)
        self.placed.append(Placed(piece, piece.mesh.placed([x, y, z]), floor, is_flat=is_flat))

    def hang(self, piece: Piece, wall: str, u: float, y: float) -> bool:
        """Hang a piece with its middle at height `y`, unless something tall or an opening is there."""
        half = piece.width / 2 + 0.08
        low, high = y - piece.height / 2 - 0.05, y + piece.height / 2 + 0.05
        if abs(u) + half > self.room.length(wall) / 2 or high > self.room.height - 0.1:
            return False
        for opening in self.openings:
            if opening.wall == wall and abs(opening.u - u) < opening.width / 2 + half + 0.2:
                return False
        for entry in self.placed:
            if entry.wall != wall:
                continue
            is_beside = abs(entry.u - u) < entry.piece.width / 2 + half
            top = np.inf if entry.is_flat else entry.piece.height
            if is_beside and top > low:
                return False
        mesh = self.room.against(piece.mesh, wall, u, y)
        self.placed.append(
            Placed(piece, mesh, Rectangle(*self.room.spot(wall, u, 0.0), 0.0, 0.0), wall, u, is_flat=True)
        )
        return True

    def _fits_wall(self, piece: Piece, wall: str, u: float, apart: float) -> bool:
        for opening in self.openings:
            if opening.wall != wall or piece.height <= opening.low - 0.02:
                continue
            if abs(opening.u - u) < (opening.width + piece.width) / 2 + (0.1 if opening.is_door else 0.28):
                return False
        return self._is_clear(self._wall_rectangle(piece, wall, u, apart))

    def _wall_rectangle(self, piece: Piece, wall: str, u: float, apart: float = 0.0) -> Rectangle:
        x, z = self.room.spot(wall, u, piece.depth / 2 + _BEHIND_M)
        along, out = piece.width / 2 + apart, piece.depth / 2
        return Rectangle(x, z, along, out) if wall in ("north", "south") else Rectangle(x, z, out, along)

    def _put_on_wall(self, piece: Piece, wall: str, u: float) -> None:
        floor = self._wall_rectangle(piece, wall, u)
        mesh = piece.mesh.placed([floor.x, 0.0, floor.z], yaw_deg(wall))
        self.placed.append(Placed(piece, mesh, floor, wall, u, yaw_deg(wall)))

    def _is_clear(self, floor: Rectangle) -> bool:
        inside_x = abs(floor.x) + floor.half_x <= self.room.width / 2 - 0.02
        inside_z = abs(floor.z) + floor.half_z <= self.room.depth / 2 - 0.02
        if not (inside_x and inside_z):
            return False
        solid = (entry.floor for entry in self.placed if entry.piece.is_solid)
        return not any(floor.overlaps(other) for other in (*solid, *self.kept_free))

    def is_free(self, x: NDArray, z: NDArray, body_m: float = BODY_M) -> NDArray[np.bool_]:
        """Return where a person can stand; see `World.is_free`."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        free = (np.abs(x) < self.room.width / 2 - body_m) & (np.abs(z) < self.room.depth / 2 - body_m)
        for entry in self.placed:
            if not entry.piece.is_solid or entry.floor.half_x == 0:
                continue
            dx = np.maximum(np.abs(x - entry.floor.x) - entry.floor.half_x, 0)
            dz = np.maximum(np.abs(z - entry.floor.z) - entry.floor.half_z, 0)
            free &= np.hypot(dx, dz) > body_m
        return free

    def walkable_m2(self) -> float:
        """Return the size of the largest connected part of the floor that a person can stand on."""
        cell = 0.1
        xs = np.arange(-self.room.width / 2 + cell / 2, self.room.width / 2, cell)
        zs = np.arange(-self.room.depth / 2 + cell / 2, self.room.depth / 2, cell)
        x, z = np.meshgrid(xs, zs, indexing="ij")
        parts, count = label(self.is_free(x, z))
        return float(np.bincount(parts.ravel())[1:].max() * cell**2) if count else 0.0


def _rectangle(piece: Piece, x: float, z: float, turn_deg: float) -> Rectangle:
    turn = np.radians(turn_deg)
    cos, sin = abs(np.cos(turn)), abs(np.sin(turn))
    return Rectangle(
        x,
        z,
        float(cos * piece.width + sin * piece.depth) / 2,
        float(sin * piece.width + cos * piece.depth) / 2,
    )


def _spiral(reach_m: float) -> list[tuple[float, float]]:
    """Return shifts within `reach_m`, the smallest first."""
    steps = np.arange(-np.floor(reach_m / 0.1), np.floor(reach_m / 0.1) + 1) * 0.1
    dx, dz = np.meshgrid(steps, steps, indexing="ij")
    order = np.argsort(np.hypot(dx, dz).ravel(), kind="stable")
    return [(float(dx.ravel()[index]), float(dz.ravel()[index])) for index in order]


def opposite(wall: str) -> str:
    """Return the wall across the room."""
    return WALLS[(WALLS.index(wall) + 2) % 4]
