from __future__ import annotations

import math

import numpy as np
import pytest

from reconstruction.conventions import (
    look_at_viewmat,
    multiply_quats,
    opengl_c2w_from_viewmats,
    quats_facing,
    quats_from_rotmats,
    rotmats_from_quats,
    viewmats_from_opengl_c2w,
    world_from_first_camera,
    wxyz_from_xyzw,
    xyzw_from_wxyz,
)

AXIS, ANGLE = np.array([1.0, 2.0, 3.0]) / math.sqrt(14), 0.7
WXYZ = np.array([math.cos(ANGLE / 2), *(math.sin(ANGLE / 2) * AXIS)])


def _rodrigues(point: np.ndarray) -> np.ndarray:
    across, along = np.cross(AXIS, point), AXIS * (AXIS @ point)
    return along + math.cos(ANGLE) * (point - along) + math.sin(ANGLE) * across


def test_point_ahead_of_an_opengl_camera_has_positive_depth_and_up_is_negative_y() -> None:
    c2w = np.eye(4)
    c2w[:3, 3] = [1.0, 2.0, 3.0]

    x_cam = viewmats_from_opengl_c2w(c2w) @ np.array([1.5, 2.25, -1.0, 1.0])  # right, above, ahead

    np.testing.assert_allclose(x_cam[:3], [0.5, -0.25, 4.0], atol=1e-6)


def test_opengl_and_opencv_cameras_convert_back_and_forth() -> None:
    viewmat = look_at_viewmat(np.array([1.0, 2.0, 3.0]), np.array([-4.0, 0.5, 7.0]))

    np.testing.assert_allclose(
        viewmats_from_opengl_c2w(opengl_c2w_from_viewmats(viewmat)), viewmat, atol=1e-5
    )


def test_look_at_puts_the_target_ahead_and_keeps_up_up() -> None:
    eye, target = np.array([1.0, 2.0, 3.0]), np.array([4.0, 1.0, -5.0])
    viewmat = look_at_viewmat(eye, target)

    ahead = viewmat @ np.append(target, 1.0)
    above = viewmat @ np.append(target + [0.0, 0.1, 0.0], 1.0)

    np.testing.assert_allclose(ahead[:3], [0, 0, np.linalg.norm(target - eye)], atol=1e-5)
    assert above[1] < 0  # +Y is down in the picture
    assert np.linalg.det(viewmat[:3, :3]) == pytest.approx(1.0)


def test_look_at_refuses_a_line_of_sight_along_up() -> None:
    with pytest.raises(ValueError, match="parallel to up"):
        look_at_viewmat(np.zeros(3), np.array([0.0, 3.0, 0.0]))


def test_quaternions_turn_points_like_rodrigues() -> None:
    point = np.array([0.3, -1.0, 2.0])

    np.testing.assert_allclose(rotmats_from_quats(WXYZ) @ point, _rodrigues(point), atol=1e-12)


def test_quaternions_survive_the_matrix_form_even_at_half_a_turn() -> None:
    quats = np.random.default_rng(3).normal(size=(200, 4))
    quats[0] = [0.0, 0.6, -0.8, 0.0]  # w = 0: where the textbook formula divides by zero
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)

    back = quats_from_rotmats(rotmats_from_quats(quats))

    np.testing.assert_allclose(np.abs((back * quats).sum(axis=1)), 1.0, atol=1e-12)


def test_quats_facing_bring_z_onto_normals_by_the_shortest_turn():
    normals = np.array([[0.48, -0.6, 0.64], [0, 0, 1.0], [0, 0, -1.0], [-1.0, 0, 0], [0, 0, 0]])

    quats = quats_facing(normals)

    turned = rotmats_from_quats(quats)[:, :, 2]
    np.testing.assert_allclose(turned[:4], normals[:4], atol=1e-9)
    np.testing.assert_array_equal(quats[4], [1, 0, 0, 0])
    angles = 2 * np.arccos(np.clip(quats[:4, 0], -1, 1))
    np.testing.assert_allclose(np.cos(angles), normals[:4, 2], atol=1e-9)


def test_product_turns_by_the_right_factor_first() -> None:
    other = np.array([math.cos(0.2), 0.0, math.sin(0.2), 0.0])
    point = np.array([0.3, -1.0, 2.0])

    got = rotmats_from_quats(multiply_quats(WXYZ, other)) @ point

    np.testing.assert_allclose(got, _rodrigues(rotmats_from_quats(other) @ point), atol=1e-12)


def test_gltf_order_moves_w_last() -> None:
    np.testing.assert_array_equal(xyzw_from_wxyz(np.array([0.9, 1, 2, 3])), [1, 2, 3, 0.9])
    np.testing.assert_array_equal(wxyz_from_xyzw(np.array([1, 2, 3, 0.9])), [0.9, 1, 2, 3])


def test_first_camera_comes_to_the_origin_heading_along_minus_z_with_up_kept() -> None:
    viewmat = look_at_viewmat(np.array([5.0, 1.6, -2.0]), np.array([9.0, 0.4, 3.0]))
    world = world_from_first_camera(viewmat)

    c2w = np.linalg.inv(viewmat @ np.linalg.inv(world))

    np.testing.assert_allclose(c2w[:3, 3], 0, atol=1e-5)
    assert c2w[0, 2] == pytest.approx(0, abs=1e-6) and c2w[2, 2] < 0
    np.testing.assert_allclose(world[:3, :3] @ [0, 1, 0], [0, 1, 0], atol=1e-12)
    assert np.linalg.det(world[:3, :3]) == pytest.approx(1.0)
