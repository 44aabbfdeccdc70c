"""A scene leaves as one GLB and comes back as itself; what others wrote or broke is told."""

from __future__ import annotations

import copy
import json
import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from reconstruction.splats import SplatCloud
from streaming import gltf, khr_gaussian_splatting, scene_extension
from streaming.assemble import collider_mesh, encode_collider, finest_cloud
from streaming.asset import SplatAsset
from streaming.errors import AssetFormatError
from streaming.export import encode_asset
from streaming.limits import MAX_SOUND_BYTES
from streaming.one_glb import asset_of, read_glb
from streaming.pack import asset_json, parse_asset_json
from streaming.scene_summary import summarize
from tests.streaming.scenes_to_carry import assets, opus_like, rich_asset
from tests.streaming.splat_clouds import angles_deg, damaged, lopsided_cloud

TURN_DEG = 1.6  # eight bits of a compact file, and the step of a direction that they tip over
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def asset() -> SplatAsset:
    return rich_asset()


@pytest.fixture(scope="module")
def glb(asset: SplatAsset) -> bytes:
    return encode_asset(asset)


def again(data: bytes, title: str | None = None) -> tuple[SplatAsset, tuple[str, ...]]:
    scene = read_glb(data, title="a file")
    return asset_of(scene, file_name="a_file.glb", title=title), scene.notes


def edited(data: bytes, edit: Edit) -> bytes:
    found = gltf.decode(data)
    document = json.loads(json.dumps(found.document))
    edit(document)
    return gltf.encode_glb(document, found.buffers[0])


def block_of(document: dict[str, Any]) -> dict[str, Any]:
    return document["extensions"][scene_extension.EXTENSION]


def points_of(document: dict[str, Any]) -> int:
    number: int = document["meshes"][1]["primitives"][0]["attributes"]["POSITION"]
    return number


def heard(asset: SplatAsset) -> list[tuple[object, ...]]:
    return [
        (s.kind, s.caption, s.position, s.gain, s.reference_m, asset.chunk_bytes(s.chunk))
        for s in asset.manifest.sounds
    ]


def in_order(asset: SplatAsset) -> SplatCloud:
    """Return the finest splats in an order that does not depend on chunks."""
    cloud = finest_cloud(asset)
    keys = [cloud.means, cloud.scales, cloud.opacities[:, None], cloud.sh.reshape(len(cloud), -1)]
    return cloud.subset(np.lexsort(np.concatenate(keys, axis=1).T))


def assert_same_scene(found: SplatAsset, wanted: SplatAsset) -> None:
    moved = {"sounds": ()}  # they name chunks, whose places may change
    assert replace(found.manifest, **moved) == replace(wanted.manifest, **moved)
    assert heard(found) == heard(wanted)
    clouds = in_order(found), in_order(wanted)
    for name in ("means", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(clouds[0], name), getattr(clouds[1], name))
    assert angles_deg(clouds[0].quats, clouds[1].quats).max() < TURN_DEG
    ours, theirs = collider_mesh(found), collider_mesh(wanted)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("layout", ["float", "compact"])
def test_the_same_scene_comes_back(asset: SplatAsset, layout: khr_gaussian_splatting.Layout) -> None:
    found, notes = again(encode_asset(asset, layout=layout))

    assert_same_scene(found, asset)
    assert notes == ()


@given(asset=assets())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_scene_comes_back_in_every_field_and_is_written_the_same_again(asset: SplatAsset) -> None:
    data = encode_asset(asset)

    found, notes = again(data)

    assert_same_scene(found, asset)
    assert notes == () and encode_asset(asset) == data
    # What was read can be stored, and says the same to the next who reads it.
    assert parse_asset_json(asset_json(found).encode())[0] == found.manifest
    assert_same_scene(again(encode_asset(found))[0], asset)


