"""Smaller things that rooms are asked for by name: on tables, at walls, on walls, and standing free.

Pieces as in `furniture`; what hangs has its back at z = 0 and its middle at y = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .furniture import Piece
from .mesh import Mesh, box, concatenate, cylinder, rounded_box, sphere
from .room_palette import Palette
from .world import RGB, Material, Texture

_BRASS: RGB = (0.42, 0.29, 0.11)
_IRON: RGB = (0.10, 0.10, 0.105)
_BINDINGS: tuple[RGB, ...] = ((0.36, 0.09, 0.07), (0.10, 0.18, 0.32), (0.12, 0.24, 0.17), (0.55, 0.42, 0.26))
_GLASS: tuple[RGB, ...] = ((0.07, 0.20, 0.09), (0.24, 0.12, 0.04), (0.10, 0.20, 0.26), (0.42, 0.40, 0.33))


def globe(palette: Palette, rng: Generator, wood: RGB) -> Piece:
    """Return a globe with continents on a turned stand."""
    sea, land = palette.paint((0.10, 0.22, 0.33)), palette.paint((0.34, 0.30, 0.13))
    stand, ring = palette.wood(wood), palette.metal(_BRASS)
    middle = np.array([0.0, 0.31, 0.0])
    parts: list[Mesh] = [
        cylinder([0, 0, 0], [0, 0.035, 0], 0.13, 0.11, 24, stand),
        cylinder([0, 0.035, 0], [0, 0.13, 0], 0.028, 0.028, 12, stand),
        sphere(middle, [0.165, 0.165, 0.165], 3, sea),
    ]
    for _ in range(16):
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        size = float(rng.uniform(0.045, 0.085))
        # Flattened spheres just under the surface show as islands.
        parts.append(sphere(middle + way * (0.172 - 0.55 * size), [size, size, size], 2, land))
    for angle in np.linspace(-0.5 * np.pi, 0.5 * np.pi, 18):
        y, z = 0.31 + 0.187 * np.sin(angle), 0.187 * np.cos(angle)
        parts.append(box([0, y, -z], [0.02, 0.036, 0.02], ring))
    return Piece("globe", concatenate(parts), 0.36, 0.36, 0.5)


def bottles(palette: Palette, rng: Generator, count: int) -> Piece:
    """Return bottles in a row, of different glass."""
    parts: list[Mesh] = []
    for index in range(count):
        x, z = 0.105 * (index - (count - 1) / 2), float(rng.uniform(-0.03, 0.03))
        tall = float(rng.uniform(0.17, 0.22))
        glass = palette.slot(Material(Texture.PLAIN, _GLASS[int(rng.integers(len(_GLASS)))], contrast=0.3))
        label = palette.paint((0.66, 0.60, 0.47))
        parts += [
            cylinder([x, 0, z], [x, tall, z], 0.042, 0.042, 16, glass),
            cylinder([x, tall, z], [x, tall + 0.05, z], 0.042, 0.017, 16, glass),
            cylinder([x, tall + 0.05, z], [x, tall + 0.13, z], 0.017, 0.017, 12, glass),
            cylinder([x, 0.05, z], [x, 0.12, z], 0.0435, 0.0435, 16, label, caps=False),
        ]
    return Piece("bottle", concatenate(parts), 0.105 * count, 0.14, 0.35)


def book_stack(palette: Palette, rng: Generator) -> Piece:
    """Return a pile of books that lie on each other, none quite straight."""
    parts: list[Mesh] = []
    y = 0.0
    for index in range(5):
        thick, wide = float(rng.uniform(0.035, 0.06)), float(rng.uniform(0.22, 0.30))
        cover = palette.paint(_BINDINGS[index % len(_BINDINGS)])
        pages = palette.paint((0.66, 0.62, 0.52))
        book = [
            box([0, 0.004, 0], [wide, 0.008, 0.2], cover),
            box([0, thick - 0.004, 0], [wide, 0.008, 0.2], cover),
            box([-wide / 2 + 0.005, thick / 2, 0], [0.01, thick, 0.2], cover),
            box([0.006, thick / 2, 0], [wide - 0.02, thick - 0.016, 0.186], pages),
        ]
        parts.append(concatenate(book).placed([0, y, 0], float(rng.uniform(-16, 16))))
        y += thick
    return Piece("book_stack", concatenate(parts), 0.32, 0.26, y)


def candles(palette: Palette, glow: float) -> Piece:
    """Return three candles of different height on a tray; `glow` is how bright their flames are."""
    wax, tray = palette.paint((0.72, 0.66, 0.53)), palette.metal(_BRASS)
    flame = palette.glow((2.0 * glow, 1.1 * glow, 0.35 * glow))
    parts: list[Mesh] = [cylinder([0, 0, 0], [0, 0.02, 0], 0.15, 0.16, 28, tray)]
    for x, z, tall in ((-0.06, 0.02, 0.20), (0.06, 0.04, 0.13), (0.01, -0.07, 0.27)):
        parts.append(cylinder([x, 0.02, z], [x, tall, z], 0.032, 0.032, 16, wax))
        parts.append(sphere([x, tall + 0.035, z], [0.014, 0.032, 0.014], 2, flame))
    return Piece("candle", concatenate(parts), 0.32, 0.32, 0.34)


def ladder(palette: Palette, wood: RGB) -> Piece:
    """Return a library ladder that leans back against its wall."""
    slot = palette.wood(wood)
    high, lean = 2.05, 0.42
    parts: list[Mesh] = []
    for x in (-0.22, 0.22):
        parts.append(cylinder([x, 0, lean / 2], [x, high, -lean / 2 + 0.03], 0.028, 0.028, 10, slot))
    for share in np.linspace(0.1, 0.92, 8):
        y, z = high * share, lean / 2 - (lean - 0.03) * share
        parts.append(box([0, y, z], [0.44, 0.03, 0.07], slot))
    return Piece("ladder", concatenate(parts), 0.5, lean + 0.06, high)


def easel(palette: Palette, rng: Generator, wood: RGB) -> Piece:
    """Return a painter's easel with a landscape in work."""
    slot = palette.wood(wood)
    shift = float(rng.uniform(-3, 3))
    canvas = palette.slot(Material(Texture.PICTURE, (0.20, 0.26, 0.12), (0.46, 0.55, 0.62), contrast=0.6))
    parts: list[Mesh] = [
        cylinder([-0.34, 0, 0.2], [-0.05, 1.75, -0.12], 0.024, 0.02, 10, slot),
        cylinder([0.34, 0, 0.2], [0.05, 1.75, -0.12], 0.024, 0.02, 10, slot),
        cylinder([0, 0, -0.36], [0, 1.68, -0.12], 0.024, 0.02, 10, slot),
        box([0, 0.72, 0.1], [0.72, 0.035, 0.09], slot),
        box([shift, 1.09, 0.09], [0.66, 0.7, 0.025], canvas).placed([-shift, 0, 0]),
    ]
    return Piece("easel", concatenate(parts), 0.76, 0.62, 1.8)


