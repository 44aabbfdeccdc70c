"""Houses, shops, kiosks and stalls: the middle of the floor at the origin, the front towards +Z."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..cabin import window
from ..look import PAINTS, Look
from ..mesh import Mesh, box, concatenate, cylinder, quad
from ..palette import SLOT
from ..shapes import gable_roof, plate, scaled, slab_between
from ..world import RGB

_PLASTERS: tuple[RGB, ...] = (
    (1.0, 0.98, 0.92), (1.15, 0.95, 0.68), (1.1, 0.78, 0.62), (0.8, 0.92, 1.0), (1.2, 1.12, 0.98),
)  # fmt: skip
_ROOFS: tuple[RGB, ...] = ((1.9, 0.85, 0.6), (1.5, 0.9, 0.75), (1.0, 1.0, 1.05))
_SHUTTERS = ("green", "blue", "brown", "red", "teal")
_STOREY_M = 2.6


def _walls(look: Look, rng: Generator) -> tuple[int, RGB]:
    """Return the material and tint of a house's walls."""
    if look.has("stone"):
        return SLOT["stones"], scaled((1.25, 1.2, 1.12), rng.uniform(0.9, 1.1))
    if look.has("brick"):
        return SLOT["brick"], (1.0, 1.0, 1.0)
    if look.has("wooden", "log"):
        return SLOT["plank_wood"], scaled((1.0, 1.0, 1.0), rng.uniform(0.85, 1.1))
    usual = _PLASTERS[int(rng.integers(len(_PLASTERS)))]
    said = look.colour((0.0, 0.0, 0.0))
    if max(said) > 0:  # paint over plaster, whose own colour the tint multiplies
        return SLOT["plaster"], (said[0] / 0.5, said[1] / 0.47, said[2] / 0.41)
    return SLOT["plaster"], usual


def _door(x: float, z: float, colour: RGB) -> list[Mesh]:
    return [
        box([x, 1.05, z + 0.02], [0.95, 2.1, 0.09], SLOT["paint"], colour),
        box([x, 2.16, z + 0.03], [1.25, 0.13, 0.14], SLOT["trim"]),
        *(box([x + s * 0.53, 1.05, z + 0.03], [0.12, 2.1, 0.13], SLOT["trim"]) for s in (-1, 1)),
        box([x + 0.34, 1.0, z + 0.08], [0.05, 0.12, 0.05], SLOT["metal"]),
        box([x, 0.06, z + 0.3], [1.4, 0.16, 0.6], SLOT["stones"]),
    ]


def _windows(
    half_width: float, half_depth: float, storeys: int, shutters: RGB | None, skip: float
) -> list[Mesh]:
    """Return the windows of four sides; none stands within 1 m of x = `skip` on the ground floor's front."""
    parts = []
    for sides, (across, out, yaw) in enumerate(
        (
            (half_width, half_depth, 0.0),
            (half_width, half_depth, 180.0),
            (half_depth, half_width, 90.0),
            (half_depth, half_width, -90.0),
        )
    ):
        count = max(1, int(2 * across / 2.1))
        for storey in range(storeys):
            for index in range(count):
                x = (index - (count - 1) / 2) * (2 * across / count)
                if sides == 0 and storey == 0 and abs(x - skip) < 1.05:
                    continue
                made = [window()]
                if shutters is not None:
                    made += [
                        box([s * 0.94, 1.45, 0.05], [0.5, 1.1, 0.05], SLOT["paint"], shutters)
                        for s in (-1, 1)
                    ]
                turn = np.radians(yaw)
                spot = [
                    x * np.cos(turn) + out * np.sin(turn),
                    storey * _STOREY_M,
                    out * np.cos(turn) - x * np.sin(turn),
                ]
                parts.append(concatenate(made).placed(spot, yaw))
    return parts


