from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from reconstruction.spherical_harmonics import evaluate, rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming import compressed_ply, ply
from streaming.errors import AssetFormatError
from streaming.morton import morton_order
from tests.streaming.splat_clouds import angles_deg, clouds, covariances, damaged, lopsided_cloud


def _check_within_errors(found: SplatCloud, cloud: SplatCloud) -> None:
    """Compare with the stated bounds, a group of 256 at a time."""
    for start in range(0, len(cloud), 256):
        group = slice(start, start + 256)
        got, want = found.subset(group), cloud.subset(group)
        steps = np.array([4094, 2046, 4094])
        flip = np.float32([1, -1, -1])  # limits are those of the stored frame
        for a, b in (
            (got.means * flip, want.means * flip),
            (np.log(got.scales), np.log(want.scales)),
        ):
            slack = 4e-7 * np.abs(b).max() + 2e-6
            assert (np.abs(a - b) <= np.ptp(b, axis=0) / steps * 1.001 + slack).all()
        rgb, truth = rgb_from_dc(got.sh[:, 0]), rgb_from_dc(want.sh[:, 0])
        assert (np.abs(rgb - truth) <= np.ptp(truth, axis=0) / 510 * 1.001 + 1e-6).all()
    assert np.abs(found.opacities - cloud.opacities).max() <= 1 / 510 + 1e-6
    # Three components off by up to sqrt(1/2) / 1023 each, the fourth by their sum.
    assert angles_deg(found.quats, cloud.quats).max() <= 0.28
    inside = np.abs(cloud.sh[:, 1:]) < 3.96
    error = np.abs(found.sh[:, 1:] - cloud.sh[:, 1:])
    assert error[inside].max(initial=0) <= 1 / 64 + 1e-6


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_written_file_comes_back_within_its_errors(degree: int) -> None:
    cloud = lopsided_cloud(700, degree=degree)

    found = ply.decode(compressed_ply.encode(cloud))

    assert found.sh.shape == cloud.sh.shape
    _check_within_errors(found, cloud.subset(morton_order(cloud.means)))


@settings(max_examples=60, deadline=None)
@given(clouds(degrees=(0, 1, 2, 3)))
def test_any_cloud_comes_back_within_the_stated_errors(cloud: SplatCloud) -> None:
    found = ply.decode(compressed_ply.encode(cloud))

    _check_within_errors(found, cloud.subset(morton_order(cloud.means)))


def test_one_splat_and_equal_splats_are_exact() -> None:
    one = lopsided_cloud(1)
    for cloud in (one, one.subset(np.zeros(300, int))):
        found = ply.decode(compressed_ply.encode(cloud))

        np.testing.assert_array_equal(found.means, cloud.means)
        np.testing.assert_allclose(found.scales, cloud.scales, rtol=1e-6)
        np.testing.assert_allclose(found.sh, cloud.sh, atol=1e-6)


def test_layout_is_the_one_that_playcanvas_reads() -> None:
    header = ply.read_header(compressed_ply.encode(lopsided_cloud(257, degree=1)))

    assert [(e.name, e.count) for e in header.elements] == [("chunk", 2), ("vertex", 257), ("sh", 257)]
    names = header.elements[0].dtype.names
    assert names[:6] == ("min_x", "min_y", "min_z", "max_x", "max_y", "max_z")
    assert names[6] == "min_scale_x" and names[-1] == "max_b" and len(names) == 18
    assert header.elements[1].dtype.names == compressed_ply.PACKED


def test_word_of_a_rotation_holds_its_largest_first() -> None:
    cloud = lopsided_cloud(1)
    cloud.quats[:] = np.float32([0.5, 0.1, -0.7, np.sqrt(1 - 0.75)])
    data = compressed_ply.encode(cloud)
    header = ply.read_header(data)
    word = int(np.frombuffer(data, "<u4", 4, header.byte_length + 72)[1])

    # Stored right, down, forward: y and z change sign, so the largest, y, is positive as it stands.
    others = np.array([word >> shift & 1023 for shift in (20, 10, 0)]) / 1023
    assert word >> 30 == 2
    np.testing.assert_allclose((others - 0.5) * np.sqrt(2), [0.5, 0.1, -0.5], atol=1e-3)


def test_frame_says_which_way_is_up() -> None:
    cloud = lopsided_cloud(50, degree=3)
    data = compressed_ply.encode(cloud)
    flip = np.diag([1.0, -1.0, -1.0])
    ahead = np.float64([0.36, 0.48, -0.8])

    ours, raw = ply.decode(data), ply.decode(data, frame="rub")

    assert ours.means[:, 1].min() > 0 > raw.means[:, 1].max()
    np.testing.assert_allclose(covariances(raw), flip @ covariances(ours) @ flip, atol=1e-9)
    np.testing.assert_allclose(evaluate(raw.sh, flip @ ahead), evaluate(ours.sh, ahead), atol=1e-5)


def test_bytes_do_not_depend_on_the_run() -> None:
    cloud = lopsided_cloud(600, degree=2)

    assert compressed_ply.encode(cloud) == compressed_ply.encode(cloud)


def test_every_cut_is_refused() -> None:
    data = compressed_ply.encode(lopsided_cloud(3, degree=1))

    for length in range(len(data)):
        with pytest.raises(AssetFormatError):
            ply.decode(data[:length])


def test_random_damage_gives_our_error_or_a_cloud() -> None:
    for data in damaged(compressed_ply.encode(lopsided_cloud(4, degree=1)), 1500, seed=2):
        try:
            cloud = ply.decode(data)
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.scales).all() and np.isfinite(cloud.means).all()


def test_missing_limits_and_rows_are_named() -> None:
    data = compressed_ply.encode(lopsided_cloud(4, degree=1))

    for old, new, message in (
        (b"max_y", b"max_q", "property max_y, found none"),
        (b"element chunk 1", b"element chunk 0", "a chunk for each 256 vertices"),
        (b"f_rest_8\n", b"f_rest_8\nproperty uchar more\n", "must hold"),
        # Another element holds the words, or another that of the splats.
        (b"element vertex 4", b"element other 4", "at least one vertex"),
        (b"element sh 4", b"element vertex 4", "names of their own, got 'vertex' twice"),
    ):
        with pytest.raises(AssetFormatError, match=message):
            ply.decode(data.replace(old, new))
    with pytest.raises(AssetFormatError, match="at least one splat"):
        compressed_ply.encode(lopsided_cloud(1).subset(slice(0, 0)))


def test_coefficients_of_no_degree_are_none() -> None:
    cloud = lopsided_cloud(4)
    data = compressed_ply.encode(cloud)
    empty = data.replace(b"end_header", b"element sh 4\nend_header")

    np.testing.assert_array_equal(ply.decode(empty).sh, ply.decode(data).sh)