def piano(palette: Palette, wood: RGB) -> Piece:
    """Return an upright piano with its stool's side left free."""
    body = palette.slot(Material(Texture.PLAIN, (0.045, 0.035, 0.03), contrast=0.2))
    white, black = palette.paint((0.72, 0.70, 0.64)), palette.paint((0.03, 0.03, 0.03))
    parts: list[Mesh] = [
        box([0, 0.60, -0.14], [1.46, 1.2, 0.3], body),
        rounded_box([0, 1.215, -0.13], [1.5, 0.04, 0.36], 0.012, body),
        box([0, 0.68, 0.14], [1.46, 0.1, 0.32], body),
        box([0, 0.735, 0.15], [1.3, 0.02, 0.2], white),
        box([0, 0.98, 0.02], [0.6, 0.26, 0.02], palette.wood(wood)),
    ]
    keys = [index for index in range(50) if index % 7 not in (2, 6)]
    parts += [box([-0.64 + 0.026 * index, 0.752, 0.115], [0.013, 0.02, 0.12], black) for index in keys]
    parts += [box([x, 0.32, 0.24], [0.08, 0.64, 0.1], body) for x in (-0.66, 0.66)]
    return Piece("piano", concatenate(parts), 1.5, 0.62, 1.24)


def display_case(palette: Palette, rng: Generator, wood: RGB) -> Piece:
    """Return a cabinet of shelves behind slender posts, with minerals and pots on show."""
    slot, pale = palette.wood(wood), palette.paint((0.62, 0.60, 0.55))
    parts: list[Mesh] = [
        box([0, 0.21, 0], [1.1, 0.42, 0.46], slot),
        box([0, 1.86, 0], [1.1, 0.08, 0.46], slot),
        box([0, 1.12, -0.21], [1.02, 1.4, 0.03], pale),
    ]
    parts += [box([x, 1.12, z], [0.035, 1.4, 0.035], slot) for x in (-0.53, 0.53) for z in (-0.21, 0.21)]
    for y in (0.43, 0.9, 1.36):
        parts.append(box([0, y, 0], [1.04, 0.03, 0.42], pale))
        for x in (-0.36, -0.02, 0.33):
            colour = _GLASS[int(rng.integers(4))] if rng.random() < 0.5 else _BINDINGS[int(rng.integers(4))]
            size = float(rng.uniform(0.07, 0.12))
            stuff = palette.slot(Material(Texture.PLAIN, colour, contrast=0.5))
            parts.append(sphere([x, y + 0.015 + 1.2 * size, 0.02], [size, 1.2 * size, 0.9 * size], 2, stuff))
    return Piece("display_case", concatenate(parts), 1.12, 0.48, 1.9)


