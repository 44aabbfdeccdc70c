"""Bridges, cliffs and waterfalls: what belongs to water and rock rather than to people's yards."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Generator

from ..look import Look
from ..mesh import Mesh, box, concatenate, cylinder, smooth_mesh
from ..noise import fractal_in_space
from ..palette import SLOT
from ..shapes import blob, scaled, slab_between, tube
from ..world import RGB


def bridge(rng: Generator, look: Look, length: float) -> Mesh:
    """Return a bridge along z around the origin, its ends at y = 0: painted wood, stone or ropes."""
    if look.has("rope"):
        return _rope_bridge(rng, length)
    rise = 0.16 * length
    steps = np.linspace(-1, 1, 13)
    line = np.stack([np.zeros(13), rise * (1 - steps**2) + 0.12, steps * length / 2], -1)
    if look.has("stone", "brick"):
        return _stone_bridge(line, look)
    colour = look.colour((0.3, 0.18, 0.1))
    parts = []
    for a, b in itertools.pairwise(line):
        parts.append(slab_between(a, b, 1.7, 0.1, SLOT["plank_wood"]))
        for x in (-0.82, 0.82):
            parts.append(
                slab_between(a - [0, 0.12, 0], b - [0, 0.12, 0], 0.14, 0.22, SLOT["paint"], colour).placed(
                    [x, 0, 0]
                )
            )
            for lift, thick in ((0.95, 0.1), (0.5, 0.06)):
                parts.append(
                    slab_between(
                        a + [0, lift, 0], b + [0, lift, 0], thick, thick, SLOT["paint"], colour
                    ).placed([x, 0, 0])
                )
    for point in line[::2]:
        for x in (-0.82, 0.82):
            parts.append(box(point + [x, 0.5, 0], [0.12, 1.15, 0.12], SLOT["paint"], colour))
    return concatenate(parts)


def _stone_bridge(line: np.ndarray, look: Look) -> Mesh:
    stuff = SLOT["brick" if look.has("brick") else "stones"]
    tint: RGB = (1.25, 1.22, 1.15)
    parts = []
    half = line[-1, 2]
    for a, b in itertools.pairwise(line):
        parts.append(slab_between(a, b, 2.4, 0.3, stuff, scaled(tint, 0.85)))
        low_a, low_b = (-0.8 if abs(p[2]) > 0.62 * half else _vault(p[2], half) for p in (a, b))
        for x in (-1.2, 1.2):
            middle = (a[2] + b[2]) / 2
            top, low = (a[1] + b[1]) / 2 + 0.75, min((low_a + low_b) / 2, (a[1] + b[1]) / 2 - 0.15)
            parts.append(
                box([x, (top + low) / 2, middle], [0.36, top - low, abs(b[2] - a[2]) + 0.02], stuff, tint)
            )
    return concatenate(parts)


def _vault(z: float, half: float) -> float:
    """Return the height of the arch's underside at z."""
    share = min(abs(z) / (0.62 * half), 1.0)
    return -0.3 + 0.2 * half * np.sqrt(max(1 - share**2, 0.0))


def _rope_bridge(rng: Generator, length: float) -> Mesh:
    steps = np.linspace(-1, 1, 17)
    line = np.stack([np.zeros(17), 0.5 - 0.09 * length * (1 - steps**2), steps * length / 2], -1)
    rope: RGB = (0.3, 0.22, 0.12)
    parts = []
    for a, b in itertools.pairwise(line):
        parts.append(
            slab_between(
                a + 0.12 * (b - a),
                b - 0.12 * (b - a),
                1.1,
                0.07,
                SLOT["plank_wood"],
                scaled((1, 1, 1), float(rng.uniform(0.8, 1.2))),
            )
        )
    for x in (-0.6, 0.6):
        rail = line + [x, 1.0, 0]
        parts += [
            tube(rail, 0.04, 6, SLOT["paint"], rope),
            tube(line + [x, -0.02, 0], 0.035, 6, SLOT["paint"], rope),
        ]
        parts += [
            cylinder(line[i] + [x, 0, 0], rail[i], 0.022, 0.022, 5, SLOT["paint"], rope)
            for i in range(0, 17, 2)
        ]
        for end in (0, -1):
            parts.append(
                cylinder(line[end] + [x, -1.0, 0], line[end] + [x, 1.35, 0], 0.12, 0.1, 8, SLOT["bark"])
            )
    return concatenate(parts)


