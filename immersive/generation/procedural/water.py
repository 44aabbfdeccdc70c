"""Still water as one flat sheet; what it mirrors is painted on it by `render`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh, smooth_mesh
from .noise import ramp
from .palette import SLOT
from .waters import Lake, River, Water


def water_sheet(lake: Water) -> Mesh:
    """Return the surface at y = 0, a little wider than its shore; shallow water is lighter."""
    x, z = _ribbon(lake) if isinstance(lake, River) else _disc(lake)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    points = np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3)
    if isinstance(lake, River):
        # Which way round a ribbon's triangles turn depends on the way the river runs.
        corners = points[faces[0]]
        if np.cross(corners[1] - corners[0], corners[2] - corners[0])[1] < 0:
            faces = faces[:, ::-1]
    depth = -lake.shore_distance(points[:, 0], points[:, 2])
    reach = 4.5 if isinstance(lake, Lake) else 2.0
    shallow = (1 - ramp(0.0, reach, depth))[:, None]
    tint = 1 + shallow * ([0.08, 0.08, 0.08] if lake.is_frozen else [0.9, 0.55, 0.35])
    return replace(
        smooth_mesh(points, faces, SLOT["water"], tint.astype(np.float32)),
        normals=np.broadcast_to(np.float32([0, 1, 0]), points.shape).copy(),
    )


def _ribbon(river: River) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and z [P, 17] across a river along its line."""
    line = np.array(river.line)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], 260)
    middle = np.stack([np.interp(at, lengths, line[:, k]) for k in (0, 1)], -1)
    ahead = np.gradient(middle, axis=0)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], -1) / np.linalg.norm(ahead, axis=1, keepdims=True)
    offsets = np.linspace(-1, 1, 17) * (river.half_width + 1.6)
    points = middle[:, None] + offsets[:, None] * across[:, None]
    return points[..., 0], points[..., 1]


def _disc(lake: Lake) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and z of rings around a lake's middle."""
    around, outward = 160, 44
    # Fine where the shore is, coarse out on the water.
    shares = np.concatenate([np.linspace(0, 0.75, 14)[:-1], np.linspace(0.75, 1.0, outward - 13)])
    radius = shares * (lake.radius + 8.0)
    if lake.is_sea:
        radius = np.append(radius, [lake.radius + 60, 900.0])
    r, t = np.meshgrid(radius, np.linspace(0, 2 * np.pi, around), indexing="ij")
    return lake.x + r * np.cos(t), lake.z + r * np.sin(t)
