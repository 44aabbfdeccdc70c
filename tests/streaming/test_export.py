from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming import gltf, xmp
from streaming.asset import SplatAsset
from streaming.export import encode_cloud, export_glb
from streaming.khr_gaussian_splatting import decode
from streaming.validate import inspect, read_splats
from tests.streaming.scenes import small_asset, walkable


@pytest.fixture(scope="module")
def asset() -> SplatAsset:
    return small_asset(2_500)


def _document(glb: bytes) -> dict[str, Any]:
    return json.loads(glb[20 : 20 + struct.unpack_from("<I", glb, 12)[0]])


def test_file_holds_the_finest_splats_and_the_collider(asset: SplatAsset, tmp_path: Path) -> None:
    export_glb(asset, tmp_path / "room.glb")

    data = (tmp_path / "room.glb").read_bytes()
    assert len(decode(data)) == asset.manifest.splat_count == 2_500
    document = gltf.decode(data)
    mesh = document.item("meshes", 1)["primitives"][0]
    np.testing.assert_allclose(
        gltf.read_accessor(document, mesh["attributes"]["POSITION"]),
        walkable().vertices,
        atol=0.5 / 1024 + 1e-6,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["room.glb"]


def test_default_scene_shows_splats_only_and_the_collider_has_its_own(
    asset: SplatAsset, tmp_path: Path
) -> None:
    export_glb(asset, tmp_path / "room.glb")
    document = _document((tmp_path / "room.glb").read_bytes())

    assert document["scene"] == 0 and document["scenes"][0]["nodes"] == [0]
    assert document["nodes"][1]["name"] == document["scenes"][1]["name"] == "collider"


def test_label_says_that_a_program_or_a_model_made_it_and_from_what(
    asset: SplatAsset, tmp_path: Path
) -> None:
    export_glb(asset, tmp_path / "room.glb")
    document = _document((tmp_path / "room.glb").read_bytes())

    (packet,) = document["extensions"]["KHR_xmp_json_ld"]["packets"]
    assert document["asset"]["extensions"]["KHR_xmp_json_ld"] == {"packet": 0}
    assert packet["Iptc4xmpExt:DigitalSourceType"].endswith("/algorithmicMedia")
    assert packet["immersive:prompt"] == "a lopsided place" and packet["immersive:seed"] == "4"
    assert json.loads(packet["immersive:versions"]) == {"immersive": "0.1.0"}
    prefixes = {key.split(":")[0] for key in packet if ":" in key}
    assert prefixes <= set(packet["@context"])
    assert inspect(tmp_path / "room.glb").is_labelled_generated


@pytest.mark.parametrize(
    ("source", "is_generated", "ending"),
    [
        ("procedural", True, "/algorithmicMedia"),
        ("worldmodel", True, "/trainedAlgorithmicMedia"),
        ("clip", False, ""),
    ],
)
def test_kind_of_label_follows_the_source(source: str, is_generated: bool, ending: str) -> None:
    recipe = {"provenance": {"source": source}}

    kind = xmp.source_type(recipe, is_generated)

    packet = xmp.packet(xmp.Label(source_type=kind), recipe)
    assert packet.get("Iptc4xmpExt:DigitalSourceType", "").endswith(ending)
    assert ("Iptc4xmpExt:DigitalSourceType" in packet) == is_generated


def test_exporting_again_after_importing_changes_nothing(asset: SplatAsset, tmp_path: Path) -> None:
    export_glb(asset, tmp_path / "a.glb")
    cloud = read_splats(tmp_path / "a.glb")

    again = decode(encode_cloud(cloud))

    for name in ("means", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cloud, name))


def test_failed_write_leaves_nothing(
    asset: SplatAsset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space"):
        export_glb(asset, tmp_path / "room.glb")

    assert not list(tmp_path.iterdir())
