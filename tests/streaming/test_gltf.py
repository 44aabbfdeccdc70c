from __future__ import annotations

import base64
import json
import random
from typing import Any

import numpy as np
import pytest

from streaming import gltf
from streaming.errors import AssetFormatError
from streaming.khr_gaussian_splatting import decode, encode
from streaming.limits import MAX_SPLATS_PER_FILE
from tests.streaming.splat_clouds import lopsided_cloud


def _document(**extra: Any) -> dict[str, Any]:
    return {"asset": {"version": "2.0"}, **extra}


def _with_accessor(accessor: dict[str, Any], view: dict[str, Any], data: bytes) -> gltf.Gltf:
    document = _document(
        accessors=[accessor], bufferViews=[{"buffer": 0, **view}], buffers=[{"byteLength": len(data)}]
    )
    return gltf.decode(gltf.encode_glb(document, data))


def test_every_cut_of_a_glb_is_refused_with_our_error() -> None:
    glb = encode(lopsided_cloud(3), layout="compact")

    for length in range(len(glb)):
        with pytest.raises(AssetFormatError):
            decode(glb[:length])


def test_random_damage_gives_our_error_or_a_cloud() -> None:
    glb = encode(lopsided_cloud(4, degree=1))
    noise = random.Random(11)

    for _ in range(1500):
        damaged = bytearray(glb)
        for _ in range(noise.randint(1, 4)):
            damaged[noise.randrange(len(damaged))] = noise.randrange(256)
        try:
            cloud = decode(bytes(damaged))
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.means).all() and (cloud.scales > 0).all()


@pytest.mark.parametrize(
    ("accessor", "message"),
    [
        ({"count": 2**31}, f"at most {MAX_SPLATS_PER_FILE}"),
        ({"count": 5}, "must fit its bufferView of 48 bytes, got 60"),
        ({"count": 0}, "at least 1"),
        ({"count": True}, "must be an integer"),
        ({"count": 4, "byteOffset": 4}, "got 52"),
        ({"count": 2, "componentType": 5130}, "must have a known type"),
        ({"count": 2, "type": ["VEC3"]}, "must have a known type"),
        ({"count": 2, "sparse": {}}, "stored plainly"),
    ],
)
def test_accessor_that_reaches_too_far_is_refused_before_memory_is_taken(
    accessor: dict[str, Any], message: str
) -> None:
    found = _with_accessor(
        {"bufferView": 0, "componentType": 5126, "type": "VEC3", **accessor}, {"byteLength": 48}, bytes(48)
    )

    with pytest.raises(AssetFormatError, match=message):
        gltf.read_accessor(found, 0)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"byteLength": 49}, "must end inside its buffer"),
        ({"byteLength": 8, "byteOffset": 44}, "must end inside its buffer"),
        ({"byteLength": 48, "byteStride": 8}, "stride must cover 12 bytes"),
        ({"byteLength": 48, "byteOffset": -4}, "at least 0"),
        ({"byteLength": 48, "buffer": 1}, "one of 1 buffers"),
    ],
)
def test_view_outside_its_buffer_is_refused(view: dict[str, Any], message: str) -> None:
    found = _with_accessor(
        {"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 2}, view, bytes(48)
    )

    with pytest.raises(AssetFormatError, match=message):
        gltf.read_accessor(found, 0)


def test_strided_normalised_values_are_read_where_they_lie() -> None:
    data = bytes([9, 255, 128, 9, 9, 0, 51, 9])
    accessor = {
        "bufferView": 0,
        "componentType": 5121,
        "type": "VEC2",
        "count": 2,
        "byteOffset": 1,
        "normalized": True,
    }

    found = gltf.read_accessor(_with_accessor(accessor, {"byteLength": 8, "byteStride": 4}, data), 0)

    np.testing.assert_allclose(found, [[1, 128 / 255], [0, 0.2]], atol=1e-7)


def test_lowest_signed_byte_is_minus_one_not_below() -> None:
    accessor = {"bufferView": 0, "componentType": 5120, "type": "SCALAR", "count": 2, "normalized": True}

    found = gltf.read_accessor(_with_accessor(accessor, {"byteLength": 2}, bytes([0x80, 0x7F])), 0)

    np.testing.assert_array_equal(found[:, 0], [-1, 1])


def test_written_attributes_are_aligned_to_four_bytes_and_state_their_bounds() -> None:
    builder = gltf.BufferBuilder()
    rows = np.array([[3, -1, 2], [7, 5, -9]], np.int8)

    for array in (rows, rows[:, :1].astype(np.uint8), rows.astype(np.float32)):
        builder.add(array)

    assert [view.get("byteStride", 12) for view in builder.views] == [4, 4, 12]
    assert all(view["byteOffset"] % 4 == 0 for view in builder.views)
    assert builder.accessors[0]["min"] == [3, -1, -9] and builder.accessors[0]["max"] == [7, 5, 2]
    found = gltf.decode(builder.finish(_document()))
    np.testing.assert_array_equal(gltf.read_accessor(found, 0), rows)


def test_buffers_may_be_data_uris_but_never_other_files() -> None:
    uri = "data:application/octet-stream;base64," + base64.b64encode(b"\x01\x02\x03\x04").decode()
    inside = _document(buffers=[{"byteLength": 4, "uri": uri}])

    assert gltf.decode(json.dumps(inside).encode()).buffers == (b"\x01\x02\x03\x04",)
    for uri in ("../../secret.bin", "https://example.org/a.bin", "file:///etc/hostname"):
        outside = _document(buffers=[{"byteLength": 4, "uri": uri}])
        with pytest.raises(AssetFormatError, match="must be embedded"):
            gltf.decode(json.dumps(outside).encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{" * 100_000, "must parse"),
        (b'{"a":' * 100_000, "must parse"),
        (b'{"asset":{"version":"2.0"},"x":NaN}', "non-JSON number NaN"),
        (b'{"asset":{"version":"1.0"}}', "version must be 2.x"),
        (b"[]", "must be an object"),
        (b"\xff\xfe{}", "must parse"),
        (b"", "must parse"),
    ],
)
def test_bad_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(AssetFormatError, match=message):
        gltf.decode(text)


@pytest.mark.parametrize(
    "nodes",
    [
        [{"children": [1]}, {"children": [0]}],
        [{"children": [1, 1]}, {}],
        [{"children": [0]}],
    ],
)
def test_node_graph_with_a_cycle_or_two_parents_is_refused(nodes: list[dict[str, Any]]) -> None:
    found = gltf.decode(json.dumps(_document(scenes=[{"nodes": [0]}], nodes=nodes)).encode())

    with pytest.raises(AssetFormatError, match="must form a tree"):
        list(gltf.scene_nodes(found))
