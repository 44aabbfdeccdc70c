from __future__ import annotations

import json

import numpy as np
import pytest

from streaming import gltf, khr_gaussian_splatting, spz, tiles
from streaming.errors import AssetFormatError
from streaming.khr_gaussian_splatting import EXTENSION, SPZ_EXTENSIONS
from tests.streaming.splat_clouds import lopsided_cloud

FIELDS = ("means", "quats", "scales", "opacities", "sh")


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_spz_in_a_glb_holds_the_numbers_of_the_glTF_frame(degree: int) -> None:
    cloud = lopsided_cloud(301, degree=degree)

    found = khr_gaussian_splatting.decode(tiles.encode_glb(cloud))

    plain = spz.decode(spz.encode(cloud), frame="rub")
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(plain, field))
    assert found.means[:, 1].min() > 0  # the scene stands above its origin


def test_document_is_what_cesium_needs() -> None:
    cloud = lopsided_cloud(7, degree=2)
    parsed = gltf.decode(tiles.encode_glb(cloud))
    document = parsed.document
    primitive = document["meshes"][0]["primitives"][0]
    view = document["bufferViews"][0]

    assert document["nodes"] == [{"mesh": 0}] and document["scenes"] == [{"nodes": [0]}]
    assert document["extensionsUsed"] == document["extensionsRequired"] == [EXTENSION, SPZ_EXTENSIONS[0]]
    names = {name.removeprefix(f"{EXTENSION}:") for name in primitive["attributes"]}
    assert {"POSITION", "COLOR_0", "ROTATION", "SCALE", "OPACITY", "SH_DEGREE_2_COEF_4"} < names
    assert "SH_DEGREE_0_COEF_0" not in names and len(names) == 5 + 8
    assert all("bufferView" not in accessor for accessor in document["accessors"])
    assert all(accessor["count"] == 7 for accessor in document["accessors"])
    payload = parsed.buffers[0][view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    assert payload == spz.encode(cloud, version=3)  # to the byte: padding is not part of it
    means = spz.decode(payload).means
    position = document["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_allclose([position["min"], position["max"]], [means.min(axis=0), means.max(axis=0)])


def test_tileset_encloses_the_splats_z_up() -> None:
    cloud = lopsided_cloud(90, degree=1)
    files = tiles.encode_files(cloud)
    tileset = json.loads(files["tileset.json"])

    root = tileset["root"]
    box = np.array(root["boundingVolume"]["box"]).reshape(4, 3)

    assert set(files) == {"tileset.json", root["content"]["uri"]}
    assert khr_gaussian_splatting.decode(files["splats.glb"]).means.shape == (90, 3)
    # glTF's up becomes z, its back -y.
    x, y, z = cloud.means.T
    offsets = np.abs(np.stack([x, -z, y], axis=1) - box[0])
    reach = np.abs(box[1:]).sum(axis=0)
    assert (offsets <= reach).all() and (offsets.max(axis=0) > reach * 0.6).all()
    listed = tileset["extensions"]["3DTILES_content_gltf"]
    assert listed["extensionsUsed"] == listed["extensionsRequired"] == [EXTENSION, SPZ_EXTENSIONS[0]]
    assert tileset["geometricError"] > 0 == root["geometricError"]


def test_bytes_do_not_depend_on_the_run() -> None:
    cloud = lopsided_cloud(50, degree=3)

    assert tiles.encode_files(cloud) == tiles.encode_files(cloud)


def test_meshes_shown_again_and_again_are_counted_first() -> None:
    document = gltf.decode(tiles.encode_glb(lopsided_cloud(300)))
    many = {
        **document.document,
        "nodes": [{"mesh": 0}] * 90_000,
        "scenes": [{"nodes": list(range(90_000))}],
    }

    with pytest.raises(AssetFormatError, match=r"must show at most \d+ splats in 4096 primitives"):
        khr_gaussian_splatting.decode_primitives(gltf.Gltf(many, document.buffers))
