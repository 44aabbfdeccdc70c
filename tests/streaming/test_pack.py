from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming.asset import SplatAsset
from streaming.errors import AssetFormatError
from streaming.pack import MANIFEST_NAME, PACK_NAME, asset_json, parse_asset_json, read_asset, write_pack
from tests.streaming.scenes import small_asset

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def asset() -> SplatAsset:
    return small_asset(1_800)


def test_asset_comes_back_equal(asset: SplatAsset, tmp_path: Path) -> None:
    write_pack(asset, tmp_path / "new" / "folder")

    assert read_asset(tmp_path / "new" / "folder") == asset
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [MANIFEST_NAME, PACK_NAME]


def test_manifest_without_reports_comes_back_equal(asset: SplatAsset) -> None:
    bare = replace(asset, manifest=replace(asset.manifest, quality=None, walkability=None, camera_path=()))

    manifest, chunks = parse_asset_json(asset_json(bare).encode())

    assert manifest == bare.manifest and chunks == asset.chunks


def test_manifest_of_a_scene_from_before_the_newer_report_fields_is_read(asset: SplatAsset) -> None:
    document = json.loads(asset_json(asset))
    old = ("reachable_m2", "fall_count", "stuck_share", "open_ray_share", "verdict", "reasons")
    report = document["manifest"]["walkability"]
    document["manifest"]["walkability"] = {name: report[name] for name in old}

    manifest, _ = parse_asset_json(json.dumps(document).encode())

    assert manifest.walkability == asset.manifest.walkability
    del document["manifest"]["walkability"]["stuck_share"]
    with pytest.raises(AssetFormatError, match="stuck_share"):
        parse_asset_json(json.dumps(document).encode())


def test_json_is_the_same_each_time_and_has_no_other_numbers_than_json_knows(asset: SplatAsset) -> None:
    assert asset_json(asset) == asset_json(asset)
    with pytest.raises(ValueError, match="Out of range float"):
        asset_json(replace(asset, manifest=replace(asset.manifest, eye_height_m=float("nan"))))


def test_damaged_chunk_is_named_on_reading_or_on_demand(asset: SplatAsset, tmp_path: Path) -> None:
    write_pack(asset, tmp_path)
    data = bytearray(asset.pack)
    data[asset.chunks[1].byte_offset + 5] ^= 1
    (tmp_path / PACK_NAME).write_bytes(data)

    with pytest.raises(AssetFormatError, match="chunk 1 must have sha256"):
        read_asset(tmp_path)
    assert len(read_asset(tmp_path, is_checked=False).pack) == len(data)


def test_files_are_synced_before_their_names_and_the_folder_last(
    asset: SplatAsset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def record_sync(handle: int) -> None:
        steps.append("sync " + Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    def record_rename(path: Path, target: Path) -> Path:
        steps.append("name " + target.name)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_rename)
    write_pack(asset, tmp_path)

    assert steps == [
        f"sync {PACK_NAME}.tmp",
        f"name {PACK_NAME}",
        f"sync {MANIFEST_NAME}.tmp",
        f"name {MANIFEST_NAME}",
        f"sync {tmp_path.name}",
    ]


def test_full_disk_leaves_the_old_scene_whole(
    asset: SplatAsset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack(asset, tmp_path)

    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_pack(small_asset(40), tmp_path)
    monkeypatch.undo()

    assert read_asset(tmp_path) == asset
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("missing", [PACK_NAME, MANIFEST_NAME])
def test_missing_file_is_named(asset: SplatAsset, tmp_path: Path, missing: str) -> None:
    write_pack(asset, tmp_path)
    (tmp_path / missing).unlink()

    with pytest.raises(AssetFormatError, match=f"must hold {missing}"):
        read_asset(tmp_path)


def test_pack_cut_short_is_refused(asset: SplatAsset, tmp_path: Path) -> None:
    write_pack(asset, tmp_path)
    (tmp_path / PACK_NAME).write_bytes(asset.pack[:-1])

    with pytest.raises(AssetFormatError, match=f"must hold {len(asset.pack)} bytes"):
        read_asset(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format="zip"), "must say format"),
        (lambda d: d.update(version=2), "version must be 1, got 2"),
        (lambda d: d.update(chunks=[]), "1 to"),
        (lambda d: d.update(chunks={}), "1 to"),
        (lambda d: d["chunks"][1].pop("sha256"), "difference in 'sha256'"),
        (lambda d: d["chunks"][1].update(extra=1), "difference in 'extra'"),
        (lambda d: d["chunks"][1].update(byte_length="9"), "byte_length must be int"),
        (lambda d: d["chunks"][1].update(center=[0, 1]), "center must be 3 numbers"),
        (lambda d: d["chunks"][1].update(byte_offset=7), "must begin at byte"),
        (lambda d: d["chunks"][1].update(parent=1), "earlier parent"),
        (lambda d: d["chunks"][1].update(range_stop=5000), "must replace a range"),
        (lambda d: d["chunks"][0].update(kind="video"), "known kind"),
        (lambda d: d["manifest"].pop("spawn"), "spawn must be an object"),
        (lambda d: d["manifest"].update(quality=[]), "quality must be an object"),
        (lambda d: d["manifest"].update(is_generated=1), "is_generated must be bool"),
        (lambda d: d["manifest"].update(title=None), "title must be str"),
        (lambda d: d.update(manifest=None), "manifest must be an object"),
    ],
)
def test_wrong_manifest_is_named(
    asset: SplatAsset, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = json.loads(asset_json(asset))
    edit(document)

    with pytest.raises(AssetFormatError, match=message):
        parse_asset_json(json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff"])
def test_text_that_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(AssetFormatError):
        parse_asset_json(text)
