"""Still water as one flat sheet; what it mirrors is painted on it by `render`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .layout import Lake
from .mesh import Mesh, smooth_mesh
from .noise import ramp
from .palette import SLOT


def water_sheet(lake: Lake) -> Mesh:
    """Return the surface at y = 0, a little wider than its shore; shallow water is lighter."""
    around, outward = 160, 44
    # Fine where the shore is, coarse out on the water.
    shares = np.concatenate([np.linspace(0, 0.75, 14)[:-1], np.linspace(0.75, 1.0, outward - 13)])
    radius = shares * (lake.radius + 8.0)
    if lake.is_sea:
        radius = np.append(radius, [lake.radius + 60, 900.0])
    r, t = np.meshgrid(radius, np.linspace(0, 2 * np.pi, around), indexing="ij")
    x, z = lake.x + r * np.cos(t), lake.z + r * np.sin(t)
    index = np.arange(r.size).reshape(r.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    points = np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3)
    depth = -lake.shore_distance(points[:, 0], points[:, 2])
    shallow = (1 - ramp(0.0, 4.5, depth))[:, None]
    tint = 1 + shallow * ([0.08, 0.08, 0.08] if lake.is_frozen else [0.9, 0.55, 0.35])
    sheet = replace(
        smooth_mesh(points, faces, SLOT["water"], tint.astype(np.float32)),
        normals=np.broadcast_to(np.float32([0, 1, 0]), points.shape).copy(),
    )
    return sheet.labelled("lake")
