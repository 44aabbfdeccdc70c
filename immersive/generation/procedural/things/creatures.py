"""Animals and figures that stand still, on y = 0, looking towards +Z."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder, rounded_box, sphere
from ..palette import SLOT
from ..shapes import blob, lathe, scaled, tube
from ..world import RGB

_DARK: RGB = (0.03, 0.025, 0.022)


def _animal(
    rng: Generator,
    stuff: int,
    colour: RGB,
    *,
    high: float,
    long: float,
    thick: float,
    neck: float,
    head: float,
    face: RGB | None = None,
    legs: RGB | None = None,
    raised: float = 0.6,
) -> list[Mesh]:
    """Return a body on four legs with neck and head.

    Args:
        rng: Source of its dents.
        stuff: Material.
        colour: Of the body.
        high: Of the back, metres.
        long: Of the body, metres.
        thick: Of the body, metres.
        neck: Length, metres.
        head: Length, metres.
        face: Colour of the head; None is the body's.
        legs: Colour of the legs; None is the body's.
        raised: How far up the neck points, 0 level to 1 upright.
    """
    middle = high - thick / 2
    parts = [blob(rng, [0, middle, 0], [thick / 2, thick / 2, long / 2], stuff, colour, 0.07)]
    for x in (-1, 1):
        for z in (-1, 1):
            hip = [x * 0.28 * thick, middle, z * 0.34 * long]
            foot = [x * 0.3 * thick, 0.0, z * 0.34 * long]
            parts.append(
                cylinder(
                    hip, foot, 0.13 * thick + 0.02, 0.05 * thick + 0.02, 8, SLOT["paint"], legs or colour
                )
            )
    start = np.array([0.0, middle + 0.15 * thick, 0.4 * long])
    end = start + neck * np.array([0.0, np.sin(raised * np.pi / 2), np.cos(raised * np.pi / 2)])
    parts.append(cylinder(start, end, 0.3 * thick, 0.17 * thick + 0.02, 9, stuff, colour))
    skull = end + np.array([0.0, -0.05 * head, 0.32 * head])
    parts.append(sphere(skull, [0.26 * head, 0.27 * head, 0.52 * head], 2, SLOT["paint"], face or colour))
    for x in (-1, 1):
        parts.append(
            sphere(
                skull + [x * 0.24 * head, 0.26 * head, -0.28 * head],
                [0.09 * head, 0.16 * head, 0.06 * head],
                1,
                SLOT["paint"],
                face or colour,
            )
        )
        parts.append(
            sphere(skull + [x * 0.2 * head, 0.08 * head, 0.18 * head], 0.05 * head, 1, SLOT["paint"], _DARK)
        )
    tail = np.array([0.0, middle + 0.25 * thick, -0.48 * long])
    parts.append(
        tube(
            [tail, tail + [0, -0.1 * high, -0.1 * long], tail + [0, -0.4 * high, -0.13 * long]],
            0.05 * thick + 0.012,
            6,
            SLOT["paint"],
            legs or colour,
        )
    )
    return parts


def sheep(rng: Generator, look: Look) -> Mesh:
    """Return a woolly sheep."""
    wool = look.colour((0.62, 0.58, 0.5))
    parts = _animal(
        rng,
        SLOT["paint"],
        wool,
        high=0.85,
        long=1.15,
        thick=0.62,
        neck=0.2,
        head=0.34,
        face=_DARK,
        legs=_DARK,
        raised=0.5,
    )
    for _ in range(16):
        heading = rng.normal(size=3)
        heading[1] = abs(heading[1]) * 0.8
        heading /= np.linalg.norm(heading)
        parts.append(
            sphere(
                np.array([0, 0.56, 0]) + heading * [0.24, 0.22, 0.46],
                float(rng.uniform(0.14, 0.19)),
                1,
                SLOT["paint"],
                scaled(wool, float(rng.uniform(0.88, 1.1))),
            )
        )
    return concatenate(parts)


def cow(rng: Generator, look: Look) -> Mesh:
    """Return a cow with patches."""
    colour = look.colour((0.55, 0.52, 0.47))
    parts = _animal(
        rng, SLOT["paint"], colour, high=1.4, long=2.0, thick=0.8, neck=0.5, head=0.55, raised=0.35
    )
    patch = look.colour((0.14, 0.07, 0.04))
    for _ in range(5):
        heading = rng.normal(size=3) * [1, 0.4, 1]
        heading /= np.linalg.norm(heading)
        parts.append(
            sphere(
                np.array([0, 1.0, 0]) + heading * [0.26, 0.26, 0.72],
                [0.17, 0.2, 0.3],
                2,
                SLOT["paint"],
                patch,
            )
        )
    return concatenate(parts)


def horse(rng: Generator, look: Look) -> Mesh:
    """Return a horse with a dark mane."""
    colour = look.colour((0.22, 0.1, 0.045))
    parts = _animal(
        rng,
        SLOT["paint"],
        colour,
        high=1.5,
        long=1.9,
        thick=0.62,
        neck=0.85,
        head=0.62,
        legs=scaled(colour, 0.6),
        raised=0.62,
    )
    mane = [[0, 1.42, 0.72], [0, 1.85, 0.98], [0, 2.18, 1.22]]
    parts.append(tube(mane, 0.09, 7, SLOT["paint"], scaled(colour, 0.35)))
    return concatenate(parts)


def deer(rng: Generator, look: Look) -> Mesh:
    """Return a deer with antlers."""
    colour = look.colour((0.26, 0.14, 0.07))
    parts = _animal(
        rng, SLOT["paint"], colour, high=1.15, long=1.35, thick=0.42, neck=0.55, head=0.38, raised=0.72
    )
    for sign in (-1, 1):
        root = np.array([sign * 0.07, 1.62, 0.78])
        beam = [root, root + [sign * 0.2, 0.28, -0.08], root + [sign * 0.22, 0.6, 0.06]]
        parts.append(tube(beam, 0.022, 5, SLOT["paint"], (0.3, 0.24, 0.16)))
        parts.append(
            tube([beam[1], beam[1] + [sign * 0.02, 0.16, 0.2]], 0.018, 5, SLOT["paint"], (0.3, 0.24, 0.16))
        )
    return concatenate(parts)


def camel(rng: Generator, look: Look) -> Mesh:
    """Return a camel with one hump."""
    colour = look.colour((0.42, 0.27, 0.14))
    parts = _animal(
        rng, SLOT["paint"], colour, high=1.75, long=1.9, thick=0.75, neck=1.05, head=0.5, raised=0.66
    )
    parts.append(blob(rng, [0, 1.8, -0.1], [0.3, 0.36, 0.5], SLOT["paint"], colour, 0.05))
    parts.append(box([0, 1.62, -0.1], [0.84, 0.42, 0.7], SLOT["canvas"], PAINTS["red"]))
    return concatenate(parts)


def cat(rng: Generator, look: Look) -> Mesh:
    """Return a sitting cat, 0.45 m high."""
    colour = look.colour((0.3, 0.15, 0.06))
    parts = [
        lathe([(0.1, 0.0), (0.15, 0.06), (0.13, 0.18), (0.08, 0.3)], 12, SLOT["paint"], colour).moved(
            np.diag([1, 1, 1.25]), [0, 0, 0]
        )
    ]
    parts.append(sphere([0, 0.36, 0.05], [0.095, 0.085, 0.095], 2, SLOT["paint"], colour))
    for sign in (-1, 1):
        parts.append(
            cylinder(
                [sign * 0.055, 0.41, 0.05], [sign * 0.07, 0.49, 0.05], 0.035, 0.004, 5, SLOT["paint"], colour
            )
        )
        parts.append(
            cylinder(
                [sign * 0.05, 0.16, 0.12],
                [sign * 0.05, 0.0, 0.15],
                0.035,
                0.03,
                6,
                SLOT["paint"],
                scaled(colour, 1.3),
            )
        )
        parts.append(sphere([sign * 0.035, 0.37, 0.135], 0.014, 1, SLOT["paint"], (0.1, 0.25, 0.05)))
    parts.append(
        tube(
            [[0, 0.03, -0.15], [0.12, 0.03, -0.2], [0.2, 0.04, -0.06], [0.18, 0.05, 0.08]],
            0.025,
            6,
            SLOT["paint"],
            scaled(colour, 0.8),
        )
    )
    return concatenate(parts)


def dog(rng: Generator, look: Look) -> Mesh:
    """Return a standing dog."""
    colour = look.colour((0.36, 0.22, 0.1))
    return concatenate(
        _animal(rng, SLOT["paint"], colour, high=0.62, long=0.78, thick=0.28, neck=0.2, head=0.3, raised=0.7)
    )


def elephant(rng: Generator, look: Look) -> Mesh:
    """Return an elephant."""
    colour = look.colour((0.2, 0.19, 0.185))
    parts = _animal(rng, SLOT["paint"], colour, high=2.6, long=2.9, thick=1.6, neck=0.5, head=1.1, raised=0.3)
    parts.append(
        tube([[0, 1.95, 2.35], [0, 1.4, 2.6], [0, 0.7, 2.6], [0, 0.35, 2.8]], 0.16, 9, SLOT["paint"], colour)
    )
    for sign in (-1, 1):
        parts.append(
            sphere([sign * 0.62, 2.1, 1.55], [0.5, 0.62, 0.1], 2, SLOT["paint"], scaled(colour, 0.9))
        )
        parts.append(
            tube(
                [[sign * 0.25, 1.75, 2.3], [sign * 0.3, 1.45, 2.7], [sign * 0.28, 1.5, 2.95]],
                0.06,
                7,
                SLOT["paint"],
                PAINTS["white"],
            )
        )
    return concatenate(parts)


def robot(rng: Generator, look: Look) -> Mesh:
    """Return a friendly robot, 1.6 m high."""
    colour = look.colour((0.5, 0.52, 0.55))
    accent = PAINTS["orange"]
    parts = [
        rounded_box([0, 0.92, 0], [0.62, 0.62, 0.44], 0.1, SLOT["paint"], colour),
        rounded_box([0, 1.46, 0], [0.48, 0.36, 0.4], 0.1, SLOT["paint"], colour),
        box([0, 1.47, 0.2], [0.36, 0.16, 0.03], SLOT["core"]),
        cylinder([0, 1.2, 0], [0, 1.32, 0], 0.1, 0.1, 10, SLOT["metal"]),
        cylinder([0.14, 1.62, 0], [0.14, 1.84, 0], 0.016, 0.016, 6, SLOT["metal"]),
        sphere([0.14, 1.87, 0], 0.05, 1, SLOT["neon_red"]),
        box([0, 0.98, 0.22], [0.34, 0.22, 0.04], SLOT["paint"], accent),
    ]
    for sign in (-1, 1):
        parts.append(
            cylinder(
                [sign * 0.09, 1.47, 0.2], [sign * 0.09, 1.47, 0.235], 0.055, 0.055, 12, SLOT["neon_blue"]
            )
        )
        parts.append(
            tube(
                [[sign * 0.34, 1.12, 0], [sign * 0.46, 0.88, 0.05], [sign * 0.44, 0.62, 0.22]],
                0.055,
                8,
                SLOT["metal"],
                (2, 2, 2),
            )
        )
        parts.append(sphere([sign * 0.44, 0.58, 0.24], 0.085, 1, SLOT["paint"], accent))
        parts.append(
            cylinder([sign * 0.17, 0.64, 0], [sign * 0.17, 0.14, 0], 0.07, 0.07, 9, SLOT["metal"], (2, 2, 2))
        )
        parts.append(rounded_box([sign * 0.17, 0.08, 0.05], [0.22, 0.16, 0.36], 0.05, SLOT["paint"], accent))
    return concatenate(parts)


def scarecrow(rng: Generator, look: Look) -> Mesh:
    """Return a scarecrow on a cross of poles, in a checked coat and a straw hat."""
    coat = look.colour(PAINTS["red"])
    straw = (0.55, 0.4, 0.13)
    parts = [
        cylinder([0, -0.3, 0], [0, 1.9, 0], 0.045, 0.04, 7, SLOT["trim"], (0.6, 0.5, 0.4)),
        cylinder([-0.85, 1.45, 0], [0.85, 1.45, 0], 0.035, 0.035, 7, SLOT["trim"], (0.6, 0.5, 0.4)),
        lathe([(0.3, 0.7), (0.26, 1.0), (0.24, 1.4), (0.1, 1.56)], 12, SLOT["canvas"], coat).moved(
            np.diag([1.1, 1, 0.7]), [0, 0, 0]
        ),
        sphere([0, 1.74, 0.02], [0.17, 0.19, 0.17], 2, SLOT["canvas"], (0.6, 0.47, 0.28)),
        lathe([(0.36, 1.86), (0.35, 1.9), (0.18, 1.92), (0.15, 2.1), (0.0, 2.14)], 14, SLOT["canvas"], straw),
    ]
    for sign in (-1, 1):
        parts.append(
            cylinder([sign * 0.18, 1.45, 0], [sign * 0.7, 1.42, 0], 0.13, 0.1, 9, SLOT["canvas"], coat)
        )
        parts.append(sphere([sign * 0.84, 1.42, 0], [0.14, 0.09, 0.09], 1, SLOT["canvas"], straw))
        parts.append(
            cylinder(
                [sign * 0.12, 0.75, 0], [sign * 0.15, 0.25, 0], 0.12, 0.1, 8, SLOT["canvas"], PAINTS["blue"]
            )
        )
        parts.append(sphere([sign * 0.06, 1.78, 0.17], 0.028, 1, SLOT["paint"], _DARK))
    return concatenate(parts)


def snowman(rng: Generator, look: Look) -> Mesh:
    """Return a snowman with hat, carrot and scarf."""
    white = (0.75, 0.78, 0.82)
    parts = [
        sphere([0, y, 0], r, 3, SLOT["paint"], white) for y, r in ((0.42, 0.5), (1.08, 0.36), (1.58, 0.25))
    ]
    parts.append(cylinder([0, 1.56, 0.22], [0, 1.54, 0.5], 0.05, 0.008, 8, SLOT["paint"], PAINTS["orange"]))
    parts.append(
        lathe([(0.34, 1.74), (0.34, 1.78), (0.2, 1.78), (0.2, 2.08), (0.0, 2.08)], 16, SLOT["paint"], _DARK)
    )
    parts.append(
        lathe([(0.27, 1.32), (0.31, 1.38), (0.27, 1.44)], 14, SLOT["canvas"], look.colour(PAINTS["red"]))
    )
    parts.append(box([0.16, 1.16, 0.3], [0.12, 0.42, 0.05], SLOT["canvas"], look.colour(PAINTS["red"])))
    for sign in (-1, 1):
        parts.append(sphere([sign * 0.09, 1.65, 0.22], 0.03, 1, SLOT["paint"], _DARK))
        parts.append(
            tube(
                [[sign * 0.3, 1.15, 0], [sign * 0.75, 1.4, 0.05], [sign * 0.9, 1.62, 0.05]],
                0.025,
                5,
                SLOT["bark"],
            )
        )
    for y in (0.98, 1.14):
        parts.append(sphere([0, y, 0.35], 0.035, 1, SLOT["paint"], _DARK))
    return concatenate(parts)
