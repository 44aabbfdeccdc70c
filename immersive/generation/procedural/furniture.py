"""Seats, tables and beds. Each piece stands on y = 0 at the origin, its front towards +Z.

Nothing is thinner than about 3 cm: what is less than a pixel wide cannot be lifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .mesh import Mesh, box, concatenate, cylinder, rounded_box
from .room_palette import Palette
from .world import RGB


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of furniture and the floor it takes."""

    kind: str
    mesh: Mesh
    width: float  # metres along X
    depth: float  # metres along Z
    height: float  # metres
    is_solid: bool = True  # False: people walk over it


def legs(palette: Palette, wood: RGB, x: float, z: float, height: float, thick: float = 0.045) -> list[Mesh]:
    """Return four square legs at (+-x, +-z)."""
    slot = palette.wood(wood)
    return [
        box([sx * x, height / 2, sz * z], [thick, height, thick], slot) for sx in (-1, 1) for sz in (-1, 1)
    ]


def sofa(palette: Palette, colour: RGB, wood: RGB, cushion: RGB, cushions: int, width: float = 2.1) -> Piece:
    """Return a sofa with two seats and some cushions."""
    cloth = palette.cloth(colour)
    seat = palette.cloth(tuple(min(1.0, 1.12 * part) for part in colour))  # type: ignore[arg-type]
    depth = 0.95
    parts = [
        rounded_box([0, 0.27, 0.02], [width, 0.30, depth - 0.06], 0.05, cloth),
        rounded_box([0, 0.58, -depth / 2 + 0.13], [width, 0.62, 0.26], 0.10, cloth),
    ]
    for side in (-1, 1):
        parts.append(rounded_box([side * (width / 2 - 0.12), 0.42, 0.0], [0.24, 0.50, depth], 0.09, cloth))
        half = (width - 0.5) / 2
        parts.append(rounded_box([side * half / 2, 0.47, 0.09], [half, 0.19, 0.74], 0.07, seat))
        parts.append(rounded_box([side * half / 2, 0.70, -0.19], [half - 0.04, 0.40, 0.18], 0.08, seat))
    parts += legs(palette, wood, width / 2 - 0.14, depth / 2 - 0.14, 0.14, 0.06)
    plush = palette.cloth(cushion)
    places = ((-1, 0.0), (1, 0.0), (-1, 0.42), (1, 0.42))[:cushions]
    for side, inwards in places:
        x = side * (width / 2 - 0.42 - inwards)
        parts.append(_cushion(plush).placed([x, 0.73, -0.03], -14.0 * side))
    return Piece("sofa", concatenate(parts), width, depth, 0.9)


def _cushion(slot: int) -> Mesh:
    pillow = rounded_box([0, 0, 0], [0.42, 0.40, 0.15], 0.07, slot)
    tilt = np.radians(-16)
    turn = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    return pillow.moved(turn, [0, 0, 0]).labelled("cushion")


def armchair(palette: Palette, colour: RGB, wood: RGB) -> Piece:
    """Return an upholstered armchair."""
    cloth = palette.cloth(colour)
    seat = palette.cloth(tuple(min(1.0, 1.12 * part) for part in colour))  # type: ignore[arg-type]
    parts = [
        rounded_box([0, 0.27, 0.02], [0.82, 0.26, 0.76], 0.06, cloth),
        rounded_box([0, 0.62, -0.31], [0.80, 0.72, 0.22], 0.10, cloth),
        rounded_box([0, 0.45, 0.08], [0.52, 0.18, 0.62], 0.07, seat),
    ]
    for side in (-1, 1):
        parts.append(rounded_box([side * 0.34, 0.44, 0.02], [0.18, 0.36, 0.76], 0.08, cloth))
    parts += legs(palette, wood, 0.32, 0.30, 0.15, 0.06)
    return Piece("armchair", concatenate(parts), 0.86, 0.84, 0.98)


def chair(palette: Palette, colour: RGB, seat: RGB | None) -> Piece:
    """Return a dining chair in painted or plain wood; `seat` is the colour of its pad, if any."""
    wood = palette.wood(colour)
    parts = legs(palette, colour, 0.19, 0.19, 0.45, 0.045)
    parts.append(rounded_box([0, 0.46, 0], [0.45, 0.05, 0.45], 0.02, wood))
    if seat is not None:
        parts.append(rounded_box([0, 0.50, 0.01], [0.40, 0.05, 0.40], 0.024, palette.cloth(seat)))
    for side in (-1, 1):
        parts.append(box([side * 0.19, 0.70, -0.20], [0.045, 0.46, 0.045], wood))
    parts.append(rounded_box([0, 0.83, -0.20], [0.43, 0.16, 0.04], 0.019, wood))
    parts.append(rounded_box([0, 0.64, -0.20], [0.40, 0.09, 0.035], 0.017, wood))
    return Piece("chair", concatenate(parts), 0.46, 0.46, 0.92)


