"""Hostile files, reader by reader: refused in one sentence, before memory is taken and soon.

What is particular to one format stands in that format's tests; `python -m tests.fuzz.formats` sends a million
damaged files through each of these readers.
"""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming import (
    compressed_ply,
    gltf,
    gltf_rules,
    khr_gaussian_splatting,
    ksplat,
    mesh_file,
    ply,
    sog,
    spz,
    tiles,
    tileset,
)
from streaming.assemble import encode_collider
from streaming.errors import AssetFormatError
from streaming.limits import MAX_GLTF_JSON_BYTES
from streaming.sog_files import FolderFiles
from tests.fuzz.damage import Seed
from tests.fuzz.formats import case, read
from tests.fuzz.parsers import PARSERS
from tests.streaming.splat_clouds import lopsided_cloud
from tests.streaming.test_ksplat import by_hand
from tests.streaming.test_sog import with_meta, zipped

VERTICES = np.array([[0, 0, 1], [2, 0.5, 0], [0, 3, -1], [4, 1, 2]], np.float32)
MESH = encode_collider(VERTICES, np.array([[0, 1, 2], [2, 1, 3]], np.int32))
SPLATS = khr_gaussian_splatting.encode(lopsided_cloud(5, degree=1))


@pytest.mark.parametrize("name", list(PARSERS))
def test_first_damaged_files_of_the_fuzzer_are_refused_or_opened_rightly(name: str) -> None:
    parser = PARSERS[name]()

    opened = [read(parser, case(parser, name, 7, index)) for index in range(400)]

    assert not all(opened)
    assert any(read(parser, seed.wrap(seed.data)) for seed in parser.seeds)


@pytest.mark.parametrize("name", list(PARSERS))
def test_file_cut_at_any_byte_is_refused_or_opened_rightly(name: str) -> None:
    parser = PARSERS[name]()
    seeds = [seed for seed in parser.seeds if seed.kind == "bytes"][:1] or [Seed(parser.seeds[0].data)]
    for seed in seeds:
        for length in range(len(seed.data)):
            opened = read(parser, seed.wrap(seed.data[:length]))

            # JSON is whole or nothing.
            assert not (opened and parser.seeds[0].kind == "json")


def _edited(glb: bytes, edit: Callable[[dict[str, Any]], Any]) -> bytes:
    parsed = gltf.decode(glb)
    edit(parsed.document)
    return gltf.encode_glb(parsed.document, parsed.buffers[0])


def _counts(document: dict[str, Any]) -> None:
    for accessor in document["accessors"]:
        accessor["count"] = 2**32 - 1


_HUGE = 2**32 - 1
_SPZ_HEADER = struct.pack("<IIIBBBB", spz.MAGIC, 3, _HUGE, 0, 12, 0, 0)


def _ply_with_count(data: bytes, element: bytes) -> bytes:
    count = data.split(b"element " + element + b" ")[1].split(b"\n")[0]
    old = b"element " + element + b" " + count
    return data.replace(old, b"element " + element + b" 4294967295")


def _sog_with_count() -> bytes:
    return zipped(with_meta(sog.encode_files(lopsided_cloud(9)), count=_HUGE))


_CLAIMS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "glb": (khr_gaussian_splatting.decode, _edited(SPLATS, _counts)),
    "glb judged": (lambda data: gltf_rules.problems(gltf.decode(data)), _edited(SPLATS, _counts)),
    "mesh": (mesh_file.read_mesh, _edited(MESH, _counts)),
    "glb chunk": (khr_gaussian_splatting.decode, SPLATS[:12] + b"\xff" * 4 + SPLATS[16:]),
    "spz gzip": (spz.decode, gzip.compress(_SPZ_HEADER + bytes(99))),
    "spz plain": (spz.decode, _SPZ_HEADER + bytes(99)),
    "spz 4": (spz.decode, spz.encode(lopsided_cloud(5), version=4).replace(b"\5\0\0\0", b"\xff" * 4, 1)),
    "ply": (ply.decode, _ply_with_count(ply.encode(lopsided_cloud(5)), b"vertex")),
    "ply ascii": (
        ply.decode,
        _ply_with_count(ply.encode(lopsided_cloud(5)).replace(b"binary_little_endian", b"ascii"), b"vertex"),
    ),
    "compressed ply": (ply.decode, _ply_with_count(compressed_ply.encode(lopsided_cloud(5)), b"vertex")),
    "compressed ply chunks": (
        ply.decode,
        _ply_with_count(compressed_ply.encode(lopsided_cloud(5)), b"chunk"),
    ),
    "sog": (sog.decode, _sog_with_count()),
    "ksplat": (ksplat.decode, by_hand(1)[:16] + b"\xff" * 4 + by_hand(1)[20:]),
    "ksplat buckets": (ksplat.decode, by_hand(1, buckets=_HUGE)),
}


