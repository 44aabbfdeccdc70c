from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import KDTree

from reconstruction.frames import Provenance
from reconstruction.kernels import binding
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud
from streaming import gltf
from streaming.assemble import build_asset, chunk_glb, collider_mesh, finest_cloud
from streaming.asset import SplatAsset
from streaming.chunk_bytes import encode_chunks, encode_harmonics_chunks
from streaming.errors import AssetFormatError
from streaming.khr_gaussian_splatting import decode, encode, round_cloud
from tests.streaming.scenes import PROVENANCE, small_asset, walkable
from tests.streaming.splat_clouds import lopsided_cloud


@pytest.fixture(scope="module")
def asset() -> SplatAsset:
    return small_asset(6_000)


def _sorted(cloud: SplatCloud) -> SplatCloud:
    return cloud.subset(np.lexsort(cloud.means.T))


def test_every_chunk_is_a_glb_that_holds_what_the_table_says(asset: SplatAsset) -> None:
    for info in asset.chunks:
        data = asset.chunk_bytes(info.index)
        assert hashlib.sha256(data).hexdigest() == info.sha256 and len(data) == info.byte_length
        glb = chunk_glb(asset, info.index)
        assert glb[:4] == b"glTF"
        if info.kind == "splats":
            assert len(decode(glb)) == info.splat_count
    assert [info.byte_offset for info in asset.chunks] == list(
        np.cumsum([0, *(info.byte_length for info in asset.chunks)])[:-1]
    )


def test_spheres_hold_their_splats_up_to_three_deviations(asset: SplatAsset) -> None:
    for info in asset.chunks:
        if info.kind == "splats":
            cloud = decode(chunk_glb(asset, info.index))
            reach = np.linalg.norm(cloud.means - info.center, axis=1) + 3 * cloud.scales.max(axis=1)
            assert reach.max() <= info.radius * 1.0001 + 1e-5


def test_first_chunk_is_a_small_root_and_errors_fall_towards_the_leaves(asset: SplatAsset) -> None:
    root = asset.chunks[0]
    assert root.parent == -1 and root.splat_count <= 1000 and root.byte_length < 25_000
    last = asset.manifest.level_count - 1
    sums = [
        sum(c.error for c in asset.chunks if c.kind == "splats" and c.level == k) for k in range(last + 1)
    ]
    assert sums[0] > 0 and sums[last] == 0
    assert all(a > b for a, b in pairwise(sums))


def test_finest_cloud_is_the_input_rounded_in_another_order(asset: SplatAsset) -> None:
    truth, found = lopsided_cloud(6_000), finest_cloud(asset)

    assert len(found) == len(truth)
    distance, nearest = KDTree(truth.means).query(found.means)
    size = np.exp(np.log(truth.scales).mean())
    assert len(set(nearest)) > 0.98 * len(truth) and distance.max() < size
    own, theirs = np.sort(found.scales, axis=1), np.sort(truth.scales[nearest], axis=1)
    assert np.median(np.abs(np.log2(own / theirs))) < 1 / 12
    assert np.median(np.abs(found.sh[:, 0] - truth.sh[nearest, 0])) * SH_C0 < 1 / 100


def test_view_dependent_colour_of_imported_files_comes_in_layers_over_the_leaves() -> None:
    cloud = lopsided_cloud(4_500, degree=2)
    cloud.sh[:, 1:] *= 4

    asset = build_asset(cloud, title="x", provenance=PROVENANCE)

    found = finest_cloud(asset)
    assert asset.manifest.sh_degree == found.sh_degree == 2
    _, nearest = KDTree(cloud.means).query(found.means)
    off = np.abs(found.sh[:, 1:] - cloud.sh[nearest, 1:]).mean(axis=(1, 2))
    # A layer in another order than its leaf would be off by more than what there is.
    assert np.median(off) < 0.5 * np.abs(cloud.sh[:, 1:]).mean()
    leaves = [c for c in asset.chunks if c.kind == "splats" and c.level == asset.manifest.level_count - 1]
    layers = [c for c in asset.chunks if c.kind == "sh"]
    assert [layer.parent for layer in layers] == [leaf.index for leaf in leaves] and len(leaves) > 1
    for layer, leaf in zip(layers, leaves, strict=True):
        assert (layer.range_start, layer.range_stop) == (0, leaf.splat_count)
        assert layer.splat_count == leaf.splat_count and layer.level == leaf.level
        assert layer.gain is not None and layer.gain > 0 and layer.probes
    for chunk in asset.chunks:
        if chunk.kind == "splats":
            assert decode(chunk_glb(asset, chunk.index)).sh_degree == 0


def test_a_scene_of_one_chunk_has_a_layer_too_and_flat_ones_have_none() -> None:
    cloud = lopsided_cloud(300, degree=3)

    asset = build_asset(cloud, title="x", provenance=PROVENANCE)

    assert [chunk.kind for chunk in asset.chunks] == ["splats", "sh"]
    assert finest_cloud(asset).sh[:, 1:].any(axis=(1, 2)).mean() > 0.9
    cloud.sh[:, 1:] = 0.001  # rounds to nothing
    flat = build_asset(cloud, title="x", provenance=PROVENANCE)
    assert [chunk.kind for chunk in flat.chunks] == ["splats"] and finest_cloud(flat).sh.shape == (300, 16, 3)