def stool(palette: Palette, colour: RGB, seat: RGB) -> Piece:
    """Return a round bar stool with a ring for the feet."""
    wood = palette.wood(colour)
    parts: list[Mesh] = [
        cylinder([0, 0.68, 0], [0, 0.72, 0], 0.16, 0.17, 24, wood),
        cylinder([0, 0.72, 0], [0, 0.76, 0], 0.165, 0.15, 24, palette.cloth(seat)),
        cylinder([0, 0.26, 0], [0, 0.29, 0], 0.165, 0.165, 24, palette.metal((0.3, 0.23, 0.12))),
    ]
    for x, z in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        parts.append(cylinder([0.12 * x, 0, 0.12 * z], [0.08 * x, 0.69, 0.08 * z], 0.022, 0.022, 8, wood))
    return Piece("chair", concatenate(parts), 0.36, 0.36, 0.76)


def coffee_table(
    palette: Palette, wood: RGB, is_round: bool, books: tuple[RGB, RGB], is_small: bool = False
) -> Piece:
    """Return a low table with two books on it."""
    slot = palette.wood(wood)
    if is_round:
        parts = [cylinder([0, 0.38, 0], [0, 0.43, 0], 0.45, 0.45, 32, slot)]
        width = depth = 0.9
        parts += legs(palette, wood, 0.25, 0.25, 0.38, 0.05)
    else:
        width, depth = (0.72, 0.56) if is_small else (1.2, 0.64)
        parts = [rounded_box([0, 0.41, 0], [width, 0.05, depth], 0.02, slot)]
        parts += legs(palette, wood, width / 2 - 0.08, depth / 2 - 0.07, 0.39, 0.055)
        parts.append(box([0, 0.15, 0], [width - 0.14, 0.03, depth - 0.14], slot))
    parts.append(box([0.14, 0.455, 0.03], [0.28, 0.045, 0.2], palette.paint(books[0])).placed([0, 0, 0], 12))
    parts.append(box([0.13, 0.495, 0.03], [0.24, 0.035, 0.17], palette.paint(books[1])).placed([0, 0, 0], 20))
    parts.append(
        cylinder([-0.26, 0.435, 0], [-0.26, 0.50, 0], 0.06, 0.10, 20, palette.paint((0.5, 0.48, 0.44)))
    )
    return Piece("coffee_table", concatenate(parts), width, depth, 0.45)


def dining_table(palette: Palette, wood: RGB, is_round: bool, seats: int, is_small: bool = False) -> Piece:
    """Return a dining table for `seats` people with a bowl of fruit."""
    slot = palette.wood(wood)
    if is_round:
        radius = 0.4 if is_small and seats <= 4 else 0.55 if seats <= 4 else 0.75 if seats <= 8 else 1.1
        width = depth = 2 * radius
        parts = [
            cylinder([0, 0.70, 0], [0, 0.75, 0], radius, radius, 40, slot),
            cylinder([0, 0.04, 0], [0, 0.70, 0], 0.07, 0.06, 16, slot),
            cylinder([0, 0, 0], [0, 0.05, 0], 0.32, 0.28, 24, slot),
        ]
    else:
        width, depth = (1.3, 0.85) if seats <= 4 else (1.9 if seats <= 8 else 3.1, 0.95)
        if is_small and seats <= 4:
            width, depth = 0.85, 0.75
        parts = [rounded_box([0, 0.73, 0], [width, 0.05, depth], 0.02, slot)]
        parts.append(box([0, 0.66, 0], [width - 0.2, 0.08, depth - 0.2], slot))
        parts += legs(palette, wood, width / 2 - 0.09, depth / 2 - 0.09, 0.71, 0.07)
    parts.append(fruit_bowl(palette, 0.755))
    return Piece("dining_table", concatenate(parts), width, depth, 0.78)


def fruit_bowl(palette: Palette, y: float) -> Mesh:
    """Return a bowl of oranges and apples standing at height `y`."""
    parts: list[Mesh] = [
        cylinder([0, y, 0], [0, y + 0.09, 0], 0.09, 0.17, 24, palette.paint((0.55, 0.52, 0.47)))
    ]
    fruit = (
        ((0.62, 0.27, 0.05), 0.07, 0.0),
        ((0.45, 0.08, 0.05), -0.06, 0.05),
        ((0.35, 0.40, 0.09), -0.01, -0.07),
    )
    for colour, x, z in fruit:
        parts.append(rounded_box([x, y + 0.11, z], [0.10, 0.10, 0.10], 0.049, palette.paint(colour)))
    return concatenate(parts)