def house(rng: Generator, look: Look, half_width: float, half_depth: float, storeys: int = 1) -> Mesh:
    """Return a house of one or two storeys with a gable roof, door, windows and a chimney."""
    wall, tint = _walls(look, rng)
    top = storeys * _STOREY_M + 0.35
    rise = 0.9 * half_depth
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))]
    shutters = None if rng.random() < 0.3 else PAINTS[_SHUTTERS[int(rng.integers(len(_SHUTTERS)))]]
    door_x = float(rng.choice([-0.9, 0.0, 0.9]))
    parts = [
        box([0, -0.3, 0], [2 * half_width + 0.24, 1.1, 2 * half_depth + 0.24], SLOT["stones"]),
        box([0, top / 2, 0], [2 * half_width, top, 2 * half_depth], wall, tint),
        gable_roof(half_width, half_depth, top, rise, SLOT["roof"], wall, roof, tint),
        *_door(door_x, half_depth, PAINTS[_SHUTTERS[int(rng.integers(len(_SHUTTERS)))]]),
        *_windows(half_width, half_depth, storeys, shutters, door_x),
    ]
    if wall == SLOT["plaster"] and rng.random() < 0.8:
        parts += _timbers(half_width, half_depth, top)
    x = half_width * float(rng.choice([-0.6, 0.6]))
    parts.append(box([x, top + rise + 0.1, -0.3], [0.6, 1.7, 0.6], SLOT["brick"]))
    parts.append(box([x, top + rise + 0.95, -0.3], [0.74, 0.12, 0.74], SLOT["stones"]))
    return concatenate(parts)


def _timbers(half_width: float, half_depth: float, top: float) -> list[Mesh]:
    parts = []
    wood = scaled((0.4, 0.32, 0.25), 1.0)
    for sign in (-1, 1):
        for y in (top - 0.1, 0.42):
            parts.append(
                box([0, y, sign * half_depth], [2 * half_width + 0.1, 0.17, 0.1], SLOT["trim"], wood)
            )
            parts.append(
                box([sign * half_width, y, 0], [0.1, 0.17, 2 * half_depth + 0.1], SLOT["trim"], wood)
            )
        for x in np.linspace(-half_width + 0.05, half_width - 0.05, 4):
            parts.append(
                box([x, top / 2 + 0.2, sign * half_depth], [0.16, top - 0.4, 0.1], SLOT["trim"], wood)
            )
    return parts


def shop(rng: Generator, look: Look, half_width: float, half_depth: float, storeys: int = 2) -> Mesh:
    """Return a house whose ground floor is a shop: wide windows, an awning and a board over the door."""
    wall, tint = _walls(look, rng)
    top = storeys * _STOREY_M + 0.35
    rise = 0.8 * half_depth
    awning = look.colour(PAINTS[("red", "green", "blue")[int(rng.integers(3))]])
    z = half_depth
    parts = [
        box([0, -0.3, 0], [2 * half_width + 0.24, 1.1, 2 * half_depth + 0.24], SLOT["stones"]),
        box([0, top / 2, 0], [2 * half_width, top, 2 * half_depth], wall, tint),
        gable_roof(half_width, half_depth, top, rise, SLOT["roof"], wall, _ROOFS[0], tint),
        *_door(0.0, z, scaled(awning, 0.6)),
        box([0, 3.05, z + 0.09], [2 * half_width - 0.5, 0.5, 0.1], SLOT["paint"], scaled(awning, 0.45)),
        *_letters(rng, 3.05, z + 0.15, half_width - 0.8),
    ]
    for sign in (-1, 1):
        x, width = sign * (half_width / 2 + 0.4), half_width - 1.2
        parts.append(
            quad(
                [
                    [x - width / 2, 0.75, z + 0.02],
                    [x + width / 2, 0.75, z + 0.02],
                    [x + width / 2, 2.1, z + 0.02],
                    [x - width / 2, 2.1, z + 0.02],
                ],
                SLOT["window"],
            )
        )
        parts.append(box([x, 0.66, z + 0.06], [width + 0.2, 0.12, 0.16], SLOT["trim"]))
        parts.append(box([x, 2.18, z + 0.06], [width + 0.2, 0.12, 0.12], SLOT["trim"]))
        for side in (-1, 0, 1):
            parts.append(box([x + side * width / 2, 1.42, z + 0.04], [0.08, 1.4, 0.08], SLOT["trim"]))
    parts += _awning(half_width, 2.55, z, 1.0, awning)
    upper = [w for w in _windows(half_width, half_depth, storeys, None, 0.0) if w.vertices[:, 1].min() > 2.2]
    return concatenate([*parts, *upper])


