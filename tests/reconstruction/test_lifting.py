"""Splats from depth pixels and from points stand where the pictures say."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import InvalidArrayError, UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.lifting import LiftSettings, lift, lift_points, sky_radius_m
from reconstruction.rasterizers.draw import draw

WIDTH, HEIGHT = 60, 44
PROVENANCE = Provenance("procedural", True)


def wall_scene(held_out: tuple[int, ...] = ()) -> FrameSequence:
    """Three views of a striped ground plane at y = -1.3 under an open sky; depths from plane algebra."""
    eyes = np.array([[0.0, 0.2, 0.0], [1.0, 0.4, -0.5], [-0.7, 0.1, 0.4]])
    viewmats = np.stack([look_at_viewmat(eye, eye + [0.1, -0.25, -1.0]) for eye in eyes])
    K = intrinsics(50, WIDTH, HEIGHT)
    K[0, 2] += 3.5
    cameras = Cameras(viewmats, np.stack([K] * 3), WIDTH, HEIGHT)
    images = np.empty((3, HEIGHT, WIDTH, 3), np.uint8)
    depths = np.empty((3, HEIGHT, WIDTH), np.float32)
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    for index, (viewmat, eye) in enumerate(zip(viewmats, eyes, strict=True)):
        x_cam = np.stack([(columns - K[0, 2]) / 50, (rows - K[1, 2]) / 50, np.ones_like(rows)], -1)
        ray = x_cam @ viewmat[:3, :3]
        metres = np.where(ray[..., 1] < -1e-3, (-1.3 - eye[1]) / np.minimum(ray[..., 1], -1e-3), np.inf)
        metres[metres > 40] = np.inf
        point = eye + ray * np.where(np.isinf(metres), 0, metres)[..., None]
        stripe = (np.sin(3 * point[..., 0]) > 0)[..., None]
        images[index] = np.where(stripe, (200, 90, 40), (30, 120, 60))
        images[index][np.isinf(metres)] = (90, 150, 230)
        depths[index] = metres
    depths[:, 5:9, 50:55] = 0  # unknown: a hole in the sky
    return FrameSequence(images, PROVENANCE, cameras, depths, held_out)


def test_lifted_splats_lie_on_the_surface_and_on_the_shell_of_the_sky():
    frames = wall_scene()

    cloud = lift(frames, LiftSettings(splat_count=2000))

    assert frames.cameras is not None
    ground = np.abs(cloud.means[:, 1] + 1.3) < 1e-3
    radius = np.linalg.norm(cloud.means - frames.cameras.positions.mean(0), axis=1)
    sky = np.isclose(radius, sky_radius_m(frames), rtol=1e-4)
    assert (ground | sky).all() and ground.sum() > 300 and sky.sum() > 50
    blue = cloud.sh[:, 0, 2] > cloud.sh[:, 0, 0]
    assert blue[sky].all()
    assert 1800 <= len(cloud) <= 2000


def test_the_lifted_cloud_already_looks_like_the_frames():
    frames = wall_scene()

    drawing = draw(lift(frames, LiftSettings(splat_count=6000)), frames.cameras)

    known = frames.depths[0] > 0
    alpha = drawing.alphas[0]
    # First splats let light through on purpose; what they do show must be right.
    error = np.abs(drawing.images[0] / alpha[..., None] - frames.images[0] / 255)[known]
    assert error.mean() < 0.05 and alpha[known].mean() > 0.5
    ground = known & np.isfinite(frames.depths[0]) & (drawing.alphas[0] > 0.5)
    ratio = drawing.depths[0][ground] / frames.depths[0][ground]
    assert np.median(np.abs(ratio - 1)) < 0.05  # the plane is seen at a grazing angle


def test_near_surfaces_get_smaller_splats_than_far_ones():
    cloud = lift(wall_scene(), LiftSettings(splat_count=2500))

    ahead = -cloud.means[:, 2]
    ground = np.abs(cloud.means[:, 1] + 1.3) < 1e-3
    near, far = cloud.scales[ground & (ahead < 4), 0], cloud.scales[ground & (ahead > 15), 0]
    assert np.median(far) > 3 * np.median(near)


def test_views_of_one_place_do_not_stack_their_splats():
    frames = wall_scene()
    twice = frames.subset([0, 0, 0, 0])

    once = lift(frames.subset([0]), LiftSettings(splat_count=10**6))
    stacked = lift(twice, LiftSettings(splat_count=len(once)))

    cells = np.unique(np.round(stacked.means / 0.002), axis=0)
    assert len(cells) == len(stacked)


def test_held_out_frames_are_not_lifted():
    frames = wall_scene(held_out=(1,))
    spoiled = wall_scene(held_out=(1,))
    spoiled.images[1] = 255
    spoiled.depths[1] = 3.0

    a, b = (lift(f, LiftSettings(splat_count=1500)) for f in (frames, spoiled))

    np.testing.assert_array_equal(a.means, b.means)
    np.testing.assert_array_equal(a.sh, b.sh)


def test_a_scene_beyond_the_usual_sky_pushes_the_sky_further():
    frames = wall_scene()
    frames.depths[0, -1, 0] = 900.0

    assert sky_radius_m(wall_scene()) == pytest.approx(60, abs=40)
    far = wall_scene()
    far.depths[:, 20:, :] = 900.0
    assert sky_radius_m(far) > 900


def test_points_become_splats_sized_by_their_neighbours():
    frames = wall_scene()
    rng = np.random.default_rng(2)
    dense = rng.uniform([-1, -1.3, -4], [0, -1.3, -3], (400, 3))
    sparse = rng.uniform([1, -1.3, -9], [4, -1.3, -6], (60, 3))
    behind = np.array([[0, 0, 30.0]])
    points = np.concatenate([dense, sparse, behind]).astype(np.float32)
    colors = np.tile(np.array([10, 200, 90], np.uint8), (461, 1))

    cloud = lift_points(points, colors, frames.cameras)

    in_dense = cloud.means[:, 0] <= 0
    assert np.median(cloud.scales[~in_dense]) > 3 * np.median(cloud.scales[in_dense])
    assert cloud.means[:, 2].max() < 0
    np.testing.assert_allclose(0.5 + 0.2820948 * cloud.sh[:, 0], colors[: len(cloud)] / 255, atol=1e-5)
    assert len(lift_points(points, colors, frames.cameras, LiftSettings(splat_count=100))) == 100


def test_a_lone_point_among_few_still_gets_a_finite_size():
    points = np.array([[0, -1, -3], [0.1, -1, -3], [0, -1, -3], [5, -1, -20]], np.float32)

    cloud = lift_points(points, np.zeros((4, 3), np.uint8), wall_scene().cameras)

    assert np.isfinite(cloud.scales).all() and (cloud.scales > 0).all() and len(cloud) == 4


def test_frames_that_cannot_be_lifted_say_why():
    frames = wall_scene()
    bare = FrameSequence(frames.images, PROVENANCE)
    with pytest.raises(UnliftableInputError, match="must have cameras and depths"):
        lift(bare)
    with pytest.raises(UnliftableInputError, match="at least one for training"):
        lift(wall_scene(held_out=(0, 1, 2)))
    frames.depths[:] = 0
    with pytest.raises(UnliftableInputError, match="a pixel of known depth"):
        lift(frames)
    with pytest.raises(UnliftableInputError, match="must be seen by the cameras, 0 of 5 are"):
        lift_points(np.full((5, 3), 50, np.float32), np.zeros((5, 3), np.uint8), frames.cameras)
    with pytest.raises(InvalidArrayError, match="colors must be uint8"):
        lift_points(np.zeros((5, 3), np.float32), np.zeros((5, 3), np.float32), frames.cameras)
    with pytest.raises(InvalidArrayError, match="splat_count must be positive, got 0"):
        LiftSettings(splat_count=0)