def test_other_programs_see_splats_hear_sounds_and_read_the_terms_by_the_names_of_standards(
    glb: bytes,
) -> None:
    document = gltf.decode(glb).document

    (packet,) = document["extensions"]["KHR_xmp_json_ld"]["packets"]
    assert packet["dc:rights"]["rdf:_1"]["@value"].startswith("CC BY 4.0")
    assert packet["xmpRights:WebStatement"] == "https://creativecommons.org/licenses/by/4.0/"
    assert packet["dc:creator"] == {"@list": ["Ada & Björn"]}
    assert document["asset"]["copyright"].startswith("Ada & Björn. CC BY 4.0")
    shown = [document["nodes"][index] for index in document["scenes"][document["scene"]]["nodes"]]
    assert [node.get("mesh") for node in shown] == [0, None]
    assert shown[1]["translation"] == [2.125, 0.3, -1.7]
    assert shown[1]["extensions"]["KHR_audio_emitter"] == {"emitter": 1}
    audio = document["extensions"]["KHR_audio_emitter"]
    assert [emitter["type"] for emitter in audio["emitters"]] == ["global", "positional"]
    assert document["scenes"][0]["extensions"]["KHR_audio_emitter"] == {"emitters": [0]}
    assert "extensionsRequired" not in document
    view = document["bufferViews"][audio["audio"][1]["bufferView"]]
    start = view["byteOffset"]
    assert gltf.decode(glb).buffers[0][start : start + view["byteLength"]] == opus_like(1203)


def test_title_of_the_user_outweighs_that_of_the_file(glb: bytes) -> None:
    assert again(glb, "My own")[0].manifest.title == "My own"


def test_scene_without_an_owner_says_nothing_of_terms(asset: SplatAsset) -> None:
    bare = replace(asset, manifest=replace(asset.manifest, licence="", credit=""))

    document = gltf.decode(encode_asset(bare)).document

    assert "copyright" not in document["asset"]
    assert not {"dc:rights", "dc:creator", "xmpRights:WebStatement"} & set(
        document["extensions"]["KHR_xmp_json_ld"]["packets"][0]
    )


# --- A label is not lost -------------------------------------------------------------------------------


def _no_packet(document: dict[str, Any]) -> None:
    del document["extensions"]["KHR_xmp_json_ld"], document["asset"]["extensions"]


def _says_no(document: dict[str, Any]) -> None:
    block_of(document)["is_generated"] = False


def _no_block(document: dict[str, Any]) -> None:
    del document["extensions"][scene_extension.EXTENSION]


def _broken_block_alone(document: dict[str, Any]) -> None:
    _no_packet(document)
    block_of(document)["spawn"] = 3


@pytest.mark.parametrize("edit", [_no_packet, _says_no, _no_block, _broken_block_alone])
def test_one_statement_that_it_is_made_is_enough(glb: bytes, edit: Edit) -> None:
    found, _ = again(edited(glb, edit))

    assert found.manifest.is_generated
    once_more, _ = again(encode_asset(found))
    assert once_more.manifest.is_generated


@pytest.mark.parametrize(
    ("value", "is_generated"),
    [
        ("http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia", True),
        ({"@id": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}, True),
        ("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", False),
    ],
)
def test_label_of_others_stays_the_very_label(value: object, is_generated: bool) -> None:
    def label(document: dict[str, Any]) -> None:
        document["asset"]["extensions"] = {"KHR_xmp_json_ld": {"packet": 0}}
        packets = [{"photoshop:DigitalSourceType": value}, {}][:: 1 if is_generated else -1]
        packets[0]["Iptc4xmpExt:DigitalSourceType"] = value
        document["extensions"] = {"KHR_xmp_json_ld": {"packets": packets}}

    made, _ = again(edited(khr_gaussian_splatting.encode(lopsided_cloud(9)), label))

    assert made.manifest.is_generated is is_generated
    packet = gltf.decode(encode_asset(made)).document["extensions"]["KHR_xmp_json_ld"]["packets"][0]
    wanted = (value["@id"] if isinstance(value, dict) else value) if is_generated else None
    assert packet.get("Iptc4xmpExt:DigitalSourceType") == wanted


# --- What others write ---------------------------------------------------------------------------------


