from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.depth import densify
from reconstruction.errors import CancelledError, UnliftableInputError
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
def dense(corner):
    return densify(corner[0])


def test_new_points_lie_on_the_slanted_surfaces(corner, dense) -> None:
    sparse, _ = corner
    new = dense.points[len(sparse.points) :]

    # Every true point is on the floor or on the wall; distances are compared with the way to the cameras.
    error = np.minimum(np.abs(new[:, 1] - _FLOOR_Y), np.abs(new[:, 2] - _WALL_Z))
    reach = np.linalg.norm(new, axis=1)
    assert len(new) > 5_000
    assert np.median(error / reach) < 0.01
    assert (error / reach < 0.05).mean() > 0.9
    assert (np.abs(new[:, 1] - _FLOOR_Y) < 0.1).mean() > 0.2
    assert (np.abs(new[:, 2] - _WALL_Z) < 0.2).mean() > 0.2


def test_sparse_points_stay_first_and_new_ones_have_the_pictures_colours(corner, dense) -> None:
    sparse, _ = corner

    assert np.array_equal(dense.points[: len(sparse.points)], sparse.points)
    view = sparse.frames.cameras.viewmats[2]
    new, colors = dense.points[len(sparse.points) :], dense.colors[len(sparse.points) :]
    x_cam = new @ view[:3, :3].T + view[:3, 3]
    pixel = (x_cam @ sparse.frames.cameras.Ks[2].T)[:, :2] / x_cam[:, 2:]
    inside = (pixel > 1).all(axis=1) & (pixel < (_WIDTH - 1, _HEIGHT - 1)).all(axis=1)
    at = pixel[inside].astype(int)
    shown = sparse.frames.images[2][at[:, 1], at[:, 0]].astype(int)
    # Texture differs from pixel to pixel by some twenty levels; other places by sixty.
    assert np.median(np.abs(shown - colors[inside])) < 16


def test_held_out_pixels_reach_no_point(corner, dense) -> None:
    sparse, _ = corner
    images = sparse.frames.images.copy()
    images[3] = 255 - images[3]

    changed = densify(replace(sparse, frames=replace(sparse.frames, images=images)))

    assert np.array_equal(changed.points, dense.points)
    assert np.array_equal(changed.colors, dense.colors)


def test_without_points_there_is_no_depth(corner) -> None:
    sparse, _ = corner

    with pytest.raises(UnliftableInputError, match="got 6 and 0"):
        densify(replace(sparse, points=sparse.points[:0], colors=sparse.colors[:0]))


def test_cancelling_stops_at_a_picture(corner) -> None:
    def stop(share: float, phrase: str) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        densify(corner[0], stop)