def television(palette: Palette, wood: RGB, glow: float) -> Piece:
    """Return a television on a low board; `glow` is how bright its picture is."""
    screen = palette.glow((0.05 + 0.04 * glow, 0.08 + 0.07 * glow, 0.13 + 0.11 * glow))
    parts: list[Mesh] = [
        box([0, 0.24, 0], [1.5, 0.4, 0.42], palette.wood(wood)),
        rounded_box([0, 0.92, -0.06], [1.24, 0.74, 0.06], 0.015, palette.paint((0.02, 0.02, 0.022))),
        box([0, 0.92, -0.027], [1.17, 0.66, 0.006], screen),
        box([0, 0.5, -0.06], [0.34, 0.12, 0.2], palette.metal(_IRON)),
    ]
    return Piece("television", concatenate(parts), 1.52, 0.44, 1.3)


def basket(palette: Palette, rng: Generator) -> Piece:
    """Return a wicker basket with a folded blanket in it."""
    wicker = palette.slot(Material(Texture.BARK, (0.40, 0.27, 0.14), contrast=0.4))
    parts: list[Mesh] = []
    for index in range(7):
        y, radius = 0.05 * index, 0.19 + 0.008 * index
        parts.append(cylinder([0, y, 0], [0, y + 0.047, 0], radius, radius + 0.006, 28, wicker))
    cloth = palette.cloth(_BINDINGS[int(rng.integers(4))])
    parts.append(rounded_box([0, 0.36, 0], [0.3, 0.12, 0.26], 0.05, cloth))
    return Piece("basket", concatenate(parts), 0.5, 0.5, 0.42)


def jukebox(palette: Palette) -> Piece:
    """Return a jukebox with an arched, glowing front."""
    wood, chrome = palette.wood((0.26, 0.11, 0.05)), palette.metal((0.5, 0.5, 0.5))
    parts: list[Mesh] = [
        box([0, 0.5, 0], [0.86, 1.0, 0.56], wood),
        cylinder([0, 1.0, -0.28], [0, 1.0, 0.28], 0.43, 0.43, 36, wood),
        box([0, 0.92, 0.285], [0.5, 0.3, 0.02], palette.glow((0.36, 0.20, 0.06))),
        box([0, 0.42, 0.285], [0.5, 0.5, 0.02], palette.paint((0.05, 0.05, 0.055))),
    ]
    bright = palette.glow((0.55, 0.10, 0.04)), palette.glow((0.5, 0.3, 0.05))
    for angle in np.linspace(0, np.pi, 15):
        middle = [0.36 * np.cos(angle), 1.0 + 0.36 * np.sin(angle), 0.29]
        parts.append(sphere(middle, [0.045, 0.045, 0.03], 2, bright[0]))
    for side in (-1, 1):
        parts.append(
            cylinder([side * 0.36, 0.12, 0.29], [side * 0.36, 0.98, 0.29], 0.04, 0.04, 14, bright[1])
        )
    parts += [box([0, y, 0.3], [0.5, 0.02, 0.02], chrome) for y in (0.28, 0.38, 0.48, 0.58)]
    return Piece("jukebox", concatenate(parts), 0.9, 0.66, 1.45)


