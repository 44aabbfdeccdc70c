from __future__ import annotations

import json
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.cli import main
from reconstruction.splats import SplatCloud
from streaming.assemble import finest_cloud
from streaming.validate import write_splats
from tests.data import shared
from tests.streaming.splat_clouds import lopsided_cloud


def _imported(path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, SplatCloud]:
    assert main(["import", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found["title"], finest_cloud(Catalog(home).asset(found["id"]))


@pytest.mark.parametrize("name", ["old_mill.sog", "old_mill.compressed.ply", "meta.json"])
def test_scene_in_each_format_stands_upright_and_has_a_title(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "old_mill"
    folder.mkdir()
    write_splats(lopsided_cloud(300, degree=1), folder / name)

    title, cloud = _imported(folder / name, tmp_path / "home", capsys)

    assert title.startswith("old mill")
    assert len(cloud) == 300 and cloud.sh_degree == 1 and cloud.means[:, 1].min() > 0


def test_ksplat_becomes_a_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))

    title, cloud = _imported(shared("splats/tiny_fixtures/minimal.ksplat"), tmp_path, capsys)

    assert title == "minimal" and len(cloud) == 4


def test_scene_that_lies_upside_down_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    path = shared("splats/converted_playbot_lod3/playbot_lod3.v3.spz")
    hints = []

    for frame in ("auto", "rdf"):
        assert main(["import", str(path), "--frame", frame, "--json"]) == 0
        hints.append(capsys.readouterr().err)

    assert "import with --frame rdf" in hints[0] and "ground" not in hints[1]