def cliff(rng: Generator, look: Look, half_width: float = 7.0, height: float = 9.0) -> Mesh:
    """Return a rock face along x, 14 m wide; its foot is near z = 0, and its top leans out over it."""
    seed = int(rng.integers(1, 60_000))
    across, up = 90, 48
    u, v = np.meshgrid(np.linspace(-1, 1, across), np.linspace(0, 1, up), indexing="ij")
    crest = height * (1 - 0.55 * np.abs(u) ** 2.2)
    x, y = u * half_width, v * crest - 0.8
    flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], -1)
    coarse = fractal_in_space(flat / 3.2, 3, seed).reshape(x.shape)
    ledges = fractal_in_space(flat * [0.12, 0.9, 0] + 3.0, 2, seed + 3).reshape(x.shape)
    overhang = 1.5 * np.clip((v - 0.45) / 0.35, 0, 1) ** 1.3 * (1 - 0.75 * u**2)
    back = 3.0 * np.clip((v - 0.88) / 0.12, 0, 1) ** 2
    z = (
        0.9 * coarse
        + 0.55 * np.sign(ledges) * np.sqrt(np.abs(ledges))
        + overhang
        - back
        - 2.2 * np.abs(u) ** 3
    )
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (p.ravel() for p in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    front = smooth_mesh(
        points, np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]), SLOT["cliff"]
    )
    rim = points.reshape(across, up, 3)[:, -1]
    far = rim + [0, 0.4, -5.0]
    low = rim * [1, 0, 1] + [0, -0.8, -5.5]
    strip = np.concatenate([rim, far, low])
    n = np.arange(across - 1)
    faces = [np.stack([n + s, n + s + 1, n + s + across + 1], -1) for s in (0, across)]
    faces += [np.stack([n + s, n + s + across + 1, n + s + across], -1) for s in (0, across)]
    return concatenate([front, smooth_mesh(strip, np.concatenate(faces), SLOT["cliff"])])


def waterfall(rng: Generator, look: Look) -> Mesh:
    """Return a fall from a rock face, about 6 m high, into foam at its foot."""
    rock = cliff(rng, look, 5.5, 6.5)
    across, along = 10, 26
    u, v = np.meshgrid(np.linspace(-1, 1, across), np.linspace(0, 1, along), indexing="ij")
    seed = int(rng.integers(1, 60_000))
    ripple = fractal_in_space(
        np.stack([u.ravel() * 3, v.ravel() * 1.2, np.zeros(u.size)], -1), 2, seed
    ).reshape(u.shape)
    x = u * (0.85 + 0.35 * v) + 0.06 * ripple
    y = 5.5 * (1 - v**1.25)
    z = 1.9 + 0.9 * np.sin(np.pi * np.minimum(v * 1.2, 1.0)) * 0.5 + 0.12 * ripple
    z[:, 0] -= 1.6
    y[:, 0] += 0.1
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    index = np.arange(u.size).reshape(u.shape)
    a, b, c, d = (p.ravel() for p in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    # Seen from the front: down the fall, then across.
    shades = np.clip(0.9 + 0.4 * ripple, 0.6, 1.2).ravel()[:, None] * np.ones(3)
    fall = smooth_mesh(
        points,
        np.concatenate([np.stack([a, d, c], -1), np.stack([a, c, b], -1)]),
        SLOT["foam"],
        shades.astype(np.float32),
    )
    spray = [
        blob(
            rng,
            [float(sx), 0.1, 2.5 + float(rng.uniform(-0.2, 0.4))],
            [0.55, 0.3, 0.5],
            SLOT["foam"],
            (1, 1, 1),
            0.2,
        )
        for sx in np.linspace(-1.1, 1.1, 5)
    ]
    return concatenate([rock, fall, *spray])
