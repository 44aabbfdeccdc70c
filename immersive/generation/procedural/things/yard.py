"""Things of yards, fields, streets and play: their foot at the origin, the front towards +Z."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder, flat_mesh, rounded_box, sphere
from ..palette import SLOT
from ..shapes import lathe, plate, ring_of, scaled, slab_between, tube
from ..world import RGB

_WOOD: RGB = (0.62, 0.5, 0.38)


def crate(rng: Generator, look: Look) -> Mesh:
    """Return a wooden crate with corner boards, sometimes with a second one on it."""
    parts = [_crate(0.8)]
    if rng.random() < 0.4:
        parts.append(_crate(0.55).placed([0.05, 0.8, -0.04], float(rng.uniform(10, 40))))
    return concatenate(parts)


def _crate(size: float) -> Mesh:
    half = size / 2
    parts = [box([0, half, 0], [0.94 * size, 0.94 * size, 0.94 * size], SLOT["plank_wood"])]
    for sx in (-1, 1):
        for sz in (-1, 1):
            parts.append(box([sx * half, half, sz * half], [0.09, size, 0.09], SLOT["trim"], _WOOD))
        for y in (0.05, size - 0.05):
            parts.append(box([sx * half, y, 0], [0.08, 0.09, size], SLOT["trim"], _WOOD))
            parts.append(box([0, y, sx * half], [size, 0.09, 0.08], SLOT["trim"], _WOOD))
    return concatenate(parts)


def barrel(rng: Generator, look: Look) -> Mesh:
    """Return a barrel with iron hoops."""
    wood = scaled((0.3, 0.17, 0.085), float(rng.uniform(0.8, 1.2)))
    parts = [
        lathe(
            [(0.0, 0.0), (0.28, 0.0), (0.35, 0.25), (0.37, 0.46), (0.35, 0.67), (0.28, 0.92), (0.0, 0.92)],
            18,
            SLOT["paint"],
            wood,
        )
    ]
    for y, r in ((0.1, 0.315), (0.3, 0.365), (0.62, 0.365), (0.82, 0.315)):
        parts.append(cylinder([0, y - 0.03, 0], [0, y + 0.03, 0], r, r, 18, SLOT["metal"]))
    return concatenate(parts)


def beehive(rng: Generator, look: Look) -> Mesh:
    """Return a box hive on legs under a flat roof."""
    colour = look.colour(PAINTS[("white", "yellow", "teal", "blue")[int(rng.integers(4))]])
    parts = [
        box([sx * 0.2, 0.15, sz * 0.2], [0.07, 0.5, 0.07], SLOT["trim"], _WOOD)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    for row in range(3):
        parts.append(
            box([0, 0.52 + 0.29 * row, 0], [0.56, 0.27, 0.56], SLOT["paint"], scaled(colour, 1.0 - 0.1 * row))
        )
        parts.append(box([0, 0.54 + 0.29 * row, 0.29], [0.2, 0.05, 0.03], SLOT["paint"], scaled(colour, 0.5)))
    parts.append(box([0, 1.28, 0], [0.7, 0.1, 0.7], SLOT["metal"], (3.5, 3.5, 3.6)))
    parts.append(box([0, 0.4, 0.34], [0.4, 0.04, 0.16], SLOT["trim"]))
    return concatenate(parts)


def pumpkin(rng: Generator, look: Look) -> Mesh:
    """Return a ribbed pumpkin."""
    size = float(rng.uniform(0.22, 0.36))
    tint = scaled(look.colour(PAINTS["orange"]), float(rng.uniform(0.8, 1.1)))
    ribs = 9
    parts = []
    for index in range(ribs):
        angle = 2 * np.pi * index / ribs
        out = np.array([np.cos(angle), 0, np.sin(angle)]) * 0.48 * size
        parts.append(
            sphere(out + [0, 0.72 * size, 0], [0.56 * size, 0.74 * size, 0.56 * size], 2, SLOT["paint"], tint)
        )
    parts.append(cylinder([0, 1.3 * size, 0], [0.05, 1.75 * size, 0], 0.06, 0.04, 6, SLOT["stem"]))
    return concatenate(parts)


def haystack(rng: Generator, look: Look) -> Mesh:
    """Return a round heap of hay."""
    profile = [(1.25, -0.1), (1.4, 0.4), (1.3, 0.9), (0.95, 1.5), (0.5, 1.95), (0.0, 2.15)]
    return lathe(profile, 18, SLOT["straw"])


def hay_bale(rng: Generator, look: Look) -> Mesh:
    """Return a rolled bale lying on its side."""
    return concatenate(
        [
            cylinder([-0.6, 0.62, 0], [0.6, 0.62, 0], 0.65, 0.65, 20, SLOT["straw"]),
            cylinder([-0.62, 0.62, 0], [0.62, 0.62, 0], 0.4, 0.4, 14, SLOT["straw"], (0.8, 0.8, 0.8)),
        ]
    )


def mailbox(rng: Generator, look: Look) -> Mesh:
    """Return a mailbox on a post."""
    colour = look.colour(PAINTS["red"])
    parts = [cylinder([0, -0.3, 0], [0, 1.05, 0], 0.05, 0.05, 7, SLOT["trim"], _WOOD)]
    parts.append(
        plate(
            [[0.2 * np.cos(a), 1.16 + (0.16 * np.sin(a) if a > 0 else 0)] for a in np.linspace(0, np.pi, 9)]
            + [[-0.2, 1.02], [0.2, 1.02]],
            0.55,
            SLOT["paint"],
            colour,
        )
    )
    parts.append(box([0.23, 1.24, 0.0], [0.03, 0.2, 0.1], SLOT["paint"], PAINTS["yellow"]))
    return concatenate(parts)


def flower_pot(rng: Generator, look: Look) -> Mesh:
    """Return a clay pot with a round plant in bloom."""
    clay = (0.4, 0.16, 0.08)
    parts = [
        lathe(
            [(0.0, 0.0), (0.2, 0.0), (0.28, 0.36), (0.31, 0.36), (0.31, 0.44), (0.0, 0.42)],
            14,
            SLOT["paint"],
            clay,
        )
    ]
    parts.append(sphere([0, 0.68, 0], [0.36, 0.32, 0.36], 2, SLOT["bush"]))
    bloom = look.colour(PAINTS[("red", "pink", "yellow", "white")[int(rng.integers(4))]])
    for _ in range(16):
        heading = rng.normal(size=3)
        heading[1] = abs(heading[1])
        heading /= np.linalg.norm(heading)
        parts.append(
            sphere(np.array([0, 0.68, 0]) + heading * [0.36, 0.32, 0.36], 0.065, 1, SLOT["petal"], bloom)
        )
    return concatenate(parts)


def picnic_table(rng: Generator, look: Look) -> Mesh:
    """Return a wooden table with its two benches."""
    wood = SLOT["plank_wood"]
    parts = [box([0, 0.74, 0], [1.8, 0.07, 0.78], wood)]
    for sign in (-1, 1):
        parts.append(box([0, 0.44, sign * 0.75], [1.8, 0.06, 0.28], wood))
        parts.append(box([sign * 0.6, 0.4, 0], [0.09, 0.08, 1.65], SLOT["trim"], _WOOD))
        for lean in (-1, 1):
            parts.append(
                cylinder(
                    [sign * 0.6, 0.0, lean * 0.7],
                    [sign * 0.6, 0.72, lean * 0.25],
                    0.045,
                    0.045,
                    6,
                    SLOT["trim"],
                    _WOOD,
                )
            )
    return concatenate(parts)


def garden_chair(rng: Generator, look: Look) -> Mesh:
    """Return a chair that stands outdoors."""
    colour = look.colour(PAINTS["white"])
    parts = [box([0, 0.44, 0], [0.5, 0.05, 0.5], SLOT["paint"], colour)]
    parts += [
        box([sx * 0.21, 0.22, sz * 0.21], [0.05, 0.45, 0.05], SLOT["paint"], colour)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    for x in (-0.18, -0.06, 0.06, 0.18):
        parts.append(box([x, 0.72, -0.24], [0.07, 0.55, 0.04], SLOT["paint"], colour))
    parts.append(box([0, 1.0, -0.24], [0.52, 0.09, 0.05], SLOT["paint"], colour))
    return concatenate(parts)


def parasol(rng: Generator, look: Look) -> Mesh:
    """Return a striped parasol on a pole."""
    colour = look.colour(PAINTS[("red", "blue", "yellow", "orange")[int(rng.integers(4))]])
    parts = [
        cylinder([0, -0.3, 0], [0, 2.3, 0], 0.035, 0.03, 8, SLOT["paint"], PAINTS["white"]),
        cylinder([0, 0, 0], [0, 0.1, 0], 0.3, 0.26, 12, SLOT["paint"], PAINTS["grey"]),
    ]
    for index in range(8):
        first, second = np.radians(45.0 * index), np.radians(45.0 * (index + 1))
        rim = [[1.35 * np.cos(a), 1.85, 1.35 * np.sin(a)] for a in (first, second)]
        tint = colour if index % 2 == 0 else PAINTS["white"]
        from_top = concatenate(
            [
                _triangle([rim[0], [0, 2.38, 0], rim[1]], tint),
                _triangle([rim[0], rim[1], [0, 2.34, 0]], scaled(tint, 0.7)),
            ]
        )
        parts.append(from_top)
    return concatenate(parts)


def _triangle(corners: list, tint: RGB) -> Mesh:
    return flat_mesh(np.array(corners, np.float64), np.array([[0, 1, 2]]), SLOT["canvas"], tint)


def swing(rng: Generator, look: Look) -> Mesh:
    """Return a swing for one between two trestles."""
    colour = look.colour(PAINTS["red"])
    parts = [cylinder([-1.2, 2.3, 0], [1.2, 2.3, 0], 0.055, 0.055, 8, SLOT["paint"], colour)]
    for sx in (-1, 1):
        for sz in (-1, 1):
            parts.append(
                cylinder(
                    [sx * 1.2, 2.3, 0], [sx * 1.35, -0.1, sz * 0.8], 0.05, 0.05, 7, SLOT["paint"], colour
                )
            )
        parts.append(cylinder([sx * 0.26, 2.28, 0], [sx * 0.26, 0.5, 0.1], 0.018, 0.018, 5, SLOT["metal"]))
    parts.append(box([0, 0.48, 0.1], [0.62, 0.05, 0.26], SLOT["plank_wood"]))
    return concatenate(parts)


def slide(rng: Generator, look: Look) -> Mesh:
    """Return a playground slide with its ladder."""
    colour = look.colour(PAINTS["yellow"])
    parts = [
        slab_between([0, 0.3, 1.6], [0, 1.6, -0.4], 0.6, 0.06, SLOT["paint"], colour),
        box([0, 1.6, -0.75], [0.7, 0.06, 0.7], SLOT["paint"], colour),
        slab_between([0, 0.26, 2.1], [0, 0.3, 1.55], 0.6, 0.06, SLOT["paint"], colour),
    ]
    for sx in (-1, 1):
        parts.append(
            slab_between([0, 0.42, 1.6], [0, 1.74, -0.4], 0.06, 0.24, SLOT["paint"], PAINTS["red"]).placed(
                [sx * 0.32, 0, 0]
            )
        )
        parts.append(cylinder([sx * 0.32, 0, -1.4], [sx * 0.32, 2.3, -0.9], 0.035, 0.035, 6, SLOT["metal"]))
        parts.append(cylinder([sx * 0.32, 0, -0.4], [sx * 0.32, 2.2, -0.45], 0.035, 0.035, 6, SLOT["metal"]))
    for step in range(5):
        y = 0.25 + 0.28 * step
        parts.append(box([0, y, -1.37 + 0.1 * step], [0.66, 0.05, 0.14], SLOT["metal"], (2, 2, 2)))
    return concatenate(parts)


def neon_sign(rng: Generator, look: Look) -> Mesh:
    """Return a tall board with glowing tubes on two posts."""
    name = "neon_blue" if look.has("blue", "teal", "green") else "neon_red"
    other = "neon_red" if name == "neon_blue" else "neon_blue"
    parts = [cylinder([x, -0.3, 0], [x, 3.0, 0], 0.06, 0.06, 8, SLOT["metal"]) for x in (-0.9, 0.9)]
    parts.append(box([0, 2.5, 0], [2.3, 1.2, 0.16], SLOT["paint"], (0.03, 0.03, 0.045)))
    frame = [[-1.02, 2.0, 0.11], [1.02, 2.0, 0.11], [1.02, 3.0, 0.11], [-1.02, 3.0, 0.11], [-1.02, 2.0, 0.11]]
    parts.append(tube(frame, 0.04, 6, SLOT[other]))
    for x, points in ((-0.62, _N), (-0.12, _E), (0.42, _O)):
        parts.append(
            tube([[x + 0.32 * px, 2.26 + 0.48 * py, 0.13] for px, py in points], 0.038, 6, SLOT[name])
        )
    return concatenate(parts)


_N = ((0, 0), (0, 1), (1, 0), (1, 1))
_E = ((1, 0), (0, 0), (0, 0.5), (0.8, 0.5), (0, 0.5), (0, 1), (1, 1))
_O = ((0.5, 0), (0.05, 0.3), (0.05, 0.7), (0.5, 1), (0.95, 0.7), (0.95, 0.3), (0.5, 0))


def street_lamp(rng: Generator, look: Look) -> Mesh:
    """Return a cast-iron street lamp; its light is at (0, 3.35, 0)."""
    profile = [(0.2, -0.1), (0.2, 0.1), (0.12, 0.25), (0.09, 0.9), (0.05, 1.1), (0.045, 2.95), (0.1, 3.05)]
    parts = [lathe(profile, 10, SLOT["metal"])]
    parts.append(cylinder([0, 3.08, 0], [0, 3.55, 0], 0.14, 0.22, 6, SLOT["window"]))
    parts.append(cylinder([0, 3.55, 0], [0, 3.75, 0], 0.28, 0.03, 6, SLOT["metal"]))
    parts += ring_of(
        6, 0.0, lambda _: cylinder([0, 3.08, 0.15], [0, 3.56, 0.23], 0.018, 0.018, 4, SLOT["metal"])
    )
    return concatenate(parts)


def telephone_box(rng: Generator, look: Look) -> Mesh:
    """Return a red telephone box."""
    colour = look.colour(PAINTS["red"])
    parts = [
        box([0, 0.1, 0], [0.95, 0.25, 0.95], SLOT["paint"], colour),
        rounded_box([0, 2.38, 0], [1.0, 0.4, 1.0], 0.1, SLOT["paint"], colour),
        box([0, 1.2, 0], [0.8, 2.1, 0.8], SLOT["pane"]),
    ]
    parts += [
        box([sx * 0.42, 1.2, sz * 0.42], [0.1, 2.2, 0.1], SLOT["paint"], colour)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    for yaw in (0, 90, 180, 270):
        bars = [box([0, y, 0.42], [0.8, 0.05, 0.05], SLOT["paint"], colour) for y in (0.6, 1.0, 1.4, 1.8)]
        bars += [box([x, 1.2, 0.42], [0.05, 2.1, 0.05], SLOT["paint"], colour) for x in (-0.18, 0.18)]
        bars.append(box([0, 2.3, 0.51], [0.7, 0.18, 0.03], SLOT["paint"], PAINTS["white"]))
        parts.append(concatenate(bars).placed([0, 0, 0], yaw))
    return concatenate(parts)


def firewood(rng: Generator, look: Look) -> Mesh:
    """Return a stack of split logs."""
    parts = []
    for row in range(5):
        for index in range(9 - row % 2):
            x, y = -1.0 + 0.25 * index + (0.125 if row % 2 else 0), 0.13 + 0.21 * row
            tint = scaled((1.0, 1.0, 1.0), float(rng.uniform(0.8, 1.3)))
            parts.append(cylinder([x, y, -0.4], [x, y, 0.4], 0.125, 0.125, 7, SLOT["log_wood"], tint))
    return concatenate(parts)


def trough(rng: Generator, look: Look) -> Mesh:
    """Return a wooden trough full of water."""
    parts = [box([0, 0.52, 0], [1.56, 0.05, 0.46], SLOT["basin_water"])]
    for sign in (-1, 1):
        parts.append(box([0, 0.4, sign * 0.27], [1.7, 0.4, 0.07], SLOT["plank_wood"]))
        parts.append(box([sign * 0.82, 0.4, 0], [0.07, 0.4, 0.54], SLOT["plank_wood"]))
        parts.append(box([sign * 0.6, 0.14, 0], [0.1, 0.4, 0.62], SLOT["trim"], _WOOD))
    parts.append(box([0, 0.24, 0], [1.6, 0.06, 0.5], SLOT["plank_wood"]))
    return concatenate(parts)


def bucket(rng: Generator, look: Look) -> Mesh:
    """Return a bucket with its handle up."""
    colour = look.colour((0.4, 0.41, 0.42))
    profile = [(0.0, 0.02), (0.13, 0.0), (0.18, 0.32), (0.19, 0.34), (0.165, 0.34), (0.16, 0.26), (0.0, 0.26)]
    bow = [[0.18 * np.cos(a), 0.33 + 0.2 * np.sin(a), 0] for a in np.linspace(0, np.pi, 9)]
    return concatenate([lathe(profile, 16, SLOT["paint"], colour), tube(bow, 0.014, 5, SLOT["metal"])])


def sandcastle(rng: Generator, look: Look) -> Mesh:
    """Return a castle of sand with four towers and a flag."""
    sand = (0.5, 0.38, 0.22)
    parts = [lathe([(0.78, -0.05), (0.66, 0.1), (0.55, 0.14), (0.0, 0.16)], 18, SLOT["paint"], sand)]
    for sx, sz, tall in ((-1, -1, 0.42), (1, -1, 0.5), (-1, 1, 0.46), (1, 1, 0.4), (0, 0, 0.72)):
        x, z, radius = 0.34 * sx, 0.34 * sz, 0.13 if sx else 0.18
        parts.append(cylinder([x, 0.1, z], [x, tall, z], radius * 1.15, radius, 12, SLOT["paint"], sand))
        parts += [
            part.placed([x, tall - 0.01, z])
            for part in ring_of(
                6, radius * 0.8, lambda _: box([0, 0.03, 0], [0.06, 0.08, 0.05], SLOT["paint"], sand)
            )
        ]
    parts += [box([0, 0.22, s * 0.34], [0.66, 0.22, 0.1], SLOT["paint"], sand) for s in (-1, 1)]
    parts += [box([s * 0.34, 0.22, 0], [0.1, 0.22, 0.66], SLOT["paint"], sand) for s in (-1, 1)]
    parts.append(cylinder([0, 0.7, 0], [0, 1.05, 0], 0.012, 0.012, 5, SLOT["trim"]))
    parts.append(plate([[0, 0.9], [0.22, 0.97], [0, 1.04]], 0.02, SLOT["canvas"], PAINTS["red"]))
    return concatenate(parts)
