"""Buildings that people walk into and through: their foot at the origin, the front towards +Z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder
from ..palette import SLOT
from ..shapes import gable_roof, pyramid_roof, scaled
from ..world import RGB
from .yard import hay_bale

# Solid parts as (x, z, half along x, half along z), metres: what people cannot walk through.
Blocks = tuple[tuple[float, float, float, float], ...]

_HALF_W, _HALF_D, _WALL_M, _THICK = 3.0, 3.4, 3.0, 0.16
_GATE_M, _BACK_M = 2.6, 1.3  # widths of the openings before and behind
BARN_BLOCKS: Blocks = (
    *((s * (_HALF_W + _GATE_M / 2) / 2, _HALF_D, (_HALF_W - _GATE_M / 2) / 2, 0.1) for s in (-1, 1)),
    *((s * (_HALF_W + _BACK_M / 2) / 2, -_HALF_D, (_HALF_W - _BACK_M / 2) / 2, 0.1) for s in (-1, 1)),
    *((s * _HALF_W, 0.0, 0.1, _HALF_D) for s in (-1, 1)),
    *((s * (_GATE_M / 2 + 0.17), _HALF_D + 0.7, 0.06, 0.7) for s in (-1, 1)),
    (-2.1, -1.2, 0.7, 1.6),  # bales along the left wall
)
PAVILION_POSTS = tuple(
    (1.9 * float(np.sin(a)), 1.9 * float(np.cos(a))) for a in np.radians(60.0 * np.arange(6) + 30)
)


def pierced_wall(
    width: float,
    height: float,
    openings: Sequence[tuple[float, float, float, float]],
    material: int,
    tint: RGB,
) -> Mesh:
    """Return a wall along x, its foot at y = 0, with real holes: `openings` are (x, sill, width, height)."""
    parts, x = [], -width / 2
    for middle, sill, wide, tall in sorted(openings):
        left, right = middle - wide / 2, middle + wide / 2
        spans = [(x, left, 0.0, height), (left, right, 0.0, sill), (left, right, sill + tall, height)]
        for low_x, high_x, low, high in spans:
            if high_x - low_x > 1e-6 and high - low > 1e-6:
                centre = [(low_x + high_x) / 2, (low + high) / 2, 0]
                parts.append(box(centre, [high_x - low_x, high - low, _THICK], material, tint))
        for edge in (left - 0.05, right + 0.05):
            parts.append(box([edge, sill + tall / 2, 0], [0.1, tall, _THICK + 0.06], SLOT["trim"]))
        parts.append(box([middle, sill + tall + 0.05, 0], [wide + 0.3, 0.1, _THICK + 0.06], SLOT["trim"]))
        if sill > 0:
            parts.append(box([middle, sill - 0.04, 0], [wide + 0.3, 0.08, _THICK + 0.14], SLOT["trim"]))
        x = right
    if width / 2 - x > 1e-6:
        parts.append(
            box([(x + width / 2) / 2, height / 2, 0], [width / 2 - x, height, _THICK], material, tint)
        )
    return concatenate(parts)


def barn(rng: Generator, look: Look) -> Mesh:
    """Return a barn with an open gate, a door behind, windows without panes and hay inside, 6 m by 7 m."""
    paint = look.colour((0.34, 0.055, 0.04))
    # Paint over the colour of boards, which the tint multiplies.
    tint: RGB = (paint[0] / 0.27, paint[1] / 0.175, paint[2] / 0.105)
    wall = SLOT["plank_wood"]
    front = pierced_wall(2 * _HALF_W, _WALL_M, [(0.0, 0.0, _GATE_M, 2.6)], wall, tint)
    back = pierced_wall(2 * _HALF_W, _WALL_M, [(0.0, 0.0, _BACK_M, 2.2)], wall, tint)
    side = pierced_wall(2 * _HALF_D, _WALL_M, [(-1.6, 1.1, 1.1, 1.0), (1.6, 1.1, 1.1, 1.0)], wall, tint)
    parts = [front.placed([0, 0, _HALF_D]), back.placed([0, 0, -_HALF_D])]
    parts += [side.placed([s * _HALF_W, 0, 0], 90) for s in (-1, 1)]
    roof = gable_roof(_HALF_D, _HALF_W, _WALL_M, 2.3, SLOT["roof"], wall, (1, 1, 1), tint)
    parts.append(roof.placed([0, 0, 0], 90))
    for s in (-1, 1):  # the leaves of the gate stand open
        leaf = box([0, 1.3, 0], [0.08, 2.5, 1.25], wall, tint)
        parts.append(leaf.placed([s * (_GATE_M / 2 + 0.17), 0, _HALF_D + 0.76]))
        brace = box([0, 1.3, 0], [0.1, 0.12, 1.25], SLOT["paint"], PAINTS["white"])
        parts += [brace.placed([s * (_GATE_M / 2 + 0.17), y, _HALF_D + 0.76]) for y in (-1.1, 0.0, 1.1)]
    for z in (-2.2, 0.0, 2.2):  # tie beams
        parts.append(box([0, _WALL_M - 0.1, z], [2 * _HALF_W, 0.2, 0.2], SLOT["log_wood"]))
        parts.append(box([0, _WALL_M + 0.95, z], [0.18, 2.0, 0.18], SLOT["log_wood"]))
    for index, z in enumerate((-2.1, -0.75)):
        parts.append(hay_bale(rng, look).placed([-2.1, 0, z], float(rng.uniform(-6, 6))))
        if index == 0:
            parts.append(hay_bale(rng, look).placed([-2.1, 1.15, z + 0.6], 4.0))
    return concatenate(parts)


def pavilion(rng: Generator, look: Look) -> Mesh:
    """Return a garden pavilion: six posts and a roof over a floor that one steps onto, 4.4 m wide."""
    colour = look.colour(PAINTS["white"])
    parts = [cylinder([0, -0.4, 0], [0, 0.12, 0], 2.3, 2.3, 6, SLOT["plank_wood"])]
    for x, z in PAVILION_POSTS:
        parts.append(cylinder([x, 0, z], [x, 2.5, z], 0.09, 0.08, 10, SLOT["paint"], colour))
        parts.append(cylinder([x, 0.1, z], [x, 0.3, z], 0.14, 0.14, 10, SLOT["paint"], colour))
    for index in range(6):
        (ax, az), (bx, bz) = PAVILION_POSTS[index], PAVILION_POSTS[(index + 1) % 6]
        parts.append(cylinder([ax, 2.45, az], [bx, 2.45, bz], 0.09, 0.09, 7, SLOT["paint"], colour))
        if index in (1, 3):  # railings at two sides; the others are open
            for y in (0.5, 0.95):
                parts.append(cylinder([ax, y, az], [bx, y, bz], 0.04, 0.04, 7, SLOT["paint"], colour))
            for share in np.linspace(0.12, 0.88, 6):
                x, z = ax + share * (bx - ax), az + share * (bz - az)
                parts.append(cylinder([x, 0.12, z], [x, 0.95, z], 0.025, 0.025, 6, SLOT["paint"], colour))
    parts.append(cylinder([0, 2.5, 0], [0, 3.7, 0], 2.5, 0.12, 6, SLOT["roof"], scaled((1.0, 1.0, 1.0), 1.2)))
    parts.append(pyramid_roof(0.2, 0.2, 3.65, 0.45, SLOT["paint"], colour))
    return concatenate(parts)
