"""Tall buildings: their foot at the origin, the front towards +Z."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Generator

from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder, flat_mesh, quad
from ..palette import SLOT
from ..shapes import arch, lathe, pyramid_roof, ring_of, scaled, slab_between
from ..world import RGB


def tower(rng: Generator, look: Look) -> Mesh:
    """Return a round stone tower with battlements."""
    tall = 9.0 * look.size
    profile = [(2.2, -0.6), (2.1, 0.5), (1.85, 2.0), (1.75, tall - 1.2), (2.1, tall - 0.6), (2.1, tall)]
    parts = [lathe(profile, 24, SLOT["stones"], (1.15, 1.12, 1.05))]
    parts.append(cylinder([0, tall - 0.1, 0], [0, tall, 0], 2.0, 2.0, 24, SLOT["stones"]))
    parts += ring_of(
        10, 1.95, lambda _: box([0, tall + 0.35, 0], [0.72, 0.7, 0.34], SLOT["stones"], (1.15, 1.12, 1.05))
    )
    parts.append(box([0, 1.05, 1.98], [0.95, 2.1, 0.24], SLOT["door"]))
    parts.append(arch(1.0, 2.2, 0.2, 0.4, SLOT["stones"], (0.9, 0.88, 0.85)).placed([0, 0, 2.0]))
    for y, yaw in ((3.6, 15.0), (5.6, 80.0), (4.4, -70.0), (6.4, -20.0)):
        slit = box([0, min(y, tall - 2.2), 1.8], [0.26, 0.9, 0.12], SLOT["window"])
        parts.append(slit.placed([0, 0, 0], yaw))
    return concatenate(parts)


def lighthouse(rng: Generator, look: Look) -> Mesh:
    """Return a banded lighthouse whose lantern shines by night; the light is at (0, 11.6, 0) * size."""
    size = look.size
    band = look.colour(PAINTS["red"])
    parts = [cylinder([0, -0.8, 0], [0, 0.5, 0], 2.3, 2.2, 24, SLOT["stones"])]
    heights = np.linspace(0.4, 10.0, 6)
    for index, (low, high) in enumerate(itertools.pairwise(heights)):
        foot, head = 1.75 - 0.075 * low, 1.75 - 0.075 * high
        tint = PAINTS["white"] if index % 2 == 0 else band
        parts.append(cylinder([0, low, 0], [0, high, 0], foot, head, 24, SLOT["paint"], tint, caps=False))
    parts.append(cylinder([0, 10.0, 0], [0, 10.2, 0], 1.5, 1.5, 20, SLOT["metal"]))
    parts += ring_of(12, 1.42, lambda _: box([0, 10.65, 0], [0.05, 0.9, 0.05], SLOT["metal"]))
    parts.append(cylinder([0, 11.05, 0], [0, 11.12, 0], 1.45, 1.45, 20, SLOT["metal"]))
    parts.append(cylinder([0, 10.2, 0], [0, 12.0, 0], 0.78, 0.78, 12, SLOT["beacon"]))
    parts += ring_of(6, 0.82, lambda _: box([0, 11.1, 0], [0.07, 1.8, 0.07], SLOT["metal"]))
    parts.append(cylinder([0, 12.0, 0], [0, 12.9, 0], 1.05, 0.06, 16, SLOT["paint"], band))
    parts.append(box([0, 1.3, 1.66], [0.9, 2.0, 0.3], SLOT["paint"], scaled(band, 0.7)))
    for y, yaw in ((3.6, 0.0), (6.2, 0.0), (5.0, 90.0), (7.4, -90.0)):
        radius = 1.75 - 0.075 * y
        parts.append(box([0, y, radius], [0.42, 0.7, 0.12], SLOT["window"]).placed([0, 0, 0], yaw))
    return concatenate(parts).placed([0, 0, 0], 0.0, size)


def windmill(rng: Generator, look: Look) -> Mesh:
    """Return a tower mill with four lattice sails."""
    wall = look.colour(PAINTS["white"])
    parts = [cylinder([0, -0.6, 0], [0, 0.7, 0], 2.25, 2.15, 20, SLOT["stones"])]
    parts.append(cylinder([0, 0.6, 0], [0, 6.4, 0], 2.05, 1.4, 20, SLOT["paint"], wall, caps=False))
    parts.append(cylinder([0, 6.3, 0], [0, 8.0, 0], 1.65, 0.25, 20, SLOT["roof"], (1.6, 0.9, 0.7)))
    parts.append(box([0, 1.5, 2.0], [0.95, 2.0, 0.3], SLOT["door"]))
    for y, yaw in ((3.6, 0.0), (4.4, 75.0), (3.2, -100.0)):
        parts.append(box([0, y, 1.75], [0.5, 0.7, 0.2], SLOT["window"]).placed([0, 0, 0], yaw))
    hub = np.array([0.0, 6.6, 1.95])
    parts.append(cylinder(hub - [0, 0, 0.9], hub + [0, 0, 0.2], 0.2, 0.16, 10, SLOT["log_wood"]))
    sail = [box([0, 2.1, 0], [0.12, 4.2, 0.1], SLOT["trim"], (0.6, 0.5, 0.42))]
    sail.append(box([0.46, 2.35, 0], [0.78, 3.3, 0.04], SLOT["canvas"], PAINTS["cream"]))
    sail += [
        box([0.44, y, 0.03], [0.86, 0.07, 0.06], SLOT["trim"], (0.6, 0.5, 0.42))
        for y in np.arange(0.75, 4.1, 0.65)
    ]
    made = concatenate(sail)
    for index in range(4):
        angle = np.radians(90.0 * index + 24.0)
        cos, sin = np.cos(angle), np.sin(angle)
        parts.append(made.moved([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], hub + [0, 0, 0.25]))
    return concatenate(parts)


def castle(rng: Generator, look: Look) -> Mesh:
    """Return a castle: four towers, walls with battlements, a gate and a keep, 16 m wide."""
    stone: RGB = (1.2, 1.17, 1.1)
    half, high = 7.0, 5.0
    parts = []
    for sx in (-1, 1):
        for sz in (-1, 1):
            body = lathe(
                [(1.9, -1.0), (1.8, 0.5), (1.65, 7.4), (1.95, 7.8), (1.95, 8.4)], 18, SLOT["stones"], stone
            )
            cap = cylinder([0, 8.4, 0], [0, 11.2, 0], 2.15, 0.05, 18, SLOT["roof"], (1.2, 0.75, 0.9))
            slits = [
                box([0, y, 1.7], [0.25, 0.8, 0.1], SLOT["window"]).placed([0, 0, 0], yaw)
                for y, yaw in ((5.8, 0.0), (5.8, 90.0), (5.8, -90.0), (3.4, 20.0))
            ]
            parts.append(concatenate([body, cap, *slits]).placed([sx * half, 0, sz * half]))
    merlons = np.arange(-half + 2.2, half - 2.0, 1.15)
    for sign in (-1, 1):
        for turn in (0.0, 90.0):
            wall = (
                []
                if (sign, turn) == (1, 0.0)
                else [box([0, high / 2 - 0.5, 0], [2 * half, high + 1.0, 0.9], SLOT["stones"], stone)]
            )
            wall += [box([m, high + 0.4, 0], [0.6, 0.8, 0.5], SLOT["stones"], stone) for m in merlons]
            spot = [0, 0, sign * half] if turn == 0 else [sign * half, 0, 0]
            parts.append(concatenate(wall).placed(spot, turn))
    for sign in (-1, 1):
        parts.append(
            box(
                [sign * (half / 2 + 0.8), high / 2 - 0.5, half],
                [half - 1.6, high + 1.0, 0.9],
                SLOT["stones"],
                stone,
            )
        )
    parts.append(box([0, 4.2, half], [3.4, 1.8, 0.9], SLOT["stones"], stone))
    parts.append(arch(2.4, 3.3, 0.45, 1.3, SLOT["stones"], scaled(stone, 0.8)).placed([0, 0, half]))
    parts.append(box([0, 1.6, half - 0.1], [2.4, 3.2, 0.3], SLOT["door"]))
    keep = [box([0, 5.0, 0], [5.4, 11.0, 5.4], SLOT["stones"], scaled(stone, 0.95))]
    keep.append(pyramid_roof(3.0, 3.0, 10.5, 3.2, SLOT["roof"], (1.2, 0.75, 0.9)))
    for y in (7.2, 8.9):
        for x in (-1.4, 0, 1.4):
            keep.append(box([x, y, 2.72], [0.5, 0.9, 0.1], SLOT["window"]))
    parts.append(concatenate(keep).placed([0, 0, -1.5]))
    return concatenate(parts)


def church(rng: Generator, look: Look) -> Mesh:
    """Return a small church: a nave and a tower with a pointed roof."""
    wall = look.colour(PAINTS["white"])
    half, deep, top = 2.4, 4.2, 4.0
    parts = [box([0, top / 2 - 0.4, -1.2], [2 * half, top + 0.8, 2 * deep], SLOT["paint"], wall)]
    for sign in (-1, 1):
        roof = slab_between(
            [0, top - 0.2, sign * (half + 0.35)],
            [0, top + 2.4, 0],
            2 * deep + 0.5,
            0.14,
            SLOT["roof"],
            (1.5, 0.85, 0.65),
        )
        parts.append(roof.placed([0, 0, -1.2], 90))
        gable = flat_mesh(
            np.array([[-half, top, 0], [half, top, 0], [0, top + 2.3, 0]]),
            np.array([[0, 1, 2]] if sign > 0 else [[0, 2, 1]]),
            SLOT["paint"],
            wall,
        )
        parts.append(gable.placed([0, 0, -1.2 + sign * deep]))
        for z in (-3.6, -1.2, 1.2):
            parts.append(box([sign * half, 2.1, z], [0.12, 1.9, 0.7], SLOT["window"]))
    z = deep - 0.6
    parts.append(box([0, 3.6, z], [2.3, 8.2, 2.3], SLOT["paint"], scaled(wall, 0.97)))
    parts.append(pyramid_roof(1.4, 1.4, 7.7, 4.4, SLOT["roof"], (1.1, 0.8, 0.75)).placed([0, 0, z]))
    parts.append(box([0, 12.3, z], [0.09, 0.9, 0.09], SLOT["metal"]))
    parts.append(box([0, 12.4, z], [0.5, 0.09, 0.09], SLOT["metal"]))
    parts.append(box([0, 1.1, z + 1.16], [1.2, 2.2, 0.14], SLOT["door"]))
    parts.append(box([0, 6.4, z + 1.16], [0.7, 1.2, 0.1], SLOT["dark_glass"]))
    parts.append(cylinder([0, 4.4, z + 1.1], [0, 4.4, z + 1.22], 0.5, 0.5, 16, SLOT["window"]))
    return concatenate(parts)


def pagoda(rng: Generator, look: Look) -> Mesh:
    """Return a shrine of three tiers with wide, turned-up roofs."""
    wood = look.colour(PAINTS["red"])
    parts = [box([0, 0.1, 0], [5.0, 0.7, 5.0], SLOT["pale_stone"])]
    y = 0.45
    for tier, (half, high) in enumerate(((1.75, 2.4), (1.35, 1.9), (0.95, 1.6))):
        parts.append(box([0, y + high / 2, 0], [2 * half, high, 2 * half], SLOT["plaster"], (1.1, 1.0, 0.85)))
        for sx in (-1, 1):
            for sz in (-1, 1):
                parts.append(
                    cylinder(
                        [sx * half, y, sz * half],
                        [sx * half, y + high, sz * half],
                        0.13,
                        0.13,
                        8,
                        SLOT["paint"],
                        wood,
                    )
                )
        for yaw in (0.0, 90.0, 180.0, 270.0):
            opening = box(
                [0, y + 0.5 * high, half], [0.8 * half, 0.75 * high, 0.08], SLOT["window" if tier else "door"]
            )
            parts.append(opening.placed([0, 0, 0], yaw))
            beam = box([0, y + high - 0.15, half], [2 * half + 0.2, 0.2, 0.12], SLOT["paint"], wood)
            parts.append(beam.placed([0, 0, 0], yaw))
        parts.append(_turned_roof(half + 1.0, y + high - 0.1, 0.95, half * 0.62))
        y += high + 0.55
    parts.append(cylinder([0, y - 0.2, 0], [0, y + 1.3, 0], 0.12, 0.03, 8, SLOT["metal"]))
    return concatenate(parts)


def _turned_roof(half: float, low: float, rise: float, head: float) -> Mesh:
    """Return a roof whose corners turn up: rings of squares between eaves and head."""
    rings = []
    for share in np.linspace(0, 1, 5):
        reach = half + (head - half) * share**0.75
        high = low + rise * share
        row = []
        for index in range(16):
            along = 4.0 * index / 16
            side, t = int(along), (along - int(along)) * 2 - 1
            corner = np.array([t, 1.0]) * reach
            turn = np.radians(90.0 * side)
            x, z = (
                corner[0] * np.cos(turn) + corner[1] * np.sin(turn),
                -corner[0] * np.sin(turn) + corner[1] * np.cos(turn),
            )
            row.append([x, high + 0.3 * (1 - share) * abs(t) ** 3, z])
        rings.append(row)
    points = np.array(rings).reshape(-1, 3)
    near = np.arange(16)
    after = (near + 1) % 16
    rows = 16 * np.arange(4)[:, None]
    a, b, c, d = rows + near, rows + after, rows + 16 + after, rows + 16 + near
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    lid = np.array([[64, 64 + i, 65 + i] for i in range(1, 15)])
    under = np.array([[0, 1 + i, i] for i in range(1, 15)])
    return flat_mesh(points, np.concatenate([faces, lid, under]), SLOT["roof"], (0.8, 0.95, 1.0))


def pyramid(rng: Generator, look: Look) -> Mesh:
    """Return a stepped pyramid of sandstone, 12 m wide."""
    parts = []
    for step in range(9):
        half = 6.0 - 0.62 * step
        parts.append(
            box(
                [0, 0.35 + 0.75 * step - 0.3, 0],
                [2 * half, 0.8 if step else 1.4, 2 * half],
                SLOT["sandstone"],
                scaled((1, 1, 1), float(rng.uniform(0.9, 1.08))),
            )
        )
    parts.append(box([0, 1.1, 5.9], [1.6, 2.4, 0.5], SLOT["sandstone"], (0.85, 0.85, 0.85)))
    parts.append(quad([[-0.5, 0, 6.17], [0.5, 0, 6.17], [0.5, 1.9, 6.17], [-0.5, 1.9, 6.17]], SLOT["core"]))
    return concatenate(parts)
