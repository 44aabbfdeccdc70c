"""The room itself: walls with openings, floor, ceiling, skirting, windows, door, and the view outside.

The room is centred on the origin: x from -width / 2 to width / 2, z from -depth / 2 to depth / 2, floor at
y = 0. Walls are called by where they stand: north is -Z, west is -X. Seen from inside, a wall's own
coordinate u runs to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import room_joinery
from .mesh import Mesh, concatenate, flat_mesh, quad, tessellated
from .noise import fractal, ramp
from .room_joinery import FRAME_M, THICKNESS_M, Opening
from .room_palette import Palette, RoomLight, Scheme
from .world import RGB, Material, Portal, Texture

WALLS = ("north", "east", "south", "west")
_YAW_DEG = {"north": 0.0, "east": -90.0, "south": 180.0, "west": 90.0}
_VIEW_DEPTH_M = 3.2  # how far behind the wall the painted view stands
_VIEW_CELL_M = 0.07  # its colours are given at this spacing


@dataclass(frozen=True, slots=True)
class Room:
    """Inner size of a room, metres."""

    width: float
    depth: float
    height: float

    def length(self, wall: str) -> float:
        """Return how long a wall is."""
        return self.width if wall in ("north", "south") else self.depth

    def distance(self, wall: str) -> float:
        """Return how far a wall is from the middle."""
        return (self.depth if wall in ("north", "south") else self.width) / 2

    def against(self, mesh: Mesh, wall: str, u: float, y: float = 0.0, gap: float = 0.0) -> Mesh:
        """Return a mesh whose back is at z = 0 and front towards +Z, moved to stand at `u` of a wall."""
        return mesh.placed([u, y, gap - self.distance(wall)]).placed([0, 0, 0], _YAW_DEG[wall])

    def spot(self, wall: str, u: float, out: float) -> tuple[float, float]:
        """Return (x, z) of the point `out` metres before a wall at `u`."""
        local = self.against(_POINT, wall, u, 0.0, out).vertices[0]
        return float(local[0]), float(local[2])


_POINT = flat_mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]), 0)


def yaw_deg(wall: str) -> float:
    """Return the turn that makes a piece whose front is +Z look away from a wall."""
    return _YAW_DEG[wall]


def build_shell(
    room: Room,
    openings: tuple[Opening, ...],
    palette: Palette,
    scheme: Scheme,
    walls: dict[str, int],
    floor: int,
) -> tuple[Mesh, Mesh]:
    """Return walls, floor and ceiling, and then what is fitted to them, tessellated for baked light.

    Args:
        room: Its size.
        openings: Windows and doors.
        palette: Receives materials.
        scheme: Colours of trim, ceiling and door.
        walls: Material slot of each wall.
        floor: Material slot of the floor.
    """
    w, d, h = room.width / 2, room.depth / 2, room.height
    ceiling = palette.paint(scheme.ceiling)
    trim = palette.paint(scheme.trim)
    flat = [
        quad([[-w, 0, d], [w, 0, d], [w, 0, -d], [-w, 0, -d]], floor).labelled("floor"),
        quad([[-w, h, -d], [w, h, -d], [w, h, d], [-w, h, d]], ceiling).labelled("ceiling"),
    ]
    details: list[Mesh] = []
    for wall in WALLS:
        here = [opening for opening in openings if opening.wall == wall]
        face = _wall(room.length(wall), h, here, walls[wall]).labelled("wall")
        flat.append(room.against(face, wall, 0.0))
        joinery = [room_joinery.skirting(room.length(wall), here, trim)]
        joinery.append(room_joinery.cornice(room.length(wall), h, trim))
        if scheme.dado is not None:
            joinery.append(room_joinery.dado(room.length(wall), here, palette, scheme))
        details.append(room.against(concatenate(joinery).labelled("wall"), wall, 0.0))
        for opening in here:
            fitted = (
                room_joinery.door(opening, palette, scheme, trim)
                if opening.is_door
                else room_joinery.window(opening, palette, trim, scheme)
            )
            kind = "door" if opening.is_door else "window"
            details.append(room.against(fitted.labelled(kind), wall, 0.0))
    if scheme.beams is not None:
        details.append(room_joinery.beams(w, d, h, palette.wood(scheme.beams), scheme.is_coffered))
    return tessellated(concatenate(flat), 0.14), tessellated(concatenate(details), 0.2)


def _wall(length: float, height: float, openings: list[Opening], slot: int) -> Mesh:
    """Return the inner face of a wall in the plane z = 0 with its openings cut out, and their reveals."""
    edges = sorted({-length / 2, length / 2, *(o.u + s * o.width / 2 for o in openings for s in (-1, 1))})
    parts = []
    for left, right in pairwise(edges):
        middle = (left + right) / 2
        hole = next((o for o in openings if abs(middle - o.u) < o.width / 2), None)
        spans = [(0.0, height)] if hole is None else [(0.0, hole.low), (hole.high, height)]
        for low, high in spans:
            if high - low > 1e-6:
                parts.append(quad([[left, low, 0], [right, low, 0], [right, high, 0], [left, high, 0]], slot))
    for o in openings:
        left, right, back = o.u - o.width / 2, o.u + o.width / 2, -THICKNESS_M
        low, high = o.low, o.high
        parts += [
            quad([[left, low, back], [left, high, back], [left, high, 0], [left, low, 0]], slot),
            quad([[right, low, 0], [right, high, 0], [right, high, back], [right, low, back]], slot),
            quad([[left, high, back], [right, high, back], [right, high, 0], [left, high, 0]], slot),
            # Under a door this is its threshold, without which one would look out below the leaf.
            quad([[left, low, 0], [right, low, 0], [right, low, back], [left, low, back]], slot),
        ]
    return concatenate(parts)


def portal_of(room: Room, opening: Opening) -> Portal:
    """Return the daylight opening of a window, at the outside of the wall."""
    left, right = opening.u - opening.width / 2 + FRAME_M, opening.u + opening.width / 2 - FRAME_M
    low, high = opening.low + FRAME_M, opening.high - FRAME_M
    corners = np.array([[left, low, 0], [right, low, 0], [left, high, 0]])
    mesh = flat_mesh(corners, np.array([[0, 1, 2]]), 0)
    moved = room.against(mesh, opening.wall, 0.0, 0.0, -THICKNESS_M).vertices.astype(np.float64)
    corner, across, up = moved[0], moved[1] - moved[0], moved[2] - moved[0]
    return Portal(_triple(corner), _triple(across), _triple(up))


def _triple(values: ArrayLike) -> RGB:
    x, y, z = (float(value) for value in np.asarray(values))
    return (x, y, z)


def build_view(
    room: Room, wall: str, palette: Palette, view: str, light: RoomLight, colours: ViewColours, seed: int
) -> Mesh:
    """Return the painted view outside a wall: an open-ended box whose colours shine by themselves.

    It stands a few metres off, so that it shifts behind the window as people walk, and has a finite depth.
    """
    # Black but for what it shines: neither sun nor lamps may fall on what is far away.
    slot = palette.slot(
        Material(Texture.PLAIN, (0.0, 0.0, 0.0), contrast=0.0, emission=(light.view_gain,) * 3)
    )
    length, far = room.length(wall) / 2 + 2.6, -THICKNESS_M - _VIEW_DEPTH_M
    near, low, high = -THICKNESS_M - 0.02, -1.6, 6.2
    # Finer where it is looked at: hills and trees, not the ground below nor the sky above.
    bottom, top = 0.2, 3.6
    sheets = [
        _sheet([-length, low, far], [2 * length, 0, 0], [0, bottom - low, 0], slot),
        _sheet([-length, bottom, far], [2 * length, 0, 0], [0, top - bottom, 0], slot, _VIEW_CELL_M / 2),
        _sheet([-length, top, far], [2 * length, 0, 0], [0, high - top, 0], slot),
        _sheet([-length, low, near], [0, 0, far - near], [0, high - low, 0], slot),
        _sheet([length, low, far], [0, 0, near - far], [0, high - low, 0], slot),
        _sheet([-length, low, near], [2 * length, 0, 0], [0, 0, far - near], slot),
        _sheet([-length, high, far], [2 * length, 0, 0], [0, 0, near - far], slot),
    ]
    mesh = concatenate(sheets)
    # Seen from someone who stands well inside the room: what is painted by direction looks far away.
    towards = mesh.vertices.astype(np.float64) - [0.0, 1.6, 1.8]
    azimuth = np.arctan2(towards[:, 0], -towards[:, 2])
    elevation = np.arctan2(towards[:, 1], np.hypot(towards[:, 0], towards[:, 2]))
    painted = mesh.tinted(paint_view(azimuth, elevation, view, colours, seed).astype(np.float32))
    # It is seen through windows only, so it is what a picture shows of them.
    return room.against(painted.labelled("window"), wall, 0.0)


def _sheet(
    corner: ArrayLike, across: ArrayLike, up: ArrayLike, slot: int, cell_m: float = _VIEW_CELL_M
) -> Mesh:
    corner, across, up = (np.asarray(part, np.float64) for part in (corner, across, up))
    columns = max(1, round(float(np.linalg.norm(across)) / cell_m))
    rows = max(1, round(float(np.linalg.norm(up)) / cell_m))
    u, v = np.meshgrid(np.arange(columns + 1) / columns, np.arange(rows + 1) / rows, indexing="ij")
    vertices = corner + u.reshape(-1, 1) * across + v.reshape(-1, 1) * up
    index = np.arange(len(vertices)).reshape(columns + 1, rows + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    return flat_mesh(vertices, faces, slot)


@dataclass(frozen=True, slots=True)
class ViewColours:
    """Displayed brightness of a painted view, linear, 1 is a white page in daylight."""

    zenith: RGB
    horizon: RGB
    far: RGB
    land: RGB
    foliage: RGB
    cloud: RGB


_VIEWS: dict[str, ViewColours] = {
    "day": ViewColours(
        (0.34, 0.52, 0.80), (0.82, 0.88, 0.93), (0.42, 0.50, 0.57), (0.30, 0.33, 0.17), (0.115, 0.155, 0.08),
        (0.98, 0.98, 0.98),
    ),
    "dawn": ViewColours(
        (0.42, 0.52, 0.74), (1.0, 0.75, 0.52), (0.52, 0.46, 0.48), (0.30, 0.29, 0.14), (0.14, 0.16, 0.07),
        (1.0, 0.82, 0.68),
    ),
    "dusk": ViewColours(
        (0.20, 0.24, 0.48), (1.0, 0.50, 0.26), (0.28, 0.22, 0.30), (0.13, 0.11, 0.08), (0.055, 0.055, 0.05),
        (0.95, 0.48, 0.40),
    ),
    "night": ViewColours(
        (0.16, 0.25, 0.55), (0.34, 0.46, 0.75), (0.16, 0.21, 0.33), (0.09, 0.12, 0.16), (0.045, 0.06, 0.08),
        (0.34, 0.42, 0.60),
    ),
}  # fmt: skip


def view_colours(time: str, weather: str, is_white: bool) -> ViewColours:
    """Return the colours of a view; `is_white` covers its land with snow."""
    colours = _VIEWS[time]
    sky, haze, cloud = colours.zenith, colours.horizon, colours.cloud
    far, land, foliage = colours.far, colours.land, colours.foliage
    if weather != "clear":
        grey = sum(haze) / 3 * 0.86
        sky, haze, cloud = (0.9 * grey, 0.94 * grey, grey), (grey, grey, grey), (grey, grey, grey)
    if weather in ("fog", "snow"):
        far = _mixed(far, haze, 0.7)
        land, foliage = _mixed(land, haze, 0.45), _mixed(foliage, haze, 0.4)
    if is_white:
        bright = 0.85 * sum(haze) / 3
        land = (bright, bright, 1.04 * bright)
        foliage = _mixed(foliage, land, 0.3)
    return ViewColours(sky, haze, far, land, foliage, cloud)


def _mixed(a: RGB, b: RGB, share: float) -> RGB:
    r, g, blue = (x * (1 - share) + y * share for x, y in zip(a, b, strict=True))
    return (r, g, blue)


def paint_view(
    azimuth: NDArray, elevation: NDArray, view: str, colours: ViewColours, seed: int
) -> NDArray[np.float64]:
    """Return linear colours [N, 3] of what lies outside in directions given in radians."""
    a, e = np.asarray(azimuth), np.asarray(elevation)

    def ridge(scale: float, octaves: int, offset: int) -> NDArray:
        return fractal(a * scale + 11.0, np.full_like(a, 0.37 * offset), octaves, seed + offset)

    def over(under: NDArray, colour: ArrayLike, share: NDArray) -> NDArray:
        return under * (1 - share[:, None]) + np.asarray(colour) * share[:, None]

    climb = np.clip(e / 0.85, 0, 1)[:, None] ** 0.6
    picture = np.asarray(colours.horizon) * (1 - climb) + np.asarray(colours.zenith) * climb
    flat = 1.0 / np.maximum(np.sin(np.maximum(e, 0.02)) + 0.22, 0.05)
    clouds = fractal(a * 1.8 * flat, flat * 2.1, 4, seed + 3)
    picture = over(picture, colours.cloud, 0.85 * ramp(0.0, 0.5, clouds) * ramp(0.02, 0.2, e))
    tall = {"mountain": 0.34, "forest": 0.10, "water": 0.07, "desert": 0.06, "snow": 0.14}.get(view, 0.10)
    crest = tall * (0.62 + 0.55 * ridge(2.2, 4, 5))
    far = np.asarray(colours.far) * (0.92 + 0.25 * ridge(9.0, 3, 6))[:, None]
    if view in ("mountain", "snow"):
        rock = fractal(a * 16, e * 16, 3, seed + 8)
        stone = np.array([0.62, 0.68, 0.78]) * np.asarray(colours.far) * (1.0 + 0.7 * rock)[:, None]
        white = ramp(0.55, 0.72, e / np.maximum(crest, 0.01) + 0.3 * rock)
        far = over(stone, np.asarray(colours.cloud) * (0.82 + 0.45 * rock)[:, None], white)
    picture = over(picture, far, ramp(0.006, -0.006, e - crest))
    ground = np.asarray(colours.land) * (0.9 + 0.3 * fractal(a * 9, e * 30, 3, seed + 9))[:, None]
    if view == "water":
        depth = np.clip(-e / 0.5, 0, 1)[:, None] ** 0.5
        sea = _mixed(colours.horizon, colours.zenith, 0.35)
        ground = np.asarray(sea) * (0.82 - 0.5 * depth) * np.array([0.75, 1.0, 1.05])
        ground = ground * (1 + 0.16 * fractal(a * 7, e * 70, 3, seed + 10))[:, None]
    elif view == "desert":
        sand = np.array([0.62, 0.40, 0.22]) * (sum(colours.horizon) / 2.6)
        dune = 0.045 * (0.6 + 0.8 * ridge(3.0, 3, 7))
        picture = over(picture, sand * 0.8, ramp(0.005, -0.005, e - dune))
        ground = sand * (0.9 + 0.25 * fractal(a * 6, e * 26, 3, seed + 9))[:, None]
    # Far ground takes the colour of the air.
    ground = over(ground, 0.8 * np.asarray(colours.horizon), 0.45 * ramp(-0.25, 0.0, e))
    picture = over(picture, ground, ramp(0.004, -0.004, e))
    if view in ("meadow", "forest", "mountain", "snow", "garden"):
        height = {"forest": 0.42, "mountain": 0.07, "snow": 0.06}.get(view, 0.13)
        jag = 0.9 if view in ("forest", "mountain", "snow") else 0.6
        crowns = height * (0.55 + 0.5 * ridge(4.0, 2, 12) + 0.45 * jag * ridge(17.0, 3, 13))
        leaves = fractal(a * 24, e * 24, 3, seed + 14)
        green = np.asarray(colours.foliage) * (0.95 + 1.1 * leaves)[:, None]
        wood = ramp(0.010, -0.010, e - crowns) * ramp(-0.05, -0.02, e + 0.02 * ridge(6.0, 2, 15))
        picture = over(picture, np.maximum(green, 0.0), wood)
    return np.maximum(picture, 0.004)
