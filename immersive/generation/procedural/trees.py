"""Trees and everything else that grows, built once per kind and copied by `placement`.

Leaves are clumps a few pixels wide whose normals point away from the middle of their crown: rounded light,
and edges that splats can hold. `level` 0 is for what stands near, 1 and 2 for what stands farther off.
Every plant stands at the origin and is returned at its own size.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .mesh import Mesh, concatenate, cylinder, icosphere, smooth_mesh
from .palette import SLOT


def pine(rng: Generator, height: float, level: int) -> Mesh:
    """Return a conifer of whorled, drooping branches."""
    radius = height * rng.uniform(0.19, 0.24)
    trunk = cylinder(
        [0, -0.3, 0], [0, height * 0.97, 0], 0.02 * height, 0.01, 7 if level == 0 else 4, SLOT["bark"]
    )
    rings = (30, 14, 7)[level]
    low = rng.uniform(0.1, 0.16)
    at = np.linspace(0, 1, rings) ** 0.92
    fans = []
    for index, share in enumerate(at):
        y = height * (low + (0.985 - low) * share)
        length = radius * (1 - share) ** 0.82 * rng.uniform(0.88, 1.1) + 0.05 * radius
        count = max(5, round((13, 8, 6)[level] * (1 - 0.45 * share)))
        angles = 2 * np.pi * (np.arange(count) + 0.5 * (index % 2)) / count + rng.normal(0, 0.13, count)
        lengths = length * rng.uniform(0.72, 1.14, count)
        droop = (0.34 + 0.22 * (1 - share)) * lengths + rng.normal(0, 0.03, count) * height / 9
        fans.append(_fans(rng, angles, lengths, y, droop, 2.3 / count, height))
    return concatenate([trunk, *fans])


def _fans(
    rng: Generator, angles: NDArray, lengths: NDArray, y: float, droop: NDArray, spread: float, height: float
) -> Mesh:
    """Return one whorl: each branch is folded along its spine and ends in three points."""
    count = len(angles)
    out = np.stack([np.cos(angles), np.zeros(count), np.sin(angles)], -1)
    side = np.stack([-np.sin(angles), np.zeros(count), np.cos(angles)], -1)
    reach, half = lengths[:, None], (lengths * spread)[:, None]
    up = np.array([0.0, 1.0, 0.0])
    thick = 0.04 * height * up
    drop = droop[:, None] * up
    top = np.array([0.0, y, 0.0])
    base = top + thick + 0 * out
    spine = top + out * reach * 0.5 - drop * 0.32 + 0.4 * thick
    tip = top + out * reach - drop
    points = [base, spine, tip]
    # Each side ends in a twig of its own, with a notch between it and the tip.
    for sign in (-1.0, 1.0):
        points.append(top + out * reach * 0.68 + sign * side * half * 1.25 - drop * 0.86)
        points.append(top + out * reach * 0.66 + sign * side * half * 0.45 - drop * 0.6)
    corners = np.stack(points, 1).reshape(-1, 3)
    first = np.arange(count)[:, None] * 7
    left = ([0, 1, 3], [1, 4, 3], [1, 2, 4])
    right = ([0, 5, 1], [1, 5, 6], [1, 6, 2])
    faces = np.concatenate([first + k for k in (*left, *right)])
    shade = np.tile(np.array([0.34, 0.72, 1.35, 1.15, 0.85, 1.15, 0.85]), count)[:, None]
    shade = shade * np.repeat(rng.uniform(0.85, 1.15, (count, 1)), 7, axis=0)
    mesh = smooth_mesh(corners, faces, SLOT["needles"], np.repeat(shade, 3, axis=1))
    rounded = corners - np.array([0.0, y - 0.5 * lengths.mean(), 0.0])
    rounded /= np.linalg.norm(rounded, axis=1, keepdims=True)
    return mesh.with_normals(0.45 * np.abs(mesh.normals) * [0, 1, 0] + rounded)


def broadleaf(rng: Generator, height: float, level: int, leaves: str = "leaves") -> Mesh:
    """Return a round-crowned tree: oak, maple, apple."""
    crown = np.array([0.0, 0.64 * height, 0.0])
    radii = np.array([0.36, 0.34, 0.36]) * height * rng.uniform(0.9, 1.1)
    wood = cylinder(
        [0, -0.3, 0],
        [0, 0.62 * height, 0],
        0.035 * height,
        0.018 * height,
        8 if level == 0 else 5,
        SLOT["bark"],
    )
    limbs = _limbs(rng, crown, radii, 0.34 * height, 0.016 * height, SLOT["bark"], 6 if level == 0 else 0)
    return concatenate([wood, *limbs, *_crown(rng, crown, radii, level, leaves, 13)])


def cherry(rng: Generator, height: float, level: int) -> Mesh:
    """Return a round-crowned tree in pink blossom."""
    return broadleaf(rng, height, level, "blossom")


def bamboo(rng: Generator, height: float, level: int) -> Mesh:
    """Return a clump of stems with leaves above."""
    parts = []
    for _ in range((9, 6, 4)[level]):
        foot = rng.normal(0, 0.22, 2)
        tall = height * rng.uniform(0.75, 1.1)
        lean = foot * 1.6 + rng.normal(0, 0.12, 2)
        tint = rng.uniform(0.8, 1.25)
        parts.append(
            cylinder(
                [foot[0], -0.2, foot[1]],
                [lean[0], tall, lean[1]],
                0.045,
                0.025,
                6,
                SLOT["bamboo"],
                (tint, tint, tint),
            )
        )
        crown = np.array([lean[0], 0.8 * tall, lean[1]])
        parts += _crown(rng, crown, np.array([0.3, 0.24 * tall, 0.3]), max(level, 1), "bush", 3)
    return concatenate(parts)


def birch(rng: Generator, height: float, level: int) -> Mesh:
    """Return a slim, pale-stemmed tree with a light crown."""
    crown = np.array([0.0, 0.66 * height, 0.0])
    radii = np.array([0.21, 0.36, 0.21]) * height * rng.uniform(0.85, 1.15)
    lean = rng.normal(0, 0.02, 2) * height
    top = [lean[0], 0.93 * height, lean[1]]
    sides = 8 if level == 0 else 4
    wood = cylinder([0, -0.3, 0], top, 0.017 * height, 0.004 * height, sides, SLOT["birch_bark"])
    limbs = _limbs(
        rng, crown, radii, 0.4 * height, 0.007 * height, SLOT["birch_bark"], 7 if level == 0 else 0
    )
    return concatenate([wood, *limbs, *_crown(rng, crown, radii, level, "birch_leaves", 13)])


def bush(rng: Generator, height: float, level: int) -> Mesh:
    """Return a low round shrub."""
    crown = np.array([0.0, 0.42 * height, 0.0])
    radii = np.array([0.62, 0.5, 0.62]) * height
    return concatenate(_crown(rng, crown, radii, max(level, 1), "bush", 5))


def _limbs(
    rng: Generator, crown: NDArray, radii: NDArray, fork: float, radius: float, material: int, count: int
) -> list[Mesh]:
    limbs = []
    for index in range(count):
        angle = 2 * np.pi * index / count + rng.normal(0, 0.3)
        start = np.array([0.0, fork + rng.uniform(0, 0.25) * radii[1], 0.0])
        end = crown + radii * [0.7 * np.cos(angle), rng.uniform(-0.2, 0.6), 0.7 * np.sin(angle)]
        limbs.append(cylinder(start, end, radius, 0.3 * radius, 5, material, caps=False))
    return limbs


def _crown(rng: Generator, crown: NDArray, radii: NDArray, level: int, leaves: str, blobs: int) -> list[Mesh]:
    """Return the crown: dark cores that close the view, and clumps of leaves over them."""
    material = SLOT[leaves]
    if level == 2:
        points, faces = icosphere(1)
        bumps = 1 + 0.22 * rng.normal(size=(len(points), 1)).clip(-1, 1)
        shade = (0.65 + 0.45 * points[:, 1:2]).repeat(3, axis=1)
        return [smooth_mesh(points * bumps * radii + crown, faces, material, shade)]
    step = np.arange(blobs)
    lift = 1 - 2 * (step + 0.5) / blobs
    ring = np.sqrt(1 - lift**2)
    around = np.stack([ring * np.cos(2.4 * step), lift, ring * np.sin(2.4 * step)], -1)
    centres = crown + around * radii * 0.66 * rng.uniform(0.62, 1.3, (blobs, 1))
    sizes = radii.mean() * rng.uniform(0.3, 0.56, blobs)
    points, faces = icosphere(1)
    cores = [
        smooth_mesh(points * size * 0.8 + centre, faces, material, (0.4, 0.42, 0.4))
        for centre, size in zip(centres, sizes, strict=True)
    ]
    # Cores are shaded from the middle of the crown, or each would show its own little terminator.
    cores = [core.with_normals(core.vertices - crown.astype(np.float32)) for core in cores]
    per_blob = (170, 36)[level]
    size = radii.mean() * (0.085, 0.18)[level]
    away = rng.normal(size=(blobs, per_blob, 3))
    away /= np.linalg.norm(away, axis=2, keepdims=True)
    middles = (
        centres[:, None] + away * (sizes[:, None] * rng.uniform(0.78, 1.22, (blobs, per_blob)))[..., None]
    ).reshape(-1, 3)
    facing = away.reshape(-1, 3) + 0.5 * rng.normal(size=middles.shape)
    return [*cores, _clumps(rng, middles, facing, size, material, crown, radii)]


def _clumps(
    rng: Generator,
    middles: NDArray,
    facing: NDArray,
    size: float,
    material: int,
    crown: NDArray,
    radii: NDArray,
) -> Mesh:
    """Return leaf clumps: ragged pentagons around `middles` [L, 3] that look along `facing` [L, 3]."""
    count = len(middles)
    facing = facing / np.linalg.norm(facing, axis=1, keepdims=True)
    across = np.cross(facing, rng.normal(size=(count, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(facing, across)
    angle = 2 * np.pi * np.arange(5) / 5
    reach = size * rng.uniform(0.6, 1.25, (count, 5))
    rim = (
        across[:, None] * (np.cos(angle) * reach)[..., None]
        + along[:, None] * (np.sin(angle) * reach)[..., None]
        - facing[:, None] * (0.3 * size * rng.normal(size=(count, 5)))[..., None]
    )
    points = (middles[:, None] + rim).reshape(-1, 3)
    corner = np.arange(count)[:, None] * 5
    faces = np.concatenate([corner + k for k in ([0, 1, 2], [0, 2, 3], [0, 3, 4])])
    outward = (points - crown) / radii
    depth = np.linalg.norm(outward, axis=1, keepdims=True)
    shade = (0.55 + 0.35 * outward[:, 1:2] + 0.3 * (depth - 0.7)).clip(0.35, 1.25)
    shade = shade * np.repeat(rng.uniform(0.8, 1.2, (count, 1)), 5, axis=0)
    mesh = smooth_mesh(points, faces, material, shade.repeat(3, axis=1))
    return mesh.with_normals(outward + 0.35 * np.repeat(facing, 5, axis=0) * depth)


def dead_tree(rng: Generator, height: float, level: int) -> Mesh:
    """Return a bare, weathered tree."""
    parts: list[Mesh] = []

    def grow(start: NDArray, heading: NDArray, length: float, radius: float, order: int) -> None:
        end = start + heading * length
        parts.append(
            cylinder(start, end, radius, 0.55 * radius, 6 if order == 0 else 4, SLOT["dead_wood"], caps=False)
        )
        if order == (2 if level == 0 else 1):
            return
        for _ in range(5 if order == 0 else 3):
            turn = rng.normal(0, 0.75, 3) + [0, 0.35, 0]
            onward = heading + turn
            onward /= np.linalg.norm(onward)
            share = rng.uniform(0.45, 1.0)
            grow(
                start + heading * length * share,
                onward,
                length * rng.uniform(0.35, 0.55),
                0.5 * radius,
                order + 1,
            )

    grow(
        np.array([0.0, -0.3, 0.0]),
        np.array([rng.normal(0, 0.06), 1.0, rng.normal(0, 0.06)]),
        0.6 * height,
        0.03 * height,
        0,
    )
    return concatenate(parts)


def palm(rng: Generator, height: float, level: int) -> Mesh:
    """Return a leaning palm with arching fronds."""
    lean = rng.normal(0, 0.16, 2) * height
    bends = np.linspace(0, 1, 7)
    spine = np.stack([lean[0] * bends**1.8, bends * height - 0.3 * (bends == 0), lean[1] * bends**1.8], -1)
    radius = 0.026 * height * (1.25 - 0.5 * bends)
    parts = [
        cylinder(spine[i], spine[i + 1], radius[i], radius[i + 1], 7, SLOT["dead_wood"], caps=False)
        for i in range(6)
    ]
    count = 15 if level == 0 else 10
    for index in range(count):
        angle = 2.4 * index + rng.normal(0, 0.15)
        rise, length = rng.uniform(-0.1, 0.75), 0.42 * height * rng.uniform(0.85, 1.1)
        out = np.array([np.cos(angle), 0.0, np.sin(angle)])
        side = np.array([-np.sin(angle), 0.0, np.cos(angle)])
        along = np.linspace(0.02, 1, 7)[:, None]
        middle = spine[-1] + length * (out * along * 0.85 + [0, 1, 0] * (rise * along - 0.95 * along**2))
        half = length * 0.13 * np.sin(np.pi * along**0.7) ** 0.7 + 0.01
        fall = [0, 1, 0] * half * 0.55
        strip = np.concatenate([middle - side * half - fall, middle, middle + side * half - fall])
        k = np.arange(6)
        faces = np.concatenate(
            [
                np.stack(t, -1)
                for t in (
                    (k, k + 7, k + 8),
                    (k, k + 8, k + 1),
                    (k + 7, k + 14, k + 15),
                    (k + 7, k + 15, k + 8),
                )
            ]
        )
        shade = (0.6 + 0.6 * np.tile(along, (3, 1))).repeat(3, axis=1)
        frond = smooth_mesh(strip, faces, SLOT["frond"], shade)
        parts.append(frond.with_normals(frond.normals * np.sign(frond.normals[:, 1:2] + 1e-6) + [0, 0.6, 0]))
    return concatenate(parts)


def cactus(rng: Generator, height: float, level: int) -> Mesh:
    """Return a saguaro with one to three arms."""
    sides = 12 if level == 0 else 7
    thick = 0.085 * height

    def column(start: NDArray, end: NDArray, radius: float) -> list[Mesh]:
        crest = end + (end - start) / np.linalg.norm(end - start) * radius * 0.8
        return [
            cylinder(start, end, 0.9 * radius, radius, sides, SLOT["cactus"], caps=False),
            cylinder(end, crest, radius, 0.3 * radius, sides, SLOT["cactus"]),
        ]

    parts = column(np.array([0.0, -0.2, 0.0]), np.array([0.0, height, 0.0]), thick)
    for index in range(int(rng.integers(1, 4))):
        angle = 2.2 * index + rng.uniform(0, 6.28)
        out = np.array([np.cos(angle), 0.0, np.sin(angle)])
        joint = np.array([0.0, height * rng.uniform(0.35, 0.6), 0.0])
        elbow = joint + out * 0.24 * height + [0, 0.04 * height, 0]
        parts += column(joint, elbow, 0.6 * thick)
        parts += column(
            elbow - [0, 0.03 * height, 0], elbow + [0, height * rng.uniform(0.18, 0.34), 0], 0.62 * thick
        )
    return concatenate(parts)


def grass_tuft(rng: Generator, height: float, blades: int, material: str = "grass") -> Mesh:
    """Return a clump of broad blades; their light is the ground's, so that they belong to it."""
    angle = rng.uniform(0, 2 * np.pi, blades)
    out = np.stack([np.cos(angle), np.zeros(blades), np.sin(angle)], -1)
    side = np.stack([-np.sin(angle), np.zeros(blades), np.cos(angle)], -1)
    tall = height * rng.uniform(0.55, 1.1, (blades, 1))
    foot = out * rng.uniform(0, 0.22, (blades, 1)) * height - [0, 0.03, 0]
    half = 0.045 * height * rng.uniform(0.8, 1.3, (blades, 1))
    lean = out * tall * rng.uniform(0.2, 0.65, (blades, 1))
    knee = foot + 0.4 * lean + tall * [0, 0.62, 0]
    tip = foot + lean + tall * [0, 1.0, 0]
    points = np.stack(
        [foot - side * half, foot + side * half, knee + side * half * 0.8, knee - side * half * 0.8, tip], 1
    )
    corner = np.arange(blades)[:, None] * 5
    faces = np.concatenate([corner + k for k in ([0, 1, 2], [0, 2, 3], [3, 2, 4])])
    shade = np.tile(np.array([0.7, 0.7, 1.05, 1.05, 1.35]), blades)[:, None] * np.repeat(
        rng.uniform(0.85, 1.15, (blades, 1)), 5, axis=0
    )
    mesh = smooth_mesh(points.reshape(-1, 3), faces, SLOT[material], shade.repeat(3, axis=1))
    return mesh.with_normals(
        np.broadcast_to([0.0, 1.0, 0.0], mesh.normals.shape) + 0.25 * np.repeat(out, 5, axis=0)
    )