@pytest.mark.parametrize("name", list(_CLAIMS))
def test_claim_of_four_billion_costs_no_memory(name: str) -> None:
    call, data = _CLAIMS[name]
    tracemalloc.start()

    with pytest.raises(AssetFormatError):
        call(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_million_equal_splats_in_few_kilobytes_are_refused_by_the_count() -> None:
    count = 400_000
    header = struct.pack("<IIIBBBB", spz.MAGIC, 3, count, 0, 12, 0, 0)
    data = gzip.compress(header + bytes(20 * count))
    assert len(data) < 20_000
    tracemalloc.start()

    with pytest.raises(AssetFormatError, match=f"count must fit the file of {len(data)} bytes, got 400000"):
        spz.decode(data)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_payload_inside_a_glb_is_counted_before_it_is_unpacked() -> None:
    header = struct.pack("<IIIBBBB", spz.MAGIC, 3, 10_000_000, 0, 12, 0, 0)
    payload = gzip.compress(header + bytes(99))
    parsed = gltf.decode(tiles.encode_glb(lopsided_cloud(3)))
    parsed.document["bufferViews"][0]["byteLength"] = len(payload)
    parsed.document["buffers"][0]["byteLength"] = len(payload)

    with pytest.raises(AssetFormatError, match=r"at most \d+ splats .* got 10000000"):
        khr_gaussian_splatting.decode(gltf.encode_glb(parsed.document, payload))


@pytest.mark.parametrize(
    "call", [gltf.decode, lambda text: gltf.decode(gltf.encode_glb({"x": text.decode()}, b"abcd"))]
)
def test_huge_json_of_a_gltf_is_refused_unread(call: Callable[[bytes], Any]) -> None:
    with pytest.raises(AssetFormatError, match=f"must be at most {MAX_GLTF_JSON_BYTES} bytes"):
        call(b'{"asset":' + b" " * MAX_GLTF_JSON_BYTES)


def test_huge_json_of_a_tileset_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "tileset.json").open("wb") as file:
        file.truncate(MAX_GLTF_JSON_BYTES + 1)

    with pytest.raises(AssetFormatError, match=f"must be at most {MAX_GLTF_JSON_BYTES} bytes"):
        tileset.decode_files(FolderFiles(tmp_path))


def test_views_that_overlap_are_read_as_they_lie() -> None:
    def overlap(document: dict[str, Any]) -> None:
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        place = document["accessors"][attributes["POSITION"]]
        own = document["bufferViews"][place["bufferView"]]
        # Scales are read from the middle of the positions on: floats of which some are negative.
        document["bufferViews"].append({**own, "byteOffset": own["byteOffset"] + 12, "byteLength": 48})
        scale = document["accessors"][attributes["KHR_gaussian_splatting:SCALE"]]
        scale["bufferView"] = len(document["bufferViews"]) - 1

    glb = _edited(SPLATS, overlap)

    with pytest.raises(AssetFormatError, match="must fit its bufferView of 48 bytes, got 60"):
        khr_gaussian_splatting.decode(glb)
    four = _edited(glb, lambda d: [accessor.update(count=4) for accessor in d["accessors"]])
    found = khr_gaussian_splatting.decode(four)
    whole = khr_gaussian_splatting.decode(SPLATS)
    # A negative scale is a logarithm to any reader that knows the drafts.
    np.testing.assert_allclose(found.scales, np.exp(whole.means[1:5]), rtol=1e-5)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda d: d["meshes"][0]["primitives"][0]["attributes"].update({f"_X{i}": 0 for i in range(80)}),
            r"at most 64 attributes, got \d+",
        ),
        (
            lambda d: d["meshes"][0].update(primitives=d["meshes"][0]["primitives"] * 5000),
            "in 4096 primitives",
        ),
    ],
)
def test_more_parts_than_any_scene_has_are_refused_unread(
    edit: Callable[..., Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = gltf.decode(_edited(SPLATS, edit))
    monkeypatch.setattr(gltf, "read_accessor", lambda *_: pytest.fail("a value was read"))

    for call in (gltf_rules.problems, gltf_rules.dialects, khr_gaussian_splatting.decode_primitives):
        with pytest.raises(AssetFormatError, match=message):
            call(document)


def test_mesh_shown_by_many_nodes_is_counted_once_and_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def many(document: dict[str, Any]) -> None:
        document["accessors"][0]["count"] = 100_000
        document["nodes"] = [{"mesh": 0}] * 1000
        document["scenes"] = [{"nodes": list(range(1000))}]

    glb = _edited(MESH, many)
    monkeypatch.setattr(gltf, "read_accessor", lambda *_: pytest.fail("a value was read"))

    with pytest.raises(AssetFormatError, match="at most 10,000,000 triangles"):
        mesh_file.read_mesh(glb)


def test_hundred_thousand_nodes_are_turned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = gltf.rotmats_from_quats
    monkeypatch.setattr(gltf, "rotmats_from_quats", lambda quats: calls.append(len(quats)) or real(quats))
    nodes = [{"rotation": [0, 0, 0.6, 0.8], "scale": [1, 2, 3], "children": [i + 1]} for i in range(400)]
    text = json.dumps({"asset": {"version": "2.0"}, "nodes": [*nodes, {}], "scenes": [{"nodes": [0]}]})

    found = list(gltf.scene_nodes(gltf.decode(text.encode())))

    assert len(found) == 401 and calls == [400]
    third = np.linalg.matrix_power(np.array([[0.28, -0.96, 0], [0.96, 0.28, 0], [0, 0, 1]]) * [1, 2, 3], 2)
    np.testing.assert_allclose(found[1][1][:3, :3], third)


def test_nodes_beyond_all_numbers_are_refused() -> None:
    nodes = [{"scale": [1e300] * 3, "children": [1]}, {"scale": [1e300] * 3}]
    text = json.dumps({"asset": {"version": "2.0"}, "nodes": nodes, "scenes": [{"nodes": [0]}]})

    with pytest.raises(AssetFormatError, match="must stay within the numbers that there are"):
        list(gltf.scene_nodes(gltf.decode(text.encode())))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"scale": [1e20] * 3, "translation": [1e39, 0, 0]}, "must keep its splats finite"),
        ({"scale": [1e300, 1e-200, 1e-90]}, "must not mirror or flatten"),
        ({"scale": [1, 1, 0]}, "must not mirror or flatten"),
    ],
)
def test_node_that_leads_where_no_float_does_is_refused(node: dict[str, Any], message: str) -> None:
    glb = _edited(SPLATS, lambda d: d["nodes"][0].update(node))

    with pytest.raises(AssetFormatError, match=message):
        khr_gaussian_splatting.decode(glb)


