"""Fused surfaces lie where the depths say, and what views look through is carved away."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.depth_views import depths_and_views, without_flying_pixels
from reconstruction.errors import InvalidArrayError
from reconstruction.fusion import Collider, Mesh, fuse, join, parts, simplify
from tests.reconstruction.rooms import depths_of, floor, l_room, points_of, quad, room_cameras, wall


def test_a_fused_room_lies_within_a_voxel_of_the_room() -> None:
    cameras = room_cameras()
    fused = fuse(depths_of(l_room(), cameras), cameras, voxel_m=0.06, max_depth_m=10.0)

    off = Collider(l_room()).distance(fused.vertices)

    assert len(fused) > 5000
    assert np.quantile(off, 0.95) < 0.06
    low = fused.vertices[:, 1] < 0.03
    assert (fused.normals[low[fused.faces].all(axis=1), 1] > 0.9).mean() > 0.95  # floors look up


@pytest.mark.parametrize("view", [2, 9, 16])
def test_everything_that_one_view_shows_is_fused(view: int) -> None:
    camera = room_cameras().subset([view])
    depths = depths_of(l_room(), camera)

    fused = fuse(depths, camera, voxel_m=0.06, max_depth_m=10.0, min_views=1.0)

    points = points_of(depths, camera)[0, 5:-5:7, 5:-5:7].reshape(-1, 3)
    assert (Collider(fused).distance(points) < 0.06).mean() > 0.98


def test_a_surface_that_one_view_invents_is_carved_away_by_the_others() -> None:
    cameras = room_cameras()
    depths = depths_of(l_room(), cameras)
    honest = fuse(depths, cameras, voxel_m=0.06, max_depth_m=10.0, min_views=1.0)
    lie = depths.copy()
    lie[0, 40:60, 60:90] = 0.7  # a board before the nose of the first camera

    fused = fuse(lie, cameras, voxel_m=0.06, max_depth_m=10.0, min_views=1.0)

    room = Collider(l_room())
    stray = (room.distance(fused.vertices) > 0.2).sum()
    alone = fuse(lie[:1], cameras.subset([0]), voxel_m=0.06, max_depth_m=10.0, min_views=1.0)
    assert (room.distance(alone.vertices) > 0.2).sum() > 30
    assert stray <= (room.distance(honest.vertices) > 0.2).sum() + 3


def test_sky_carves_and_unknown_depth_does_not() -> None:
    cameras = room_cameras()
    one = cameras.subset([0, 0])
    board = np.full((1, 90, 160), 2.0, np.float32)
    sky = np.full((1, 90, 160), np.inf, np.float32)

    def size(second) -> int:
        return len(fuse(np.concatenate([board, second]), one, voxel_m=0.08, max_depth_m=5.0, min_views=1.0))

    assert size(np.zeros_like(board)) > 1000
    # One view says board, one says air: the mean of the two distances crosses zero further back or nowhere.
    moved = fuse(np.concatenate([board, sky]), one, voxel_m=0.08, max_depth_m=5.0, min_views=1.0)
    x_cam = moved.vertices @ one.viewmats[0][:3, :3].T + one.viewmats[0][:3, 3]
    assert not len(moved) or x_cam[:, 2].min() > 2.1


def test_depth_pictures_without_any_surface_give_an_empty_mesh() -> None:
    cameras = room_cameras().subset([0])
    for depth in (0.0, np.inf, 50.0):
        fused = fuse(np.full((1, 90, 160), depth, np.float32), cameras, voxel_m=0.1, max_depth_m=10.0)
        assert len(fused) == 0


def test_simplification_keeps_surface_and_seam() -> None:
    x = np.linspace(0, 4, 41)

    def h(t: float) -> float:
        return 0.3 * float(np.sin(t))

    tiles = [quad([a, h(a), 0.0], [a, h(a), 3.0], [b, h(b), 3.0], [b, h(b), 0.0]) for a, b in pairwise(x)]
    strip = join(tiles)
    grid = Mesh(*_welded(strip))

    small = simplify(grid, 10**6, max_error_m=0.01)

    assert len(small) < len(grid) / 2
    assert Collider(small).distance(grid.vertices).max() < 0.03
    np.testing.assert_allclose(small.vertices.min(axis=0), grid.vertices.min(axis=0), atol=0.01)
    np.testing.assert_allclose(small.vertices.max(axis=0), grid.vertices.max(axis=0), atol=0.01)
    assert len(simplify(grid, 12, max_error_m=0.001)) <= 14


def _welded(mesh: Mesh):
    rounded, index = np.unique(mesh.vertices.round(5), axis=0, return_inverse=True)
    return rounded.astype(np.float32), index.reshape(-1)[mesh.faces].astype(np.int32)


def test_parts_are_told_apart_by_connection_with_their_areas() -> None:
    labels, areas = parts(join([floor(0, 2, 0, 3), wall((5.0, 0.0), (5.0, 1.0), 0.0, 0.5)]))

    assert labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(areas, [6.0, 0.5], rtol=1e-5)


def test_collider_answers_height_steepness_and_distance() -> None:
    slope = quad([0, 0, 0], [0, 0, 3], [4, 3, 3], [4, 3, 0])
    collider = Collider(slope)

    height, steepness = collider.ground_below(np.array([[2.0, 9.0, 1.0], [2.0, 1.0, 1.0], [9.0, 9.0, 1.0]]))

    np.testing.assert_allclose(height[0], 1.5, atol=1e-5)
    np.testing.assert_allclose(steepness[0], 0.8, atol=1e-5)
    assert height[1] == height[2] == -np.inf
    np.testing.assert_allclose(collider.distance(np.array([[2.0, 2.75, 1.0]])), [1.0], atol=1e-5)


def test_thinned_pictures_keep_every_pixel_on_its_ray() -> None:
    cameras = room_cameras(width=960, height=540).subset([0, 7])
    depths = depths_of(l_room(), cameras)

    thin, views = depths_and_views(depths, cameras, None)

    assert thin.shape == (2, 135, 240)
    row, column = 31, 57
    rays = [
        np.linalg.inv(K.astype(np.float64)) @ np.array([*pixel, 1.0])
        for pixel, K in (
            ((column * 4 + 0.5, row * 4 + 0.5), cameras.Ks[1]),
            ((column + 0.5, row + 0.5), views.Ks[1]),
        )
    ]
    np.testing.assert_allclose(rays[0], rays[1], atol=1e-6)
    known = thin > 0
    np.testing.assert_array_equal(thin[known], depths[:, ::4, ::4][known])
    assert known.mean() > 0.95


def test_flying_pixels_go_and_glancing_ground_and_stems_stay() -> None:
    rows = np.arange(40, dtype=np.float32)
    ground = np.repeat((60.0 / (rows + 12.0))[:, None], 50, axis=1)  # a plane's depth is 1 / row
    picture = ground.copy()
    picture[:, 20:] = 14.0
    picture[:, 30] = 2.0  # a stem of one pixel before a wall
    flying = picture.copy()
    flying[30, 20] = 6.0  # between 60 / 42 and 14

    kept = without_flying_pixels(np.stack([ground, picture, flying]))

    np.testing.assert_array_equal(kept[0, 2:], ground[2:])
    np.testing.assert_array_equal(kept[1, 2:], picture[2:])
    assert kept[2, 30, 20] == 0.0
    assert (kept[2, 2:] != flying[2:]).sum() == 1


def test_depths_that_break_their_rule_are_refused() -> None:
    cameras = Cameras(np.eye(4, dtype=np.float32)[None], intrinsics(50.0, 64, 36)[None], 64, 36)
    with pytest.raises(InvalidArrayError, match="NaN or negative"):
        depths_and_views(np.full((1, 36, 64), np.nan, np.float32), cameras, None)
    with pytest.raises(InvalidArrayError, match=r"shape \[1, H, W\]"):
        depths_and_views(np.zeros((2, 36, 64), np.float32), cameras, None)
    with pytest.raises(InvalidArrayError, match="no cloud"):
        depths_and_views(None, cameras, None)