def test_terms_of_others_are_kept(glb: bytes) -> None:
    def theirs(document: dict[str, Any]) -> None:
        document["asset"]["copyright"] = "© 2026 Cleo,\n all rights reserved"

    made, notes = again(edited(khr_gaussian_splatting.encode(lopsided_cloud(9)), theirs))

    assert made.manifest.credit == "© 2026 Cleo, all rights reserved" and made.manifest.licence == ""
    assert made.manifest.title == "a file" and notes == ()


def _with_mesh(name: str, *, is_shown: bool) -> bytes:
    """Return splats beside somebody's mesh, moved by its node."""
    whole, mesh = (
        gltf.decode(khr_gaussian_splatting.encode(lopsided_cloud(9))),
        gltf.decode(
            encode_collider(np.array([[0, 0, 0], [1, 0, 0], [0, 0, 2]], np.float32), np.array([[0, 1, 2]]))
        ),
    )
    builder = gltf.BufferBuilder(
        whole.document["accessors"], whole.document["bufferViews"], bytearray(whole.buffers[0])
    )
    primitive = mesh.document["meshes"][0]["primitives"][0]
    points = gltf.read_accessor(mesh, primitive["attributes"]["POSITION"])
    faces = gltf.read_accessor(mesh, primitive["indices"]).reshape(-1)
    added = {"attributes": {"POSITION": builder.add(points)}, "indices": builder.add(faces, bounds=False)}
    document = {k: v for k, v in whole.document.items() if k not in ("accessors", "bufferViews", "buffers")}
    document["meshes"].append({"primitives": [added]})
    document["nodes"].append({"name": name, "mesh": 1, "translation": [0, 5, 0]})
    if is_shown:
        document["scenes"][0]["nodes"].append(1)
    return builder.finish(document)


@pytest.mark.parametrize("is_shown", [True, False])
def test_mesh_that_is_called_a_collider_is_one(is_shown: bool) -> None:
    scene = read_glb(_with_mesh("Terrain_Collider.001", is_shown=is_shown), title="x")

    assert scene.collider is not None and scene.notes == ()
    np.testing.assert_array_equal(scene.collider[0], [[0, 5, 0], [1, 5, 0], [0, 5, 2]])
    np.testing.assert_array_equal(scene.collider[1], [[0, 1, 2]])


def test_other_mesh_is_left_out_with_its_name() -> None:
    scene = read_glb(_with_mesh("Teapot", is_shown=True), title="x")

    assert scene.collider is None
    assert scene.notes == ("1 meshes are no splats and left out: 'Teapot'",)


# --- What is broken ------------------------------------------------------------------------------------


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda b: b.update(version=2), "version must be 1, got 2"),
        (lambda b: b.pop("spawn"), "must have spawn"),
        (lambda b: b["spawn"].update(position=[1, 2]), "spawn.position must be 3 numbers"),
        (lambda b: b["spawn"].update(position=[1, 2, 1e9]), "must lie within"),
        (lambda b: b["spawn"].update(lever=1), "exactly its fields"),
        (lambda b: b.update(eye_height_m=0), "eye_height_m must be"),
        (lambda b: b.update(eye_height_m=10**400), "2.53"),
        (lambda b: b.update(background=[0, 0, 2]), "background must be 0 to 1"),
        (lambda b: b.update(camera_path=[[1, 2, 3]]), "camera_path must be 4 numbers"),
        (lambda b: b.update(camera_path=[["a", 2, 3, 4]]), "camera_path must be 4 numbers"),
        (lambda b: b.update(camera_path=7), "camera_path must be a list"),
        (lambda b: b.update(recipe=[]), "recipe must be an object"),
        (lambda b: b["recipe"].update(far=deep(40)), "at most 32 deep"),
        (lambda b: b["recipe"].update(seed=2**60), "2.53"),
        (lambda b: b["recipe"].update(words="x" * 2_000_000), "at most 1,048,576 bytes"),
        (lambda b: b["quality"].update(verdict="superb"), "quality.verdict"),
        (lambda b: b["walkability"].update(verdict=[]), "walkability.verdict"),
        (lambda b: b["walkability"].update(reasons=[["x"]]), "reasons of walkability"),
        (lambda b: b["walkability"].update(reasons=["a\nb"]), "reasons of walkability"),
        (lambda b: b["portals"][0].update(width_m=99), "0.3 to 20 m wide"),
        (lambda b: b.update(portals=17 * [{}]), "at most 16"),
    ],
)
def test_broken_scene_leaves_the_splats_and_a_note(glb: bytes, edit: Edit, sentence: str) -> None:
    found, notes = again(edited(glb, lambda document: edit(block_of(document))))

    assert found.manifest.splat_count == 400 and found.manifest.walkability is None
    assert len(notes) == 1 and "left out" in notes[0]
    assert re.search(sentence, notes[0]), notes[0]
    assert found.manifest.is_generated and found.manifest.credit == "Ada & Björn"


