"""Ruins, statues, fountains and other stone: their foot at the origin, the front towards +Z."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Generator

from ..look import Look
from ..mesh import Mesh, box, concatenate, cylinder, sphere
from ..palette import SLOT
from ..shapes import arch, blob, lathe, plate, ring_of, scaled, tube
from ..world import RGB

# What people cannot walk through of a ruin: (x, z, half along x, half along z), metres.
RUIN_BLOCKS = (
    *((s * 2.7, 2.2, 1.8, 0.4) for s in (-1, 1)),
    *((s * 3.9, 0.0, 0.4, 2.3) for s in (-1, 1)),
    (0.0, -2.4, 3.7, 0.4),
    *((s * 1.9, 0.2, 0.6, 0.6) for s in (-1, 1)),  # columns
    *((s * 1.0, -1.4, 0.5, 0.5) for s in (-1, 1)),  # fallen stones
)


def _stone(rng: Generator, spread: float = 0.1) -> RGB:
    return scaled((1.0, 0.98, 0.93), float(rng.uniform(1 - spread, 1 + spread)))


def column(rng: Generator, look: Look) -> Mesh:
    """Return a fluted column, whole or broken off."""
    broken = look.has("broken") or (not look.has("tall") and rng.random() < 0.5)
    tall = float(rng.uniform(1.6, 2.8)) if broken else 4.2 * look.size
    tint = _stone(rng)
    parts = [box([0, 0.02, 0], [1.1, 0.44, 1.1], SLOT["pale_stone"], tint)]
    drums = int(np.ceil(tall / 0.95))
    for index in range(drums):
        low, high = 0.24 + tall * index / drums, 0.24 + tall * (index + 1) / drums
        turn = float(rng.uniform(-3, 3))
        shift = rng.normal(0, 0.012, 2)
        drum = cylinder(
            [0, low, 0],
            [0, high - 0.02, 0],
            0.4 - 0.018 * low,
            0.4 - 0.018 * high,
            14,
            SLOT["pale_stone"],
            scaled(tint, float(rng.uniform(0.92, 1.06))),
        )
        parts.append(drum.placed([shift[0], 0, shift[1]], turn))
    if not broken:
        parts.append(
            cylinder([0, tall + 0.24, 0], [0, tall + 0.45, 0], 0.36, 0.56, 14, SLOT["pale_stone"], tint)
        )
        parts.append(box([0, tall + 0.55, 0], [1.15, 0.22, 1.15], SLOT["pale_stone"], tint))
    return concatenate(parts)


def _broken_wall(rng: Generator, length: float, height: float, tint: RGB) -> Mesh:
    """Return a wall along x whose top has crumbled away in steps."""
    parts, x = [], -length / 2
    while x < length / 2 - 0.05:
        width = min(float(rng.uniform(0.5, 0.95)), length / 2 - x)
        fall = 1 - 0.75 * abs(2 * (x + width / 2) / length) ** 1.5
        high = max(0.45, height * fall * float(rng.uniform(0.75, 1.05)))
        parts.append(
            box(
                [x + width / 2, high / 2 - 0.2, 0],
                [width, high + 0.4, 0.55],
                SLOT["stones"],
                scaled(tint, float(rng.uniform(0.92, 1.06))),
            )
        )
        x += width
    return concatenate(parts)


def ruin(rng: Generator, look: Look) -> Mesh:
    """Return what is left of a building: an arch in a broken wall, side walls, columns and fallen stones.

    About 8 m by 6 m; one walks in through the arch or the open side.
    """
    tint: RGB = (1.35, 1.3, 1.2)
    parts = [arch(1.7, 3.1, 0.5, 0.7, SLOT["stones"], tint).placed([0, 0, 2.2])]
    parts.append(box([0, 3.75, 2.2], [2.7, 0.6, 0.55], SLOT["stones"], tint))
    for sign in (-1, 1):
        parts.append(_broken_wall(rng, 2.6, 3.4, tint).placed([sign * 2.7, 0, 2.2]))
        parts.append(_broken_wall(rng, 4.2, 2.7, scaled(tint, 0.95)).placed([sign * 3.9, 0, 0.0], 90))
    parts.append(_broken_wall(rng, 7.0, 3.6, scaled(tint, 0.92)).placed([0, 0, -2.4]))
    window = arch(0.8, 1.5, 0.24, 0.62, SLOT["pale_stone"]).placed([1.7, 1.0, -2.4])
    parts.append(window)
    for x in (-1.9, 1.9):
        parts.append(column(rng, Look(("broken",))).placed([x, 0, 0.2]))
    for sign in (-1, 1):  # two lie inside, others in the corners
        parts.append(_fallen(rng).placed([sign * 1.0, 0, -1.4], float(rng.uniform(0, 180))))
        parts.append(_fallen(rng).placed([sign * 3.2, 0, -1.7], float(rng.uniform(0, 180))))
    return concatenate(parts)


def _fallen(rng: Generator) -> Mesh:
    size = rng.uniform(0.35, 0.7, 3) * [1.4, 0.8, 1.0]
    return box(
        [0, 0.4 * size[1], 0], size, SLOT["stones"], scaled((1.3, 1.25, 1.15), float(rng.uniform(0.85, 1.1)))
    )


def standing_arch(rng: Generator, look: Look) -> Mesh:
    """Return a lone arch of stone to walk through."""
    wide = 2.2 * look.size
    parts = [arch(wide, 1.5 * wide, 0.5, 0.8, SLOT["stones"], (1.35, 1.3, 1.2))]
    parts += [box([s * (wide / 2 + 0.25), 0.1, 0], [0.8, 0.6, 1.1], SLOT["pale_stone"]) for s in (-1, 1)]
    return concatenate(parts)


def stone_wall(rng: Generator, look: Look) -> Mesh:
    """Return 5 m of a low wall of field stones."""
    parts = []
    for row in range(3):
        x = -2.5 + (0.25 if row % 2 else 0.0)
        while x < 2.4:
            width = float(rng.uniform(0.4, 0.75))
            stone = blob(
                rng,
                [x + width / 2, 0.14 + 0.26 * row, 0],
                [width / 2, 0.17, 0.3 - 0.03 * row],
                SLOT["rock"],
                scaled((1.3, 1.28, 1.2), float(rng.uniform(0.8, 1.2))),
                0.12,
                1,
            )
            parts.append(stone)
            x += width * 0.95
    return concatenate(parts)


def statue(rng: Generator, look: Look) -> Mesh:
    """Return a robed figure on a plinth; broken ones have lost their head and arm."""
    bronze = look.has("bronze", "metal")
    slot, tint = (SLOT["paint"], (0.13, 0.19, 0.15)) if bronze else (SLOT["pale_stone"], _stone(rng, 0.05))
    parts = [
        box([0, 0.05, 0], [1.7, 0.5, 1.7], SLOT["pale_stone"]),
        box([0, 0.95, 0], [1.15, 1.4, 1.15], SLOT["pale_stone"], (0.92, 0.92, 0.92)),
        box([0, 1.7, 0], [1.4, 0.16, 1.4], SLOT["pale_stone"]),
    ]
    robe = [(0.48, 1.75), (0.44, 2.1), (0.36, 2.7), (0.3, 3.05), (0.36, 3.3), (0.33, 3.5), (0.14, 3.68)]
    parts.append(lathe(robe, 18, slot, tint).moved(np.diag([1.0, 1.0, 0.72]), [0, 0, 0]))
    parts.append(tube([[0.3, 3.45, 0], [0.5, 2.95, 0.12], [0.32, 2.7, 0.34]], 0.1, 8, slot, tint))
    if not look.has("broken"):
        parts.append(sphere([0, 3.9, 0.02], [0.17, 0.23, 0.19], 2, slot, tint))
        parts.append(cylinder([0, 3.6, 0], [0, 3.78, 0], 0.1, 0.09, 8, slot, tint))
        parts.append(tube([[-0.3, 3.45, 0], [-0.56, 3.75, 0.12], [-0.5, 4.3, 0.22]], 0.09, 8, slot, tint))
    return concatenate(parts).placed([0, 0, 0], 0.0, 1.0 if look.size <= 1 else 1.25)


def obelisk(rng: Generator, look: Look) -> Mesh:
    """Return a four-sided pillar that ends in a point."""
    tint = _stone(rng, 0.05)
    parts = [
        box([0, 0.1, 0], [1.9, 0.6, 1.9], SLOT["pale_stone"], tint),
        box([0, 0.6, 0], [1.4, 0.6, 1.4], SLOT["pale_stone"], tint),
    ]
    shaft = cylinder([0, 0.8, 0], [0, 6.0, 0], 0.62, 0.44, 4, SLOT["pale_stone"], tint).placed([0, 0, 0], 45)
    tip = cylinder([0, 6.0, 0], [0, 6.6, 0], 0.44, 0.02, 4, SLOT["pale_stone"], tint).placed([0, 0, 0], 45)
    return concatenate([*parts, shaft, tip])


def fountain(rng: Generator, look: Look) -> Mesh:
    """Return a round basin with a bowl on a stem; its water is still."""
    stone = _stone(rng, 0.04)
    basin = [
        (1.95, -0.3),
        (2.0, 0.1),
        (1.85, 0.22),
        (1.9, 0.5),
        (2.05, 0.56),
        (2.05, 0.66),
        (1.72, 0.66),
        (1.7, 0.3),
    ]
    stem = [(0.5, 0.2), (0.42, 0.5), (0.2, 0.8), (0.18, 1.35), (0.3, 1.5)]
    bowl = [(0.3, 1.5), (0.75, 1.6), (0.98, 1.78), (1.0, 1.86), (0.9, 1.86), (0.8, 1.76)]
    parts = [lathe(part, 28, SLOT["pale_stone"], stone) for part in (basin, stem, bowl)]
    parts.append(cylinder([0, 0.42, 0], [0, 0.5, 0], 1.72, 1.72, 28, SLOT["basin_water"]))
    parts.append(cylinder([0, 1.72, 0], [0, 1.8, 0], 0.86, 0.86, 24, SLOT["basin_water"]))
    parts.append(
        lathe(
            [(0.2, 1.78), (0.14, 2.1), (0.22, 2.2), (0.1, 2.4), (0.13, 2.55), (0.0, 2.66)],
            14,
            SLOT["pale_stone"],
            stone,
        )
    )
    # Falling water as eight matte ribbons: it stands still, so that every view agrees.
    fall = tube([[0, 2.5, 0.06], [0, 2.62, 0.28], [0, 2.4, 0.52], [0, 1.8, 0.68]], 0.035, 6, SLOT["foam"])
    parts += ring_of(8, 0.0, lambda _: fall)
    spill = tube([[0, 1.86, 0.98], [0, 1.7, 1.16], [0, 1.2, 1.28], [0, 0.5, 1.34]], 0.04, 6, SLOT["foam"])
    parts += ring_of(8, 0.0, lambda _: spill, 22.5)
    return concatenate(parts)


def stone_lantern(rng: Generator, look: Look) -> Mesh:
    """Return a garden lantern of stone; its light is at (0, 1.05, 0)."""
    tint = _stone(rng, 0.06)
    parts = [
        lathe(
            [(0.34, -0.1), (0.34, 0.12), (0.16, 0.2), (0.13, 0.75), (0.32, 0.85), (0.34, 0.92)],
            6,
            SLOT["pale_stone"],
            scaled(tint, 0.75),
        )
    ]
    parts.append(box([0, 1.07, 0], [0.3, 0.3, 0.3], SLOT["window"]))
    parts += [
        box([sx * 0.17, 1.07, sz * 0.17], [0.08, 0.32, 0.08], SLOT["pale_stone"], scaled(tint, 0.75))
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    parts.append(
        lathe(
            [(0.52, 1.2), (0.5, 1.27), (0.2, 1.42), (0.08, 1.48), (0.1, 1.56), (0.0, 1.68)],
            6,
            SLOT["pale_stone"],
            scaled(tint, 0.7),
        )
    )
    return concatenate(parts)


def torii(rng: Generator, look: Look) -> Mesh:
    """Return a shrine gate, 4.4 m wide, to walk through."""
    colour = look.colour((0.52, 0.075, 0.03))
    stuff, tint = (SLOT["pale_stone"], (0.8, 0.8, 0.8)) if look.has("stone") else (SLOT["paint"], colour)
    dark = (0.04, 0.035, 0.03)
    parts = []
    for sign in (-1, 1):
        parts.append(cylinder([sign * 1.75, -0.3, 0], [sign * 1.55, 3.9, 0], 0.21, 0.18, 14, stuff, tint))
        parts.append(
            cylinder([sign * 1.75, -0.2, 0], [sign * 1.74, 0.3, 0], 0.27, 0.25, 14, SLOT["paint"], dark)
        )
    parts.append(box([0, 3.05, 0], [4.1, 0.28, 0.22], stuff, tint))
    parts.append(box([0, 3.42, 0], [0.3, 0.5, 0.16], stuff, tint))
    for high, thick, reach, colours in ((3.95, 0.3, 2.45, tint), (4.2, 0.18, 2.65, dark)):
        bend = [
            [-reach, high + 0.24],
            [-0.6 * reach, high + 0.04],
            [0.6 * reach, high + 0.04],
            [reach, high + 0.24],
        ]
        for a, b in itertools.pairwise(bend):
            piece = plate(
                [
                    [a[0], a[1] - thick / 2],
                    [b[0], b[1] - thick / 2],
                    [b[0], b[1] + thick / 2],
                    [a[0], a[1] + thick / 2],
                ],
                0.36 if colours == dark else 0.3,
                stuff if colours == tint else SLOT["paint"],
                colours,
            )
            parts.append(piece)
    return concatenate(parts)


def tombstone(rng: Generator, look: Look) -> Mesh:
    """Return a weathered gravestone, leaning a little: rounded, pointed or a cross."""
    tint = scaled((0.62, 0.62, 0.6), float(rng.uniform(0.8, 1.2)))
    high = float(rng.uniform(0.7, 1.05))
    parts = [box([0, 0.02, 0], [0.85, 0.24, 0.4], SLOT["pale_stone"], scaled(tint, 0.85))]
    form = int(rng.integers(3))
    if form == 0:
        bend = [[0.32 * np.cos(a), high - 0.32 + 0.32 * np.sin(a)] for a in np.linspace(0, np.pi, 9)]
        parts.append(plate([*bend, [-0.32, 0.0], [0.32, 0.0]], 0.16, SLOT["pale_stone"], tint))
    elif form == 1:
        outline = [[-0.3, 0], [0.3, 0], [0.3, high - 0.25], [0, high], [-0.3, high - 0.25]]
        parts.append(plate(outline, 0.15, SLOT["pale_stone"], tint))
    else:
        parts.append(box([0, high / 2 + 0.1, 0], [0.17, high + 0.2, 0.14], SLOT["pale_stone"], tint))
        parts.append(box([0, high - 0.08, 0], [0.58, 0.17, 0.14], SLOT["pale_stone"], tint))
    lean = np.radians(rng.normal(0, 4, 2))
    turn = np.array([[1, -lean[0], 0], [lean[0], 1, -lean[1]], [0, lean[1], 1]])
    return concatenate(parts).moved(turn, [0, 0, 0])
