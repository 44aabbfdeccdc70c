"""A few cameras walking past a slanted wall whose depth is known in closed form."""

from __future__ import annotations

import numpy as np

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import F32, look_at_viewmat

WIDTH, HEIGHT = 60, 44
NORMAL, OFFSET = np.array([0.4, 0.2, 1.0]), -5.0  # the wall: NORMAL @ x = OFFSET


def walk(count: int = 5) -> Cameras:
    """Return cameras that step sideways along a bend and look at the wall."""
    eyes = np.array([[0.3 * k, 0.1 * k, 0.05 * k * k] for k in range(count)])
    viewmats = np.stack([look_at_viewmat(eye, eye + [0.1, -0.05, -3.0]) for eye in eyes])
    Ks = np.tile(intrinsics(52.0, WIDTH, HEIGHT), (count, 1, 1))
    return Cameras(viewmats.astype(np.float32), Ks, WIDTH, HEIGHT)


def wall_depths(cameras: Cameras) -> F32:
    """Return depths [F, H, W] by meeting every pixel's ray with the plane."""
    depths = np.zeros((len(cameras), cameras.height, cameras.width), np.float32)
    v, u = np.mgrid[0.5 : cameras.height, 0.5 : cameras.width]
    for index, (viewmat, K) in enumerate(zip(cameras.viewmats, cameras.Ks, strict=True)):
        rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T @ viewmat[:3, :3]
        depths[index] = (OFFSET - NORMAL @ cameras.positions[index]) / (rays @ NORMAL)
    return depths
