"""The corridor of a spaceship: ribs, panels, light strips, grated floor, pipes, portholes and sliding doors.

It takes the place of walls, floor and ceiling of a `Room`: what stands at a wall stands between the ribs,
whose inner faces are the walls of the room; the hull lies `RECESS_M` behind them. It runs along z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .mesh import Mesh, box, concatenate, cylinder, quad, rounded_box, sphere, tessellated
from .room_joinery import Opening
from .room_palette import Palette, Scheme
from .room_shell import Room
from .shapes import arc, plate, slab_between, tube
from .world import RGB, Lamp, Material, Texture

SPACESHIP_CORRIDOR = "spaceship_corridor"
RECESS_M = 0.2
_BAY_M = 1.5
_SHOULDER_M = 1.86  # where the walls lean in
_PLATE_M = 0.06  # the hull's floor lies this far under the grating
_GRATE_M = 1.3


@dataclass(frozen=True, slots=True)
class Ship:
    """What a brief says of a corridor."""

    tone: RGB  # hue of the lights, its strongest part 1
    lit_share: float = 1.0  # of the bays; a derelict keeps few
    has_portholes: bool = True
    has_lights: bool = True
    has_pipes: bool = True


def doors(room: Room) -> tuple[Opening, ...]:
    """Return the doors at both ends."""
    return tuple(Opening(wall, 0.0, 1.5, 0.0, 2.1, is_door=True) for wall in ("north", "south"))


def build_corridor(
    room: Room, openings: tuple[Opening, ...], palette: Palette, scheme: Scheme, ship: Ship, rng: Generator
) -> tuple[Mesh, tuple[Lamp, ...]]:
    """Return the hull with all that is fitted to it, tessellated for baked light, and its lamps."""
    bays = max(4, round(room.depth / _BAY_M))
    step = room.depth / bays
    middles = [(index + 0.5) * step - room.depth / 2 for index in range(bays)]
    is_lit = [rng.random() < ship.lit_share or index == bays // 2 for index in range(bays)]
    parts = [_hull(room, palette, scheme), *_floor(room, palette, scheme)]
    for index in range(bays + 1):
        z = float(np.clip(index * step - room.depth / 2, 0.08 - room.depth / 2, room.depth / 2 - 0.08))
        parts.append(_rib(room, palette, scheme, z).labelled("wall"))
    middle = bays // 2
    for index, z in enumerate(middles):
        for side in (-1, 1):
            what = "panels"
            if ship.has_portholes and side < 0 and index % 2 == 1:
                what = "porthole"
            elif side > 0 and index == middle and openings:
                what = "door"
            elif (index + (side > 0)) % 3 == 2:
                what = "vents"
            parts.append(_bay(room, palette, scheme, rng, what, z, step, side))
    if ship.has_lights:
        parts += _lights(room, palette, ship, middles, is_lit, step)
    if ship.has_pipes:
        parts.append(pipes(palette, room.depth, room.height, step).labelled("pipe"))
    for opening in openings:
        leaf = sliding_door(palette, scheme, opening.width, opening.high, room.width, room.height)
        parts.append(room.against(leaf.labelled("door"), opening.wall, 0.0))
    return tessellated(concatenate(parts), 0.22), _lamps(room, ship, middles, is_lit)


def _hull(room: Room, palette: Palette, scheme: Scheme) -> Mesh:
    """Return the closed skin: floor plate, walls, leaning shoulders, ceiling and both ends."""
    w, d, h = room.width / 2 + RECESS_M, room.depth / 2, room.height
    inner = room.width / 2 - 0.42
    skin, end = palette.metal(_shade(scheme.wall, 0.55)), palette.metal(_shade(scheme.wall, 0.8))
    plate = palette.metal(_shade(scheme.floor, 0.35))
    low = -_PLATE_M
    parts = [quad([[-w, low, d], [w, low, d], [w, low, -d], [-w, low, -d]], plate).labelled("floor")]
    parts.append(
        quad([[-inner, h, -d], [inner, h, -d], [inner, h, d], [-inner, h, d]], skin).labelled("ceiling")
    )
    s = _SHOULDER_M
    parts += [
        quad([[-w, low, d], [-w, low, -d], [-w, s, -d], [-w, s, d]], skin),
        quad([[w, low, -d], [w, low, d], [w, s, d], [w, s, -d]], skin),
        quad([[-w, s, d], [-w, s, -d], [-inner, h, -d], [-inner, h, d]], skin),
        quad([[w, s, -d], [w, s, d], [inner, h, d], [inner, h, -d]], skin),
        quad([[-w, low, -d], [w, low, -d], [w, h, -d], [-w, h, -d]], end),
        quad([[w, low, d], [-w, low, d], [-w, h, d], [w, h, d]], end),
    ]
    return concatenate(parts).labelled("wall")


def _floor(room: Room, palette: Palette, scheme: Scheme) -> list[Mesh]:
    """Return plates along the walls and a grating between them, their upper sides at y = 0."""
    w, half = room.width / 2 + RECESS_M, _GRATE_M / 2
    tread = palette.slot(Material(Texture.TILES, scheme.floor, _shade(scheme.floor, 0.3), 0.5))
    bar = palette.metal(_shade(scheme.floor, 1.15))
    wide = w - half
    parts = []
    for side in (-1, 1):
        x = side * (half + wide / 2)
        parts.append(box([x, -_PLATE_M / 2, 0], [wide, _PLATE_M, room.depth], tread))
        parts.append(box([side * half, -0.025, 0], [0.06, 0.05, room.depth], bar))
        parts.append(box([side * half / 3, -0.025, 0], [0.04, 0.05, room.depth], bar))
    count = round(room.depth / 0.1)
    for index in range(count):
        z = ((index + 0.5) / count - 0.5) * room.depth
        parts.append(box([0, -0.016, z], [_GRATE_M, 0.032, 0.042], bar))
    return [concatenate(parts).labelled("floor")]


def _rib(room: Room, palette: Palette, scheme: Scheme, z: float) -> Mesh:
    """Return one frame around the corridor, its inner faces where the walls of the room are."""
    w, h, s = room.width / 2, room.height, _SHOULDER_M
    metal, edge = palette.metal(scheme.wall), palette.metal(_shade(scheme.trim, 0.9))
    parts = []
    for side in (-1, 1):
        parts.append(box([side * (w + 0.1), s / 2, z], [0.2, s + 0.12, 0.18], metal))
        parts.append(box([side * (w + 0.012), s / 2, z], [0.024, s, 0.06], edge))
        foot, top = np.array([side * (w + 0.08), s - 0.03, z]), np.array([side * (w - 0.5), h - 0.05, z])
        parts.append(slab_between(foot, top, 0.18, 0.2, metal))
        parts.append(rounded_box([side * (w + 0.05), s, z], [0.26, 0.24, 0.24], 0.04, edge))
    parts.append(box([0, h - 0.07, z], [2 * w - 0.9, 0.14, 0.18], metal))
    return concatenate(parts)


def _bay(
    room: Room, palette: Palette, scheme: Scheme, rng: Generator, what: str, z: float, step: float, side: int
) -> Mesh:
    """Return what fills the wall between two ribs; it is made at z = 0 facing +Z and then turned."""
    made = {"porthole": _porthole, "door": _side_door, "vents": _vents, "panels": _panels}[what]
    mesh = made(palette, scheme, rng, step - 0.24)
    yaw = 90.0 if side < 0 else -90.0
    return mesh.placed([side * (room.width / 2 + RECESS_M), 0, z], yaw)


def _panels(palette: Palette, scheme: Scheme, rng: Generator, wide: float) -> Mesh:
    tint = float(rng.uniform(0.85, 1.15))
    face, dark = palette.metal(scheme.accent_wall), palette.paint(_shade(scheme.wall, 0.12))
    parts: list[Mesh] = [
        rounded_box([0, 0.49, 0.03], [wide, 0.72, 0.07], 0.03, face, (tint, tint, tint)),
        rounded_box([0, 1.36, 0.03], [wide, 0.86, 0.07], 0.03, face),
        box([0, 0.49, 0.068], [wide - 0.3, 0.34, 0.014], dark),
        box([0, 0.49, 0.074], [wide - 0.36, 0.28, 0.014], palette.metal(_shade(scheme.accent_wall, 0.8))),
        box([0, 0.885, 0.05], [wide, 0.05, 0.1], palette.paint(scheme.cushion)),
    ]
    x = float(rng.uniform(-0.25, 0.25))
    parts.append(box([x, 1.42, 0.07], [0.42, 0.34, 0.03], dark))
    for index in range(6):
        colour = ((0.1, 1.3, 0.5), (1.4, 0.5, 0.08), (0.2, 0.6, 1.5))[int(rng.integers(3))]
        spot = [x - 0.12 + 0.12 * (index % 3), 1.36 + 0.13 * (index // 3), 0.087]
        parts.append(box(spot, [0.06, 0.05, 0.012], palette.glow(_shade(colour, 0.7))))
    return concatenate(parts).labelled("wall")


def _vents(palette: Palette, scheme: Scheme, rng: Generator, wide: float) -> Mesh:
    face, dark = palette.metal(scheme.accent_wall), palette.paint(_shade(scheme.wall, 0.1))
    parts: list[Mesh] = [
        rounded_box([0, 0.49, 0.03], [wide, 0.72, 0.07], 0.03, face),
        box([0, 1.36, 0.02], [wide, 0.86, 0.03], dark),
    ]
    for row in range(8):
        parts.append(box([0, 1.0 + 0.1 * row, 0.05], [wide - 0.06, 0.055, 0.06], face))
    for side in (-1, 1):
        parts.append(box([side * (wide / 2 - 0.03), 1.36, 0.05], [0.06, 0.88, 0.1], face))
        parts.append(
            cylinder(
                [side * 0.3, 0.14, 0.1], [side * 0.3, 0.84, 0.1], 0.05, 0.05, 14, palette.metal(scheme.trim)
            )
        )
    return concatenate(parts).labelled("wall")


def _porthole(palette: Palette, scheme: Scheme, rng: Generator, wide: float) -> Mesh:
    """Return a round window onto stars, with the limb of a planet in it."""
    face, frame = palette.metal(scheme.accent_wall), palette.metal(_shade(scheme.trim, 1.1))
    around = rounded_box([0, 0.49, 0.03], [wide, 0.72, 0.07], 0.03, face).labelled("wall")
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    radius, y = 0.44, 1.38
    space = palette.slot(
        Material(Texture.PLAIN, (0.0, 0.0, 0.0), contrast=0.0, emission=(0.006, 0.009, 0.022))
    )
    parts: list[Mesh] = [plate(ring * radius + [0, y], 0.06, space)]
    parts.append(tube(arc([0, y, 0.05], radius, 0, 360, 41), 0.05, 8, frame))
    for a in angle[::5]:
        bolt = [1.16 * radius * np.cos(a), y + 1.16 * radius * np.sin(a), 0.02]
        parts.append(sphere(bolt, [0.03, 0.03, 0.02], 1, frame))
    for _ in range(26):
        far, turn = radius * 0.86 * float(np.sqrt(rng.random())), float(rng.uniform(0, 2 * np.pi))
        bright = float(rng.uniform(0.25, 1.4))
        size = 0.008 + 0.006 * bright
        star = palette.slot(Material(Texture.PLAIN, (0.0, 0.0, 0.0), contrast=0.0, emission=(1.0, 1.05, 1.2)))
        spot = [far * np.cos(turn), y + far * np.sin(turn), 0.03]
        parts.append(sphere(spot, [size, size, 0.004], 1, star, (bright, bright, bright)))
    if rng.random() < 0.45:
        parts.append(_planet(palette, [0.1, y - 0.1, 0.031], 0.2))
    return concatenate([around, concatenate(parts).labelled("window")])


def _planet(palette: Palette, middle: list[float], radius: float) -> Mesh:
    """Return the disc of a planet lit from one side; it has no depth that a second view could contradict."""
    earth = palette.slot(Material(Texture.PLAIN, (0.0, 0.0, 0.0), contrast=0.0, emission=(0.16, 0.36, 0.62)))
    disc = sphere(middle, [radius, radius, 0.004], 3, earth)
    sun = ((disc.vertices - np.float32(middle)) / radius) @ np.array([0.75, 0.6, 0.0], np.float32)
    return disc.tinted(np.clip(0.42 + 0.75 * sun, 0.03, 1.0)[:, None] * np.ones(3))


def _side_door(palette: Palette, scheme: Scheme, rng: Generator, wide: float) -> Mesh:
    return _leaves(palette, scheme, wide - 0.16, 1.8).labelled("door")


def _leaves(palette: Palette, scheme: Scheme, wide: float, high: float) -> Mesh:
    """Return the two leaves of a sliding door with their band of colour, closed, and the frame around."""
    leaf, frame = palette.metal(scheme.trim), palette.metal(_shade(scheme.wall, 0.5))
    seam, band = palette.paint((0.02, 0.02, 0.022)), palette.paint(scheme.cushion)
    parts: list[Mesh] = [box([0, high / 2, 0.02], [wide, high, 0.03], seam)]
    half = wide / 2 - 0.015
    for side in (-1, 1):
        x = side * wide / 4
        for low, top in ((0.05, 0.62), (0.66, 1.16), (1.2, high - 0.04)):
            parts.append(rounded_box([x, (low + top) / 2, 0.045], [half - 0.02, top - low, 0.05], 0.02, leaf))
        parts.append(box([x, 0.91, 0.075], [half - 0.06, 0.14, 0.012], band))
        parts.append(box([x - side * 0.02, 1.56, 0.07], [0.34 * half, 0.3, 0.02], seam))
        parts.append(box([side * (wide / 2 + 0.06), high / 2, 0.06], [0.14, high + 0.1, 0.12], frame))
        for row in range(3):
            spot = [side * (wide / 2 + 0.06), 0.5 + 0.5 * row, 0.125]
            parts.append(box(spot, [0.05, 0.2, 0.012], band))
    parts.append(box([0, high + 0.06, 0.06], [wide + 0.26, 0.14, 0.12], frame))
    parts.append(box([0, high + 0.06, 0.125], [0.5 * wide, 0.05, 0.012], palette.glow((1.5, 0.42, 0.06))))
    return concatenate(parts)


def sliding_door(
    palette: Palette, scheme: Scheme, wide: float, high: float, room_wide: float, room_high: float
) -> Mesh:
    """Return the bulkhead at an end of the corridor with its sliding door; the wall is z = 0."""
    face = palette.metal(_shade(scheme.accent_wall, 0.85))
    parts = [_leaves(palette, scheme, wide, high)]
    rest = (room_wide + 2 * RECESS_M - wide - 0.3) / 2
    for side in (-1, 1):
        x = side * (wide / 2 + 0.15 + rest / 2)
        for low, top in ((0.06, 0.9), (0.96, 1.8)):
            parts.append(
                rounded_box(
                    [x, (low + top) / 2, 0.012], [rest - 0.06, top - low, 0.03], 0.012, face
                ).labelled("wall")
            )
    parts.append(box([0, (high + 0.16 + room_high) / 2, 0.01], [wide, room_high - high - 0.24, 0.02], face))
    return concatenate(parts)


def pipes(palette: Palette, length: float, height: float, step: float) -> Mesh:
    """Return pipes along z under a ceiling, with a flange every `step` metres."""
    runs = (
        (-0.46, 0.075, (0.34, 0.16, 0.07)),
        (-0.27, 0.05, (0.40, 0.41, 0.42)),
        (0.06, 0.055, (0.40, 0.41, 0.42)),
        (0.24, 0.06, (0.32, 0.09, 0.05)),
        (0.45, 0.085, (0.22, 0.25, 0.27)),
    )
    parts: list[Mesh] = []
    count = max(2, round(length / step))
    for x, radius, colour in runs:
        slot = palette.metal(colour)
        y = height - 0.19 - radius
        parts.append(cylinder([x, y, -length / 2], [x, y, length / 2], radius, radius, 16, slot))
        for index in range(count):
            z = (index + 0.5 + 0.18 * (x > 0)) * length / count - length / 2
            bulge = 1.35 * radius
            parts.append(
                cylinder(
                    [x, y, z - 0.05], [x, y, z + 0.05], bulge, bulge, 16, palette.metal(_shade(colour, 0.7))
                )
            )
    return concatenate(parts)


def _lights(
    room: Room, palette: Palette, ship: Ship, middles: list[float], is_lit: list[bool], step: float
) -> list[Mesh]:
    """Return strips of light under both shoulders and dim lines along the floor, one of each per bay."""
    w = room.width / 2
    on, off = palette.glow(_shade(ship.tone, 2.6)), palette.paint((0.16, 0.17, 0.18))
    line = palette.glow(_shade(ship.tone, 0.8))
    case = palette.paint((0.08, 0.08, 0.085))
    parts = []
    for z, shines in zip(middles, is_lit, strict=True):
        for side in (-1, 1):
            long = step - 0.34
            x = side * (w + 0.1)
            strip = [box([x, _SHOULDER_M + 0.02, z], [0.12, 0.07, long], on if shines else off)]
            strip.append(box([side * (w + 0.13), _SHOULDER_M + 0.07, z], [0.14, 0.05, long + 0.06], case))
            strip.append(box([side * (w + 0.06), 0.025, z], [0.05, 0.05, long], line if shines else off))
            parts += [part.labelled("pendant_lamp") for part in strip]
    return parts


def _lamps(room: Room, ship: Ship, middles: list[float], is_lit: list[bool]) -> tuple[Lamp, ...]:
    power = 0.95 / max(0.5, ship.lit_share)
    # Light that is all of one colour shows no other; a little white keeps things apart.
    r, g, b = (power * (0.24 + 0.76 * part) for part in ship.tone)
    if not ship.has_lights:
        return (Lamp((0.0, room.height - 0.5, 0.0), (0.5, 0.5, 0.5), radius=0.2, clear_m=0.4),)
    return tuple(
        Lamp((side * (room.width / 2 - 0.06), _SHOULDER_M + 0.02, z), (r, g, b), radius=0.16, clear_m=0.3)
        for z, shines in zip(middles, is_lit, strict=True)
        if shines
        for side in (-1, 1)
    )


def _shade(colour: RGB, gain: float) -> RGB:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)
