"""Rugs, lamps, plants, pictures and curtains. Pieces as in `furniture`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from .furniture import Piece
from .mesh import Mesh, box, concatenate, cylinder, flat_mesh, prism, rounded_box, smooth_mesh, sphere
from .room_palette import Palette
from .shapes import lathe, slab_between
from .world import RGB, WHITE, Material, Texture

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
    """Return a rug with bands around its field, and tassels at both ends where it has ends."""
    pattern = palette.slot(Material(Texture.RUG, base, motif, 0.46, contrast=0.6))
    border, band = palette.cloth(_scaled(base, 0.5)), palette.cloth(_scaled(motif, 0.95))
    bands = ((0.0, border), (0.10, band), (0.15, border), (0.26, band), (0.29, pattern))
    if is_round:
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle)], -1)
        radius = min(width, depth) / 2
        parts = [
            prism(ring * (radius - inset), 0.0, 0.01 + 0.002 * layer, slot)
            for layer, (inset, slot) in enumerate(bands)
        ]
        return Piece("rug", concatenate(parts), 2 * radius, 2 * radius, 0.018, is_solid=False)
    body = width - 0.14
    parts = []
    for layer, (inset, slot) in enumerate(bands):
        high = 0.01 + 0.002 * layer
        parts.append(box([0, high / 2, 0], [body - 2 * inset, high, depth - 2 * inset], slot))
    count = round(depth / 0.085)
    for side in (-1, 1):
        for index in range(count):
            z = ((index + 0.5) / count - 0.5) * depth
            parts.append(box([side * (body / 2 + 0.03), 0.004, z], [0.08, 0.008, 0.04], band))
    return Piece("rug", concatenate(parts), width, depth, 0.018, is_solid=False)


def _shade(
    palette: Palette, y: float, low: float, high: float, tall: float, glow: float, tone: RGB = WHITE
) -> Mesh:
    r, g, b = (
        hue * (dim + part * glow)
        for hue, dim, part in zip(tone, (0.25, 0.22, 0.17), _SHADE_GLOW, strict=True)
    )
    cloth = palette.glow((r, g, b))
    return cylinder([0, y, 0], [0, y + tall, 0], low, high, 32, cloth, caps=False)


def floor_lamp(palette: Palette, glow: float, tone: RGB = WHITE) -> Piece:
    """Return a standing lamp whose shade shines with the share `glow` of its full light, tinged by `tone`."""
    metal = palette.metal(_BRASS)
    parts = [
        cylinder([0, 0, 0], [0, 0.03, 0], 0.17, 0.16, 28, metal),
        cylinder([0, 0.03, 0], [0, 1.48, 0], 0.02, 0.02, 12, metal),
        _shade(palette, 1.42, 0.23, 0.16, 0.34, glow, tone),
    ]
    return Piece("floor_lamp", concatenate(parts), 0.46, 0.46, 1.76)


def table_lamp(palette: Palette, colour: RGB, glow: float, tone: RGB = WHITE) -> Piece:
    """Return a lamp with a ceramic foot, to stand on something."""
    clay = palette.paint(colour)
    parts = [
        cylinder([0, 0, 0], [0, 0.14, 0], 0.06, 0.09, 20, clay),
        cylinder([0, 0.14, 0], [0, 0.26, 0], 0.09, 0.025, 20, clay),
        _shade(palette, 0.25, 0.17, 0.12, 0.22, glow, tone),
    ]
    return Piece("table_lamp", concatenate(parts), 0.3, 0.3, 0.48)


def pendant_lamp(palette: Palette, ceiling: float, low: float, glow: float, tone: RGB = WHITE) -> Piece:
    """Return a lamp that hangs from `ceiling` down to `low`, both heights in metres."""
    metal = palette.metal(_IRON)
    disc = palette.glow(_times(_scaled(_SHADE_GLOW, 0.3 + glow), tone))
    parts = [
        cylinder([0, low + 0.26, 0], [0, ceiling, 0], 0.016, 0.016, 10, metal),
        cylinder([0, ceiling - 0.03, 0], [0, ceiling, 0], 0.06, 0.07, 16, metal),
        cylinder([0, low, 0], [0, low + 0.24, 0], 0.24, 0.06, 28, metal, caps=False),
        cylinder([0, low + 0.045, 0], [0, low + 0.05, 0], 0.19, 0.19, 24, disc),
    ]
    return Piece("pendant_lamp", concatenate(parts), 0.48, 0.48, ceiling, is_solid=False)


def _scaled(colour: RGB, gain: float) -> RGB:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


def _times(colour: RGB, tone: RGB) -> RGB:
    return (colour[0] * tone[0], colour[1] * tone[1], colour[2] * tone[2])


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


def curtain(palette: Palette, colour: RGB, height: float, width: float, is_tied: bool = False) -> Mesh:
    """Return one drawn curtain: folds of cloth `width` wide hanging from y = `height`, its back at z = 0.

    `is_tied` gathers it with a band below the middle. Light hardly enters the folds, which baked light is
    too coarse to know, so they are dyed darker.
    """
    cloth = palette.cloth(colour)
    folds = max(3, round(width / 0.09))
    steps, rows = folds * 6, 12 if is_tied else 1
    across, up = np.linspace(-0.5, 0.5, steps + 1), np.linspace(0, 1, rows + 1)
    waist = 1.0 - 0.42 * np.exp(-(((up - 0.43) / 0.16) ** 2)) if is_tied else np.ones(rows + 1)
    x = across * width * (waist * (1.0 - 0.06 * up))[:, None]
    wave = np.cos(2 * np.pi * folds * np.linspace(0, 1, steps + 1))
    z = 0.075 + 0.035 * wave * np.ones((rows + 1, 1))
    y = np.broadcast_to((0.04 + up * (height - 0.04))[:, None], x.shape)
    tint = np.broadcast_to((0.78 + 0.3 * wave)[None, :, None], (*x.shape, 3)).reshape(-1, 3)
    row, near = np.meshgrid(np.arange(rows) * (steps + 1), np.arange(steps), indexing="ij")
    a = (row + near).ravel()
    b, c, d = a + 1, a + steps + 2, a + steps + 1
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    mesh = smooth_mesh(np.stack([x, y, z], -1).reshape(-1, 3), faces, cloth, tint)
    if not is_tied:
        return mesh
    band = box(
        [0, 0.04 + 0.43 * (height - 0.04), 0.075],
        [0.6 * width, 0.06, 0.11],
        palette.cloth(_scaled(colour, 0.55)),
    )
    return concatenate([mesh, band])


def throw(
    palette: Palette, colour: RGB, stripe: RGB, width: float, run: tuple[tuple[float, float], ...]
) -> Mesh:
    """Return a striped blanket `width` wide along x that lies along the (z, y) points of `run`."""
    cloth = palette.slot(Material(Texture.STRIPES, colour, stripe, 0.16, contrast=0.9))
    parts = []
    for (z0, y0), (z1, y1) in pairwise(run):
        low, high = np.array([0.0, y0, z0]), np.array([0.0, y1, z1])
        parts.append(slab_between(low, high, width, 0.024, cloth))
    return concatenate(parts)


def flowers(palette: Palette, rng: Generator, colour: RGB, y: float) -> Mesh:
    """Return a bunch of round blooms on stems that rise from a vase's mouth at height `y`."""
    stem = palette.paint((0.08, 0.16, 0.05))
    parts: list[Mesh] = []
    for index in range(9):
        angle, out = 2.4 * index, 0.03 + 0.012 * index
        tip = np.array([out * np.cos(angle), y + 0.24 - 0.012 * index, out * np.sin(angle)])
        parts.append(cylinder([0, y - 0.05, 0], tip, 0.007, 0.007, 5, stem))
        tint = float(rng.uniform(0.8, 1.25))
        parts.append(sphere(tip, [0.036, 0.032, 0.036], 1, palette.paint(colour), (tint, tint, tint)))
    return concatenate(parts)


