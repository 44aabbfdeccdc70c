"""What joiners fit to a room: skirting, wainscot, cornice, beams, windows and doors.

Each is made for a wall in the plane z = 0 whose room is at +Z, x running to the right as seen from inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import Mesh, box, concatenate, cylinder, rounded_box
from .room_palette import Palette, Scheme
from .world import RGB

THICKNESS_M = 0.16  # of a wall
FRAME_M = 0.06  # of a window
_DADO_M = 0.84  # under the usual window sill
_BOARD_M = 0.13


@dataclass(frozen=True, slots=True)
class Opening:
    """A window or a door in a wall."""

    wall: str
    u: float  # its middle
    width: float
    low: float  # height of the sill; 0 for a door
    high: float
    is_door: bool = False


def skirting(length: float, openings: list[Opening], slot: int) -> Mesh:
    """Return the board along the foot of a wall, with a moulding on it."""
    parts = []
    for left, right in _runs(length, openings, 0.1, 0.08):
        middle, wide = (left + right) / 2, right - left
        parts.append(box([middle, 0.06, 0.011], [wide, 0.12, 0.022], slot))
        parts.append(box([middle, 0.135, 0.016], [wide, 0.03, 0.032], slot))
    return concatenate(parts)


def cornice(length: float, height: float, slot: int) -> Mesh:
    """Return the stepped moulding where a wall meets the ceiling."""
    steps = ((0.03, 0.075), (0.065, 0.05), (0.095, 0.028))  # below the ceiling, depth
    return concatenate(
        [
            box([0, height - low + 0.016, deep / 2], [length, 0.032, deep], slot)
            for low, deep in ((steps[0][0] - 0.014, steps[0][1]), *steps[1:])
        ]
    )


def dado(length: float, openings: list[Opening], palette: Palette, scheme: Scheme) -> Mesh:
    """Return the wainscot of a wall under its rail, cut out at openings: boards or framed fields."""
    assert scheme.dado is not None
    top = _DADO_M
    parts = []
    for left, right in _runs(length, openings, top + 0.05, 0.1):
        middle, wide = (left + right) / 2, right - left
        rail = palette.paint(scheme.dado)
        parts.append(box([middle, top - 0.045, 0.014], [wide, 0.03, 0.028], rail))
        parts.append(box([middle, top, 0.022], [wide, 0.06, 0.044], rail))
        fill = _boards if scheme.has_boards else _fields
        parts.append(fill(left, wide, palette, scheme.dado))
    return concatenate(parts)


def _boards(left: float, wide: float, palette: Palette, colour: RGB) -> Mesh:
    """Return upright boards side by side; each has its own shade, and a groove shows between two."""
    count = max(1, round(wide / _BOARD_M))
    step = wide / count
    back = palette.paint(_shade(colour, 0.42))
    face = palette.paint(colour)
    parts = [box([left + wide / 2, _DADO_M / 2, 0.003], [wide, _DADO_M, 0.006], back)]
    for index in range(count):
        tint = 0.86 + 0.26 * (0.5 + 0.5 * np.sin(7.3 * index + 3.0 * left))
        parts.append(
            box(
                [left + (index + 0.5) * step, 0.46, 0.009],
                [step - 0.018, _DADO_M - 0.16, 0.018],
                face,
                (tint, tint, tint),
            )
        )
    return concatenate(parts)


def _fields(left: float, wide: float, palette: Palette, colour: RGB) -> Mesh:
    """Return framed fields: the board, and in each bay a moulding around a raised field."""
    board, frame = palette.paint(colour), palette.paint(_shade(colour, 0.6))
    field = palette.paint(_shade(colour, 1.08))
    parts = [box([left + wide / 2, _DADO_M / 2, 0.005], [wide, _DADO_M, 0.010], board)]
    count = max(1, round(wide / 0.6))
    bay = wide / count
    if bay < 0.28:
        return concatenate(parts)
    half, tall, y = bay / 2 - 0.075, _DADO_M - 0.34, 0.455
    for index in range(count):
        x = left + (index + 0.5) * bay
        for side in (-1, 1):
            parts.append(box([x + side * half, y, 0.014], [0.035, tall + 0.035, 0.028], frame))
            parts.append(box([x, y + side * tall / 2, 0.014], [2 * half, 0.035, 0.028], frame))
        parts.append(box([x, y, 0.012], [2 * half - 0.13, tall - 0.13, 0.016], field))
    return concatenate(parts)


def beams(half_width: float, half_depth: float, height: float, slot: int, is_coffered: bool) -> Mesh:
    """Return timbers under the ceiling: across the room, or both ways so that they leave coffers."""
    w, d = half_width, half_depth
    count = max(2, round(2 * w / (1.3 if is_coffered else 1.15)))
    thick, tall = (0.13, 0.13) if is_coffered else (0.16, 0.18)
    parts = [
        box([(index - (count - 1) / 2) * 2 * w / count, height - tall / 2, 0], [thick, tall, 2 * d], slot)
        for index in range(count)
    ]
    if is_coffered:
        rows = max(2, round(2 * d / 1.3))
        parts += [
            box(
                [0, height - tall / 2 + 0.01, (i - (rows - 1) / 2) * 2 * d / rows], [2 * w, tall, thick], slot
            )
            for i in range(rows)
        ]
    return concatenate(parts)


def window(o: Opening, palette: Palette, trim: int, scheme: Scheme) -> Mesh:
    """Return frame, bars and sill board of a window; the plane of the wall is z = 0."""
    y, tall = (o.low + o.high) / 2, o.high - o.low
    z = -0.6 * THICKNESS_M
    parts = []
    for side in (-1, 1):
        parts.append(box([o.u + side * (o.width - FRAME_M) / 2, y, z], [FRAME_M, tall, 0.07], trim))
        parts.append(box([o.u, y + side * (tall - FRAME_M) / 2, z], [o.width, FRAME_M, 0.07], trim))
    panes = max(2, round(o.width / 0.75))
    for index in range(1, panes):
        x = o.u - o.width / 2 + index * o.width / panes
        parts.append(box([x, y, z], [0.05, tall, 0.05], trim))
    if tall > 1.2:
        parts.append(box([o.u, o.high - 0.34 * tall, z], [o.width, 0.045, 0.05], trim))
    if o.low > 0.2:
        board = rounded_box(
            [o.u, o.low - 0.005, 0.06], [o.width + 0.16, 0.045, 0.22], 0.015, palette.wood(scheme.wood)
        )
        parts.append(board)
    for side in (-1, 1):
        parts.append(box([o.u + side * (o.width / 2 + 0.04), y, 0.012], [0.08, tall + 0.16, 0.024], trim))
    parts.append(box([o.u, o.high + 0.04, 0.012], [o.width, 0.08, 0.024], trim))
    parts.append(box([o.u, o.high + 0.095, 0.02], [o.width + 0.24, 0.03, 0.04], trim))
    return concatenate(parts)


def door(o: Opening, palette: Palette, scheme: Scheme, trim: int) -> Mesh:
    """Return a closed panelled door in its frame."""
    leaf = palette.paint(scheme.trim)
    panel = palette.paint(_shade(scheme.trim, 0.86))
    groove = palette.paint(_shade(scheme.trim, 0.6))
    brass = palette.metal((0.38, 0.27, 0.12))
    y, tall = o.high / 2, o.high
    parts = [box([o.u, y, -0.05], [o.width, tall, 0.06], leaf)]
    for side in (-1, 1):
        parts.append(
            box([o.u + side * (o.width / 2 + 0.05), (tall + 0.1) / 2, 0.015], [0.10, tall + 0.1, 0.03], trim)
        )
        for low, high in ((0.14, 0.86), (1.0, tall - 0.14)):
            middle = [o.u + side * o.width * 0.23, (low + high) / 2]
            wide, high_m = o.width * 0.36, high - low
            parts.append(box([*middle, -0.019], [wide, high_m, 0.006], groove))
            parts.append(box([*middle, -0.015], [wide - 0.06, high_m - 0.06, 0.014], panel))
    parts.append(box([o.u, tall + 0.05, 0.015], [o.width, 0.10, 0.03], trim))
    knob = o.u + o.width / 2 - 0.09
    parts.append(cylinder([knob, 1.0, -0.02], [knob, 1.0, 0.05], 0.018, 0.018, 10, brass))
    parts.append(rounded_box([knob, 1.0, 0.06], [0.06, 0.06, 0.05], 0.024, brass))
    return concatenate(parts)


def _runs(length: float, openings: list[Opening], below: float, margin: float) -> list[tuple[float, float]]:
    """Return the stretches of a wall that no opening with its sill under `below` interrupts."""
    cuts = sorted((o.u - o.width / 2 - margin, o.u + o.width / 2 + margin) for o in openings if o.low < below)
    runs, left = [], -length / 2
    for start, end in [*cuts, (length / 2, length / 2)]:
        if start - left > 0.05:
            runs.append((left, start))
        left = end
    return runs


def _shade(colour: RGB, gain: float) -> RGB:
    r, g, b = (min(1.0, gain * part) for part in colour)
    return (r, g, b)
