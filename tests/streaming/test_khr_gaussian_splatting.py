from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reconstruction.conventions import rotmats_from_quats
from reconstruction.spherical_harmonics import evaluate, rgb_from_dc
from streaming import gltf, spz
from streaming.errors import AssetFormatError
from streaming.gltf_rules import problems
from streaming.khr_gaussian_splatting import (
    EXTENSION,
    SPZ_EXTENSIONS,
    Precision,
    decode,
    encode,
    linear_from_srgb,
    round_cloud,
    srgb_from_linear,
)
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, covariances, lopsided_cloud

FIELDS = ("means", "quats", "scales", "opacities", "sh")


def _split(glb: bytes) -> tuple[dict[str, Any], bytes]:
    size = struct.unpack_from("<I", glb, 12)[0]
    return json.loads(glb[20 : 20 + size]), glb[20 + size + 8 :]


def _edited(glb: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    document, binary = _split(glb)
    edit(document)
    return gltf.encode_glb(document, binary)


def _by_hand(glb: bytes, name: str, row: int) -> tuple[float, ...]:
    """Read one element with struct, sharing nothing with the reader under test."""
    document, binary = _split(glb)
    index = document["meshes"][0]["primitives"][0]["attributes"][name]
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    letter = {5120: "b", 5121: "B", 5126: "f"}[accessor["componentType"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    stride = view.get("byteStride", width * struct.calcsize(letter))
    values = struct.unpack_from(f"<{width}{letter}", binary, view["byteOffset"] + row * stride)
    largest = {"b": 127, "B": 255, "f": 1}[letter]
    return tuple(v / largest for v in values)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_floats_without_rounding_come_back_bit_for_bit(degree: int) -> None:
    cloud = lopsided_cloud(37, degree=degree)

    found = decode(encode(cloud, precision=None))

    for name in ("means", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(found, name), getattr(cloud, name))
    np.testing.assert_allclose(found.quats, cloud.quats, atol=2e-7)


def test_file_holds_what_the_extension_asks_for_when_read_by_hand() -> None:
    cloud = lopsided_cloud(9, degree=1)

    for layout in ("float", "compact"):
        glb = encode(cloud, precision=None, layout=layout)
        w, x, y, z = cloud.quats[4] * np.sign(cloud.quats[4, 0])
        assert _by_hand(glb, "POSITION", 4) == pytest.approx(cloud.means[4])
        np.testing.assert_allclose(
            np.abs(_by_hand(glb, f"{EXTENSION}:ROTATION", 4)), np.abs([x, y, z, w]), atol=0.005
        )
        assert _by_hand(glb, f"{EXTENSION}:SCALE", 4) == pytest.approx(cloud.scales[4])
        assert _by_hand(glb, f"{EXTENSION}:OPACITY", 4) == pytest.approx([cloud.opacities[4]], abs=0.002)
        assert _by_hand(glb, f"{EXTENSION}:SH_DEGREE_0_COEF_0", 4) == pytest.approx(cloud.sh[4, 0])
        assert _by_hand(glb, f"{EXTENSION}:SH_DEGREE_1_COEF_2", 4) == pytest.approx(cloud.sh[4, 3])


def test_fallback_colour_is_linear_with_opacity_as_alpha() -> None:
    cloud = lopsided_cloud(5)
    srgb = np.clip(rgb_from_dc(cloud.sh[3, 0]), 0, 1)

    red, _, _, alpha = _by_hand(encode(cloud, precision=None), "COLOR_0", 3)

    assert alpha == pytest.approx(cloud.opacities[3], abs=0.002)
    # A gamma of 2.2 is within 0.01 of the sRGB curve and far from the identity.
    assert red == pytest.approx(srgb[0] ** 2.2, abs=0.012)


def test_srgb_curves_undo_each_other() -> None:
    values = np.linspace(0, 1, 1001)

    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-6)


def test_rounding_keeps_its_stated_bounds_and_rounding_twice_changes_nothing() -> None:
    cloud, precision = lopsided_cloud(4000, degree=2), Precision()

    once = round_cloud(cloud, precision)
    twice = round_cloud(once, precision)

    size = 2.0 ** np.floor(np.log2(once.scales.max(axis=1)))
    assert (np.abs(once.means - cloud.means) <= size[:, None] * precision.mean_step / 2 * 1.001).all()
    assert (np.abs(once.scales / cloud.scales - 1) <= 2.0 ** -(precision.scale_bits + 1)).all()
    assert np.abs(once.sh[:, 0] - cloud.sh[:, 0]).max() <= precision.dc_step / 2 * 1.001
    assert np.abs(once.sh[:, 1:] - cloud.sh[:, 1:]).max() <= precision.rest_step / 2 * 1.001
    assert np.abs(once.opacities - cloud.opacities).max() <= 0.5 / 255 * 1.001
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(twice, name), getattr(once, name))


def test_compact_chunk_turns_by_less_than_a_degree_and_stays_decodable_twice() -> None:
    cloud = lopsided_cloud(500)

    found = decode(encode(cloud, layout="compact"))
    again = decode(encode(found, layout="compact"))

    assert angles_deg(found.quats, cloud.quats).max() < 0.91  # four components off by 1/254 each
    np.testing.assert_array_equal(found.means, again.means)
    np.testing.assert_array_equal(found.opacities, again.opacities)


def test_opacity_never_becomes_zero_or_one_in_eight_bits() -> None:
    cloud = lopsided_cloud(2)
    cloud.opacities[:] = [1e-4, 0.9999]

    found = decode(encode(cloud, layout="compact"))

    assert (found.opacities > 0).all() and (found.opacities < 1).all()


def test_empty_cloud_is_refused() -> None:
    with pytest.raises(AssetFormatError, match="at least one splat"):
        encode(lopsided_cloud(1).subset(np.zeros(1, bool)))


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_conformance_matrix_of_another_project_reads_as_its_authors_wrote_it(suffix: str) -> None:
    cloud = read_splats(shared(f"gltf/khr_conformance_matrix.{suffix}"))

    # One splat per case: rotation f32 i8 i16, scale f32 i8 i8n i16 i16n, opacity f32 u8 u16, SH 0-3.
    assert len(cloud) == 15 and cloud.sh_degree == 3
    np.testing.assert_array_equal(cloud.means, np.tile(np.float32([1, 2, 3]), (15, 1)))
    np.testing.assert_allclose(np.abs(cloud.quats), np.tile([0, 1, 0, 0], (15, 1)), atol=1e-6)
    # The file is of a draft that stored logarithms.
    logs = [[0.2, -0.1, 0.7], [1, -2, 3], [1, 0, -1], [2, -3, 4], [1, 0, -1]]
    np.testing.assert_allclose(np.log(cloud.scales[3:8]), logs, atol=1e-6)
    np.testing.assert_allclose(cloud.opacities[8:11], [0.75, 64 / 255, 16384 / 65535], atol=1e-6)
    # Only case 3 is in the sRGB space; the others are linear and are converted.
    np.testing.assert_allclose(cloud.sh[3, 0], [0.1, 0.2, 0.3], atol=1e-6)
    linear = rgb_from_dc(np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(rgb_from_dc(cloud.sh[0, 0]), linear ** (1 / 2.2), atol=0.01)


def test_glb_of_splat_transform_equals_the_ply_it_was_made_from_turned_about_y() -> None:
    glb = read_splats(shared("gltf/playbot_lod3.glb"))
    from_ply = read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply"))
    turn = np.diag([-1.0, 1.0, -1.0])  # that writer turns about Z where we turn about X (formats.md 1.4)

    np.testing.assert_allclose(glb.means, from_ply.means @ turn, atol=1e-6)
    np.testing.assert_allclose(covariances(glb), turn @ covariances(from_ply) @ turn, atol=1e-8)
    np.testing.assert_allclose(glb.opacities, from_ply.opacities, atol=1e-6)
    ahead = np.float64([0.36, 0.48, -0.8])
    np.testing.assert_allclose(evaluate(glb.sh, turn @ ahead), evaluate(from_ply.sh, ahead), atol=1e-5)


def test_node_transforms_move_turn_and_scale_splats() -> None:
    cloud = lopsided_cloud(20, degree=2)
    quat = np.array([0.5, 0.1, -0.7, 0.5]) / np.linalg.norm([0.5, 0.1, -0.7, 0.5])
    node = {"translation": [3.0, -1.0, 0.5], "rotation": [*quat[1:], quat[0]], "scale": [2.0, 2.0, 2.0]}
    glb = _edited(encode(cloud, precision=None), lambda d: d["nodes"][0].update(node))
    turn = rotmats_from_quats(quat)

    found = decode(glb)

    np.testing.assert_allclose(found.means, cloud.means @ (2 * turn).T + [3, -1, 0.5], atol=2e-6)
    np.testing.assert_allclose(
        covariances(found), 4 * turn @ covariances(cloud) @ turn.T, rtol=1e-3, atol=1e-9
    )
    ahead = np.float64([0.6, 0.0, -0.8])
    np.testing.assert_allclose(evaluate(found.sh, turn @ ahead), evaluate(cloud.sh, ahead), atol=1e-5)


def test_unequal_node_scale_stretches_the_covariance() -> None:
    cloud = lopsided_cloud(20)
    glb = _edited(encode(cloud, precision=None), lambda d: d["nodes"][0].update(scale=[1.0, 3.0, 0.5]))
    stretch = np.diag([1.0, 3.0, 0.5])

    np.testing.assert_allclose(
        covariances(decode(glb)), stretch @ covariances(cloud) @ stretch, rtol=1e-3, atol=1e-9
    )


def test_matrix_of_a_child_is_applied_after_its_parents() -> None:
    cloud = lopsided_cloud(3)

    def nest(document: dict[str, Any]) -> None:
        shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]  # column-major: x + 5
        document["nodes"] = [{"children": [1], "scale": [2, 2, 2]}, {"mesh": 0, "matrix": shift}]

    found = decode(_edited(encode(cloud, precision=None), nest))

    np.testing.assert_allclose(found.means, 2 * (cloud.means + [5, 0, 0]), atol=1e-5)


def test_mirrored_node_is_refused() -> None:
    glb = _edited(encode(lopsided_cloud(3)), lambda d: d["nodes"][0].update(scale=[1, -1, 1]))

    with pytest.raises(AssetFormatError, match="must not mirror"):
        decode(glb)


def test_spz_payload_inside_the_primitive_is_read_in_the_glTF_frame() -> None:
    cloud = lopsided_cloud(11, degree=1)
    payload = spz.encode(cloud, version=3)

    def nest(document: dict[str, Any]) -> None:
        extension = document["meshes"][0]["primitives"][0]["extensions"][EXTENSION]
        extension["extensions"] = {SPZ_EXTENSIONS[0]: {"bufferView": 0}}

    document, _ = _split(_edited(encode(cloud), nest))
    document["bufferViews"] = [{"buffer": 0, "byteOffset": 0, "byteLength": len(payload)}]
    document["buffers"] = [{"byteLength": len(payload)}]

    found = decode(gltf.encode_glb(document, payload))

    np.testing.assert_allclose(found.means, cloud.means, atol=1.3e-4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda p: p["attributes"].pop(f"{EXTENSION}:SCALE"),
            "must have the attribute KHR_gaussian_splatting:SCALE",
        ),
        (lambda p: p["attributes"].pop("POSITION"), "must have the attribute POSITION"),
        (lambda p: p["attributes"].update({f"{EXTENSION}:SCALE": 4}), r"must have shape \[6, 3\]"),
        (lambda p: p["extensions"][EXTENSION].update(kernel="box"), "kernel must be ellipse"),
        (lambda p: p["extensions"][EXTENSION].pop("colorSpace"), "colorSpace must be"),
        (
            lambda p: p["extensions"][EXTENSION].update(extensions={"X_new": {}}),
            "unknown compression, got 'X_new'",
        ),
        (lambda p: p["extensions"].clear(), "found none"),
        (lambda p: p["attributes"].update(POSITION=99), "accessors index must be below"),
    ],
)
def test_broken_primitive_is_named(edit: Callable[[dict[str, Any]], None], message: str) -> None:
    glb = _edited(encode(lopsided_cloud(6)), lambda d: edit(d["meshes"][0]["primitives"][0]))

    with pytest.raises(AssetFormatError, match=message):
        decode(glb)


def test_values_that_are_not_finite_are_refused() -> None:
    cloud = lopsided_cloud(6)
    glb = bytearray(encode(cloud, precision=None))
    at = bytes(glb).index(cloud.scales.tobytes())
    glb[at : at + 4] = struct.pack("<f", np.nan)

    with pytest.raises(AssetFormatError, match="SCALE must be finite"):
        decode(bytes(glb))


def test_our_own_file_has_no_problems_and_a_careless_one_has_each_named() -> None:
    glb = encode(lopsided_cloud(6))

    def spoil(document: dict[str, Any]) -> None:
        document["extensionsUsed"] = []
        primitive = document["meshes"][0]["primitives"][0]
        primitive["mode"] = 4
        del primitive["attributes"]["COLOR_0"]
        del document["accessors"][primitive["attributes"]["POSITION"]]["min"]

    assert problems(gltf.decode(glb)) == []
    found = " | ".join(problems(gltf.decode(_edited(glb, spoil))))
    for part in ("extensionsUsed", "mode must be 0", "white points", "min and max"):
        assert part in found