def test_packs_that_hold_all_colour_in_the_leaves_still_open() -> None:
    cloud = lopsided_cloud(300, degree=2)
    made = build_asset(cloud, title="x", provenance=PROVENANCE)
    data, packed = encode_chunks([cloud])[0]
    for inline, truth in ((data, packed.cloud), (encode(cloud, layout="compact"), round_cloud(cloud))):
        old = replace(made, chunks=(replace(made.chunks[0], byte_length=len(inline)),), pack=inline)

        np.testing.assert_array_equal(finest_cloud(old).sh, truth.sh)


def test_a_manifest_that_claims_a_degree_beyond_all_costs_no_memory() -> None:
    made = build_asset(lopsided_cloud(300, degree=1), title="x", provenance=PROVENANCE)
    boast = replace(made, manifest=replace(made.manifest, sh_degree=10**6))

    assert finest_cloud(boast).sh_degree == 3


def test_a_layer_of_other_splats_is_refused() -> None:
    made = build_asset(lopsided_cloud(300, degree=1), title="x", provenance=PROVENANCE)
    for other in (lopsided_cloud(299, degree=1), lopsided_cloud(300, degree=2)):
        data, _ = encode_harmonics_chunks([other])[0]
        layer = replace(made.chunks[1], byte_length=len(data))
        pack = made.chunk_bytes(0) + data

        with pytest.raises(AssetFormatError, match="chunk 1 must colour the 300 splats of chunk 0"):
            finest_cloud(replace(made, chunks=(made.chunks[0], layer), pack=pack))


def test_collider_comes_back_within_half_a_millimetre_and_is_ordinary_gltf(asset: SplatAsset) -> None:
    space = walkable()
    mesh = collider_mesh(asset)
    assert mesh is not None
    vertices, faces = mesh

    assert np.abs(vertices - space.vertices).max() <= 0.5 / 1024 + 1e-6
    np.testing.assert_array_equal(faces, space.faces)
    document = gltf.decode(chunk_glb(asset, asset.chunks[-1].index)).document
    assert document["meshes"][0]["primitives"][0]["mode"] == 4 and "extensionsUsed" not in document


def test_manifest_says_where_to_stand_and_how_the_scene_was_made(asset: SplatAsset) -> None:
    manifest, space = asset.manifest, walkable()

    assert manifest.spawn.position == pytest.approx(space.spawn_position)
    assert manifest.spawn.yaw_deg == space.spawn_yaw_deg
    assert manifest.bounds_min == pytest.approx(space.bounds_min)
    assert manifest.walkability == space.report and manifest.is_generated
    assert manifest.recipe["prompt"] == "a lopsided place"
    assert manifest.recipe["provenance"]["source"] == "procedural"
    assert manifest.splat_count == 6_000 and manifest.title == "Lopsided"


def test_without_a_walkable_space_the_visitor_looks_at_the_scene() -> None:
    cloud = lopsided_cloud(800)

    manifest = build_asset(cloud, title="x", provenance=Provenance("import", is_generated=False)).manifest

    eye = np.array(manifest.spawn.position) + [0, manifest.eye_height_m, 0]
    low, high = np.percentile(cloud.means, [1, 99], axis=0)
    assert manifest.spawn.yaw_deg == 0 and eye[2] > high[2]
    np.testing.assert_allclose(eye[:2], (low + high)[:2] / 2, atol=0.01)  # means are rounded
    assert not manifest.is_generated


def test_invisible_splats_are_left_out_and_a_scene_of_them_refused() -> None:
    cloud = lopsided_cloud(50)
    cloud.opacities[:20] = 0

    assert build_asset(cloud, title="x", provenance=PROVENANCE).manifest.splat_count == 30
    cloud.opacities[:] = 0
    with pytest.raises(AssetFormatError, match="at least one visible splat"):
        build_asset(cloud, title="x", provenance=PROVENANCE)


def test_strays_beyond_any_horizon_are_left_out() -> None:
    cloud = lopsided_cloud(1_200)
    cloud.means[0] = [3e38, 0, 0]
    cloud.scales[1] = 1e30

    asset = build_asset(cloud, title="x", provenance=PROVENANCE)

    assert asset.manifest.splat_count == 1_198
    assert asset.chunks[0].radius < 100


def test_equal_input_gives_an_equal_pack_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for threads in (1, 3, 3):
        monkeypatch.setattr(binding, "thread_count", lambda threads=threads: threads)
        cloud = lopsided_cloud(3_000, degree=1)
        made.append(build_asset(cloud, title="x", provenance=PROVENANCE, camera_path=[(0.5, 1.7, 1.0, 30.0)]))

    assert made[0].pack == made[1].pack == made[2].pack
    assert made[0].chunks == made[1].chunks == made[2].chunks


def test_chunk_that_is_no_gzip_or_a_bomb_is_refused(asset: SplatAsset) -> None:
    def with_first(data: bytes) -> SplatAsset:
        return replace(asset, chunks=(replace(asset.chunks[0], byte_length=len(data)),), pack=data)

    good = asset.chunk_bytes(0)
    for data, message in (
        (b"PK\x03\x04", "must begin as glTF or gzip"),
        (good[:50], "whole gzip member"),
        (good[:10] + b"\xff" * 40, "must unpack"),
    ):
        with pytest.raises(AssetFormatError, match=message):
            chunk_glb(with_first(data), 0)
    plain = gzip.decompress(good)
    assert chunk_glb(with_first(plain), 0) == plain


def test_stray_splat_a_kilometre_away_does_not_widen_the_bounds() -> None:
    cloud = lopsided_cloud(900)
    cloud.means[0] = [1000, 1000, 1000]

    manifest = build_asset(cloud, title="x", provenance=PROVENANCE).manifest

    assert max(manifest.bounds_max) < 50
