"""`import` of a GLB: our own is the same scene in another home, other people's is what it can be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from immersive.catalog import Catalog
from immersive.cli import main
from immersive.importing import import_asset
from immersive.sound.ambience import make_loops
from reconstruction.walkable_space import WalkableSpace
from streaming import gltf, khr_gaussian_splatting
from streaming.asset import SplatAsset
from streaming.export import encode_asset
from tests.streaming.scenes import walkable
from tests.streaming.scenes_to_carry import rich_asset
from tests.streaming.splat_clouds import lopsided_cloud
from tests.streaming.test_one_glb import assert_same_scene, edited


def stored(home: Path, scene_id: str) -> SplatAsset:
    catalog = Catalog(home)
    try:
        return catalog.asset(scene_id)
    finally:
        catalog.close()


@pytest.mark.parametrize("name", ["there.glb", "there.compact.glb"])
def test_scene_goes_to_another_home_and_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asset = rich_asset(200)
    catalog = Catalog(tmp_path / "here")
    record = catalog.publish(asset)
    catalog.close()
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "here"))
    assert main(["export", record.id, "--to", str(tmp_path / name)]) == 0
    capsys.readouterr()
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "there"))

    assert main(["import", str(tmp_path / name), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["title"] == asset.manifest.title
    assert [note[:31] for note in told["notes"]] == ["2 doorways lead nowhere here and"[:31]]
    assert_same_scene(stored(tmp_path / "there", told["id"]), asset)
    catalog = Catalog(tmp_path / "there")
    (found,) = catalog.list()
    catalog.close()
    assert found.prompt == "a lopsided place" and found.is_generated
    assert found.walkability == asset.manifest.walkability and found.quality == asset.manifest.quality


def test_real_sounds_are_carried(tmp_path: Path) -> None:
    from immersive.generation.understanding import understand
    from immersive.sound.ambience import plan_sounds

    brief = understand("a campfire in a windy forest", seed=3, size="small")
    loops = make_loops(plan_sounds(brief, ())[:1], 3)
    asset = rich_asset(30)
    chunk = asset.manifest.sounds[0].chunk
    info = replace(asset.chunks[chunk], byte_offset=len(asset.pack), byte_length=len(loops[0].opus))
    chunks = tuple(info if c.index == chunk else c for c in asset.chunks)
    real = replace(asset, chunks=chunks, pack=asset.pack + loops[0].opus)
    (tmp_path / "a.glb").write_bytes(encode_asset(real))

    found, notes = import_asset(tmp_path / "a.glb", title=None, frame="auto")

    assert len(notes) == 1 and "sound" not in notes[0]
    assert found.chunk_bytes(found.manifest.sounds[0].chunk) == loops[0].opus


def test_broken_parts_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    data = edited(
        encode_asset(rich_asset(30)),
        lambda document: document["extensions"]["IMMERSIVE_scene"].update(captions=[]),
    )
    (tmp_path / "a.glb").write_bytes(data)

    assert main(["import", str(tmp_path / "a.glb")]) == 0

    assert "note: its sounds are broken and left out" in capsys.readouterr().err


def _strangers(path: Path, name: str) -> Path:
    """Write splats of somebody else beside a mesh of this name."""
    data = edited(encode_asset(rich_asset(30)), lambda d: d["extensions"].pop("IMMERSIVE_scene"))

    def rename(document: dict) -> None:
        del document["extensions"], document["asset"]["extensions"]
        document["nodes"][1]["name"] = document["meshes"][1]["name"] = name

    path.write_bytes(edited(data, rename))
    return path


def test_people_walk_on_what_others_call_a_collider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def walk_on(vertices: np.ndarray, faces: np.ndarray) -> tuple[WalkableSpace, list]:
        seen.append(vertices)
        return walkable(), [(0.0, 1.7, 0.0, 0.0)]

    monkeypatch.setattr("immersive.world_source.walk_on", walk_on)

    found, notes = import_asset(_strangers(tmp_path / "a_b.glb", "Collision"), title=None, frame="auto")

    assert len(seen[0]) == 5 and notes[0].startswith("people walk on the collider")
    assert found.manifest.spawn.yaw_deg == 30.0 and found.manifest.walkability == walkable().report
    assert (found.manifest.title, found.manifest.credit[:3]) == ("a b", "Ada")


def test_who_cannot_walk_floats_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immersive.world_source.walk_on", lambda vertices, faces: None)

    found, notes = import_asset(_strangers(tmp_path / "a.glb", "collider"), title="X", frame="auto")

    assert notes == ("nobody gets far on its collider, so visitors float",)
    assert found.manifest.walkability is None and found.manifest.title == "X"


def test_other_formats_are_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "old_mill.glb"
    path.write_bytes(khr_gaussian_splatting.encode(lopsided_cloud(9)))

    found, notes = import_asset(path, title=None, frame="auto")

    assert (found.manifest.title, notes, found.manifest.is_generated) == ("old mill", (), False)
    assert gltf.decode(path.read_bytes())