def vase(palette: Palette, colour: RGB, tall: float) -> Mesh:
    """Return a turned vase."""
    shape = (
        (0.0, 0.0),
        (0.22, 0.0),
        (0.36, 0.28),
        (0.34, 0.5),
        (0.16, 0.8),
        (0.14, 0.9),
        (0.2, 1.0),
        (0.0, 0.97),
    )
    return lathe([(radius * tall, y * tall) for radius, y in shape], 20, palette.paint(colour))


def wall_lamp(palette: Palette, glow: float, tone: RGB) -> Piece:
    """Return a lamp on an arm whose back is at z = 0 and whose middle at y = 0."""
    brass = palette.metal(_BRASS)
    parts = [
        box([0, -0.06, 0.012], [0.1, 0.2, 0.024], brass),
        cylinder([0, -0.1, 0.02], [0, -0.1, 0.14], 0.016, 0.016, 8, brass),
        cylinder([0, -0.1, 0.14], [0, -0.02, 0.14], 0.016, 0.016, 8, brass),
        _shade(palette, -0.02, 0.11, 0.075, 0.17, glow, tone).placed([0, 0, 0.14]),
    ]
    return Piece("wall_lamp", concatenate(parts), 0.24, 0.26, 0.34, is_solid=False)


def wall_shelf(palette: Palette, rng: Generator, wood: RGB, colours: tuple[RGB, ...]) -> Piece:
    """Return a board on brackets with vases, bowls and books; its back at z = 0, its middle at y = 0."""
    slot, iron = palette.wood(wood), palette.metal(_IRON)
    parts: list[Mesh] = [box([0, -0.2, 0.11], [1.1, 0.035, 0.22], slot)]
    for side in (-1, 1):
        parts.append(box([side * 0.4, -0.27, 0.02], [0.03, 0.14, 0.03], iron))
        parts.append(box([side * 0.4, -0.232, 0.09], [0.03, 0.03, 0.16], iron))
    x, index = -0.46, int(rng.integers(3))
    while x < 0.42:
        colour = colours[index % len(colours)]
        if index % 3 == 0:
            tall = float(rng.uniform(0.2, 0.3))
            parts.append(vase(palette, colour, tall).placed([x + 0.06, -0.183, 0.11]))
            x += 0.19
        elif index % 3 == 1:
            for book in range(4):
                tall = float(rng.uniform(0.17, 0.24))
                tone = colours[(index + book) % len(colours)]
                parts.append(
                    box([x + 0.04 * book, -0.183 + tall / 2, 0.1], [0.037, tall, 0.15], palette.paint(tone))
                )
            x += 0.22
        else:
            bowl = palette.paint(colour)
            parts.append(cylinder([x + 0.07, -0.183, 0.11], [x + 0.07, -0.1, 0.11], 0.05, 0.09, 20, bowl))
            x += 0.22
        index += 1
    return Piece("wall_shelf", concatenate(parts), 1.1, 0.24, 0.56, is_solid=False)


def curtain_rod(palette: Palette, width: float, height: float) -> Mesh:
    """Return the rod that curtains hang from, along X at y = `height`."""
    metal = palette.metal(_BRASS)
    rod = cylinder([-width / 2, height, 0.09], [width / 2, height, 0.09], 0.018, 0.018, 12, metal)
    ends = [
        rounded_box([side * width / 2, height, 0.09], [0.06, 0.06, 0.06], 0.029, metal) for side in (-1, 1)
    ]
    return concatenate([rod, *ends])
