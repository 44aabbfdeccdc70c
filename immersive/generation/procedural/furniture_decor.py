"""Rugs, lamps, plants, pictures and curtains. Pieces as in `furniture`."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .furniture import Piece
from .mesh import Mesh, box, concatenate, cylinder, flat_mesh, prism, rounded_box, smooth_mesh
from .room_palette import Palette
from .world import RGB, Material, Texture

_IRON: RGB = (0.06, 0.055, 0.05)
_BRASS: RGB = (0.38, 0.27, 0.12)
_SHADE_GLOW: RGB = (3.0, 2.15, 1.2)
_PAINTED_SKIES: tuple[RGB, ...] = (
    (0.42, 0.50, 0.56),
    (0.62, 0.44, 0.22),
    (0.58, 0.52, 0.40),
    (0.30, 0.40, 0.46),
)
_PAINTED_LANDS: tuple[RGB, ...] = (
    (0.09, 0.16, 0.11),
    (0.16, 0.13, 0.07),
    (0.10, 0.14, 0.20),
    (0.25, 0.10, 0.07),
)


def rug(palette: Palette, base: RGB, motif: RGB, width: float, depth: float, is_round: bool) -> Piece:
    """Return a rug with a border."""
    pattern = palette.slot(Material(Texture.RUG, base, motif, 0.46, contrast=0.6))
    border = palette.cloth(tuple(0.6 * part for part in base))  # type: ignore[arg-type]
    if is_round:
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle)], -1)
        radius = min(width, depth) / 2
        parts = [
            prism(ring * radius, 0.0, 0.012, border),
            prism(ring * (radius - 0.14), 0.002, 0.016, pattern),
        ]
        return Piece("rug", concatenate(parts), 2 * radius, 2 * radius, 0.016, is_solid=False)
    parts = [box([0, 0.006, 0], [width, 0.012, depth], border)]
    parts.append(box([0, 0.009, 0], [width - 0.28, 0.014, depth - 0.28], pattern))
    return Piece("rug", concatenate(parts), width, depth, 0.016, is_solid=False)


def _shade(palette: Palette, y: float, low: float, high: float, tall: float, glow: float) -> Mesh:
    r, g, b = _SHADE_GLOW
    cloth = palette.glow((0.25 + r * glow, 0.22 + g * glow, 0.17 + b * glow))
    return cylinder([0, y, 0], [0, y + tall, 0], low, high, 32, cloth, caps=False)


def floor_lamp(palette: Palette, glow: float) -> Piece:
    """Return a standing lamp whose shade shines with the share `glow` of its full light."""
    metal = palette.metal(_BRASS)
    parts = [
        cylinder([0, 0, 0], [0, 0.03, 0], 0.17, 0.16, 28, metal),
        cylinder([0, 0.03, 0], [0, 1.48, 0], 0.02, 0.02, 12, metal),
        _shade(palette, 1.42, 0.23, 0.16, 0.34, glow),
    ]
    return Piece("floor_lamp", concatenate(parts), 0.46, 0.46, 1.76)


def table_lamp(palette: Palette, colour: RGB, glow: float) -> Piece:
    """Return a lamp with a ceramic foot, to stand on something."""
    clay = palette.paint(colour)
    parts = [
        cylinder([0, 0, 0], [0, 0.14, 0], 0.06, 0.09, 20, clay),
        cylinder([0, 0.14, 0], [0, 0.26, 0], 0.09, 0.025, 20, clay),
        _shade(palette, 0.25, 0.17, 0.12, 0.22, glow),
    ]
    return Piece("table_lamp", concatenate(parts), 0.3, 0.3, 0.48)


def pendant_lamp(palette: Palette, ceiling: float, low: float, glow: float) -> Piece:
    """Return a lamp that hangs from `ceiling` down to `low`, both heights in metres."""
    metal = palette.metal(_IRON)
    parts = [
        cylinder([0, low + 0.26, 0], [0, ceiling, 0], 0.016, 0.016, 10, metal),
        cylinder([0, ceiling - 0.03, 0], [0, ceiling, 0], 0.06, 0.07, 16, metal),
        cylinder([0, low, 0], [0, low + 0.24, 0], 0.24, 0.06, 28, metal, caps=False),
        cylinder(
            [0, low + 0.045, 0],
            [0, low + 0.05, 0],
            0.19,
            0.19,
            24,
            palette.glow(_scaled(_SHADE_GLOW, 0.3 + glow)),
        ),
    ]
    return Piece("pendant_lamp", concatenate(parts), 0.48, 0.48, ceiling, is_solid=False)


def _scaled(colour: RGB, gain: float) -> RGB:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


def plant(palette: Palette, rng: Generator, height: float) -> Piece:
    """Return a plant with broad leaves in a clay pot."""
    pot = palette.paint(((0.50, 0.24, 0.13), (0.62, 0.60, 0.55), (0.20, 0.24, 0.25))[int(rng.integers(3))])
    soil = palette.paint((0.05, 0.035, 0.025))
    leaf = palette.slot(Material(Texture.PLAIN, (0.065, 0.155, 0.05), contrast=0.6, is_foliage=True))
    stem = palette.paint((0.13, 0.16, 0.06))
    parts = [
        cylinder([0, 0, 0], [0, 0.34, 0], 0.15, 0.20, 28, pot),
        cylinder([0, 0.335, 0], [0, 0.345, 0], 0.18, 0.18, 24, soil),
    ]
    for index in range(26):
        # Leaves of a rosette, the inner ones steeper and longer.
        share = (index + 0.5) / 26
        angle = 2.399963 * index + float(rng.uniform(-0.2, 0.2))
        rise = np.radians(float(np.interp(share, [0, 1], [80, 28])) + float(rng.uniform(-7, 7)))
        length = (height - 0.34) * float(rng.uniform(0.72, 1.0)) * (1.0 if share < 0.6 else 0.85)
        parts += _leaf(angle, rise, length, leaf, stem, float(rng.uniform(0.75, 1.3)))
    return Piece("plant", concatenate(parts), 0.52, 0.52, height)


def _leaf(angle: float, rise: float, length: float, leaf: int, stem: int, tint: float) -> list[Mesh]:
    out = np.array([np.cos(angle), 0.0, np.sin(angle)])
    side = np.array([-np.sin(angle), 0.0, np.cos(angle)])
    steps = np.linspace(0, 1, 6)
    bend = rise - 1.1 * steps**1.6
    step = length / 5
    points = [np.array([0.0, 0.33, 0.0]) + 0.03 * out]
    for index in range(1, 6):
        head = np.cos(bend[index]) * out + np.sin(bend[index]) * np.array([0.0, 1.0, 0.0])
        points.append(points[-1] + step * head)
    spine = np.array(points)
    half = np.array([0.012, 0.02, 0.06, 0.085, 0.06, 0.004]) * (0.8 + 0.4 * length)
    left, right = spine + side * half[:, None], spine - side * half[:, None]
    vertices = np.concatenate([left, spine, right])
    faces = []
    for row in range(5):
        for a, b in ((0, 6), (6, 12)):
            faces += [[a + row, b + row, b + row + 1], [a + row, b + row + 1, a + row + 1]]
    # A fold along the middle gives each half its own shade.
    vertices[6:12, 1] -= 0.25 * half
    mesh = flat_mesh(vertices, np.array(faces), leaf, (tint, tint, tint))
    return [mesh, cylinder(spine[0], spine[1], 0.014, 0.012, 6, stem)]


def picture(palette: Palette, rng: Generator, width: float, height: float, wood: RGB) -> Piece:
    """Return a framed landscape that hangs with its back at z = 0 and its middle at y = 0."""
    frame = palette.wood(wood)
    which = int(rng.integers(len(_PAINTED_SKIES)))
    canvas = palette.slot(
        Material(Texture.PICTURE, _PAINTED_LANDS[int(rng.integers(4))], _PAINTED_SKIES[which], contrast=0.6)
    )
    mount = palette.paint((0.70, 0.68, 0.62))
    bar = 0.045
    parts: list[Mesh] = []
    for side in (-1, 1):
        parts.append(box([side * (width - bar) / 2, 0, 0.02], [bar, height, 0.04], frame))
        parts.append(box([0, side * (height - bar) / 2, 0.02], [width - 2 * bar, bar, 0.04], frame))
    parts.append(box([0, 0, 0.012], [width - 2 * bar, height - 2 * bar, 0.012], mount))
    shift = float(rng.uniform(-3, 3))
    inner = box([shift, 0, 0.02], [width - 0.24, height - 0.24, 0.01], canvas)
    parts.append(inner.placed([-shift, 0, 0]))
    return Piece("picture", concatenate(parts), width, 0.06, height, is_solid=False)


def curtain(palette: Palette, colour: RGB, height: float, width: float) -> Mesh:
    """Return one drawn curtain: folds of cloth `width` wide hanging from y = `height`, its back at z = 0."""
    cloth = palette.cloth(colour)
    folds = max(3, round(width / 0.11))
    steps = folds * 6
    x = np.linspace(-width / 2, width / 2, steps + 1)
    z = 0.07 + 0.035 * np.cos(np.linspace(0, 2 * np.pi * folds, steps + 1))
    low = np.stack([x, np.full(steps + 1, 0.04), z], -1)
    high = np.stack([0.94 * x, np.full(steps + 1, height), z], -1)
    vertices = np.concatenate([low, high])
    near = np.arange(steps)
    faces = np.concatenate(
        [
            np.stack([near, near + 1, steps + 2 + near], -1),
            np.stack([near, steps + 2 + near, steps + 1 + near], -1),
        ]
    )
    return smooth_mesh(vertices, faces, cloth)


def curtain_rod(palette: Palette, width: float, height: float) -> Mesh:
    """Return the rod that curtains hang from, along X at y = `height`."""
    metal = palette.metal(_BRASS)
    rod = cylinder([-width / 2, height, 0.09], [width / 2, height, 0.09], 0.018, 0.018, 12, metal)
    ends = [
        rounded_box([side * width / 2, height, 0.09], [0.06, 0.06, 0.06], 0.029, metal) for side in (-1, 1)
    ]
    return concatenate([rod, *ends])
