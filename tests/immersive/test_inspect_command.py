from __future__ import annotations

import json
from pathlib import Path

import pytest

from immersive.cli import main
from streaming.validate import write_splats
from tests.data import shared
from tests.streaming.splat_clouds import lopsided_cloud


def test_good_file_is_described_and_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_splats(lopsided_cloud(90, degree=1), tmp_path / "a.sog")

    status = main(["inspect", str(tmp_path / "a.sog"), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (report["format"], report["version"], report["splat_count"]) == ("SOG", "2", 90)
    assert report["sh_degree"] == 1 and report["up"] == "unclear"
    assert report["dialects"] == report["problems"] == []


def test_dialect_is_named_and_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["inspect", str(shared("splats/converted_playbot_lod3/playbot_lod3.v3.spz"))])

    text = capsys.readouterr().out
    assert status == 1
    assert "PLY axes in SPZ" in text and "-Y, as its ground lies" in text


def test_damaged_file_is_described_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_splats(lopsided_cloud(90), tmp_path / "a.compressed.ply")
    data = (tmp_path / "a.compressed.ply").read_bytes()
    (tmp_path / "a.compressed.ply").write_bytes(data[:-3])

    status = main(["inspect", str(tmp_path / "a.compressed.ply"), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert status == 1 and report["splat_count"] == 0
    assert "must hold" in report["problems"][0]
