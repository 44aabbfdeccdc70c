from __future__ import annotations

import numpy as np

from reconstruction.rasterizers.draw import draw
from streaming.lod import build_tree
from streaming.refine import harmonics_errors, observe, refine, viewpoints
from tests.streaming.splat_clouds import lopsided_cloud


def _psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(((a.clip(0, 1) - b.clip(0, 1)) ** 2).mean()))


def test_root_looks_more_like_the_scene_from_places_it_was_not_fitted_to() -> None:
    cloud = lopsided_cloud(12_000)
    levels = build_tree(cloud)

    refined = refine(levels, observe(cloud, viewpoints(cloud.means, [], seed=0)))

    unseen = viewpoints(cloud.means, [], seed=99)
    truth = draw(cloud, unseen).images
    before, after = (_psnr_db(draw(tree[0].cloud, unseen).images, truth) for tree in (levels, refined))
    assert after > before + 0.8  # noise of colour, which no smooth splat can show; scenes gain 3 dB
    for a, b in zip(levels, refined, strict=True):
        np.testing.assert_array_equal(a.parents, b.parents)
        assert len(a.cloud) == len(b.cloud)
    assert refined[-1].cloud is cloud


def test_fitting_keeps_values_legal() -> None:
    cloud = lopsided_cloud(5_000)

    root = refine(build_tree(cloud), observe(cloud, viewpoints(cloud.means, [])))[0].cloud

    assert ((root.opacities > 0) & (root.opacities < 1)).all() and (root.scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(root.quats, axis=1), 1, atol=1e-5)


def test_error_is_found_where_the_pictures_differ() -> None:
    cloud = lopsided_cloud(6_000)
    right = cloud.means[:, 0] > np.median(cloud.means[:, 0])
    # Noise of colour on one side only: merging keeps the other side's picture almost as it is.
    rng = np.random.default_rng(1)
    cloud.sh[:] = 0.3
    cloud.sh[right, 0] += rng.choice([-1.5, 1.5], size=(int(right.sum()), 1)).astype(np.float32)
    levels = refine(build_tree(cloud), observe(cloud, viewpoints(cloud.means, [])))

    root = levels[0]
    on_right = root.cloud.means[:, 0] > np.median(cloud.means[:, 0])

    assert root.errors[on_right].sum() > 3 * root.errors[~on_right].sum()
    assert not levels[-1].errors.any()


def test_what_is_hidden_is_found_and_merges_first() -> None:
    # A ball full of splats under a shell that hides them.
    cloud = lopsided_cloud(6_000)
    rng = np.random.default_rng(3)
    out = rng.normal(size=(6_000, 3))
    radius = np.where(np.arange(6_000) < 4_000, 1.5, 1.3 * np.cbrt(rng.random(6_000)))
    out *= radius[:, None] / np.linalg.norm(out, axis=1, keepdims=True)
    cloud.means[:] = out + [0.3, 1.0, -0.2]
    cloud.scales[:] = [0.05, 0.06, 0.07]
    cloud.opacities[:] = 0.95
    shell = np.arange(6_000) < 4_000

    observed = observe(cloud, viewpoints(cloud.means, []))
    coarse, fine = build_tree(cloud, observed.attention)

    outside = np.linalg.norm(coarse.cloud.means - [0.3, 1.0, -0.2], axis=1) > 1.4
    assert observed.attention[shell].mean() > 1.5 * observed.attention[~shell].mean()
    plain = np.linalg.norm(build_tree(cloud)[0].cloud.means - [0.3, 1.0, -0.2], axis=1) > 1.4
    assert outside.sum() > 1.02 * plain.sum() > 0
    assert len(fine.cloud) == 6_000


def test_eyes_about_a_scene_without_a_path_stay_out_of_its_things() -> None:
    rng = np.random.default_rng(5)
    block = rng.uniform([-1, 0, -0.7], [1, 1.4, 0.7], (20_000, 3)).astype(np.float32)

    eyes = viewpoints(block, []).positions

    inside = ((eyes > [-1, 0, -0.7]) & (eyes < [1, 1.4, 0.7])).all(axis=1)
    assert not inside.any() and np.linalg.norm(eyes - [0, 0.7, 0], axis=1).max() < 4


def test_colour_that_changes_with_the_view_is_missed_where_it_does() -> None:
    cloud = lopsided_cloud(3_000, degree=1)
    right = cloud.means[:, 0] > np.median(cloud.means[:, 0])
    cloud.sh[:, 1:] *= np.where(right, 1.0, 0.05).astype(np.float32)[:, None, None]
    observed = observe(cloud, viewpoints(cloud.means, []))

    found = harmonics_errors(cloud, observed)

    assert found[right].sum() > 3 * found[~right].sum() > 0


def test_stops_are_visited_with_eyes_where_they_are() -> None:
    stops = [(3.0, 1.6, -2.0, 90.0), (5.0, 1.6, -2.0, 0.0)]

    cameras = viewpoints(np.zeros((1, 3), np.float32), stops)

    assert len(cameras) == 6
    near = np.linalg.norm(cameras.positions[:, None] - np.array(stops)[:, :3], axis=2).min(axis=1)
    assert near.max() < 1.5
    # Yaw 90 turns from -Z about +Y: to -X. Three headings a third of a turn apart.
    forward = cameras.forwards[0] / np.linalg.norm(cameras.forwards[0][[0, 2]])
    np.testing.assert_allclose(forward[[0, 2]], [-1, 0], atol=1e-5)
    assert abs(np.degrees(np.arccos(np.clip(cameras.forwards[0] @ cameras.forwards[1], -1, 1))) - 120) < 5
