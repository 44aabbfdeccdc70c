"""A cabin with solid walls, windows, a door, a porch and a chimney, seen from outside.

Built around the middle of its floor at y = 0, door towards +Z.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .mesh import Mesh, box, concatenate, cylinder, flat_mesh, quad
from .palette import SLOT

_WALL_M = 2.5
_LOG_RADIUS_M = 0.16
_DOOR = (1.05, 2.05)  # width, height
_WINDOW = (1.15, 1.0)
_SILL_M = 0.95
_PORCH_M = 1.9


def cabin(rng: Generator, half_width: float, half_depth: float, style: str) -> Mesh:
    """Return a cabin; `style` is "log", "stone", "red" or "white" (boards)."""
    parts = [box([0, -0.35, 0], [2 * half_width + 0.4, 0.9, 2 * half_depth + 0.4], SLOT["stones"])]
    wall = {"log": "log_wood", "stone": "stones"}.get(style, "plank_wood")
    tint = {"red": (1.0, 0.27, 0.2), "white": (2.0, 2.9, 4.4)}.get(style, (1.0, 1.0, 1.0))
    # One solid body behind the logs: nothing can be seen or walked through.
    inset = _LOG_RADIUS_M if style == "log" else 0.0
    body = [2 * (half_width - inset), _WALL_M, 2 * (half_depth - inset)]
    parts.append(box([0, 0.1 + _WALL_M / 2, 0], body, SLOT[wall if style != "log" else "core"], tint))
    if style == "log":
        parts += _log_walls(rng, half_width, half_depth)
    rise = 0.85 * half_depth
    top = 0.1 + _WALL_M
    parts += _gables(half_width, half_depth, top, rise, SLOT[wall], tint)
    parts += _roof(half_width, half_depth, top, rise)
    parts += _openings(half_width, half_depth)
    parts += _porch(half_width, half_depth)
    parts += _chimney(rng, half_width, top + rise)
    return concatenate(parts).labelled("cabin")


def _log_walls(rng: Generator, half_width: float, half_depth: float) -> list[Mesh]:
    logs = []
    step = 2 * _LOG_RADIUS_M * 0.94
    for index in range(round(_WALL_M / step)):
        y = 0.1 + _LOG_RADIUS_M + index * step
        for sign in (-1, 1):
            for along, across, is_front in ((half_width, half_depth, True), (half_depth, half_width, False)):
                lift = 0.0 if is_front else 0.5 * step
                if y + lift + _LOG_RADIUS_M > 0.16 + _WALL_M:
                    continue
                ends = np.array([[-along - 0.28, y + lift, 0], [along + 0.28, y + lift, 0]])
                # A log is its own frame along x, so that its grain runs along it.
                log = cylinder(ends[0], ends[1], _LOG_RADIUS_M, _LOG_RADIUS_M, 10, SLOT["log_wood"])
                log = log.tinted(rng.uniform(0.8, 1.18))
                turn = np.eye(3) if is_front else np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
                inwards = sign * (across - _LOG_RADIUS_M)
                logs.append(log.moved(turn, [0, 0, inwards] if is_front else [inwards, 0, 0]))
    return logs


def _gables(
    half_width: float,
    half_depth: float,
    top: float,
    rise: float,
    material: int,
    tint: tuple[float, float, float],
) -> list[Mesh]:
    parts = []
    for sign in (-1.0, 1.0):
        x = sign * (half_width - 0.06)
        low, high = [x, top, -half_depth], [x, top, half_depth]
        corners = np.array([low, high, [x, top + rise, 0]])
        faces = np.array([[0, 2, 1]] if sign > 0 else [[0, 1, 2]])
        parts.append(flat_mesh(corners, faces, material, tint))
        parts.append(box([x, top, 0], [0.14, 0.16, 2 * half_depth + 0.1], SLOT["trim"]))
    return parts


def _roof(half_width: float, half_depth: float, top: float, rise: float) -> list[Mesh]:
    eaves, overhang = 0.55, 0.5
    slope = np.hypot(rise, half_depth)
    length = slope * (1 + eaves / half_depth)
    parts = []
    for sign in (-1.0, 1.0):
        along = np.array([0.0, -rise / slope, sign * half_depth / slope])
        normal = np.array([0.0, half_depth / slope, sign * rise / slope])
        width = 2 * (half_width + overhang)
        slab = box([0, 0, 0], [width, 0.12, length], SLOT["roof"])
        turn = np.stack([[sign, 0.0, 0.0], normal, along], axis=1)
        ridge = np.array([0.0, top + rise + 0.1, 0.0])
        parts.append(slab.moved(turn, ridge + along * length / 2))
        edge = ridge + along * length
        parts.append(box(edge - [0, 0.06, 0], [width, 0.16, 0.06], SLOT["trim"]))
    ends = [[-half_width - overhang, top + rise + 0.14, 0], [half_width + overhang, top + rise + 0.14, 0]]
    parts.append(cylinder(ends[0], ends[1], 0.1, 0.1, 8, SLOT["roof"]))
    return parts


def _openings(half_width: float, half_depth: float) -> list[Mesh]:
    width, height = _DOOR
    z = half_depth + 0.03
    parts = [
        box([0, 0.1 + height / 2, z], [width, height, 0.08], SLOT["door"]),
        box([0, 0.1 + height + 0.06, z + 0.01], [width + 0.3, 0.13, 0.12], SLOT["trim"]),
        box([0.38, 1.1, z + 0.07], [0.05, 0.14, 0.06], SLOT["metal"]),
    ]
    for sign in (-1, 1):
        at = [sign * (width / 2 + 0.07), 0.1 + height / 2, z + 0.01]
        parts.append(box(at, [0.13, height, 0.12], SLOT["trim"]))
    front = 0.5 * (half_width + width / 2) + 0.05
    spots = [([sign * front, half_depth + 0.02], 0.0) for sign in (-1, 1)]
    spots += [([sign * (half_width + 0.02), 0.0], sign * 90.0) for sign in (-1, 1)]
    spots.append(([0.0, -half_depth - 0.02], 180.0))
    parts += [window().placed([x, 0.0, z], yaw) for (x, z), yaw in spots]
    return parts


def window() -> Mesh:
    """Return a window that looks towards +Z, its pane at z = 0."""
    width, height = _WINDOW
    y = _SILL_M + height / 2
    pane = quad(
        [[-width / 2, y - height / 2, 0.01], [width / 2, y - height / 2, 0.01]]
        + [[width / 2, y + height / 2, 0.01], [-width / 2, y + height / 2, 0.01]],
        SLOT["window"],
    )
    parts = [pane, box([0, y - height / 2 - 0.07, 0.06], [width + 0.34, 0.09, 0.24], SLOT["trim"])]
    parts.append(box([0, y + height / 2 + 0.06, 0.03], [width + 0.26, 0.13, 0.12], SLOT["trim"]))
    for sign in (-1, 1):
        parts.append(box([sign * (width / 2 + 0.06), y, 0.03], [0.13, height, 0.12], SLOT["trim"]))
    parts.append(box([0, y, 0.03], [0.06, height, 0.05], SLOT["trim"]))
    parts.append(box([0, y, 0.03], [width, 0.06, 0.05], SLOT["trim"]))
    return concatenate(parts)


def _porch(half_width: float, half_depth: float) -> list[Mesh]:
    wide, front = half_width + 0.1, half_depth + _PORCH_M
    middle = half_depth + _PORCH_M / 2
    parts = [box([0, -0.12, middle], [2 * wide, 0.36, _PORCH_M], SLOT["plank_wood"])]
    posts = (-wide + 0.12, -0.95, 0.95, wide - 0.12)
    for x in posts:
        parts.append(box([x, 1.1, front - 0.12], [0.15, 2.2, 0.15], SLOT["trim"], (0.62, 0.5, 0.42)))
    for left, right in (posts[:2], posts[2:]):
        for y in (0.55, 0.95):
            size = [right - left, 0.08, 0.08]
            parts.append(box([(left + right) / 2, y, front - 0.12], size, SLOT["trim"], (0.62, 0.5, 0.42)))
    parts.append(box([0, 2.26, front - 0.12], [2 * wide + 0.3, 0.16, 0.16], SLOT["trim"], (0.62, 0.5, 0.42)))
    low, high = np.array([0, 2.34, front + 0.22]), np.array([0, 2.72, half_depth - 0.1])
    along = (low - high) / np.linalg.norm(low - high)
    slab = box([0, 0, 0], [2 * wide + 0.5, 0.09, np.linalg.norm(low - high)], SLOT["roof"])
    normal = np.cross(along, [1.0, 0, 0])
    parts.append(slab.moved(np.stack([[1.0, 0, 0], normal, along], axis=1), (low + high) / 2))
    for step in range(2):
        size = [1.7, 0.14, 0.34]
        parts.append(box([0, -0.07 - 0.15 * step, front + 0.17 + 0.3 * step], size, SLOT["plank_wood"]))
    return parts


def _chimney(rng: Generator, half_width: float, ridge: float) -> list[Mesh]:
    x, z = half_width + 0.32, -0.6
    parts = [box([x, 1.1, z], [0.85, 2.6, 1.15], SLOT["stones"])]
    parts.append(box([x, (ridge + 1.6) / 2, z], [0.66, ridge + 1.6, 0.72], SLOT["stones"]))
    parts.append(box([x, ridge + 0.85, z], [0.8, 0.14, 0.86], SLOT["stones"], rng.uniform(0.7, 0.9)))
    return parts
