from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from reconstruction.cameras import Cameras
from reconstruction.conventions import rotmats_from_quats
from reconstruction.gravity import find_floor, find_up
from reconstruction.upright_edges import upright_direction
from tests.reconstruction.rooms import depths_of, l_room, points_of
from tests.reconstruction.textured import room_cameras_along

_TILT = rotmats_from_quats(np.array([0.6, -0.4, 0.5, 0.3]))  # how the source's frame is turned
_UP = _TILT @ [0.0, 1.0, 0.0]


def _straight_walk(pitch: float) -> tuple[Cameras, np.ndarray]:
    """Cameras that step sideways and look down alike, and noisy points that they see; in a turned frame."""
    t = np.linspace(0, 1.2, 14)
    eyes = np.stack([1 + 2.5 * t, np.full(14, 1.5), 3.4 - 0.3 * t], axis=1)
    ahead = np.stack([0.4 + 0.1 * t, np.full(14, pitch), np.full(14, -1.0)], axis=1)
    cameras = room_cameras_along(eyes, eyes + ahead, focal_over_edge=0.7, width=160, height=100)
    rng = np.random.default_rng(0)
    points = points_of(depths_of(l_room(), cameras), cameras).reshape(-1, 3)
    points = points[rng.choice(len(points), 1500, replace=False)] + rng.normal(0, 0.02, (1500, 3))
    turn = np.eye(4)
    turn[:3, :3] = _TILT
    return cameras.moved(turn), points @ _TILT.T


def _off_deg(direction: np.ndarray, truth: np.ndarray = _UP) -> float:
    return float(np.degrees(np.arccos(np.clip(direction @ truth, -1, 1))))


@pytest.mark.parametrize("pitch", [-0.35, -0.6])
def test_a_floor_tells_up_where_every_camera_looks_down_alike(pitch: float) -> None:
    cameras, points = _straight_walk(pitch)

    found = find_up(cameras, points, None)

    assert _off_deg(found.direction) < 1
    assert found.error_deg <= 2
    assert found.floor is not None
    assert found.floor.heights(cameras.positions) == pytest.approx(np.full(14, 1.5), abs=0.03)


def test_without_points_the_cameras_tell_and_the_doubt_is_said() -> None:
    cameras, _ = _straight_walk(-0.1)

    found = find_up(cameras, np.empty((0, 3)), None)

    assert _off_deg(found.direction) < found.error_deg == 10
    assert "guess" in found.note
    assert found.floor is None


def test_points_below_make_a_ceiling_or_a_table_no_floor() -> None:
    cameras, points = _straight_walk(-0.6)
    under = points[:300] - 0.5 * _UP  # a second level under a fifth of what looks like the floor

    assert find_floor(cameras, np.concatenate([points, under]), _UP) is None


def test_a_wall_is_no_floor_however_many_points_it_has() -> None:
    cameras, _ = _straight_walk(-0.1)
    rng = np.random.default_rng(3)
    wall = np.c_[rng.uniform(0, 6, 2000), rng.uniform(0, 2, 2000), np.zeros(2000)] @ _TILT.T

    assert find_floor(cameras, wall, _UP) is None


@pytest.mark.parametrize("count", [0, 1, 59, 60, 500])
def test_degenerate_points_are_no_floor(count: int) -> None:
    cameras, _ = _straight_walk(-0.1)
    rng = np.random.default_rng(count)
    one = np.tile(-2 * _UP, (count, 1))
    line = one + rng.uniform(-3, 3, (count, 1)) * (_TILT @ [1.0, 0.0, 0.0])
    far = rng.normal(size=(count, 3)) * 1e6

    for points in (one, line, far):
        floor = find_floor(cameras, points, _UP)
        assert floor is None or np.isfinite(floor.normal).all()
    assert find_floor(cameras, one, _UP) is None


def test_blank_pictures_have_no_edges() -> None:
    cameras, _ = _straight_walk(-0.1)

    assert upright_direction(np.full((14, 100, 160, 3), 90, np.uint8), cameras, _UP) is None


def _pictures_of_posts(cameras: Cameras, lean_deg: float) -> np.ndarray:
    """Dark and bright bands far around the cameras, upright in a world that leans."""
    v, u = np.mgrid[0.5 : cameras.height, 0.5 : cameras.width]
    lean = np.radians(lean_deg)
    along = _TILT @ [np.sin(lean), np.cos(lean), 0.0]
    east, north = np.linalg.svd(along[None])[2][1:]
    images = np.empty((len(cameras), cameras.height, cameras.width, 3), np.uint8)
    for image, viewmat, K in zip(images, cameras.viewmats, cameras.Ks, strict=True):
        rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T @ viewmat[:3, :3]
        heading = np.arctan2(rays @ east, rays @ north)
        image[:] = np.where(np.sin(26 * heading) + np.sin(59 * heading) > 0.3, 190, 60)[..., None]
    return images


@pytest.mark.parametrize("lean_deg", [0.0, -8.0])
def test_upright_edges_tell_up(lean_deg: float) -> None:
    cameras, _ = _straight_walk(-0.35)
    images = _pictures_of_posts(cameras, lean_deg)
    lean = np.radians(lean_deg)

    found = upright_direction(images, cameras, _TILT @ [0.05, 0.98, 0.2])

    assert found is not None
    assert _off_deg(found, _TILT @ [np.sin(lean), np.cos(lean), 0.0]) < 1.5


@pytest.mark.parametrize("about", [[0, 1, 0], [1, 0.4, 0], [0.2, -0.3, 1], [-1, 1, 1], [1, 1, -0.5]])
def test_edges_without_a_common_direction_are_not_believed(about: list[float]) -> None:
    cameras, _ = _straight_walk(-0.35)
    noise = np.random.default_rng(0).normal(size=(14, 100, 160))
    blotches = gaussian_filter(noise, (0, 3, 3)) * 900 + 128  # edges to all sides
    images = np.repeat(blotches.clip(0, 255)[..., None], 3, axis=3).astype(np.uint8)

    assert upright_direction(images, cameras, np.array(about) / np.linalg.norm(about)) is None


def test_a_slope_is_told_from_gravity_by_edges_and_agreement_is_trusted_most() -> None:
    cameras, points = _straight_walk(-0.35)

    level = find_up(cameras, points, _pictures_of_posts(cameras, 0.0))
    slope = find_up(cameras, points, _pictures_of_posts(cameras, -8.0))  # posts are upright, the floor leans

    assert "floor and upright edges" in level.note
    assert level.error_deg < slope.error_deg
    lean = np.radians(-8.0)
    assert _off_deg(slope.direction, _TILT @ [np.sin(lean), np.cos(lean), 0.0]) < 1.5
    assert slope.floor is not None