def flower_clump(rng: Generator, height: float, colour: tuple[float, float, float], blooms: int = 6) -> Mesh:
    """Return a clump of open flowers on stems."""
    parts = [grass_tuft(rng, 0.7 * height, 5, "stem")]
    for _ in range(blooms):
        spot = rng.normal(0, 0.35 * height, 2)
        top = np.array([spot[0], height * rng.uniform(0.75, 1.15), spot[1]])
        parts.append(
            cylinder([spot[0] * 0.7, -0.03, spot[1] * 0.7], top, 0.006, 0.006, 3, SLOT["stem"], caps=False)
        )
        size = 0.2 * height * rng.uniform(0.8, 1.2)
        angle = 2 * np.pi * np.arange(8) / 8
        reach = size * np.where(np.arange(8) % 2, 0.72, 1.0)
        rim = np.stack([reach * np.cos(angle), 0.25 * size + 0 * angle, reach * np.sin(angle)], -1)
        tilt = rng.normal(0, 0.25, 2)
        rim[:, 1] += rim[:, 0] * tilt[0] + rim[:, 2] * tilt[1]
        faces = np.array([[0, 1 + (k + 1) % 8, 1 + k] for k in range(8)])
        shade = np.concatenate([[[0.7, 0.6, 0.3]], np.ones((8, 3))]) * np.asarray(colour)
        bloom = smooth_mesh(np.concatenate([[top], top + rim]), faces, SLOT["petal"], shade)
        parts.append(bloom.with_normals(bloom.normals * 0.3 + [0, 1, 0]))
    return concatenate(parts)


def mushroom(rng: Generator, height: float, colour: tuple[float, float, float]) -> Mesh:
    """Return a small group of mushrooms."""
    parts = []
    for index in range(3):
        spot = rng.normal(0, 0.6 * height, 2) if index else np.zeros(2)
        tall = height * rng.uniform(0.6, 1.0)
        foot, head = np.array([spot[0], -0.02, spot[1]]), np.array([spot[0], tall, spot[1]])
        parts.append(cylinder(foot, head, 0.13 * tall, 0.1 * tall, 7, SLOT["cap"], (0.6, 0.56, 0.48)))
        parts.append(
            cylinder(
                head - [0, 0.12 * tall, 0],
                head + [0, 0.1 * tall, 0],
                0.48 * tall,
                0.34 * tall,
                10,
                SLOT["cap"],
                colour,
            )
        )
        parts.append(
            cylinder(
                head + [0, 0.1 * tall, 0],
                head + [0, 0.22 * tall, 0],
                0.34 * tall,
                0.08 * tall,
                10,
                SLOT["cap"],
                colour,
            )
        )
    return concatenate(parts)