def cafe_table(palette: Palette, wood: RGB) -> Piece:
    """Return a small round table with two cups."""
    slot, iron = palette.wood(wood), palette.metal((0.06, 0.06, 0.06))
    china = palette.paint((0.70, 0.68, 0.63))
    parts = [
        cylinder([0, 0.70, 0], [0, 0.74, 0], 0.36, 0.36, 32, slot),
        cylinder([0, 0.03, 0], [0, 0.70, 0], 0.035, 0.035, 12, iron),
        cylinder([0, 0, 0], [0, 0.04, 0], 0.24, 0.22, 24, iron),
    ]
    for x, z in ((0.16, 0.05), (-0.15, -0.06)):
        parts.append(cylinder([x, 0.74, z], [x, 0.755, z], 0.075, 0.08, 18, china))
        parts.append(cylinder([x, 0.755, z], [x, 0.825, z], 0.035, 0.045, 16, china))
    return Piece("cafe_table", concatenate(parts), 0.72, 0.72, 0.83)


def desk(palette: Palette, wood: RGB, books: tuple[RGB, RGB]) -> Piece:
    """Return a writing desk with drawers, its user sitting at +Z."""
    slot = palette.wood(wood)
    dark = palette.wood(tuple(0.8 * part for part in wood))  # type: ignore[arg-type]
    knob = palette.metal((0.32, 0.24, 0.12))
    parts = [rounded_box([0, 0.735, 0], [1.5, 0.05, 0.72], 0.02, slot)]
    for side in (-1, 1):
        parts.append(box([side * 0.54, 0.36, 0], [0.36, 0.70, 0.62], slot))
        for row in range(3):
            y = 0.13 + 0.225 * row
            parts.append(box([side * 0.54, y, 0.315], [0.31, 0.195, 0.025], dark))
            parts.append(box([side * 0.54, y, 0.335], [0.08, 0.035, 0.03], knob))
    parts.append(box([-0.45, 0.785, -0.12], [0.26, 0.05, 0.19], palette.paint(books[0])))
    parts.append(box([-0.45, 0.83, -0.12], [0.23, 0.04, 0.17], palette.paint(books[1])))
    parts.append(box([0.05, 0.767, 0.08], [0.30, 0.012, 0.22], palette.paint((0.72, 0.70, 0.64))))
    return Piece("desk", concatenate(parts), 1.5, 0.72, 0.8)


def bed(palette: Palette, cover: RGB, pillow: RGB, wood: RGB) -> Piece:
    """Return a double bed, its head at -Z."""
    width, depth = 1.7, 2.1
    timber = palette.wood(wood)
    sheet = palette.cloth((0.70, 0.68, 0.63))
    parts = [
        rounded_box([0, 0.62, -depth / 2 + 0.05], [width + 0.06, 0.95, 0.09], 0.03, timber),
        box([0, 0.22, 0.04], [width, 0.18, depth - 0.1], timber),
        rounded_box([0, 0.42, 0.05], [width - 0.06, 0.26, depth - 0.14], 0.07, sheet),
        rounded_box([0, 0.47, 0.32], [width + 0.03, 0.25, depth - 0.62], 0.08, palette.cloth(cover)),
    ]
    for side in (-1, 1):
        parts.append(rounded_box([side * 0.40, 0.62, -0.72], [0.66, 0.16, 0.42], 0.075, sheet))
        parts.append(rounded_box([side * 0.36, 0.68, -0.50], [0.48, 0.15, 0.30], 0.07, palette.cloth(pillow)))
    parts += legs(palette, wood, width / 2 - 0.06, depth / 2 - 0.1, 0.16, 0.08)
    return Piece("bed", concatenate(parts), width + 0.06, depth, 1.1)


def bench_seat(palette: Palette, colour: RGB, wood: RGB) -> Piece:
    """Return a padded bench, as in galleries."""
    parts = [rounded_box([0, 0.41, 0], [1.4, 0.14, 0.46], 0.05, palette.cloth(colour))]
    parts += legs(palette, wood, 0.60, 0.15, 0.36, 0.06)
    return Piece("bench_seat", concatenate(parts), 1.4, 0.46, 0.48)


def stacked(parts: list[Mesh], position: ArrayLike) -> Mesh:
    """Return parts moved together to stand at `position` [3]."""
    return concatenate(parts).placed(position)