def control_panel(palette: Palette, rng: Generator) -> Piece:
    """Return a console: a slanted board of lit keys before an upright screen."""
    body, dark = palette.metal((0.30, 0.31, 0.33)), palette.paint((0.03, 0.032, 0.036))
    keys = [
        palette.glow(glow) for glow in ((1.5, 0.5, 0.08), (0.12, 1.1, 0.45), (0.2, 0.6, 1.5), (1.3, 1.2, 1.0))
    ]
    tilt = np.radians(28)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    board: list[Mesh] = [box([0, 0, 0], [0.74, 0.05, 0.34], dark)]
    for row in range(3):
        for column in range(7):
            spot = [-0.3 + 0.1 * column, 0.03, -0.1 + 0.1 * row]
            board.append(box(spot, [0.06, 0.025, 0.055], keys[int(rng.integers(4))]))
    parts: list[Mesh] = [
        rounded_box([0, 0.41, -0.02], [0.76, 0.82, 0.34], 0.03, body),
        box([0, 0.35, 0.152], [0.56, 0.4, 0.014], dark),
        concatenate(board).moved(turn, [0, 0.93, 0.03]),
        rounded_box([0, 1.3, -0.15], [0.8, 0.6, 0.09], 0.03, body),
        box([0, 1.3, -0.1], [0.68, 0.48, 0.012], palette.glow((0.03, 0.10, 0.16))),
        box([-0.1, 1.36, -0.092], [0.4, 0.03, 0.01], keys[2]),
    ]
    for index in range(7):
        tall = float(rng.uniform(0.05, 0.22))
        parts.append(
            box(
                [-0.27 + 0.09 * index, 1.1 + tall / 2, -0.092],
                [0.055, tall, 0.01],
                keys[1 if index % 3 else 0],
            )
        )
    return Piece("control_panel", concatenate(parts), 0.82, 0.42, 1.62)


def mirror(palette: Palette, wood: RGB) -> Piece:
    """Return a framed mirror; its glass is painted dim, since a true one would contradict itself."""
    frame = palette.wood(wood)
    glass = palette.slot(Material(Texture.PLAIN, (0.42, 0.46, 0.48), contrast=0.3))
    parts = [
        box([0, side * 0.52, 0.025], [0.78, 0.06, 0.05], frame) for side in (-1, 1)
    ] + [box([side * 0.36, 0, 0.025], [0.06, 0.98, 0.05], frame) for side in (-1, 1)]  # fmt: skip
    return Piece(
        "mirror", concatenate([*parts, box([0, 0, 0.012], [0.68, 0.98, 0.012], glass)]), 0.78, 0.06, 1.1,
        is_solid=False,
    )  # fmt: skip


def clock(palette: Palette, rng: Generator, wood: RGB) -> Piece:
    """Return a round wall clock at some hour of the day."""
    dark = palette.paint((0.04, 0.04, 0.045))
    parts: list[Mesh] = [
        cylinder([0, 0, 0], [0, 0, 0.05], 0.25, 0.25, 40, palette.wood(wood)),
        cylinder([0, 0, 0.05], [0, 0, 0.056], 0.215, 0.215, 40, palette.paint((0.74, 0.72, 0.66))),
    ]
    for hour in range(12):
        x, y = np.sin(np.pi * hour / 6), np.cos(np.pi * hour / 6)
        parts.append(box([0.18 * x, 0.18 * y, 0.06], [0.022, 0.022, 0.008], dark))
    for length, turn in ((0.11, float(rng.uniform(0, 6.28))), (0.16, float(rng.uniform(0, 6.28)))):
        tip = [length * np.sin(turn), length * np.cos(turn), 0.066]
        parts.append(cylinder([0, 0, 0.066], tip, 0.013, 0.009, 8, dark))
    return Piece("clock", concatenate(parts), 0.5, 0.08, 0.5, is_solid=False)


def tool_rack(palette: Palette, rng: Generator, wood: RGB) -> Piece:
    """Return a board with hammers, saws and chisels hanging on it."""
    handle, iron = palette.wood((0.42, 0.25, 0.10)), palette.metal((0.22, 0.22, 0.23))
    parts: list[Mesh] = [box([0, 0, 0.015], [1.5, 0.74, 0.03], palette.wood(wood))]
    for index in range(7):
        x, drop = -0.6 + 0.2 * index, float(rng.uniform(-0.05, 0.05))
        parts.append(cylinder([x, drop - 0.26, 0.055], [x, drop + 0.06, 0.055], 0.02, 0.017, 10, handle))
        if index % 3 == 0:
            parts.append(box([x, drop + 0.09, 0.055], [0.13, 0.05, 0.045], iron))
        elif index % 3 == 1:
            parts.append(box([x, drop + 0.17, 0.05], [0.085, 0.24, 0.014], iron))
        else:
            parts.append(box([x, drop + 0.14, 0.055], [0.03, 0.18, 0.018], iron))
    return Piece("tool_rack", concatenate(parts), 1.5, 0.1, 0.74, is_solid=False)
