from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.depth import with_depths
from reconstruction.errors import UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.posed_frames import PosedFrames, PoseReport
from tests.reconstruction.clips import texture

_WIDTH, _HEIGHT = 120, 72
# A floor 1 m below the cameras and a wall 5 m ahead of the first: no plane faces the cameras squarely.
_FLOOR_Y, _WALL_Z = -1.0, -5.0


def _render(viewmat, K, floor, wall):
    """Return picture and depth of the corner by intersecting every pixel's ray with both planes."""
    v, u = np.mgrid[0.5:_HEIGHT, 0.5:_WIDTH]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1) @ viewmat[:3, :3]
    eye = -viewmat[:3, :3].T @ viewmat[:3, 3]
    to_floor = np.where(rays[..., 1] < -1e-6, (_FLOOR_Y - eye[1]) / np.minimum(rays[..., 1], -1e-6), np.inf)
    to_wall = (_WALL_Z - eye[2]) / rays[..., 2]
    depth = np.minimum(to_floor, to_wall)
    x = eye + rays * depth[..., None]
    on_floor = to_floor < to_wall
    row, column = np.where(on_floor, -x[..., 2], 4 - x[..., 1]) * 60, (x[..., 0] + 5) * 60
    picture = np.empty((_HEIGHT, _WIDTH, 3))
    for c in range(3):
        of_floor = map_coordinates(floor[..., c], [row, column], order=1, mode="mirror")
        of_wall = map_coordinates(wall[..., c], [row, column], order=1, mode="mirror")
        picture[..., c] = np.where(on_floor, of_floor, of_wall)
    return picture.astype(np.uint8), depth.astype(np.float32)


@pytest.fixture(scope="module")
def corner():
    floor, wall = texture(400, 600, 1).astype(float), texture(400, 600, 2).astype(float)
    K = intrinsics(105, _WIDTH, _HEIGHT)
    eyes = [np.array([0.25 * k - 0.7, 0.05 * (k % 3), 0.1 * (k % 2)]) for k in range(7)]
    viewmats = np.stack([look_at_viewmat(eye, eye + [0.1, -0.25, -1.0]) for eye in eyes])
    pictures = [_render(viewmat.astype(float), K, floor, wall) for viewmat in viewmats]
    cameras = Cameras(viewmats, np.stack([K] * 7), _WIDTH, _HEIGHT)
    images = np.stack([picture for picture, _ in pictures])
    frames = FrameSequence(images, Provenance("photos", is_generated=False), cameras, held_out=(3,))
    truth = np.stack([depth for _, depth in pictures])
    rng = np.random.default_rng(3)
    points = []
    for index in (0, 2, 4, 6):  # forty sparse points from four frames
        rows, columns = rng.integers(0, _HEIGHT, 10), rng.integers(0, _WIDTH, 10)
        d = truth[index][rows, columns]
        x_cam = np.stack(
            [(columns + 0.5 - K[0, 2]) / K[0, 0] * d, (rows + 0.5 - K[1, 2]) / K[1, 1] * d, d], -1
        )
        points.append((x_cam - viewmats[index, :3, 3]) @ viewmats[index, :3, :3])
    points = np.concatenate(points).astype(np.float32)
    colors = np.zeros((len(points), 3), np.uint8)
    return PosedFrames(frames, points, colors, PoseReport("test", 7, 7, None, ())), truth


@pytest.fixture(scope="module")
def measured(corner):
    return with_depths(corner[0]).depths


def test_depth_is_near_the_truth_on_slanted_surfaces(corner, measured) -> None:
    posed, truth = corner

    inside = (slice(8, -8), slice(8, -8))  # the border is seen by few neighbours
    errors = [np.abs(measured[i][inside] / truth[i][inside] - 1) for i in posed.frames.train]
    assert np.median(errors) < 0.02
    assert np.mean([(error < 0.1).mean() for error in errors]) > 0.85


def test_every_training_pixel_has_a_depth_and_held_out_frames_none(corner, measured) -> None:
    posed, _ = corner

    assert (measured[list(posed.frames.train)] > 0).all()
    assert (measured[3] == 0).all()


def test_held_out_pixels_reach_no_depth(corner, measured) -> None:
    posed, _ = corner
    images = posed.frames.images.copy()
    images[3] = 255 - images[3]
    other = FrameSequence(images, posed.frames.provenance, posed.frames.cameras, held_out=(3,))

    changed = with_depths(PosedFrames(other, posed.points, posed.colors, posed.report)).depths

    assert np.array_equal(changed, measured)


def test_known_depths_are_kept(corner) -> None:
    posed, truth = corner
    known = FrameSequence(posed.frames.images, posed.frames.provenance, posed.frames.cameras, truth)

    assert with_depths(PosedFrames(known, posed.points, posed.colors, posed.report)).depths is truth


def test_without_points_there_is_no_depth(corner) -> None:
    posed, _ = corner
    empty = PosedFrames(posed.frames, posed.points[:0], posed.colors[:0], posed.report)

    with pytest.raises(UnliftableInputError, match="got 6 and 0"):
        with_depths(empty)
