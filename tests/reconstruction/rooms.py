"""Places whose walkable area is known, and depth pictures of them.

The room is an L, six metres by seven, with a dais of 0.2 m and a pillar: nothing in it is symmetric.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.fusion import Collider, Mesh, join

RADIUS_M = 0.22
PILLAR_M = 0.5
# Minkowski: floor shrunk by the body's radius at every wall, the pillar grown by it.
ROOM_AREA_M2 = (
    (6 - 2 * RADIUS_M) * (4 - 2 * RADIUS_M)
    + (2.5 - 2 * RADIUS_M) * 3
    - (PILLAR_M**2 + 4 * PILLAR_M * RADIUS_M + np.pi * RADIUS_M**2)
)


def quad(a, b, c, d) -> Mesh:
    """Two triangles; the front is where a, b, c, d run counter-clockwise."""
    return Mesh(np.array([a, b, c, d], np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def floor(x0: float, x1: float, z0: float, z1: float, y: float = 0.0) -> Mesh:
    return quad([x0, y, z0], [x0, y, z1], [x1, y, z1], [x1, y, z0])


def wall(start, end, low: float = 0.0, high: float = 2.6) -> Mesh:
    """Upright quad from (x, z) to (x, z)."""
    (x0, z0), (x1, z1) = start, end
    return quad([x0, low, z0], [x1, low, z1], [x1, high, z1], [x0, high, z0])


def walls_around(corners, low: float = 0.0, high: float = 2.6) -> Mesh:
    return join([wall(a, b, low, high) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)])


def l_room() -> Mesh:
    outline = [(0.0, 0.0), (6.0, 0.0), (6.0, 4.0), (2.5, 4.0), (2.5, 7.0), (0.0, 7.0)]
    x, z, half = 3.0, 2.2, PILLAR_M / 2
    pillar = [(x - half, z - half), (x + half, z - half), (x + half, z + half), (x - half, z + half)]
    dais = [(4.4, 0.0), (6.0, 0.0), (6.0, 1.7), (4.4, 1.7)]
    ceiling = quad([0, 2.6, 0], [6, 2.6, 0], [6, 2.6, 7], [0, 2.6, 7])
    return join(
        [
            floor(0, 6, 0, 4),
            floor(0, 2.5, 4, 7),
            walls_around(outline),
            walls_around(pillar),
            floor(4.4, 6.0, 0.0, 1.7, y=0.2),
            walls_around(dais, 0.0, 0.2),
            ceiling,
        ]
    )


def cameras_along(
    path, *, turns: int, width: int, height: int, eye_m: float = 1.6, pitch: float = -0.25
) -> Cameras:
    """`turns` views to all sides from each place (x, z) of a path."""
    viewmats = []
    for place, (x, z) in enumerate(path):
        eye = np.array([x, eye_m, z])
        for turn in range(turns):
            angle = 2 * np.pi * (turn + 0.3 * place) / turns
            viewmats.append(look_at_viewmat(eye, eye + np.array([np.sin(angle), pitch, -np.cos(angle)])))
    K = intrinsics(0.55 * width, width, height)
    return Cameras(np.stack(viewmats), np.repeat(K[None], len(viewmats), axis=0), width, height)


def room_cameras(width: int = 160, height: int = 90) -> Cameras:
    path = [(1.2, 1.0), (4.6, 2.9), (1.1, 3.2), (4.9, 1.0), (1.4, 5.6)]
    return cameras_along(path, turns=6, width=width, height=height)


def depths_of(mesh: Mesh, cameras: Cameras) -> NDArray[np.float32]:
    """Exact depths [F, H, W] along +Z; +inf where nothing is."""
    collider = Collider(mesh)
    v, u = np.mgrid[: cameras.height, : cameras.width] + 0.5
    depths = []
    for viewmat, K, position in zip(cameras.viewmats, cameras.Ks, cameras.positions, strict=True):
        x_cam = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
        length = np.linalg.norm(x_cam, axis=-1)
        directions = (x_cam / length[..., None]) @ viewmat[:3, :3]
        origins = np.broadcast_to(position, (u.size, 3))
        distances, _ = collider.cast(origins, directions.reshape(-1, 3))
        depths.append(distances.reshape(u.shape) / length)
    return np.stack(depths).astype(np.float32)


def points_of(depths: NDArray[np.float32], cameras: Cameras) -> NDArray[np.float64]:
    """Points [F, H, W, 3] in the world that the pixels show."""
    v, u = np.mgrid[: cameras.height, : cameras.width] + 0.5
    points = []
    for depth, viewmat, K in zip(depths, cameras.viewmats, cameras.Ks, strict=True):
        x_cam = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
        points.append((x_cam * depth[..., None] - viewmat[:3, 3]) @ viewmat[:3, :3])
    return np.stack(points)


def without_disc(mesh: Mesh, x: float, z: float, radius_m: float, below_m: float) -> Mesh:
    """Cut a round hole: drop the triangles whose middle is in the disc and lower than `below_m`."""
    middle = mesh.corners.mean(axis=1)
    inside = np.hypot(middle[:, 0] - x, middle[:, 2] - z) < radius_m
    return Mesh(mesh.vertices, mesh.faces[~(inside & (middle[:, 1] < below_m))])
