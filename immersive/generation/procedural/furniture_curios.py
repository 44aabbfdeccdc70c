"""Cookware, toys, a kiln, shavings and a dinosaur's skeleton. Pieces as in `furniture`.

What hangs has its back at z = 0 and its middle at y = 0.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from .furniture import Piece
from .mesh import Mesh, box, concatenate, cylinder, rounded_box, sphere
from .room_palette import Palette
from .shapes import arc, blob, lathe, tube
from .world import RGB, Material, Texture

_COPPER: RGB = (0.52, 0.20, 0.09)
_IRON: RGB = (0.07, 0.068, 0.066)
_BONE: RGB = (0.60, 0.53, 0.40)


def pots(palette: Palette, count: int) -> Piece:
    """Return copper pots and pans that hang from a rail."""
    copper, iron = palette.metal(_COPPER), palette.metal(_IRON)
    width = max(0.5, 0.27 * count + 0.1)
    parts: list[Mesh] = [cylinder([-width / 2, 0.2, 0.11], [width / 2, 0.2, 0.11], 0.016, 0.016, 10, iron)]
    for side in (-1, 1):
        parts.append(box([side * (width / 2 - 0.06), 0.2, 0.06], [0.03, 0.05, 0.12], iron))
    for index in range(count):
        x = 0.27 * (index - (count - 1) / 2)
        radius, deep = ((0.125, 0.11), (0.10, 0.09), (0.115, 0.05))[index % 3]
        handle = [[x, 0.2, 0.12], [x, 0.06, 0.12], [x, radius - 0.1, 0.11]]
        parts.append(tube(handle, 0.013, 8, iron))
        bottom, rim = 0.85 * radius, 0.92 * radius
        outer = [(0.0, 0.0), (bottom, 0.0), (radius, 0.3 * deep), (radius, deep)]
        bowl = lathe([*outer, (rim, deep), (bottom, 0.02), (0.0, 0.02)], 24, copper)
        # The pan hangs on its handle and shows its bottom to the room.
        lie = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
        parts.append(bowl.moved(lie, [x, -0.1, 0.05 + deep]))
    return Piece("pot", concatenate(parts), width, 0.2, 0.46, is_solid=False)


def cooking_pot(palette: Palette) -> Piece:
    """Return a lidded copper pot that stands."""
    copper, iron = palette.metal(_COPPER), palette.metal(_IRON)
    shape = ((0.0, 0.0), (0.12, 0.0), (0.135, 0.03), (0.135, 0.15), (0.142, 0.155), (0.12, 0.18), (0.0, 0.2))
    parts: list[Mesh] = [lathe(shape, 24, copper), sphere([0, 0.215, 0], 0.022, 2, iron)]
    for side in (-1, 1):
        parts.append(box([side * 0.155, 0.12, 0], [0.06, 0.025, 0.07], iron))
    return Piece("pot", concatenate(parts), 0.36, 0.28, 0.24)


def kettle(palette: Palette) -> Piece:
    """Return a kettle with a spout and a bow handle."""
    steel, grip = palette.metal((0.42, 0.43, 0.45)), palette.paint((0.05, 0.045, 0.04))
    shape = ((0.0, 0.0), (0.11, 0.0), (0.125, 0.04), (0.1, 0.13), (0.05, 0.18), (0.0, 0.19))
    parts: list[Mesh] = [lathe(shape, 22, steel), sphere([0, 0.2, 0], 0.018, 1, grip)]
    parts.append(cylinder([0.09, 0.08, 0], [0.18, 0.16, 0], 0.03, 0.014, 12, steel))
    parts.append(tube(arc([0, 0.13, 0], 0.11, 20, 160, 9), 0.014, 8, grip))
    return Piece("kettle", concatenate(parts), 0.3, 0.26, 0.26)


def cups(palette: Palette, colours: tuple[RGB, ...], count: int) -> Piece:
    """Return cups on saucers in a row."""
    parts: list[Mesh] = []
    for index in range(count):
        x, glaze = 0.17 * (index - (count - 1) / 2), palette.paint(colours[index % len(colours)])
        parts.append(cylinder([x, 0, 0], [x, 0.015, 0], 0.06, 0.075, 20, glaze))
        cup = lathe(
            [(0.0, 0.015), (0.03, 0.015), (0.045, 0.05), (0.047, 0.09), (0.04, 0.09), (0.0, 0.03)], 18, glaze
        )
        parts.append(cup.placed([x, 0, 0]))
        parts.append(tube(arc([x + 0.045, 0.055, 0], 0.024, -80, 80, 7), 0.009, 6, glaze))
    return Piece("cup", concatenate(parts), 0.17 * count, 0.16, 0.1)


def teddy_bear(palette: Palette) -> Piece:
    """Return a sitting teddy bear."""
    plush, pale, dark = (
        palette.cloth((0.36, 0.19, 0.085)),
        palette.cloth((0.58, 0.42, 0.25)),
        palette.paint((0.02, 0.02, 0.02)),
    )
    parts: list[Mesh] = [
        sphere([0, 0.16, 0], [0.13, 0.16, 0.115], 3, plush),
        sphere([0, 0.15, 0.06], [0.085, 0.11, 0.07], 2, pale),
        sphere([0, 0.38, 0.01], [0.115, 0.105, 0.1], 3, plush),
        sphere([0, 0.355, 0.09], [0.05, 0.04, 0.045], 2, pale),
        sphere([0, 0.37, 0.135], [0.018, 0.014, 0.012], 1, dark),
    ]
    for side in (-1, 1):
        parts.append(sphere([side * 0.09, 0.475, 0.0], [0.045, 0.045, 0.025], 2, plush))
        parts.append(sphere([side * 0.042, 0.41, 0.095], 0.014, 1, dark))
        parts.append(sphere([side * 0.15, 0.22, 0.05], [0.05, 0.1, 0.05], 2, plush))
        parts.append(sphere([side * 0.1, 0.055, 0.13], [0.06, 0.055, 0.12], 2, plush))
    return Piece("teddy_bear", concatenate(parts), 0.4, 0.42, 0.52)


def kiln(palette: Palette, glow: float) -> Piece:
    """Return a brick kiln with an iron door that glows through its slot."""
    brick = palette.slot(Material(Texture.BRICK, (0.38, 0.17, 0.105), (0.42, 0.37, 0.31), 0.12))
    iron = palette.metal(_IRON)
    parts: list[Mesh] = [
        box([0, 0.75, 0], [1.0, 1.5, 0.8], brick),
        box([0, 1.54, 0], [1.06, 0.08, 0.86], palette.paint((0.26, 0.24, 0.22))),
        cylinder([0.2, 1.58, -0.15], [0.2, 2.3, -0.15], 0.1, 0.1, 18, iron),
        rounded_box([0, 0.78, 0.41], [0.6, 0.7, 0.06], 0.02, iron),
        box([0, 0.9, 0.445], [0.34, 0.05, 0.012], palette.glow((0.6 + 2.0 * glow, 0.2 + 0.6 * glow, 0.05))),
        box([0.24, 0.75, 0.46], [0.04, 0.2, 0.05], palette.metal((0.35, 0.33, 0.3))),
    ]
    parts += [box([0, y, 0.4], [1.02, 0.05, 0.03], iron) for y in (0.3, 1.26)]
    return Piece("kiln", concatenate(parts), 1.06, 0.9, 2.3)


def shavings(palette: Palette, rng: Generator) -> Piece:
    """Return curls of planed wood that lie about in a heap; people walk over them."""
    fresh = palette.wood((0.60, 0.40, 0.20))
    parts: list[Mesh] = []
    for _ in range(4):
        x, z = rng.normal(0, [0.24, 0.16])
        size = float(rng.uniform(0.16, 0.26))
        parts.append(blob(rng, [x, 0.0, z], [size, 0.05, size], fresh, (0.85, 0.85, 0.85), 0.2))
    for _ in range(150):
        x, z = rng.normal(0, [0.36, 0.24])
        x, z = float(np.clip(x, -0.72, 0.72)), float(np.clip(z, -0.48, 0.48))
        radius, tone = float(rng.uniform(0.018, 0.034)), float(rng.uniform(0.75, 1.25))
        y = radius + 0.05 * float(np.exp(-8 * (x * x + z * z)))
        curl = cylinder(
            [-0.03, 0, 0], [0.03, 0, 0], radius, 0.8 * radius, 9, fresh, (tone, tone, 0.92 * tone), caps=False
        )
        parts.append(curl.placed([x, y, z], float(rng.uniform(0, 180))))
    mesh = concatenate(parts)
    low = mesh.vertices[:, 1].min()
    return Piece("shavings", mesh.placed([0, -low * (low > 0), 0]), 1.5, 1.0, 0.1, is_solid=False)


def skeleton(palette: Palette, wood: RGB) -> Piece:
    """Return the mounted skeleton of a dinosaur on a low plinth, its head towards +X."""
    bone, iron = palette.slot(Material(Texture.PLAIN, _BONE, contrast=0.8)), palette.metal(_IRON)
    parts: list[Mesh] = [
        box([0, 0.1, 0], [2.9, 0.2, 0.96], palette.wood(wood)),
        box([0, 0.215, 0], [2.76, 0.03, 0.84], palette.paint((0.50, 0.46, 0.38))),
    ]
    # Tail, back and neck: height over x.
    xs = np.linspace(-1.42, 1.0, 34)
    spine = np.interp(xs, [-1.42, -0.8, -0.25, 0.3, 0.62, 1.0], [1.02, 1.2, 1.36, 1.44, 1.6, 1.98])
    for index, (x, y) in enumerate(zip(xs, spine, strict=True)):
        size = float(np.interp(x, [-1.42, -0.4, 0.3, 1.0], [0.022, 0.058, 0.06, 0.042]))
        parts.append(sphere([x, y, 0], [size, size, size], 2, bone))
        if index % 2 == 0 and x < 0.7:
            parts.append(cylinder([x, y, 0], [x - 0.03, y + 2.1 * size, 0], 0.5 * size, 0.2 * size, 6, bone))
    for x in np.linspace(-0.12, 0.5, 8):
        y = float(np.interp(x, xs, spine))
        reach = float(np.interp(x, [-0.12, 0.2, 0.5], [0.2, 0.3, 0.22]))
        for side in (-1, 1):
            angle = np.linspace(0, 2.5, 8)
            ring = np.stack(
                [
                    x + 0.06 * angle / 2.5,
                    y - 1.15 * reach * (1 - np.cos(angle)),
                    side * reach * np.sin(angle),
                ],
                -1,
            )
            parts.append(tube(ring, 0.02, 7, bone))
    for side in (-1, 1):
        parts.append(sphere([-0.3, 1.26, side * 0.12], [0.17, 0.12, 0.05], 2, bone))
        leg = [
            [-0.3, 1.2, side * 0.17],
            [-0.02, 0.86, side * 0.2],
            [-0.34, 0.52, side * 0.2],
            [-0.16, 0.25, side * 0.2],
        ]
        for a, b in pairwise(leg):
            parts.append(cylinder(a, b, 0.05, 0.036, 10, bone))
        parts += [sphere(joint, [0.062, 0.062, 0.062], 2, bone) for joint in leg]
        for toe in (-0.09, 0.0, 0.09):
            parts.append(cylinder(leg[3], [0.06, 0.245, side * 0.2 + toe], 0.026, 0.012, 7, bone))
        arm = [[0.5, 1.3, side * 0.14], [0.62, 1.08, side * 0.18], [0.76, 1.14, side * 0.18]]
        for a, b in pairwise(arm):
            parts.append(cylinder(a, b, 0.028, 0.018, 8, bone))
        jaw = [[1.0, 1.92, side * 0.075], [1.34, 1.8, side * 0.035]]
        parts.append(cylinder(*jaw, 0.03, 0.018, 8, bone))
        parts.append(cylinder([1.0, 2.04, side * 0.085], [1.38, 1.94, side * 0.04], 0.042, 0.024, 8, bone))
        for tooth in np.linspace(1.14, 1.36, 5):
            top = float(np.interp(tooth, [1.0, 1.38], [2.0, 1.92]))
            parts.append(
                cylinder([tooth, top, side * 0.05], [tooth, top - 0.06, side * 0.05], 0.014, 0.004, 5, bone)
            )
        parts.append(
            sphere([1.06, 2.06, side * 0.07], [0.06, 0.06, 0.025], 2, palette.paint((0.03, 0.028, 0.025)))
        )
    parts.append(rounded_box([1.14, 2.04, 0], [0.38, 0.12, 0.15], 0.05, bone))
    for x in (-0.7, 0.35):
        y = float(np.interp(x, xs, spine))
        parts.append(cylinder([x, 0.22, 0], [x, y - 0.03, 0], 0.018, 0.018, 8, iron))
    return Piece("skeleton", concatenate(parts), 2.9, 0.98, 2.16)
