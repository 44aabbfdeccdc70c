"""A page that is open while the scene of its link is made: frames, a draft, the whole, and never nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from immersive.catalog import Catalog
from immersive.growing import Growing
from immersive.preflight import find_chromium
from immersive.server.run import start_in_thread
from immersive.share import Links
from reconstruction.cameras import Cameras
from reconstruction.frames import Provenance
from reconstruction.rasterizers.draw import draw_each
from reconstruction.splats import SplatCloud
from streaming.assemble import build_asset
from streaming.asset import SplatAsset
from tests.bench.raster import room
from tests.conftest import ROOT


def _frames(cloud: SplatCloud, cameras: Cameras) -> np.ndarray:
    pictures = [picture.image for picture in draw_each(cloud, cameras)]
    return (np.clip(np.stack(pictures), 0, 1) * 255).astype(np.uint8)


def _asset(cloud: SplatCloud, *, is_draft: bool) -> SplatAsset:
    return build_asset(
        cloud,
        title="A room",
        provenance=Provenance("test", is_generated=True),
        camera_path=((0.0, 1.5, 0.0, 0.0),),
        is_draft=is_draft,
    )


def test_a_page_shows_frames_then_a_draft_then_the_finished_scene(tmp_path: Path) -> None:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    cloud, cameras = room(9000)
    draft, final = _asset(cloud.subset(np.arange(0, 9000, 3)), is_draft=True), _asset(cloud, is_draft=False)
    catalog = Catalog(tmp_path / "home")
    growing = Growing.begin(catalog, recipe_digest="r", title="A room", prompt="a room")
    link = Links(catalog).create(growing.scene_id)
    growing.tell("Rendering frames", 0.4, 75.0)
    growing.show_frames(_frames(cloud, cameras))
    screens = tmp_path / "screens"
    screens.mkdir()
    with start_in_thread(tmp_path / "home") as info:
        page = subprocess.Popen(
            ["node", "viewer/scripts/grow.mjs", info.link(link.path), str(tmp_path / "seen.json"),
             str(draft.manifest.splat_count), str(final.manifest.splat_count), "--screens", str(screens)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert page.stdout is not None
        steps = {
            "frames": lambda: (growing.tell("Fitting splats", 0.2, 100.0), growing.show_splats(draft)),
            "draft": lambda: growing.finish(final, backend="test", recipe_digest="r"),
            "finished": lambda: None,
        }
        for line in page.stdout:
            steps[line.strip()]()
        _, problems = page.communicate(timeout=300)
    assert page.returncode == 0, problems

    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))
    assert seen["title"] == "A room"
    assert seen["frames"] == min(8, len(cameras))
    assert seen["words"] == "Rendering frames: 40%, about 1 min left"
    assert seen["draftChip"] == "Fitting splats: 20%, about 2 min left"
    assert seen["leastDrawn"] > 0  # never blank
    # Nobody touched anything: one stands where the camera began, as before.
    assert seen["first"]["feet"] == pytest.approx(seen["second"]["feet"])
    assert seen["first"]["mode"] == seen["second"]["mode"] == "fly"
    assert catalog.get(growing.scene_id).backend == "test"
    catalog.close()
