from __future__ import annotations

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat, world_from_first_camera
from reconstruction.errors import ImmersiveError, InvalidArrayError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.splats import SplatCloud

MADE_UP = Provenance(source="procedural", is_generated=True)


def _cameras(count: int = 3, width: int = 7, height: int = 5) -> Cameras:
    viewmats = [
        look_at_viewmat(np.array([i, 1.6, 0.5 * i]), np.array([i + 1.0, 1.0, -4.0])) for i in range(count)
    ]
    return Cameras(np.stack(viewmats), np.stack([intrinsics(6.0, width, height)] * count), width, height)


def _frames(**changes: object) -> FrameSequence:
    fields = {"images": np.zeros((3, 5, 7, 3), np.uint8), "provenance": MADE_UP, "cameras": _cameras()}
    return FrameSequence(**{**fields, **changes})


def test_camera_positions_are_where_the_cameras_were_put() -> None:
    np.testing.assert_allclose(_cameras().positions[2], [2, 1.6, 1.0], atol=1e-5)


def test_resizing_keeps_the_field_of_view() -> None:
    cameras = _cameras().resized(14, 15)

    np.testing.assert_allclose(cameras.Ks[0], [[12, 0, 7], [0, 18, 7.5], [0, 0, 1]])


def test_moving_the_world_moves_cameras_and_points_together() -> None:
    cameras = _cameras()
    point = np.array([0.4, -1.0, -6.0, 1.0])
    move = world_from_first_camera(cameras.viewmats[1])

    moved = cameras.moved(move)

    np.testing.assert_allclose(moved.viewmats[2] @ (move @ point), cameras.viewmats[2] @ point, atol=1e-5)


def test_a_mirrored_or_scaled_viewmat_is_refused() -> None:
    viewmats = _cameras().viewmats.copy()
    viewmats[1, :3, :3] *= 1.5

    with pytest.raises(InvalidArrayError, match="without scale or shear"):
        Cameras(viewmats, _cameras().Ks, 7, 5)
    viewmats = _cameras().viewmats.copy()
    viewmats[2, :3] *= np.float32([[1], [-1], [1]])
    with pytest.raises(InvalidArrayError, match="must hold rotations, got one that mirrors"):
        Cameras(viewmats, _cameras().Ks, 7, 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((0, 5, 7, 3), np.uint8), "cameras": None}, "at least one frame"),
        ({"images": np.zeros((3, 5, 7, 4), np.uint8)}, r"must have shape \[F, H, W, 3\]"),
        ({"images": np.zeros((3, 5, 7, 3), np.float32)}, "must be uint8, got float32"),
        ({"images": np.zeros((2, 5, 7, 3), np.uint8)}, "must match images"),
        ({"depths": np.full((3, 5, 7), np.nan, np.float32)}, "got NaN or negative"),
        ({"depths": np.full((3, 5, 7), -1, np.float32)}, "got NaN or negative"),
        ({"held_out": (3,)}, "must index the 3 frames"),
    ],
)
def test_frames_that_break_a_rule_are_refused_in_one_sentence(changes: dict, words: str) -> None:
    with pytest.raises(InvalidArrayError, match=words) as caught:
        _frames(**changes)

    assert isinstance(caught.value, ImmersiveError) and "\n" not in str(caught.value)


def test_infinite_depth_means_sky_and_is_allowed() -> None:
    depths = np.ones((3, 5, 7), np.float32)
    depths[1, 2] = np.inf

    assert np.isinf(_frames(depths=depths).depths[1, 2, 3])


def test_a_subset_carries_its_held_out_frames_along() -> None:
    subset = _frames(held_out=(2,)).subset([2, 0])

    assert subset.held_out == (0,) and subset.train == (1,)
    np.testing.assert_allclose(subset.cameras.viewmats[0], _cameras().viewmats[2])


def test_the_water_level_moves_with_the_world() -> None:
    frames = _frames(water_y=0.4)

    assert frames.in_world_frame().water_y == pytest.approx(0.4 - 1.6)  # the first camera was 1.6 m up


def test_splats_name_the_array_that_breaks_the_rule() -> None:
    good = {
        "means": np.zeros((5, 3), np.float32), "quats": np.ones((5, 4), np.float32),
        "scales": np.ones((5, 3), np.float32), "opacities": np.ones(5, np.float32),
        "sh": np.zeros((5, 4, 3), np.float32),
    }  # fmt: skip

    with pytest.raises(InvalidArrayError, match=r"quats must have shape \[5, 4\], got \[5, 3\]"):
        SplatCloud(**{**good, "quats": np.ones((5, 3), np.float32)})
    with pytest.raises(InvalidArrayError, match="must hold 1, 4, 9 or 16 coefficients, got 5"):
        SplatCloud(**{**good, "sh": np.zeros((5, 5, 3), np.float32)})
    with pytest.raises(InvalidArrayError, match="must be finite, got 1 of 15"):
        SplatCloud(**{**good, "means": np.array([[0, 0, np.nan]] + [[0, 0, 0]] * 4, np.float32)})
    assert SplatCloud(**good).sh_degree == 1
