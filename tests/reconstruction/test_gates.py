from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import UnliftableInputError
from reconstruction.gates import Observations, complaints, measure, refusal
from reconstruction.posed_frames import ParallaxFigures

_WIDTH, _HEIGHT, _FOCAL = 640, 360, 600.0


def _points(count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.c_[rng.uniform(-2, 2, count), rng.uniform(-1, 1, count), -rng.uniform(4, 8, count)]


def _cameras(eyes, headings_deg) -> Cameras:
    viewmats = []
    for eye, heading in zip(np.asarray(eyes, float), headings_deg, strict=True):
        ahead = [np.sin(np.radians(heading)), 0.0, -np.cos(np.radians(heading))]
        viewmats.append(look_at_viewmat(eye, eye + ahead))
    Ks = np.stack([intrinsics(_FOCAL, _WIDTH, _HEIGHT)] * len(viewmats))
    return Cameras(np.stack(viewmats), Ks, _WIDTH, _HEIGHT)


def _seen(cameras: Cameras, points: np.ndarray, noise_px: float = 0.3) -> Observations:
    rng = np.random.default_rng(6)
    frames, index, pixels = [], [], []
    for frame in range(len(cameras)):
        x_cam = points @ cameras.viewmats[frame, :3, :3].T + cameras.viewmats[frame, :3, 3]
        pixel = (x_cam @ cameras.Ks[frame].T)[:, :2] / x_cam[:, 2:]
        inside = ((pixel > 0) & (pixel < (_WIDTH, _HEIGHT))).all(axis=1)
        frames.append(np.full(inside.sum(), frame))
        index.append(np.flatnonzero(inside))
        pixels.append(pixel[inside] + rng.normal(0, noise_px, (inside.sum(), 2)))
    return Observations(np.concatenate(frames), np.concatenate(index), np.concatenate(pixels))


def _judge(cameras: Cameras, points: np.ndarray, given: int | None = None):
    figures = measure(cameras, points, _seen(cameras, points), given or len(cameras))
    return figures, complaints(figures, given or len(cameras))


_SIDEWAYS = [[0.1 * k, 0, 0] for k in range(10)]


def test_a_step_to_the_side_passes_and_its_figures_are_those_of_the_triangle() -> None:
    cameras, points = _cameras(_SIDEWAYS, [0] * 10), _points()
    column = np.array([[0.45, 0.01 * k, -6.0] for k in range(60)])  # before the middle of the path

    figures, found = _judge(cameras, points)
    alone, _ = _judge(cameras, column)

    assert found == []
    assert figures.baseline_over_depth == pytest.approx(0.9 / np.median(-points[:, 2]), rel=0.05)
    # The median frame is 0.5 to 0.9 m from its partner; focal length 600 px, depth 4 to 8 m, width 640 px.
    assert 0.5 * 600 / 8 / 640 < figures.picture_shift < 0.9 * 600 / 4 / 640
    assert alone.angle_deg == pytest.approx(2 * np.degrees(np.arctan(0.45 / 6)), abs=0.02)
    assert alone.track_length == pytest.approx(10)


def test_walking_forward_passes() -> None:
    _, found = _judge(_cameras([[0, 0, -0.3 * k] for k in range(8)], [0] * 8), _points())

    assert found == []


def test_a_camera_that_only_turns_is_told_so() -> None:
    # The solver's story of a pan: tiny steps, points that fit them.
    cameras = _cameras([[0.002 * k, 0, 0] for k in range(10)], np.linspace(-8, 8, 10))

    figures, found = _judge(cameras, _points())

    assert figures.picture_shift > 0.1
    assert "the camera turns without moving" in found[0]


def test_a_turn_is_seen_through_even_if_the_solver_believes_in_parallax() -> None:
    # Pixels are those of a pure turn; cameras and points claim a baseline of a third of the depth.
    truth = _cameras([[0, 0, 0]] * 10, np.linspace(-8, 8, 10))
    believed = _cameras([[0.2 * k, 0, 0] for k in range(10)], [0] * 10)

    figures = measure(believed, _points(), _seen(truth, _points()), 10)

    assert figures.wide_share > 0.9
    assert "the camera turns without moving" in complaints(figures, 10)[0]


def test_a_still_camera_is_refused_though_angles_and_baseline_look_fine() -> None:
    # The bas-relief ambiguity as measured on a real clip: 10 degrees, 0.41 of the depth, 2.6 % of the width.
    truth = _cameras([[0.02 * k, 0, 0] for k in range(10)], [0] * 10)
    believed = _cameras([[0.25 * k, 0, 0] for k in range(10)], [0] * 10)

    figures = measure(believed, _points(), _seen(truth, _points()), 10)

    assert figures.wide_share > 0.9
    assert figures.baseline_over_depth > 0.3
    assert "the camera hardly moves" in complaints(figures, 10)[0]


def test_a_walk_in_long_steps_passes_though_pictures_share_little_motion() -> None:
    # As measured on 29 photos down a street: neighbours see the vanishing point, and little else together.
    street = ParallaxFigures(1.0, 201.0, 4.0, 6.1, 0.91, 3.7, 0.0497, 0.0184)
    still = replace(street, baseline_over_depth=0.41)

    assert complaints(street, 29) == []
    assert "the camera hardly moves" in complaints(still, 29)[0]
    assert "turns without moving" in complaints(replace(street, shift_without_turn=0.005), 29)[0]


def test_too_few_registered_comes_first_and_counts() -> None:
    _, found = _judge(_cameras(_SIDEWAYS, [0] * 10), _points(), given=29)

    assert found[0].startswith("only 10 of 29 pictures could be placed, 80% are needed")


def test_eight_of_ten_are_enough() -> None:
    _, found = _judge(_cameras(_SIDEWAYS[:8], [0] * 8), _points(), given=10)

    assert found == []


def test_too_few_points_per_picture_are_refused() -> None:
    _, found = _judge(_cameras(_SIDEWAYS, [0] * 10), _points(36))

    assert any("that others see, 40 are needed" in sentence for sentence in found)


def test_points_that_only_two_pictures_see_are_refused() -> None:
    cameras, points = _cameras(_SIDEWAYS, [0] * 10), _points()
    seen = _seen(cameras, points)
    pairs = (seen.frames // 2) == (seen.points % 5)
    thin = Observations(seen.frames[pairs], seen.points[pairs], seen.pixels[pairs])

    found = complaints(measure(cameras, points, thin, 10), 10)

    assert any("is seen by 2.0 pictures" in sentence for sentence in found)


def test_nothing_seen_is_refused_without_a_division_by_zero() -> None:
    empty = Observations(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)))

    figures = measure(_cameras(_SIDEWAYS, [0] * 10), np.zeros((0, 3)), empty, 10)

    assert len(complaints(figures, 10)) >= 3


def test_a_refusal_says_what_to_do() -> None:
    error = refusal("there is no parallax: the camera hardly moves")

    assert isinstance(error, UnliftableInputError)
    assert error.code == "unliftable_input"
    assert "sideways" in str(error.hint)
