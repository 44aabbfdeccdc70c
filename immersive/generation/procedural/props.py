"""Things that people and weather leave outdoors: stones, logs, fences, benches, tents, boats, lanterns.

Each is built at the origin, standing on y = 0, its front towards +Z.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .look import PAINTS, Look
from .mesh import Mesh, box, concatenate, cylinder, flat_mesh, icosphere, prism, smooth_mesh
from .noise import fractal_in_space
from .palette import SLOT

RGB = tuple[float, float, float]


def rock(rng: Generator, size: float, level: int = 3) -> Mesh:
    """Return a weathered stone about `size` metres long, sunk a little into the ground."""
    points, faces = icosphere(level)
    seed = int(rng.integers(1, 60_000))
    # Faceted first, then rough: planes cut off at random, as frost does.
    shape = points.copy()
    for _ in range(9):
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        over = np.maximum(shape @ normal - rng.uniform(0.62, 0.88), 0)
        shape -= 0.9 * over[:, None] * normal
    bump = 0.16 * fractal_in_space(points * 2.1, 3, seed) + 0.05 * fractal_in_space(points * 6, 2, seed + 5)
    stretch = np.array([0.5, rng.uniform(0.3, 0.42), rng.uniform(0.36, 0.5)]) * size
    vertices = shape * (1 + bump)[:, None] * stretch
    vertices[:, 1] += 0.5 * stretch[1]
    return smooth_mesh(vertices, faces, SLOT["rock"], rng.uniform(0.85, 1.15))


def boulder(rng: Generator, size: float) -> Mesh:
    """Return a boulder: a tall rock."""
    return rock(rng, size, 4).moved(np.diag([1.0, rng.uniform(1.1, 1.5), 1.0]), [0, 0, 0])


def stump(rng: Generator) -> Mesh:
    """Return a tree stump with roots."""
    radius, height = rng.uniform(0.22, 0.34), rng.uniform(0.3, 0.5)
    parts = [
        cylinder([0, -0.2, 0], [0, height, 0], 1.15 * radius, radius, 12, SLOT["bark"]),
        cylinder(
            [0, height, 0],
            [0, height + 0.012, 0],
            0.92 * radius,
            0.92 * radius,
            12,
            SLOT["log_wood"],
            (1.5, 1.5, 1.4),
        ),
    ]
    for index in range(5):
        angle = 1.26 * index + rng.uniform(-0.3, 0.3)
        out = np.array([np.cos(angle), 0.0, np.sin(angle)]) * radius
        parts.append(cylinder(out * 0.6 + [0, 0.2, 0], out * 2.0 - [0, 0.08, 0], 0.09, 0.04, 6, SLOT["bark"]))
    return concatenate(parts)


def log(rng: Generator) -> Mesh:
    """Return a fallen trunk along x."""
    length, radius = rng.uniform(2.2, 4.0), rng.uniform(0.16, 0.26)
    start, end = [-length / 2, 0.75 * radius, 0], [length / 2, 0.6 * radius, 0]
    trunk = cylinder(start, end, radius, 0.8 * radius, 12, SLOT["bark"])
    stub = cylinder(
        [0.2 * length, radius, 0], [0.28 * length, 2.6 * radius, 0.1], 0.05, 0.03, 6, SLOT["bark"]
    )
    return concatenate([trunk, stub])


def tent(rng: Generator, colour: RGB) -> Mesh:
    """Return a ridge tent."""
    half, depth, height = 1.1, 1.35, 1.45
    back, front = -depth, depth
    points = np.array(
        [
            [-half, 0, front],
            [half, 0, front],
            [0, height, front],
            [-half, 0, back],
            [half, 0, back],
            [0, height, back],
        ]
    )
    sides = flat_mesh(
        points, np.array([[0, 2, 5], [0, 5, 3], [1, 4, 5], [1, 5, 2], [4, 3, 5]]), SLOT["canvas"], colour
    )
    flap = np.array(
        [
            [-half, 0, front],
            [-0.3, 0, front + 0.06],
            [0, height, front],
            [0.3, 0, front + 0.06],
            [half, 0, front],
        ]
    )
    doors = flat_mesh(flap, np.array([[0, 1, 2], [2, 3, 4]]), SLOT["canvas"], np.array(colour) * 0.8)
    inside = np.array([[-0.36, 0, front - 0.1], [0.36, 0, front - 0.1], [0, height * 0.97, front - 0.03]])
    return concatenate([sides, doors, flat_mesh(inside, np.array([[0, 1, 2]]), SLOT["core"])])


def campfire(rng: Generator) -> Mesh:
    """Return a ring of stones with burning logs."""
    parts = []
    for index in range(11):
        angle = 2 * np.pi * index / 11
        stone = rock(rng, rng.uniform(0.26, 0.36), 2)
        parts.append(stone.placed([0.62 * np.cos(angle), -0.02, 0.62 * np.sin(angle)], rng.uniform(0, 360)))
    for index in range(6):
        angle = 2 * np.pi * index / 6 + 0.2
        foot = np.array([0.42 * np.cos(angle), 0.04, 0.42 * np.sin(angle)])
        parts.append(
            cylinder(foot, [0.05 * np.cos(angle), 0.42, 0.05 * np.sin(angle)], 0.055, 0.045, 7, SLOT["bark"])
        )
    parts.append(cylinder([0, 0.0, 0], [0, 0.08, 0], 0.4, 0.3, 12, SLOT["ember"]))
    for index in range(7):
        angle = 2.4 * index
        reach = 0.16 * (index > 0)
        foot = np.array([reach * np.cos(angle), 0.05, reach * np.sin(angle)])
        tall = 0.62 if index == 0 else rng.uniform(0.28, 0.46)
        bulge = foot + [0, 0.35 * tall, 0]
        tip = foot * 0.6 + [0, tall, 0]
        parts.append(cylinder(foot, bulge, 0.05, 0.1, 7, SLOT["flame"], caps=False))
        parts.append(cylinder(bulge, tip, 0.1, 0.008, 7, SLOT["flame"], caps=False))
    return concatenate(parts)


def bench(rng: Generator) -> Mesh:
    """Return a plank bench with a back."""
    wood = SLOT["plank_wood"]
    parts = [box([0, 0.45, z], [1.6, 0.05, 0.13], wood) for z in (-0.15, 0.0, 0.15)]
    parts += [box([0, y, -0.25 - 0.06 * (y - 0.6)], [1.6, 0.12, 0.04], wood) for y in (0.66, 0.84)]
    for x in (-0.62, 0.62):
        parts.append(box([x, 0.2, 0.12], [0.09, 0.46, 0.09], SLOT["trim"], (0.5, 0.45, 0.4)))
        parts.append(box([x, 0.45, -0.22], [0.09, 0.95, 0.07], SLOT["trim"], (0.5, 0.45, 0.4)))
    return concatenate(parts)


def lantern(rng: Generator) -> Mesh:
    """Return a lamp post; its light hangs at (0, 2.25, 0)."""
    post = cylinder([0, -0.3, 0], [0, 2.1, 0], 0.06, 0.045, 8, SLOT["metal"])
    glass = prism([[-0.11, -0.11], [0.11, -0.11], [0.11, 0.11], [-0.11, 0.11]], 2.12, 2.4, SLOT["window"])
    roof = cylinder([0, 2.4, 0], [0, 2.58, 0], 0.2, 0.02, 8, SLOT["metal"])
    return concatenate(
        [post, glass, roof, cylinder([0, -0.1, 0], [0, 0.12, 0], 0.16, 0.1, 10, SLOT["stones"])]
    )


def well(rng: Generator) -> Mesh:
    """Return a round stone well with a little roof."""
    angle = np.linspace(0, 2 * np.pi, 17)[:-1]
    ring = []
    for first, second in zip(angle, np.roll(angle, -1), strict=True):
        inner, outer = 0.55, 0.78
        outline = [
            [r * np.cos(a), r * np.sin(a)]
            for r, a in ((outer, first), (outer, second), (inner, second), (inner, first))
        ]
        ring.append(prism(outline, -0.3, 0.75, SLOT["stones"], rng.uniform(0.85, 1.15)))
    water = cylinder([0, 0.2, 0], [0, 0.25, 0], 0.56, 0.56, 16, SLOT["core"])
    posts = [box([x, 1.15, 0], [0.11, 1.9, 0.11], SLOT["trim"], (0.55, 0.48, 0.4)) for x in (-0.7, 0.7)]
    beam = cylinder([-0.8, 1.55, 0], [0.8, 1.55, 0], 0.05, 0.05, 8, SLOT["log_wood"])
    roof = []
    for sign in (-1.0, 1.0):
        slab = box([0, 0, 0], [2.0, 0.05, 0.85], SLOT["roof"])
        tilt = np.radians(35) * sign
        turn = np.array([[1.0, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        roof.append(slab.moved(turn, [0, 2.2, sign * 0.34]))
    return concatenate([*ring, water, *posts, beam, *roof])


def signpost(rng: Generator) -> Mesh:
    """Return a post with two pointing boards."""
    post = cylinder([0, -0.3, 0], [0, 1.9, 0], 0.07, 0.06, 8, SLOT["trim"], (0.5, 0.45, 0.38))
    parts = [post]
    for y, sign in ((1.65, 1.0), (1.35, -1.0)):
        outline = np.array([[-0.2, 0.0], [0.6, 0.0], [0.75, 0.11], [0.6, 0.22], [-0.2, 0.22]]) * [sign, 1]
        board = prism(outline, -0.02, 0.03, SLOT["plank_wood"], 1.2)
        upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        parts.append(board.moved(upright, [0, y - 0.1, 0.06]))
    return concatenate(parts)


def fence(points: NDArray, heights: NDArray, look: Look) -> Mesh:
    """Return a rail fence through posts at `points` [P, 2] (x, z) on ground `heights` [P]."""
    if look.has(*PAINTS):
        return _picket_fence(points, heights, look.colour(PAINTS["white"]))
    parts = []
    for (x, z), y in zip(points, heights, strict=True):
        parts.append(box([x, y + 0.45, z], [0.11, 1.3, 0.11], SLOT["trim"], (0.55, 0.48, 0.4)))
    for first, second in zip(range(len(points) - 1), range(1, len(points)), strict=True):
        for lift in (0.4, 0.85):
            start = [points[first, 0], heights[first] + lift, points[first, 1]]
            end = [points[second, 0], heights[second] + lift, points[second, 1]]
            parts.append(cylinder(start, end, 0.045, 0.045, 6, SLOT["trim"], (0.6, 0.52, 0.44)))
    return concatenate(parts)


def _picket_fence(points: NDArray, heights: NDArray, colour: RGB) -> Mesh:
    parts = []
    for first in range(len(points) - 1):
        run = points[first + 1] - points[first]
        length = float(np.linalg.norm(run))
        yaw = np.degrees(np.arctan2(run[0], run[1])) - 90
        for share in np.arange(0.5, length / 0.24) * 0.24 / length:
            x, z = points[first] + share * run
            y = heights[first] + share * (heights[first + 1] - heights[first])
            parts.append(box([0, 0.5, 0], [0.13, 1.0, 0.05], SLOT["paint"], colour).placed([x, y, z], yaw))
        for lift in (0.3, 0.75):
            start = [points[first, 0], heights[first] + lift, points[first, 1]]
            end = [points[first + 1, 0], heights[first + 1] + lift, points[first + 1, 1]]
            parts.append(cylinder(start, end, 0.04, 0.04, 6, SLOT["paint"], colour))
    return concatenate(parts)


def dock(length: float, deck_y: float, bed_y: float) -> Mesh:
    """Return a plank pier from the origin along +Z, its deck at `deck_y` above the water."""
    parts = [box([0, deck_y - 0.04, length / 2 - 0.3], [1.5, 0.07, length + 0.6], SLOT["plank_wood"])]
    for x in (-0.7, 0.7):
        parts.append(
            box([x, deck_y - 0.14, length / 2], [0.12, 0.14, length], SLOT["trim"], (0.5, 0.43, 0.36))
        )
        for z in np.arange(0.6, length + 0.1, 2.2):
            parts.append(
                cylinder([x, bed_y, z], [x, deck_y + 0.45, z], 0.09, 0.08, 8, SLOT["trim"], (0.5, 0.43, 0.36))
            )
    return concatenate(parts)


def boat(rng: Generator, colour: RGB) -> Mesh:
    """Return a rowing boat along z, its keel at y = 0."""
    stations = np.linspace(-1, 1, 9)
    half = 0.62 * np.sqrt(np.clip(1 - np.abs(stations) ** 2.6, 0, 1)) + 0.03
    rim = 0.5 + 0.14 * stations**2
    rows = []
    for station, width, high in zip(stations, half, rim, strict=True):
        z = 1.5 * station
        rows.append([[-width, high, z], [-0.62 * width, 0.12, z], [0, 0.0 + 0.12 * station**4, z]])
        rows[-1] += [[0.62 * width, 0.12, z], [width, high, z]]
    points = np.array(rows).reshape(-1, 3)
    k = np.arange(4)
    faces = []
    for row in range(8):
        a, b = row * 5 + k, row * 5 + k + 1
        c, d = b + 5, a + 5
        faces.append(np.concatenate([np.stack([a, c, b], -1), np.stack([a, d, c], -1)]))
    outer = np.concatenate(faces)
    hull = smooth_mesh(points, outer[:, ::-1], SLOT["canvas"], colour)
    inner = smooth_mesh(points * [0.95, 1, 0.97] + [0, 0.03, 0], outer, SLOT["plank_wood"])
    seats = [box([0, 0.34, z], [1.1, 0.04, 0.25], SLOT["plank_wood"], 1.15) for z in (-0.5, 0.45)]
    return concatenate([hull, inner, *seats])
