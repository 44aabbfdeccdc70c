"""Solids beyond boxes and cylinders: turned profiles, bent tubes, arches and roofs.

Each stands at the origin as its docstring says; textures run in the part's own frame.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from .mesh import Mesh, box, concatenate, cylinder, flat_mesh, icosphere, smooth_mesh
from .noise import fractal_in_space
from .world import RGB, WHITE


def lathe(profile: ArrayLike, sides: int, material: int, tint: ArrayLike = WHITE) -> Mesh:
    """Return a `profile` [P, 2] of (radius, y), from its foot up, turned about the y axis."""
    points = np.asarray(profile, np.float64)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.sin(angle), np.zeros(sides), np.cos(angle)], -1)
    vertices = points[:, :1, None] * ring + points[:, 1, None, None] * np.array([0.0, 1.0, 0.0])
    near = np.arange(sides)
    after = (near + 1) % sides
    rows = np.arange(len(points) - 1)[:, None] * sides
    a, b, c, d = rows + near, rows + after, rows + sides + after, rows + sides + near
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return smooth_mesh(vertices.reshape(-1, 3), faces, material, tint)


def tube(points: ArrayLike, radius: float, sides: int, material: int, tint: ArrayLike = WHITE) -> Mesh:
    """Return a round bar along `points` [P, 3]."""
    line = np.asarray(points, np.float64)
    return concatenate([cylinder(a, b, radius, radius, sides, material, tint) for a, b in pairwise(line)])


def arc(
    centre: ArrayLike, radius: float, start_deg: float, end_deg: float, count: int
) -> NDArray[np.float64]:
    """Return `count` points [P, 3] of an arc in the x-y plane, counter-clockwise from +X."""
    angle = np.radians(np.linspace(start_deg, end_deg, count))
    flat = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], -1)
    return np.asarray(centre, np.float64) + radius * flat


def slab_between(
    low: ArrayLike, high: ArrayLike, width: float, thick: float, material: int, tint: ArrayLike = WHITE
) -> Mesh:
    """Return a flat board from `low` [3] to `high` [3], `width` along the level across its run."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    length = float(np.linalg.norm(high - low))
    along = (high - low) / length
    across = np.cross([0.0, 1.0, 0.0], along)
    across /= np.linalg.norm(across)
    turn = np.stack([across, np.cross(along, across), along], axis=1)
    return box([0, 0, 0], [width, thick, length], material, tint).moved(turn, (low + high) / 2)


def gable_roof(
    half_width: float,
    half_depth: float,
    top: float,
    rise: float,
    material: int,
    wall: int,
    tint: ArrayLike = WHITE,
    wall_tint: ArrayLike = WHITE,
    overhang: float = 0.4,
) -> Mesh:
    """Return a roof whose ridge runs along x above walls that end at y = `top`, with its two gables."""
    ridge = top + rise
    parts = []
    reach = half_depth + overhang
    drop = rise * overhang / half_depth
    for sign in (-1.0, 1.0):
        low = np.array([0.0, top - drop + 0.08, sign * reach])
        high = np.array([0.0, ridge + 0.08, 0.0])
        parts.append(slab_between(low, high, 2 * (half_width + overhang), 0.14, material, tint))
        x = sign * half_width
        corners = np.array([[x, top, -half_depth], [x, top, half_depth], [x, ridge, 0.0]])
        parts.append(flat_mesh(corners, np.array([[0, 2, 1]] if sign > 0 else [[0, 1, 2]]), wall, wall_tint))
    parts.append(box([0, ridge + 0.14, 0], [2 * (half_width + overhang), 0.12, 0.22], material, tint))
    return concatenate(parts)


def pyramid_roof(
    half_width: float, half_depth: float, top: float, rise: float, material: int, tint: ArrayLike = WHITE
) -> Mesh:
    """Return a roof of four slopes that meet in a point, closed below."""
    w, d = half_width, half_depth
    corners = np.array([[-w, top, -d], [w, top, -d], [w, top, d], [-w, top, d], [0, top + rise, 0]])
    faces = np.array([[1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4], [0, 1, 2], [0, 2, 3]])
    return flat_mesh(corners, faces, material, tint)


def arch(
    width: float, height: float, thick: float, depth: float, material: int, tint: ArrayLike = WHITE
) -> Mesh:
    """Return a round arch across x that people walk through along z: two piers and a ring of stones.

    `width` and `height` are of the opening, `thick` is how wide the stones are around it.
    """
    radius = width / 2
    spring = height - radius
    parts = [
        box([sign * (radius + thick / 2), spring / 2 - 0.2, 0], [thick, spring + 0.4, depth], material, tint)
        for sign in (-1.0, 1.0)
    ]
    angles = np.radians(np.linspace(0, 180, 13))
    for first, second in pairwise(angles):
        corners = [
            [r * np.cos(a), spring + r * np.sin(a)]
            for r, a in ((radius, first), (radius + thick, first), (radius + thick, second), (radius, second))
        ]
        parts.append(_extruded(np.array(corners), depth, material, tint))
    return concatenate(parts)


def _extruded(outline: NDArray, depth: float, material: int, tint: ArrayLike) -> Mesh:
    """Return a convex counter-clockwise outline [P, 2] of (x, y) points, `depth` thick along z around 0."""
    count = len(outline)
    front = np.concatenate([outline, np.full((count, 1), depth / 2)], 1)
    back = np.concatenate([outline, np.full((count, 1), -depth / 2)], 1)
    near = np.arange(count)
    after = (near + 1) % count
    fan = np.stack([np.zeros(count - 2, int), near[1:-1], near[2:]], -1)
    sides = np.concatenate(
        [np.stack([near, count + near, count + after], -1), np.stack([near, count + after, after], -1)]
    )
    return flat_mesh(
        np.concatenate([front, back]), np.concatenate([fan, count + fan[:, ::-1], sides]), material, tint
    )


def plate(outline: ArrayLike, depth: float, material: int, tint: ArrayLike = WHITE) -> Mesh:
    """Return a convex upright plate from its `outline` [P, 2] of (x, y) points, `depth` thick along z."""
    points = np.asarray(outline, np.float64)
    x, y = points[:, 0], points[:, 1]
    if np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) < 0:
        points = points[::-1]
    return _extruded(points, depth, material, tint)


def blob(
    rng: Generator,
    centre: ArrayLike,
    radii: ArrayLike,
    material: int,
    tint: ArrayLike = WHITE,
    rough: float = 0.08,
    level: int = 2,
) -> Mesh:
    """Return an ellipsoid with dents: bodies, sacks, heaps."""
    points, faces = icosphere(level)
    bump = rough * fractal_in_space(points * 1.7, 2, int(rng.integers(1, 60_000)))
    vertices = points * (1 + bump)[:, None] * np.asarray(radii, np.float64) + np.asarray(centre, np.float64)
    return smooth_mesh(vertices, faces, material, tint)


def ring_of(count: int, radius: float, make: Callable[[int], Mesh], start_deg: float = 0.0) -> list[Mesh]:
    """Return `make(index)` at `count` places of a circle, the front of each outwards."""
    angles = start_deg + 360.0 * np.arange(count) / count
    return [
        make(index).placed([radius * np.sin(np.radians(a)), 0, radius * np.cos(np.radians(a))], float(a))
        for index, a in enumerate(angles)
    ]


def scaled(colour: RGB, gain: float) -> RGB:
    """Return a colour made lighter or darker."""
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)
