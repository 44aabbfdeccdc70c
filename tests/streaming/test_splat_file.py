from __future__ import annotations

import struct

import numpy as np
import pytest

from streaming import splat_file
from streaming.errors import AssetFormatError
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, lopsided_cloud


def test_row_written_by_hand_is_read() -> None:
    row = struct.pack("<6f8B", 1, 2, 3, 0.1, 0.2, 0.3, 255, 0, 128, 51, 192, 160, 128, 96)

    cloud = splat_file.decode(row)

    np.testing.assert_array_equal(cloud.means, [[1, -2, -3]])
    np.testing.assert_allclose(cloud.scales, [[0.1, 0.2, 0.3]])
    assert cloud.opacities[0] == pytest.approx(0.2)
    np.testing.assert_allclose(0.5 + 0.28209479 * cloud.sh[0, 0], [1, 0, 128 / 255], atol=1e-6)
    # w = 64, x = 32, y = 0, z = -32 of 128; z turns the other way in our frame.
    np.testing.assert_allclose(cloud.quats[0], np.array([2, 1, 0, 1]) / np.sqrt(6), atol=1e-6)


def test_written_file_comes_back_within_its_errors() -> None:
    cloud = lopsided_cloud(500)

    found = splat_file.decode(splat_file.encode(cloud))

    np.testing.assert_array_equal(found.means, cloud.means)
    np.testing.assert_array_equal(found.scales, cloud.scales)
    assert np.abs(found.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6
    seen, truth = 0.28209479 * found.sh + 0.5, 0.28209479 * cloud.sh + 0.5
    assert np.abs(seen - truth.clip(0, 1)).max() <= 0.5 / 255 + 1e-6
    assert angles_deg(found.quats, cloud.quats).max() < 1.6


def test_file_of_another_converter_equals_its_ply() -> None:
    folder = shared("splats/tiny_fixtures")

    ply_cloud = read_splats(folder / "test-splat.3-points-from-train.ply")
    cloud = read_splats(folder / "test-splat.3-points-from-train.splat")

    order = np.abs(cloud.means[:, None] - ply_cloud.means).sum(axis=2).argmin(axis=1)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(cloud.means, ply_cloud.means[order], atol=1e-6)
    np.testing.assert_allclose(cloud.scales, ply_cloud.scales[order], rtol=1e-5)
    np.testing.assert_allclose(cloud.opacities, ply_cloud.opacities[order], atol=1 / 255)
    assert angles_deg(cloud.quats, ply_cloud.quats[order]).max() < 1.6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "whole rows of 32 bytes"),
        (bytes(33), "got 33 bytes"),
        (struct.pack("<6f8B", *[np.nan] * 6, *[200] * 8), "must be finite"),
        (struct.pack("<6f8B", 0, 0, 0, -1, 1, 1, *[200] * 8), "must not be negative"),
        (struct.pack("<6f8B", *[1] * 6, 1, 1, 1, 1, *[128] * 4), "must not be zero"),
    ],
)
def test_broken_file_is_named(data: bytes, message: str) -> None:
    with pytest.raises(AssetFormatError, match=message):
        splat_file.decode(data)