def test_mesh_with_indices_that_are_no_integers_is_refused() -> None:
    floats = _edited(MESH, lambda d: d["accessors"][1].update(componentType=5126))
    signed = _edited(MESH, lambda d: d["accessors"][1].update(componentType=5122))

    for glb in (floats, signed):
        with pytest.raises(AssetFormatError, match="indices must be unsigned integers"):
            mesh_file.read_mesh(glb)


def test_mesh_with_a_signalling_nan_is_refused_without_a_warning() -> None:
    parsed = gltf.decode(MESH)
    buffer = bytearray(parsed.buffers[0])
    buffer[:4] = struct.pack("<I", 0x7FA00001)

    with pytest.raises(AssetFormatError, match="POSITION must be finite"):
        mesh_file.read_mesh(gltf.encode_glb(parsed.document, bytes(buffer)))


@pytest.mark.parametrize("names", [["", ""], ["quats.webp", "shN_labels.webp"]])
def test_pictures_of_a_sog_have_names_of_their_own(names: list[str]) -> None:
    files = with_meta(sog.encode_files(lopsided_cloud(9, degree=1)), shN__files=names)

    with pytest.raises(AssetFormatError, match=r"files of their own|must be 2 names"):
        sog.decode(zipped(files))


def test_refusal_of_long_nonsense_is_short() -> None:
    junk = {"deep": ["x" * 50] * 4000}

    for edit in (
        lambda d: d.update(scene=junk),
        lambda d: d["accessors"][0].update(count=junk),
        lambda d: d["accessors"][0].update(type=[junk]),
        lambda d: d["meshes"][0]["primitives"][0]["extensions"]["KHR_gaussian_splatting"].update(kernel=junk),
        lambda d: d["asset"].update(version=[junk]),
    ):
        with pytest.raises(AssetFormatError) as caught:
            khr_gaussian_splatting.decode(_edited(SPLATS, edit))
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["EXT_meshopt_compression", "KHR_meshopt_compression"])
def test_meshopt_compression_is_refused_by_name(name: str) -> None:
    def pack(document: dict[str, Any]) -> None:
        document["buffers"].append({"byteLength": 640, "extensions": {name: {"fallback": True}}})
        view = document["bufferViews"][2]
        packed = {"buffer": 0, "byteLength": 60, "byteStride": 16, "count": 5, "mode": "ATTRIBUTES"}
        document["bufferViews"][2] = {**view, "buffer": 1, "extensions": {name: packed}}

    with pytest.raises(AssetFormatError, match="must be plain, got meshopt compression") as caught:
        khr_gaussian_splatting.decode(_edited(SPLATS, pack))
    assert caught.value.hint