def _awning(half_width: float, top: float, z: float, reach: float, colour: RGB) -> list[Mesh]:
    stripes = max(4, round(2 * half_width / 0.42))
    width = 2 * half_width / stripes
    parts = []
    for index in range(stripes):
        x = -half_width + (index + 0.5) * width
        tint = colour if index % 2 == 0 else PAINTS["white"]
        board = slab_between([0, top - 0.42, reach], [0, top, 0], width, 0.05, SLOT["canvas"], tint)
        parts.append(board.moved(np.eye(3), [x, 0, z]))
        parts.append(box([x, top - 0.52, z + reach], [width, 0.2, 0.04], SLOT["canvas"], tint))
    return parts


def _letters(rng: Generator, y: float, z: float, half_width: float) -> list[Mesh]:
    """Return bright blocks like letters on a board: large enough for splats, and saying nothing."""
    parts, x = [], -half_width
    while x < half_width - 0.2:
        width = float(rng.uniform(0.14, 0.26))
        parts.append(box([x + width / 2, y, z], [width, 0.26, 0.03], SLOT["paint"], (0.75, 0.68, 0.45)))
        x += width + 0.09
    return parts


def city_block(rng: Generator, look: Look, half_width: float, half_depth: float, storeys: int = 5) -> Mesh:
    """Return a town house of several storeys with a cornice; by night some of its windows shine."""
    height = 3.2 * storeys + 0.8
    wall = ("plaster", "brick", "pale_stone")[int(rng.integers(3))]
    tint: RGB = (
        (1.0, 1.0, 1.0) if wall == "brick" else scaled(_PLASTERS[int(rng.integers(len(_PLASTERS)))], 0.85)
    )
    parts = [box([0, height / 2 - 0.5, 0], [2 * half_width, height + 1.0, 2 * half_depth], SLOT[wall], tint)]
    parts.append(
        box([0, height + 0.1, 0], [2 * half_width + 0.6, 0.4, 2 * half_depth + 0.6], SLOT["pale_stone"])
    )
    parts.append(box([0, 3.6, 0], [2 * half_width + 0.25, 0.25, 2 * half_depth + 0.25], SLOT["pale_stone"]))
    count = max(2, int(2 * half_width / 2.2))
    step = 2 * half_width / count
    for storey in range(storeys):
        for index in range(count):
            x, y = (index - (count - 1) / 2) * step, 1.75 + 3.2 * storey + (0.55 if storey else 0)
            shines = look.is_lit and rng.random() < (0.75 if storey == 0 else 0.42)
            pane = SLOT["window" if shines or not look.is_lit else "dark_glass"]
            wide, tall = (1.5, 2.2) if storey == 0 else (1.05, 1.75)
            z = half_depth + 0.02
            parts.append(
                quad(
                    [
                        [x - wide / 2, y - tall / 2, z],
                        [x + wide / 2, y - tall / 2, z],
                        [x + wide / 2, y + tall / 2, z],
                        [x - wide / 2, y + tall / 2, z],
                    ],
                    pane,
                )
            )
            parts.append(box([x, y - tall / 2 - 0.08, z + 0.06], [wide + 0.3, 0.16, 0.2], SLOT["pale_stone"]))
            parts.append(
                box([x, y + tall / 2 + 0.07, z + 0.04], [wide + 0.3, 0.14, 0.14], SLOT["pale_stone"])
            )
            parts.append(box([x, y, z], [0.08, tall, 0.06], SLOT["trim"], (0.4, 0.4, 0.4)))
    return concatenate(parts)


def kiosk(rng: Generator, look: Look) -> Mesh:
    """Return a newspaper kiosk: a small green house with an open counter and rows of papers."""
    colour = look.colour(PAINTS["green"])
    parts = [
        box([0, 0.55, 0], [2.2, 1.1, 1.6], SLOT["paint"], colour),
        box([0, 1.12, 0.5], [2.4, 0.08, 1.0], SLOT["trim"]),
        box([0, 1.7, -0.72], [2.2, 1.2, 0.14], SLOT["paint"], scaled(colour, 0.8)),
        box([0, 2.45, 0], [2.7, 0.3, 2.1], SLOT["paint"], scaled(colour, 0.75)),
        box([0, 2.75, 0], [1.9, 0.35, 1.3], SLOT["paint"], scaled(colour, 0.6)),
        box([0, 2.45, 1.06], [2.3, 0.22, 0.04], SLOT["window"]),
        box([0, 1.7, -0.62], [1.9, 0.9, 0.04], SLOT["window"]),
    ]
    for x in (-1.03, 1.03):
        parts.append(box([x, 1.7, 0], [0.14, 1.3, 1.6], SLOT["paint"], colour))
    names = ("red", "yellow", "white", "blue", "cream", "teal")
    for index in range(10):
        x, row = -0.88 + 0.44 * (index % 5), index // 5
        parts.append(
            box(
                [x, 0.35 + 0.42 * row, 0.83],
                [0.34, 0.34, 0.05],
                SLOT["paint"],
                PAINTS[names[int(rng.integers(6))]],
            )
        )
    return concatenate(parts)