def test_numbers_and_letters_that_json_has_and_we_have_not_are_refused(glb: bytes) -> None:
    found = gltf.decode(glb)
    for bad, sentence in ((b"1e999", "finite"), (b'"\\ud800"', "half a character")):
        text = json.dumps(found.document).encode().replace(b'"seed": 4', b'"seed": ' + bad)
        document = json.loads(text)
        with pytest.raises(AssetFormatError, match=sentence):
            scene_extension.read_scene(gltf.Gltf(document, found.buffers), title="x")


def _emitter(change: dict[str, Any]) -> Edit:
    return lambda document: document["extensions"]["KHR_audio_emitter"]["emitters"][1].update(change)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (_emitter({"gain": 2}), "gain of 0 to 1"),
        (_emitter({"gain": "loud"}), "gain must be float"),
        (_emitter({"name": 5}), "kind must be str"),
        (_emitter({"sources": [7]}), "entries of source"),
        (_emitter({"positional": {"refDistance": -1}}), "reach 0 to 1000"),
        (lambda d: block_of(d).update(captions=["one"]), "as many captions"),
        (lambda d: block_of(d).update(captions=["one", "x" * 300]), "caption of sound 1"),
        (lambda d: d["extensions"].pop("KHR_audio_emitter"), "0 sounds must have as many captions"),
        (lambda d: d["extensions"].update(KHR_audio_emitter=3), "0 sounds must have as many captions"),
        (lambda d: d["extensions"]["KHR_audio_emitter"].update(audio=[{}] * 99), "at most 16"),
        (lambda d: d["extensions"]["KHR_audio_emitter"]["audio"][0].update(bufferView=0), "Ogg Opus"),
        (lambda d: d["extensions"]["KHR_audio_emitter"]["audio"][0].update(bufferView="a"), "bufferViews"),
    ],
)
def test_broken_sound_costs_the_sounds_alone(
    asset: SplatAsset, glb: bytes, edit: Edit, sentence: str
) -> None:
    found, (note,) = again(edited(glb, edit))

    assert "its sounds are broken and left out" in note and sentence in note
    silent = replace(asset, manifest=replace(asset.manifest, sounds=()))
    assert_same_scene(found, silent)


def test_sound_that_is_too_large_is_not_copied(asset: SplatAsset) -> None:
    big = opus_like(MAX_SOUND_BYTES)
    info = asset.chunks[asset.manifest.sounds[1].chunk]
    chunks = tuple(
        replace(c, byte_offset=len(asset.pack), byte_length=len(big)) if c == info else c
        for c in asset.chunks
    )
    large = replace(asset, chunks=chunks, pack=asset.pack + big)

    _, (note,) = again(encode_asset(large))

    assert "a sound must be at most 1,048,576 bytes" in note


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda d: block_of(d).update(collider=99), "nodes index"),
        (lambda d: block_of(d).update(collider=0), "at least one triangle"),
        (lambda d: d["nodes"][1].update(scale=[1e9, 1, 1]), "within 100000 m"),
        (lambda d: d["nodes"][1].update(children=[1]), "reached twice"),
        (
            lambda d: d["accessors"][points_of(d)].update(count=4_000_000),
            "1,000,000 triangles in 4,096 parts, got more",
        ),
    ],
)
def test_broken_collider_costs_the_ground_alone(glb: bytes, edit: Edit, sentence: str) -> None:
    found, (note,) = again(edited(glb, edit))

    assert "its collider is broken and left out" in note and sentence in note
    assert collider_mesh(found) is None and found.manifest.walkability is None
    assert found.manifest.spawn.yaw_deg == 33.3 and len(found.manifest.sounds) == 2


