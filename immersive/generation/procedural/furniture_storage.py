"""Shelves, cupboards, the kitchen counter and the fireplace. Pieces as in `furniture`: backs at -Z."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .furniture import Piece
from .furniture_decor import flowers, vase
from .mesh import Mesh, box, concatenate, cylinder, rounded_box, smooth_mesh, sphere
from .room_palette import Palette
from .world import RGB, Material, Texture

# Cloth and leather bindings; muted, so that a wall of books does not flicker in small pictures.
_BINDINGS: tuple[RGB, ...] = (
    (0.36, 0.075, 0.06),
    (0.09, 0.15, 0.27),
    (0.11, 0.22, 0.13),
    (0.48, 0.39, 0.25),
    (0.26, 0.11, 0.16),
    (0.50, 0.28, 0.09),
    (0.10, 0.10, 0.11),
    (0.60, 0.56, 0.47),
)


def bookshelf(palette: Palette, wood: RGB, rng: Generator, width: float = 1.5, height: float = 2.0) -> Piece:
    """Return a shelf full of books with some gaps and a pot."""
    slot = palette.wood(wood)
    depth, side = 0.34, 0.045
    parts = [box([sx * (width / 2 - side / 2), height / 2, 0], [side, height, depth], slot) for sx in (-1, 1)]
    back = palette.wood(tuple(0.75 * part for part in wood))  # type: ignore[arg-type]
    parts.append(box([0, height / 2, -depth / 2 + 0.012], [width - 2 * side, height, 0.024], back))
    rows = max(3, round(height / 0.40))
    step = (height - 0.1) / rows
    for row in range(rows + 1):
        parts.append(box([0, 0.06 + row * step, 0.0], [width - 2 * side, 0.04, depth], slot))
    for row in range(rows):
        parts += _books(palette, rng, width - 2 * side - 0.04, 0.08 + row * step, step - 0.06)
    return Piece("bookshelf", concatenate(parts), width, depth, height)


def _books(palette: Palette, rng: Generator, width: float, y: float, room: float) -> list[Mesh]:
    parts = []
    x = -width / 2
    while x < width / 2 - 0.05:
        thick = min(float(rng.uniform(0.04, 0.075)), width / 2 - x)
        if rng.random() < 0.09:
            x += float(rng.uniform(0.08, 0.16))
            continue
        tall = room * float(rng.uniform(0.68, 0.95))
        deep = float(rng.uniform(0.19, 0.24))
        binding = palette.paint(_BINDINGS[int(rng.integers(len(_BINDINGS)))])
        tint = float(rng.uniform(0.8, 1.15))
        parts.append(
            box([x + thick / 2, y + tall / 2, 0.03], [0.93 * thick, tall, deep], binding, (tint, tint, tint))
        )
        if thick > 0.055:  # a label on the broad ones
            label = palette.paint(_BINDINGS[int(rng.integers(len(_BINDINGS)))])
            parts.append(
                box([x + thick / 2, y + 0.72 * tall, 0.034], [0.94 * thick, 0.2 * tall, deep], label)
            )
        x += thick
    return parts


def _fronts(palette: Palette, wood: RGB, width: float, height: float, front: float, doors: int) -> list[Mesh]:
    """Return `doors` panels side by side on a front at z = `front`, each with a handle."""
    slot = palette.wood(tuple(1.12 * part for part in wood))  # type: ignore[arg-type]
    handle = palette.metal((0.30, 0.23, 0.12))
    step = width / doors
    parts = []
    for index in range(doors):
        x = -width / 2 + (index + 0.5) * step
        parts.append(rounded_box([x, height / 2, front], [step - 0.03, height - 0.04, 0.03], 0.012, slot))
        grip = x + (0.5 * step - 0.08) * (1 if index % 2 == 0 else -1)
        parts.append(box([grip, height / 2, front + 0.03], [0.035, 0.16, 0.035], handle))
    return parts


def wardrobe(palette: Palette, wood: RGB) -> Piece:
    """Return a wardrobe with two doors."""
    parts: list[Mesh] = [rounded_box([0, 1.03, -0.02], [1.2, 2.06, 0.56], 0.02, palette.wood(wood))]
    fronts = concatenate(_fronts(palette, wood, 1.16, 1.9, 0.27, 2)).placed([0, 0.09, 0])
    return Piece("wardrobe", concatenate([*parts, fronts]), 1.2, 0.62, 2.06)


def sideboard(palette: Palette, wood: RGB, rng: Generator) -> Piece:
    """Return a low cupboard with flowers on it."""
    body = rounded_box([0, 0.46, -0.02], [1.5, 0.72, 0.42], 0.02, palette.wood(wood))
    fronts = concatenate(_fronts(palette, wood, 1.46, 0.68, 0.20, 3)).placed([0, 0.12, 0])
    bunch = concatenate(
        [vase(palette, (0.16, 0.27, 0.30), 0.24), flowers(palette, rng, (0.60, 0.20, 0.20), 0.24)]
    )
    parts = [
        body,
        fronts,
        bunch.placed([0.45, 0.82, 0]),
        vase(palette, (0.58, 0.52, 0.42), 0.2).placed([0.22, 0.82, 0.05]),
    ]
    for side in (-1, 1):
        parts.append(box([side * 0.66, 0.05, 0], [0.06, 0.1, 0.34], palette.wood(wood)))
    return Piece("sideboard", concatenate(parts), 1.5, 0.48, 0.82)


def nightstand(palette: Palette, wood: RGB) -> Piece:
    """Return a bedside table with two drawers."""
    parts = [rounded_box([0, 0.30, 0], [0.46, 0.52, 0.40], 0.02, palette.wood(wood))]
    for row in range(2):
        front = concatenate(_fronts(palette, wood, 0.42, 0.24, 0.205, 1))
        parts.append(front.placed([0, 0.06 + 0.25 * row, 0]))
    return Piece("nightstand", concatenate(parts), 0.48, 0.46, 0.56)


def counter(palette: Palette, colour: RGB, rng: Generator, width: float = 3.0) -> Piece:
    """Return a kitchen counter with cupboards below, tiles and a shelf with jars above."""
    top = palette.slot(Material(Texture.PLAIN, (0.30, 0.29, 0.28), contrast=1.0))
    wood = palette.wood((0.42, 0.27, 0.15))
    doors = max(3, round(width / 0.6))
    parts = [
        box([0, 0.05, -0.04], [width - 0.04, 0.1, 0.48], palette.paint((0.08, 0.08, 0.08))),
        box([0, 0.48, -0.02], [width, 0.78, 0.56], palette.paint(colour)),
        rounded_box([0, 0.89, 0.0], [width + 0.02, 0.05, 0.64], 0.015, top),
        concatenate(_painted_fronts(palette, colour, width, doors)).placed([0, 0.12, 0]),
    ]
    steel = palette.metal((0.42, 0.42, 0.43))
    parts.append(box([-0.2 * width, 0.918, 0.02], [0.55, 0.012, 0.40], steel))
    parts.append(cylinder([-0.2 * width, 0.92, -0.22], [-0.2 * width, 1.18, -0.22], 0.02, 0.02, 12, steel))
    parts.append(box([-0.2 * width, 1.18, -0.13], [0.035, 0.035, 0.20], steel))
    tiles = palette.slot(Material(Texture.TILES, (0.66, 0.66, 0.62), (0.42, 0.41, 0.39), 0.16))
    parts.append(box([0, 1.17, -0.305], [width, 0.52, 0.02], tiles))
    parts.append(box([0, 1.52, -0.20], [width, 0.04, 0.24], wood))
    x = -width / 2 + 0.16
    while x < width / 2 - 0.12:
        size = float(rng.uniform(0.05, 0.085))
        tall = float(rng.uniform(0.12, 0.24))
        colour_ = _BINDINGS[int(rng.integers(len(_BINDINGS)))]
        parts.append(
            cylinder([x, 1.54, -0.2], [x, 1.54 + tall, -0.2], size, size, 18, palette.paint(colour_))
        )
        x += 2 * size + float(rng.uniform(0.06, 0.22))
    return Piece("counter", concatenate(parts), width, 0.66, 1.8)


def _painted_fronts(palette: Palette, colour: RGB, width: float, doors: int) -> list[Mesh]:
    slot = palette.paint(tuple(min(1.0, 1.15 * part) for part in colour))  # type: ignore[arg-type]
    handle = palette.metal((0.35, 0.30, 0.20))
    step = width / doors
    parts = []
    for index in range(doors):
        x = -width / 2 + (index + 0.5) * step
        parts.append(rounded_box([x, 0.37, 0.265], [step - 0.03, 0.70, 0.025], 0.01, slot))
        parts.append(box([x, 0.64, 0.29], [0.16, 0.035, 0.03], handle))
    return parts


def fireplace(palette: Palette, attributes: tuple[str, ...], wood: RGB) -> Piece:
    """Return a chimney breast with a burning fire, a mantel and two candlesticks."""
    if "stone" in attributes:
        stuff = Material(Texture.STONES, (0.34, 0.32, 0.29), (0.22, 0.21, 0.19), 0.24)
    elif "white" in attributes:
        stuff = Material(Texture.BRICK, (0.68, 0.66, 0.62), (0.56, 0.54, 0.50), 0.13)
    else:
        stuff = Material(Texture.BRICK, (0.36, 0.15, 0.095), (0.42, 0.37, 0.31), 0.13)
    brick = palette.slot(stuff)
    soot = palette.paint((0.035, 0.03, 0.028))
    timber = palette.wood(wood)
    width, depth, height = 1.7, 0.5, 2.6
    hole_w, hole_h = 0.86, 0.72
    side = (width - hole_w) / 2
    parts: list[Mesh] = [
        box([sx * (hole_w + side) / 2, hole_h / 2, 0], [side, hole_h, depth], brick) for sx in (-1, 1)
    ]
    parts.append(box([0, (hole_h + 1.22) / 2, 0], [width, 1.22 - hole_h, depth], brick))
    parts.append(box([0, (1.22 + height) / 2, -0.08], [width - 0.3, height - 1.22, depth - 0.16], brick))
    parts.append(box([0, hole_h / 2, -depth / 2 + 0.03], [hole_w, hole_h, 0.04], soot))
    parts.append(box([0, 0.02, 0.05], [hole_w, 0.04, depth + 0.1], palette.paint((0.20, 0.19, 0.18))))
    parts.append(rounded_box([0, 1.25, 0.05], [width + 0.16, 0.08, depth + 0.14], 0.02, timber))
    bark = palette.slot(Material(Texture.BARK, (0.12, 0.075, 0.045)))
    for x, z, turn in ((-0.12, 0.02, 10.0), (0.13, -0.03, -14.0), (0.0, 0.10, 4.0)):
        log = cylinder([-0.26, 0.09, 0], [0.26, 0.09, 0], 0.055, 0.05, 12, bark)
        parts.append(log.placed([x, 0.02 if z < 0.1 else 0.0, z], turn))
    flame = palette.glow((2.4, 1.0, 0.2))
    tongues = ((-0.18, 0.24, 0.0), (-0.05, 0.36, -0.03), (0.10, 0.30, -0.02), (0.20, 0.20, 0.02))
    sparks = ((-0.11, 0.18, 0.07), (0.03, 0.22, 0.06), (-0.25, 0.13, 0.04), (0.14, 0.15, 0.08))
    for x, tall, z in (*tongues, *sparks):
        parts.append(_flame(flame, tall).placed([x, 0.10, z], 40.0 * x / 0.1))
    iron = palette.metal((0.30, 0.22, 0.10))
    for x in (-0.6, 0.6):
        parts.append(cylinder([x, 1.29, 0.06], [x, 1.47, 0.06], 0.03, 0.022, 12, iron))
        parts.append(
            cylinder([x, 1.47, 0.06], [x, 1.63, 0.06], 0.022, 0.022, 12, palette.paint((0.70, 0.66, 0.56)))
        )
    return Piece("fireplace", concatenate(parts), width, depth, height)


def _flame(slot: int, tall: float) -> Mesh:
    """Return one tongue of fire: a leaning drop, yellow at its foot and red at its tip."""
    rise = np.array([0.0, 0.12, 0.3, 0.5, 0.7, 0.87, 1.0])
    girth = np.array([0.25, 0.8, 1.0, 0.78, 0.48, 0.22, 0.02]) * 0.26 * tall
    lean = 0.16 * tall * np.sin(2.4 * rise) * rise
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    x = lean[:, None] + girth[:, None] * np.cos(angle)
    z = girth[:, None] * np.sin(angle)
    y = np.repeat(rise[:, None] * tall, 12, axis=1)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    ring, around = np.meshgrid(np.arange(6), np.arange(12), indexing="ij")
    a, b = ring * 12 + around, ring * 12 + (around + 1) % 12
    quads = np.stack([a, a + 12, b, b, a + 12, b + 12], -1)
    glow = np.stack([np.interp(rise, [0, 1], ends) for ends in ((1.1, 0.75), (1.35, 0.28), (1.8, 0.12))], -1)
    return smooth_mesh(vertices, quads.reshape(-1, 3), slot, np.repeat(glow, 12, axis=0))


def sculpture(palette: Palette, rng: Generator, attributes: tuple[str, ...] = ()) -> Piece:
    """Return a form of pale marble, or of bronze, on a plinth."""
    colour: RGB = (0.04, 0.04, 0.042) if "black" in attributes else (0.62, 0.59, 0.54)
    stone = palette.slot(Material(Texture.PLAIN, colour, contrast=0.6))
    if "metal" in attributes:
        stone = palette.metal((0.30, 0.19, 0.09))
    parts: list[Mesh] = [box([0, 0.5, 0], [0.42, 1.0, 0.42], palette.paint((0.70, 0.69, 0.67)))]
    turns = float(rng.uniform(0.6, 1.3))
    for share in np.linspace(0, 1, 30):
        radius = 0.075 + 0.085 * np.sin(share * np.pi) ** 0.8
        angle = share * 2 * np.pi * turns
        middle = [0.07 * np.cos(angle), 1.10 + 0.62 * share, 0.07 * np.sin(angle)]
        parts.append(sphere(middle, [1.15 * radius, radius, 0.8 * radius], 2, stone))
    return Piece("sculpture", concatenate(parts), 0.46, 0.46, 1.85)
