from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from reconstruction.conventions import WORLD_FROM_RDF
from reconstruction.spherical_harmonics import SH_C0, basis, dc_from_rgb, evaluate, rgb_from_dc, rotate

# Which sign each coefficient takes when y and z change sign: spz, src/cc/splat-types.h, x = 1, y = z = -1.
_SPZ_SIGNS_YZ = np.array([1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1])


def _directions(count: int = 50) -> np.ndarray:
    d = np.random.default_rng(5).normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def test_basis_is_the_real_form_of_scipys_complex_harmonics() -> None:
    d = _directions()
    polar, azimuth = np.arccos(d[:, 2]), np.arctan2(d[:, 1], d[:, 0])

    columns = []
    for l in range(4):
        for m in range(-l, l + 1):
            y = sph_harm_y(l, abs(m), polar, azimuth)
            columns.append(y.real if m == 0 else np.sqrt(2) * (y.imag if m < 0 else y.real))

    np.testing.assert_allclose(basis(d, 3), np.stack(columns, -1), atol=1e-12)


def test_lower_degrees_are_prefixes_of_higher_ones() -> None:
    d = _directions()

    for degree in range(3):
        np.testing.assert_array_equal(basis(d, degree), basis(d, 3)[:, : (degree + 1) ** 2])


@pytest.mark.parametrize("degree", [-1, 4])
def test_degree_outside_the_range_is_refused(degree: int) -> None:
    with pytest.raises(ValueError, match="degree must be 0 to 3"):
        basis(_directions(), degree)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_rotated_coefficients_show_the_same_colour_along_the_rotated_direction(degree: int) -> None:
    rng = np.random.default_rng(2)
    sh = rng.normal(0, 0.2, size=(7, (degree + 1) ** 2, 3)).astype(np.float32)
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    d = _directions(7)

    np.testing.assert_allclose(evaluate(rotate(sh, turn), d @ turn.T), evaluate(sh, d), atol=2e-6)


def test_half_turn_about_x_only_changes_signs_as_spz_lists_them() -> None:
    sh = np.random.default_rng(3).normal(size=(4, 16, 3))

    np.testing.assert_allclose(
        rotate(sh, WORLD_FROM_RDF[:3, :3]), sh * _SPZ_SIGNS_YZ[None, :, None], atol=1e-9
    )


def test_colour_of_degree_zero_is_the_same_from_everywhere_and_never_negative() -> None:
    rgb = np.array([[0.9, 0.2, 0.05], [-0.5, 1.4, 0.5]])
    sh = dc_from_rgb(rgb)[:, None, :]

    assert pytest.approx(0.5 / np.sqrt(np.pi)) == SH_C0
    np.testing.assert_allclose(rgb_from_dc(sh[:, 0]), rgb)
    np.testing.assert_allclose(evaluate(sh, _directions(2)), np.maximum(rgb, 0), atol=1e-12)
