"""Vehicles, standing on y = 0, their front towards +Z."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder, flat_mesh, rounded_box
from ..palette import SLOT
from ..shapes import arc, lathe, plate, ring_of, scaled, tube
from ..world import RGB

_WOOD: RGB = (0.62, 0.5, 0.38)


def _wheel(radius: float, width: float) -> Mesh:
    """Return a tyre with a hub, its axle along x."""
    parts = [
        cylinder([-width / 2, 0, 0], [width / 2, 0, 0], radius, radius, 18, SLOT["paint"], (0.02, 0.02, 0.02))
    ]
    parts.append(
        cylinder(
            [-width / 2 - 0.01, 0, 0],
            [width / 2 + 0.01, 0, 0],
            0.6 * radius,
            0.6 * radius,
            14,
            SLOT["metal"],
            (3.0, 3.0, 3.0),
        )
    )
    return concatenate(parts)


def spoked_wheel(radius: float, spokes: int, width: float = 0.07) -> Mesh:
    """Return a wooden wheel whose axle is along x."""
    rim = tube(
        [[0, radius * np.sin(a), radius * np.cos(a)] for a in np.linspace(0, 2 * np.pi, 19)],
        0.055,
        6,
        SLOT["trim"],
        scaled(_WOOD, 0.7),
    )
    parts = [rim, cylinder([-width, 0, 0], [width, 0, 0], 0.1, 0.1, 10, SLOT["trim"], scaled(_WOOD, 0.6))]
    for angle in np.linspace(0, 2 * np.pi, spokes, endpoint=False):
        parts.append(
            cylinder(
                [0, 0, 0],
                [0, radius * np.sin(angle), radius * np.cos(angle)],
                0.032,
                0.028,
                5,
                SLOT["trim"],
                _WOOD,
            )
        )
    return concatenate(parts)


def _section(
    points: list[list[float]], half_width: float, material: int, tint: RGB, taper: float = 1.0
) -> Mesh:
    """Return a side view [(z, y)] drawn out along x; `taper` narrows what is high."""
    outline = np.array(points)
    side = plate(np.stack([outline[:, 0], outline[:, 1]], -1), 2 * half_width, material, tint).placed(
        [0, 0, 0], -90
    )
    if taper == 1.0:
        return side
    low, high = outline[:, 1].min(), outline[:, 1].max()
    share = (side.vertices[:, 1] - low) / (high - low)
    vertices = side.vertices.copy()
    vertices[:, 0] *= 1 + (taper - 1) * share
    return flat_mesh(vertices, side.faces, material, tint)


def car(rng: Generator, look: Look) -> Mesh:
    """Return a parked car with rounded body, dark panes and lamps."""
    colour = look.colour(PAINTS[("red", "blue", "teal", "white", "yellow")[int(rng.integers(5))]])
    parts = [
        rounded_box([0, 0.62, 0], [1.72, 0.62, 4.2], 0.2, SLOT["paint"], colour, 4),
        _section(
            [[-1.55, 0.88], [1.05, 0.88], [0.55, 1.46], [-1.15, 1.46]],
            0.8,
            SLOT["dark_glass"],
            (1.0, 1.0, 1.0),
            0.82,
        ),
        _section([[-1.2, 1.42], [0.62, 1.42], [0.5, 1.5], [-1.1, 1.5]], 0.68, SLOT["paint"], colour),
        box([0, 0.42, 2.08], [1.5, 0.16, 0.12], SLOT["metal"], (2.5, 2.5, 2.5)),
        box([0, 0.42, -2.08], [1.5, 0.16, 0.12], SLOT["metal"], (2.5, 2.5, 2.5)),
    ]
    for sign in (-1, 1):
        parts.append(
            _section(
                [[0.98, 0.86], [1.1, 0.86], [0.6, 1.46], [0.5, 1.46]], 0.06, SLOT["paint"], colour
            ).placed([sign * 0.75, 0, 0])
        )
        parts.append(
            _section(
                [[-0.33, 0.86], [-0.2, 0.86], [-0.2, 1.46], [-0.33, 1.46]], 0.05, SLOT["paint"], colour
            ).placed([sign * 0.74, 0, 0])
        )
        parts.append(
            cylinder(
                [sign * 0.58, 0.72, 2.0], [sign * 0.58, 0.72, 2.13], 0.13, 0.13, 12, SLOT["window"], (1, 1, 1)
            )
        )
        parts.append(box([sign * 0.62, 0.74, -2.08], [0.28, 0.14, 0.08], SLOT["paint"], (0.5, 0.02, 0.02)))
        for z in (-1.28, 1.3):
            parts.append(_wheel(0.34, 0.22).placed([sign * 0.78, 0.34, z]))
    return concatenate(parts)


def truck(rng: Generator, look: Look) -> Mesh:
    """Return an old pick-up with an open bed."""
    colour = look.colour(PAINTS[("teal", "red", "cream", "blue")[int(rng.integers(4))]])
    parts = [
        rounded_box([0, 0.78, 1.5], [1.5, 0.62, 1.5], 0.2, SLOT["paint"], colour, 3),
        rounded_box([0, 1.05, 0.3], [1.7, 1.15, 1.3], 0.18, SLOT["paint"], colour, 3),
        box([0, 1.32, 0.3], [1.74, 0.42, 0.9], SLOT["dark_glass"]),
        box([0, 1.32, 0.98], [1.3, 0.42, 0.08], SLOT["dark_glass"]),
        box([0, 0.72, -1.4], [1.7, 0.14, 2.2], SLOT["plank_wood"]),
        box([0, 0.55, 0.3], [1.2, 0.2, 4.2], SLOT["metal"]),
        box([0, 0.6, 2.25], [1.3, 0.3, 0.1], SLOT["metal"], (2.4, 2.4, 2.4)),
    ]
    for sign in (-1, 1):
        parts.append(box([sign * 0.85, 0.98, -1.4], [0.08, 0.5, 2.2], SLOT["paint"], colour))
        parts.append(
            cylinder([sign * 0.52, 0.9, 2.2], [sign * 0.52, 0.9, 2.32], 0.14, 0.14, 12, SLOT["window"])
        )
        for z in (-1.5, 1.5):
            parts.append(_wheel(0.4, 0.22).placed([sign * 0.78, 0.4, z]))
            parts.append(
                rounded_box(
                    [sign * 0.8, 0.72, z], [0.34, 0.2, 1.05], 0.09, SLOT["paint"], scaled(colour, 0.75)
                )
            )
    parts.append(box([0, 0.98, -2.48], [1.7, 0.5, 0.08], SLOT["paint"], colour))
    return concatenate(parts)


def tractor(rng: Generator, look: Look) -> Mesh:
    """Return a tractor: large wheels behind, small ones before, a seat and a chimney."""
    colour = look.colour(PAINTS["red"])
    parts = [
        rounded_box([0, 1.0, 0.75], [0.72, 0.62, 1.5], 0.12, SLOT["paint"], colour, 3),
        box([0, 0.72, 0.2], [0.5, 0.3, 2.2], SLOT["metal"]),
        box([0, 0.98, 1.52], [0.5, 0.42, 0.06], SLOT["metal"], (2.5, 2.5, 2.5)),
        cylinder([0.2, 1.25, 0.9], [0.2, 1.95, 0.9], 0.05, 0.05, 8, SLOT["metal"]),
        box([0, 1.08, -0.7], [0.5, 0.1, 0.46], SLOT["paint"], (0.05, 0.04, 0.03)),
        box([0, 1.36, -0.92], [0.5, 0.5, 0.08], SLOT["paint"], (0.05, 0.04, 0.03)),
        cylinder([0, 1.15, -0.1], [0, 1.5, -0.3], 0.03, 0.03, 6, SLOT["metal"]),
    ]
    parts.append(
        tube(
            [
                [0.2 * np.cos(a), 1.5 + 0.08 * np.sin(a), -0.3 + 0.18 * np.sin(a)]
                for a in np.linspace(0, 6.283, 13)
            ],
            0.025,
            6,
            SLOT["paint"],
            (0.03, 0.03, 0.03),
        )
    )
    for sign in (-1, 1):
        parts.append(_wheel(0.78, 0.42).placed([sign * 0.72, 0.78, -0.7]))
        parts.append(_wheel(0.4, 0.26).placed([sign * 0.58, 0.4, 1.2]))
        guard = plate(
            [[0.9 * np.cos(a), 0.9 * np.sin(a)] for a in np.linspace(0.35, np.pi - 0.35, 9)],
            0.4,
            SLOT["paint"],
            scaled(colour, 0.85),
        )
        parts.append(guard.placed([sign * 0.72, 0.72, -0.7], 90))
        parts.append(cylinder([sign * 0.3, 1.1, 1.45], [sign * 0.3, 1.1, 1.58], 0.1, 0.1, 10, SLOT["window"]))
    return concatenate(parts)


def cart(rng: Generator, look: Look) -> Mesh:
    """Return a wooden cart on two wheels, or a covered wagon on four."""
    is_wagon = look.has("covered", "large")
    length = 3.0 if is_wagon else 1.9
    parts = [box([0, 0.78, 0], [1.25, 0.1, length], SLOT["plank_wood"])]
    for sign in (-1, 1):
        parts.append(box([sign * 0.62, 1.02, 0], [0.07, 0.42, length], SLOT["plank_wood"]))
        parts.append(box([0, 1.02, sign * length / 2], [1.25, 0.42, 0.07], SLOT["plank_wood"]))
        for z in (-0.95, 0.95) if is_wagon else (0.0,):
            parts.append(spoked_wheel(0.58, 8).placed([sign * 0.76, 0.6, z]))
        parts.append(
            cylinder(
                [sign * 0.4, 0.72, length / 2],
                [sign * 0.3, 0.45 if not is_wagon else 0.6, length / 2 + 1.5],
                0.045,
                0.04,
                6,
                SLOT["trim"],
                _WOOD,
            )
        )
    for z in (-0.95, 0.95) if is_wagon else (0.0,):
        parts.append(cylinder([-0.8, 0.6, z], [0.8, 0.6, z], 0.05, 0.05, 8, SLOT["trim"], scaled(_WOOD, 0.6)))
    if is_wagon:
        angles = np.linspace(0, np.pi, 9)
        cover = [[0.66 * np.cos(a), 1.2 + 0.95 * np.sin(a)] for a in angles]
        parts.append(plate(cover, 2.7, SLOT["canvas"], PAINTS["cream"]))
    else:
        parts += [
            lathe(
                [(0.2, 1.0), (0.28, 1.15), (0.24, 1.38), (0.1, 1.5)], 10, SLOT["canvas"], PAINTS["cream"]
            ).placed([x, -0.15, z])
            for x, z in ((-0.25, -0.4), (0.28, -0.1), (-0.1, 0.45))
        ]
    return concatenate(parts)


def bicycle(rng: Generator, look: Look) -> Mesh:
    """Return a bicycle on its stand."""
    colour = look.colour(PAINTS["blue"])
    parts = []
    for z in (-0.52, 0.52):
        rim = [[0, 0.34 + 0.33 * np.sin(a), z + 0.33 * np.cos(a)] for a in np.linspace(0, 2 * np.pi, 21)]
        parts.append(tube(rim, 0.028, 6, SLOT["paint"], (0.03, 0.03, 0.03)))
        for angle in np.linspace(0, np.pi, 4, endpoint=False):
            reach = 0.3 * np.array([0, np.sin(angle), np.cos(angle)])
            parts.append(
                cylinder(
                    np.array([0, 0.34, z]) - reach,
                    np.array([0, 0.34, z]) + reach,
                    0.009,
                    0.009,
                    4,
                    SLOT["metal"],
                    (3, 3, 3),
                )
            )
    crank, seat, head = [0, 0.32, -0.08], [0, 0.78, -0.25], [0, 0.78, 0.36]
    for a, b in (
        (crank, seat),
        (seat, head),
        (crank, head),
        ([0, 0.34, -0.52], crank),
        ([0, 0.34, -0.52], seat),
        (head, [0, 0.34, 0.52]),
    ):
        parts.append(cylinder(a, b, 0.026, 0.026, 7, SLOT["paint"], colour))
    parts.append(cylinder(seat, [0, 0.9, -0.29], 0.02, 0.02, 6, SLOT["metal"]))
    parts.append(rounded_box([0, 0.93, -0.3], [0.16, 0.07, 0.3], 0.03, SLOT["paint"], (0.06, 0.035, 0.02)))
    parts.append(cylinder(head, [0, 0.98, 0.3], 0.02, 0.02, 6, SLOT["metal"]))
    parts.append(
        tube(
            [[-0.27, 0.98, 0.12], [-0.25, 1.0, 0.3], [0.25, 1.0, 0.3], [0.27, 0.98, 0.12]],
            0.02,
            6,
            SLOT["metal"],
        )
    )
    parts.append(box([0, 0.82, 0.56], [0.34, 0.24, 0.24], SLOT["trim"], (0.6, 0.5, 0.35)))
    parts.append(cylinder([0, 0.3, -0.05], [0.26, 0.0, -0.1], 0.015, 0.015, 5, SLOT["metal"]))
    return concatenate(parts)


def sledge(rng: Generator, look: Look) -> Mesh:
    """Return a wooden sledge with turned-up runners."""
    colour = look.colour((0.45, 0.26, 0.13))
    parts = []
    for sign in (-1, 1):
        bend = arc([0, 0.38, 0], 0.34, -90, 30, 6)
        nose = np.stack([np.full(6, sign * 0.32), bend[:, 1], 0.62 + bend[:, 0]], -1)
        parts.append(
            tube([[sign * 0.32, 0.04, -0.75], *nose.tolist()], 0.04, 6, SLOT["paint"], scaled(colour, 0.7))
        )
        for z in (-0.5, 0.0, 0.45):
            parts.append(
                cylinder(
                    [sign * 0.32, 0.04, z],
                    [sign * 0.28, 0.34, z],
                    0.03,
                    0.03,
                    6,
                    SLOT["paint"],
                    scaled(colour, 0.7),
                )
            )
    for x in (-0.24, -0.08, 0.08, 0.24):
        parts.append(box([x, 0.36, -0.1], [0.13, 0.04, 1.4], SLOT["paint"], colour))
    return concatenate(parts).placed([0, 0, 0], 0.0, 1.15)


def wheelbarrow(rng: Generator, look: Look) -> Mesh:
    """Return a wheelbarrow with earth in it."""
    colour = look.colour(PAINTS["green"])
    foot = np.array([[-0.22, 0.3, -0.35], [0.22, 0.3, -0.35], [0.22, 0.3, 0.35], [-0.22, 0.3, 0.35]])
    rim = foot * [1.75, 1, 1.65] + [0, 0.34, 0]
    points = np.concatenate([foot, rim])
    faces = [[0, 1, 2], [0, 2, 3]]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        faces += [[a, 4 + a, 4 + b], [a, 4 + b, b]]
    parts = [flat_mesh(points, np.array(faces), SLOT["paint"], colour)]
    parts.append(
        lathe(
            [(0.42, 0.6), (0.36, 0.7), (0.2, 0.78), (0.0, 0.8)], 12, SLOT["paint"], (0.09, 0.06, 0.04)
        ).moved(np.diag([0.85, 1, 1.2]), [0, 0, 0])
    )
    parts.append(_wheel(0.2, 0.1).placed([0, 0.2, 0.72]))
    for sign in (-1, 1):
        parts.append(
            tube(
                [[sign * 0.08, 0.2, 0.72], [sign * 0.26, 0.34, 0.0], [sign * 0.3, 0.62, -1.05]],
                0.03,
                6,
                SLOT["trim"],
                _WOOD,
            )
        )
        parts.append(
            cylinder(
                [sign * 0.27, 0.36, -0.35], [sign * 0.27, 0.0, -0.42], 0.028, 0.028, 6, SLOT["trim"], _WOOD
            )
        )
    return concatenate(parts)


def rocket(rng: Generator, look: Look) -> Mesh:
    """Return a spaceship on four fins, its nose to the sky."""
    colour, accent = look.colour(PAINTS["white"]), PAINTS["red"]
    hull = [(0.65, 0.9), (1.1, 1.5), (1.35, 3.0), (1.35, 5.0), (1.1, 6.6)]
    parts = [
        lathe(hull, 24, SLOT["paint"], colour),
        lathe([(1.1, 6.6), (0.7, 7.6), (0.25, 8.4), (0.0, 8.8)], 24, SLOT["paint"], accent),
    ]
    parts.append(lathe([(0.9, 0.35), (0.65, 0.9)], 18, SLOT["metal"]))
    parts += ring_of(
        4,
        0.0,
        lambda _: plate([[0.9, 1.0], [2.3, 0.0], [2.3, 0.5], [1.25, 2.9]], 0.16, SLOT["paint"], accent),
    )
    for y in (3.2, 4.7):
        parts.append(cylinder([0, y, 1.2], [0, y, 1.42], 0.42, 0.42, 16, SLOT["metal"]))
        parts.append(cylinder([0, y, 1.3], [0, y, 1.45], 0.32, 0.32, 16, SLOT["window"]))
    return concatenate(parts)
