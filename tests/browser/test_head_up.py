"""The page of glasses that only show pictures, in a real Chromium: four arrows, Enter, and no WebGL."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from immersive.catalog import Catalog
from immersive.preflight import find_chromium
from immersive.serve_command import sample_folder
from immersive.server.run import start_in_thread
from immersive.share import Links
from streaming.pack import read_asset
from tests.conftest import ROOT


@pytest.mark.browser
@pytest.mark.parametrize("more", [[], ["--without-sockets"]])
def test_a_visitor_with_head_up_glasses_walks_and_finds_the_menu(tmp_path: Path, more: list[str]) -> None:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    catalog = Catalog(tmp_path / "home")
    record = catalog.publish(read_asset(sample_folder()))
    link = Links(catalog).create(record.id)
    out = tmp_path / "report.json"
    with start_in_thread(tmp_path / "home") as info:
        done = subprocess.run(
            ["node", "viewer/scripts/head-up.mjs", info.link(link.path), str(out), str(tmp_path), *more],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    catalog.close()

    seen = json.loads(out.read_text("utf-8"))
    assert seen["complaints"] == []
    assert seen["title"] == record.title and seen["badge"]
    assert (seen["requested"] > 0, seen["sockets"] > 0) == ((True, False) if more else (False, True))
    assert not any("visit" in script for script in seen["scripts"])  # the renderer
    start, turned, back, walked, recentred = (
        np.array(seen[name], float) for name in ("start", "turned", "turnedBack", "walked", "recentred")
    )
    assert start.std() > 20  # something is there
    assert np.abs(turned - start).mean() > 5
    assert np.abs(walked - start).mean() > 1
    # The ground under the first picture and under the next one may differ by a hair.
    assert np.abs(back - start).mean() < 1 and np.abs(recentred - start).mean() < 1
    # A head that turns 20 degrees to the right, from wherever it was first.
    still, to_the_right = (np.array(seen[name], float) for name in ("headStill", "headTurned"))
    assert np.abs(still - start).mean() < 1
    assert np.abs(to_the_right - start).mean() > 5
    assert np.abs(to_the_right - turned).mean() < np.abs(to_the_right - start).mean()
    assert seen["items"] == ["Back to the start", "Help", "Leave"]
    assert (seen["focused"], seen["focusedAbove"]) == ("Back to the start", "Leave")
    assert "walk ahead and back" in seen["help"] and seen["left"] == "You have left"