def test_indices_that_are_negative_or_no_integers_are_refused(glb: bytes) -> None:
    number = gltf.decode(glb).document["meshes"][1]["primitives"][0]["indices"]

    for kind in (5120, 5126):
        _, (note,) = again(
            edited(glb, lambda d, kind=kind: d["accessors"][number].update(componentType=kind))
        )
        assert "unsigned integers" in note


def test_damaged_files_are_told_or_read_and_nothing_else_happens(glb: bytes) -> None:
    start = gltf.decode(glb).document
    assert start
    text_stop = 20 + int.from_bytes(glb[12:16], "little")
    head, tail = glb[:text_stop], glb[text_stop:]
    for broken in damaged(head, 400, seed=11, keep=20):
        try:
            found, _ = again(broken + tail)
        except AssetFormatError:
            continue
        parse_asset_json(asset_json(found).encode())


HOSTILE: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        3,
        2**31,
        2**53,
        10**400,
        0.5,
        1e308,
        -1e9,
        "",
        "x",
        "\ud800",
        "collider\n",
        [],
        {},
    ),
    *(
        [1],
        [[]],
        {"a": 1},
        ["x"],
        [1, 2, 3],
        [1e308, 0, 0],
        [1e39, 0, 0, 1],
        "x" * 300,
        [[1, 2, 3, 4]],
        [None] * 99,
    ),
]


def put_anything_anywhere(document: dict[str, Any], noise: random.Random) -> None:
    """Put a hostile value in the place of one of the document's, or take that away."""
    within: Any = document
    while True:
        key = noise.choice(list(within)) if isinstance(within, dict) else noise.randrange(len(within))
        inner = within[key]
        if not isinstance(inner, dict | list) or not inner or noise.random() < 0.15:
            break
        within = inner
    if noise.random() < 0.1:
        del within[key]
    else:
        within[key] = copy.deepcopy(noise.choice(HOSTILE))


def survive(glb: bytes, seeds: range) -> int:
    """Return how many of the damaged documents were read; what was read can be stored and written."""
    found, read = gltf.decode(glb), 0
    for seed in seeds:
        noise = random.Random(seed)
        document = json.loads(json.dumps(found.document))
        for _ in range(noise.randint(1, 3)):
            put_anything_anywhere(document, noise)
        text = json.dumps(document).encode()
        data = gltf.encode_glb({}, found.buffers[0]).replace(b"{}  ", text + b" " * (-len(text) % 4))
        head = struct.pack("<III", 2, len(data), len(text) + -len(text) % 4)
        data = data[:4] + head + data[16:]
        try:
            asset, notes = again(data)
            summarize(gltf.decode(data))
        except AssetFormatError as error:
            assert "\n" not in str(error)
            continue
        assert all(note.isprintable() for note in notes)
        parse_asset_json(asset_json(asset).encode())
        encode_asset(asset)
        read += 1
    return read


def test_any_value_of_the_document_may_be_anything() -> None:
    assert survive(encode_asset(rich_asset(3)), range(500)) > 150


# --- What is told --------------------------------------------------------------------------------------


def test_summary_says_what_is_inside(glb: bytes) -> None:
    found = summarize(gltf.decode(glb))

    assert found.is_whole and found.is_generated and found.collider_triangles == 3
    assert found.start == (pytest.approx(0.55), pytest.approx(0.12), pytest.approx(1.3))
    assert (found.heading_deg, found.eye_height_m) == (33.3, 1.45)
    assert found.sounds == ("wind in the trees", "a fire crackles")
    assert found.doorways == ("The kitchen", "Garden") and found.problems == ()
    assert (found.quality, found.walkability) == ("usable", "good")
    assert found.source_type.endswith("/trainedAlgorithmicMedia")


def test_summary_of_a_broken_scene_has_the_problem(glb: bytes) -> None:
    found = summarize(gltf.decode(edited(glb, lambda d: block_of(d).update(spawn=None))))

    assert found.problems == ("spawn must be an object, got NoneType",) and not found.is_whole
