from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reconstruction.spherical_harmonics import dc_from_rgb, rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming.lod import ROOT_SPLATS, build_tree
from tests.streaming.splat_clouds import covariances, lopsided_cloud


def _weights(cloud: SplatCloud) -> np.ndarray:
    """Opacity times the root of the summed squared faces, from sorted axes instead of minors."""
    a, b, c = cloud.scales.astype(np.float64).T
    return cloud.opacities * np.sqrt((a * b) ** 2 + (b * c) ** 2 + (a * c) ** 2)


def test_levels_shrink_by_at_most_the_ratio_down_to_the_root() -> None:
    levels = build_tree(lopsided_cloud(30_000))

    counts = [len(level.cloud) for level in levels]
    assert counts[0] == ROOT_SPLATS and counts[-1] == 30_000
    assert all(fine / coarse <= 8.01 for coarse, fine in pairwise(counts))


def test_small_cloud_is_its_own_root() -> None:
    cloud = lopsided_cloud(ROOT_SPLATS)

    (only,) = build_tree(cloud)

    assert only.cloud is cloud and len(only.parents) == 0 and not only.errors.any()


def test_every_splat_has_a_parent_and_every_parent_a_child() -> None:
    levels = build_tree(lopsided_cloud(9_000))

    for coarse, fine in pairwise(levels):
        assert len(fine.parents) == len(fine.cloud)
        np.testing.assert_array_equal(np.unique(fine.parents), np.arange(len(coarse.cloud)))


def test_merged_splat_has_the_moments_of_its_group() -> None:
    cloud = lopsided_cloud(2_500)
    coarse, fine = build_tree(cloud)
    weights = _weights(cloud)

    for parent in (0, 17, 400, len(coarse.cloud) - 1):
        own = fine.parents == parent
        w = weights[own] / weights[own].sum()
        mean = w @ cloud.means[own]
        offset = cloud.means[own] - mean
        spread = np.einsum("n,nij->ij", w, covariances(cloud)[own] + offset[:, :, None] * offset[:, None, :])
        found = covariances(coarse.cloud)[parent]
        inflation = np.trace(found) / np.trace(spread)
        np.testing.assert_allclose(coarse.cloud.means[parent], mean, atol=1e-5)
        np.testing.assert_allclose(
            rgb_from_dc(coarse.cloud.sh[parent, 0]), w @ rgb_from_dc(cloud.sh[own, 0]), atol=1e-5
        )
        np.testing.assert_allclose(found, inflation * spread, rtol=1e-3, atol=1e-8)
        assert 1 - 1e-4 <= inflation <= 1.6001
        assert 0 < coarse.cloud.opacities[parent] <= 0.99


def test_neighbours_of_one_colour_merge_before_strangers() -> None:
    # Two sheets 2 cm apart, red and blue, with 4 cm between splats of a sheet.
    side = 40
    x, z = np.meshgrid(np.arange(side) * 0.04, np.arange(side) * 0.04)
    sheet = np.stack([x.ravel(), np.zeros(side * side), z.ravel()], axis=1)
    means = np.concatenate([sheet, sheet + [0, 0.02, 0]]).astype(np.float32)
    colors = np.repeat([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]], side * side, axis=0)
    count = len(means)
    cloud = SplatCloud(
        means,
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.full((count, 3), 0.03, np.float32) * np.float32([1, 0.1, 1]),
        np.full(count, 0.9, np.float32),
        dc_from_rgb(colors)[:, None].astype(np.float32),
    )

    near, far = build_tree(cloud, root_splats=1_700), build_tree(cloud, root_splats=1_700, ratio=2)

    for levels in (near, far):
        reds = rgb_from_dc(levels[0].cloud.sh[:, 0])[:, 0]
        mixed = (reds > 0.3) & (reds < 0.7)
        # Without colour the twin 2 cm above is nearest, and nine in ten are mixed.
        assert mixed.mean() < 0.1


def test_equal_points_and_one_colour_do_not_stop_the_tree() -> None:
    cloud = lopsided_cloud(3_000)
    cloud.means[:] = 1.5
    cloud.sh[:] = 0.25

    levels = build_tree(cloud)

    assert len(levels[0].cloud) == ROOT_SPLATS
    np.testing.assert_allclose(levels[0].cloud.means, 1.5, atol=1e-6)


def test_merged_levels_have_no_view_dependence_and_the_finest_keeps_its_own() -> None:
    cloud = lopsided_cloud(2_000, degree=2)

    levels = build_tree(cloud)

    assert [level.cloud.sh_degree for level in levels] == [0, 2]
    assert levels[-1].cloud is cloud


def test_equal_input_gives_equal_bytes() -> None:
    first, second = (build_tree(lopsided_cloud(5_000)) for _ in range(2))

    for a, b in zip(first, second, strict=True):
        assert a.parents.tobytes() == b.parents.tobytes()
        assert a.cloud.means.tobytes() == b.cloud.means.tobytes()
        assert a.cloud.quats.tobytes() == b.cloud.quats.tobytes()


def test_error_grows_with_the_colour_that_merging_loses() -> None:
    plain, colorful = lopsided_cloud(3_000), lopsided_cloud(3_000)
    plain.sh[:] = 0.2

    assert build_tree(colorful)[0].errors.sum() > 1.5 * build_tree(plain)[0].errors.sum()


def test_one_splat_is_a_tree() -> None:
    (only,) = build_tree(lopsided_cloud(1))

    assert len(only.cloud) == 1


@pytest.mark.parametrize("count", [1_001, 1_002, 1_500])
def test_just_above_the_root_size_still_ends_at_it(count: int) -> None:
    assert [len(level.cloud) for level in build_tree(lopsided_cloud(count))] == [ROOT_SPLATS, count]
