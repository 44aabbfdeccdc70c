from __future__ import annotations

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat, rotmats_from_quats
from reconstruction.errors import InvalidInputError
from reconstruction.gravity import held_up
from reconstruction.placement import EYE_HEIGHT_M, SCENE_DEPTH_M, check_camera_height, place, z_up_or_none
from reconstruction.posed_frames import choose_held_out

_TILT = rotmats_from_quats(np.array([0.7, 0.3, -0.5, 0.2]))  # how the source's frame is turned


def _walk(height: float = 0.8, pitch: float = -0.2) -> tuple[Cameras, np.ndarray]:
    """Cameras at `height` of an unknown unit over a floor with posts, all turned by `_TILT`."""
    rng = np.random.default_rng(0)
    viewmats = []
    for k in range(7):
        eye = np.array([0.3 * k, height, -0.1 * k])
        viewmats.append(look_at_viewmat(eye, eye + [0.8 * np.sin(k), pitch, -1.0]))
    floor = np.c_[rng.uniform(-2, 4, 600), np.zeros(600), rng.uniform(-5, -1, 600)]
    posts = np.c_[rng.uniform(-2, 4, 300), rng.uniform(0, 2, 300), rng.uniform(-5, -2, 300)]
    cameras = Cameras(np.stack(viewmats), np.stack([intrinsics(100, 120, 90)] * 7), 120, 90)
    turn = np.eye(4)
    turn[:3, :3] = _TILT
    return cameras.moved(turn), np.concatenate([floor, posts]) @ _TILT.T


def test_up_is_found_from_cameras_that_look_down_a_little() -> None:
    cameras, _ = _walk()

    assert held_up(cameras) @ (_TILT @ [0, 1, 0]) > np.cos(np.radians(3))


def test_one_rolled_camera_does_not_tilt_the_world() -> None:
    cameras, _ = _walk()
    roll = rotmats_from_quats(np.array([0.7071, 0, 0, 0.7071]))
    viewmats = cameras.viewmats.copy()
    viewmats[3, :3] = roll @ viewmats[3, :3]
    rolled = Cameras(viewmats.astype(np.float32), cameras.Ks, 120, 90)

    assert held_up(rolled) @ (_TILT @ [0, 1, 0]) > np.cos(np.radians(4))


def test_the_scene_comes_upright_at_eye_height_with_the_first_camera_at_the_origin() -> None:
    cameras, points = _walk(height=0.8)

    placed = place(cameras, points, is_metric=False)

    assert placed.scale == pytest.approx(EYE_HEIGHT_M / 0.8, rel=0.05)
    assert np.percentile(placed.points[:, 1], 5) == pytest.approx(-EYE_HEIGHT_M, abs=0.15)
    assert placed.cameras.positions[0] == pytest.approx([0, 0, 0], abs=1e-5)
    forward = placed.cameras.forwards[0]
    assert forward[0] == pytest.approx(0, abs=1e-5)
    assert forward[2] < -0.9
    assert any(f"{EYE_HEIGHT_M:g} m above" in note for note in placed.notes)


def test_placing_does_not_change_what_the_cameras_see() -> None:
    cameras, points = _walk()

    placed = place(cameras, points, is_metric=False)

    for index in range(len(cameras)):
        before = points @ cameras.viewmats[index, :3, :3].T + cameras.viewmats[index, :3, 3]
        now = placed.cameras.viewmats[index]
        after = placed.points @ now[:3, :3].T + now[:3, 3]
        assert after == pytest.approx(before * placed.scale, abs=1e-4)


def test_without_a_floor_the_middle_of_the_scene_sets_the_scale() -> None:
    cameras, _ = _walk(pitch=0.0)
    rng = np.random.default_rng(1)
    wall = np.c_[rng.uniform(-3, 4, 500), rng.uniform(0.78, 2, 500), np.full(500, -20.0)] @ _TILT.T

    placed = place(cameras, wall, is_metric=False)

    assert placed.scale == pytest.approx(SCENE_DEPTH_M / 20, rel=0.2)  # some look askance, which is nearer
    assert any(f"{SCENE_DEPTH_M:g} m away" in note for note in placed.notes)


def test_metres_are_not_touched() -> None:
    cameras, points = _walk()

    placed = place(cameras, points, is_metric=True, up=_TILT @ [0, 1, 0])

    assert placed.scale == 1.0
    assert placed.notes == ()
    steps = np.linalg.norm(np.diff(placed.cameras.positions, axis=0), axis=1)
    assert steps == pytest.approx(np.linalg.norm([0.3, 0, 0.1]), abs=1e-4)


@pytest.mark.parametrize("up", [[0, 1, 0], [0, -1, 0]])
def test_a_source_that_is_upright_or_upside_down_stays_right_handed(up) -> None:
    cameras, points = _walk()

    turns = place(cameras, points, is_metric=True, up=np.array(up, float)).cameras.viewmats[:, :3, :3]

    assert np.linalg.det(turns) == pytest.approx(1, abs=1e-4)


def test_a_y_up_source_is_not_taken_for_z_up() -> None:
    viewmats = np.stack([look_at_viewmat(np.array([k, 1.0, 0]), np.array([k, 0.9, -3.0])) for k in range(3)])
    cameras = Cameras(viewmats, np.stack([intrinsics(100, 120, 90)] * 3), 120, 90)

    assert z_up_or_none(cameras) is None


@pytest.mark.parametrize(("count", "held"), [(1, ()), (3, (1,)), (12, (3, 9)), (40, (4, 12, 20, 28, 36))])
def test_held_out_frames_are_spread_and_leave_the_ends(count: int, held: tuple[int, ...]) -> None:
    assert choose_held_out(count) == held


def test_a_told_height_sets_the_size_and_its_doubt_is_small() -> None:
    cameras, points = _walk(height=0.8)

    told = place(cameras, points, is_metric=False, camera_height_m=0.3)
    guessed = place(cameras, points, is_metric=False)

    assert told.scale == pytest.approx(0.3 / 0.8, rel=0.02)
    assert told.scale_error is not None
    assert guessed.scale_error is not None
    assert told.scale_error < guessed.scale_error
    assert any("0.3 m above the floor, as told" in note for note in told.notes)
    assert not any("size is a guess" in note for note in told.notes)


def test_a_told_height_corrects_a_source_that_says_it_is_in_metres() -> None:
    cameras, points = _walk(height=0.8)

    told = place(cameras, points, is_metric=True, up=_TILT @ [0, 1, 0], camera_height_m=1.6)

    assert told.scale == pytest.approx(2.0, rel=0.02)


def test_a_told_height_without_ground_is_said_to_have_no_effect() -> None:
    cameras, _ = _walk()
    nothing = np.empty((0, 3))

    told = place(cameras, nothing, is_metric=True, up=_TILT @ [0, 1, 0], camera_height_m=1.6)

    assert told.scale == 1.0
    assert told.scale_error is None
    assert told.notes == ("the camera's height of 1.6 m has no effect: no ground was found",)


@pytest.mark.parametrize("height", [0.0, -1.0, float("nan"), float("inf"), 500.0])
def test_an_absurd_height_is_refused(height: float) -> None:
    with pytest.raises(InvalidInputError, match=r"camera height must be from 0\.05 to 200 metres"):
        check_camera_height(height)
