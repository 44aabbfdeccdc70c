"""Normals, noise and noise-free depths of planes seen at a slant, with edges, holes and sky."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.cameras import intrinsics
from reconstruction.conventions import F32
from reconstruction.depth_surface import noise_of, surface_normals, without_noise

HEIGHT, WIDTH = 40, 64
K = intrinsics(70.0, WIDTH, HEIGHT)
K[:2, 2] += 4.25, -2.5
FLOOR, WALL = np.array([0.1, -1.0, -0.15]), np.array([0.6, 0.0, -0.8])


def plane(normal: np.ndarray, through: tuple[float, float, float]) -> F32:
    """Depths [H, W] of the plane by where its rays end: n (t r) = n p."""
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(K).T
    return (normal @ through / (rays @ normal)).astype(np.float32)


def room() -> tuple[F32, np.ndarray]:
    """A wall 5 m away that stands in front of nothing on the left of column 20; and which pixels are wall."""
    wall, far = plane(WALL, (0.0, 0.0, 3.0)), plane(FLOOR, (0.0, 3.0, 0.0))
    is_wall = np.zeros((HEIGHT, WIDTH), bool)
    is_wall[:, :20] = True
    depth = np.where(is_wall, wall, np.where(far > 0, far, np.inf))
    depth[30:34, 40:44] = 0
    return depth.astype(np.float32), is_wall


def test_normals_of_planes_face_the_camera():
    depth, is_wall = room()

    normals = surface_normals(depth, K)

    known = normals.any(-1)
    for normal, side in ((WALL, known & is_wall), (FLOOR, known & ~is_wall)):
        assert side.sum() > 500
        assert np.abs(normals[side] - normal / np.linalg.norm(normal)).max() < 2e-3


def test_no_normal_across_an_edge_a_hole_or_into_the_sky():
    depth, _ = room()

    normals = surface_normals(depth, K)

    assert not normals[:, 19:21].any() and not normals[29:35, 39:45][depth[29:35, 39:45] == 0].any()
    assert not normals[np.isinf(depth)].any()
    assert not normals[[0, -1]].any() and not normals[:, [0, -1]].any()


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.06])
def test_noise_is_measured(noise: float):
    depth, _ = room()
    random = np.random.default_rng(5)

    noisy = depth * (1 + noise * random.standard_normal(depth.shape)).astype(np.float32)

    assert noise_of(noisy) == pytest.approx(noise, rel=0.12)
    assert noise_of(depth) < 1e-3
    assert noise_of(np.full_like(depth, np.inf)) == 0


def test_noise_goes_and_the_edge_stays():
    depth, _ = room()
    noisy = depth * (1 + 0.03 * np.random.default_rng(6).standard_normal(depth.shape)).astype(np.float32)

    smooth = without_noise(noisy)

    known = np.isfinite(depth) & (depth > 0)
    before, after = (np.abs(each[known] / depth[known] - 1) for each in (noisy, smooth))
    assert np.median(after) < 0.3 * np.median(before)
    assert np.sqrt((after**2).mean()) < 0.5 * np.sqrt((before**2).mean())
    edge = known.copy()
    edge[:, :17], edge[:, 23:] = False, False
    assert np.median(np.abs(smooth[edge] / depth[edge] - 1)) < 0.012, "the two sides are not mixed"
    assert np.array_equal(smooth[~known], noisy[~known])


def test_a_quiet_map_is_not_touched():
    depth, _ = room()

    assert without_noise(depth) is depth
