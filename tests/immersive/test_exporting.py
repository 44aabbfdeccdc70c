from __future__ import annotations

from pathlib import Path

import pytest

from immersive.exporting import FOLDER_FILES, SINGLE_FILES, check_target, export_asset
from reconstruction.errors import InvalidInputError
from streaming.validate import ENCODERS, FOLDER_ENCODERS, inspect
from tests.streaming.scenes import small_asset


def test_command_line_and_writers_know_the_same_endings() -> None:
    assert set(SINGLE_FILES) == set(ENCODERS) and set(FOLDER_FILES) == set(FOLDER_ENCODERS)
    for endings in (SINGLE_FILES, tuple(ENCODERS)):
        for i, ending in enumerate(endings):
            assert not any(ending.endswith(earlier) for earlier in endings[:i]), "the longer comes first"


@pytest.mark.parametrize("name", [*(f"scene{ending}" for ending in SINGLE_FILES), *FOLDER_FILES])
def test_scene_leaves_in_every_format(name: str, tmp_path: Path) -> None:
    asset = small_asset(1_200)

    written = export_asset(asset, tmp_path / name)

    files = {path.name for path in tmp_path.iterdir()}
    assert written.name in files
    if name == "tileset.json":
        written = tmp_path / "splats.glb"
    report = inspect(written)
    assert report.splat_count == 1_200
    # Only glTF of our own layout has room for the rest.
    assert report.has_collider == report.is_labelled_generated == name.endswith(("scene.glb", "compact.glb"))
    assert (len(files) == 1) == (name not in FOLDER_FILES)


@pytest.mark.parametrize("name", ["scene.obj", "scene.gltf", "tiles.json", "scene.sog.zip"])
def test_other_endings_are_refused_with_those_that_are_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.compact\.glb, .* tileset\.json or into a folder, got"):
        check_target(tmp_path / name)