def market_stall(rng: Generator, look: Look) -> Mesh:
    """Return a stall under a striped canopy with boxes of fruit."""
    colour = look.colour(PAINTS[("red", "green", "blue", "orange")[int(rng.integers(4))]])
    parts = [
        box([0, 0.8, 0.1], [2.3, 0.1, 1.1], SLOT["plank_wood"]),
        box([0, 0.4, 0.55], [2.2, 0.75, 0.08], SLOT["plank_wood"]),
    ]
    for x in (-1.1, 1.1):
        for z, tall in ((-0.75, 2.45), (0.75, 2.05)):
            parts.append(cylinder([x, -0.1, z], [x, tall, z], 0.05, 0.05, 7, SLOT["trim"], (0.6, 0.5, 0.4)))
    for index in range(6):
        x = -1.05 + 0.42 * index
        tint = colour if index % 2 == 0 else PAINTS["white"]
        parts.append(slab_between([x, 2.0, 0.95], [x, 2.5, -0.85], 0.42, 0.05, SLOT["canvas"], tint))
        parts.append(box([x, 1.88, 0.95], [0.42, 0.24, 0.03], SLOT["canvas"], tint))
    fruit = ("red", "orange", "yellow", "green", "purple")
    for index in range(5):
        x = -0.92 + 0.46 * index
        parts.append(box([x, 0.92, 0.15], [0.42, 0.14, 0.8], SLOT["trim"], (0.7, 0.6, 0.45)))
        tint = PAINTS[fruit[(index + int(rng.integers(5))) % 5]]
        for spot in range(6):
            spot_x, spot_z = x - 0.1 + 0.2 * (spot % 2), -0.1 + 0.25 * (spot // 2)
            parts.append(
                cylinder([spot_x, 0.94, spot_z], [spot_x, 1.08, spot_z], 0.1, 0.06, 7, SLOT["paint"], tint)
            )
    return concatenate(parts)


def greenhouse(rng: Generator, look: Look) -> Mesh:
    """Return a small glass house: a white frame around panes that mirror the sky."""
    parts = [
        box([0, 0.25, 0], [2.6, 0.5, 3.6], SLOT["brick"]),
        box([0, 1.2, 0], [2.4, 1.5, 3.4], SLOT["pane"]),
    ]
    for sign in (-1, 1):
        parts.append(
            slab_between([0, 1.95, sign * 1.3], [0, 2.75, 0], 3.5, 0.06, SLOT["pane"]).placed([0, 0, 0], 90)
        )
        for z in np.linspace(-1.7, 1.7, 6):
            parts.append(box([sign * 1.22, 1.2, z], [0.07, 1.5, 0.07], SLOT["paint"], PAINTS["white"]))
            parts.append(
                slab_between(
                    [z, 1.98, sign * 1.3], [z, 2.8, 0], 0.07, 0.08, SLOT["paint"], PAINTS["white"]
                ).placed([0, 0, 0], 90)
            )
        gable = plate([[-1.2, 1.95], [1.2, 1.95], [0, 2.75]], 0.05, SLOT["pane"])
        parts.append(gable.placed([0, 0, sign * 1.7]))
        for x in (-1.2, -0.42, 0.42, 1.2):
            parts.append(box([x, 1.2, sign * 1.72], [0.07, 1.5, 0.07], SLOT["paint"], PAINTS["white"]))
    parts.append(box([0, 1.05, 1.75], [0.8, 2.0, 0.05], SLOT["paint"], look.colour(PAINTS["green"])))
    return concatenate(parts)
