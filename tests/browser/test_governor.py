"""The frame-time governor in a real Chromium, on a GPU that is slow on purpose."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.preflight import find_chromium
from immersive.serve_command import sample_folder
from immersive.server.run import start_in_thread
from immersive.share import Links
from streaming.pack import read_asset
from tests.conftest import ROOT

BUDGET = 60_000


@pytest.mark.browser
def test_a_slow_gpu_gets_fewer_pixels_then_fewer_splats_until_it_keeps_up(tmp_path: Path) -> None:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    catalog = Catalog(tmp_path / "home")
    link = Links(catalog).create(catalog.publish(read_asset(sample_folder())).id)
    catalog.close()
    out = tmp_path / "report.json"
    with start_in_thread(tmp_path / "home") as info:
        # 1.1 s for a picture that should take 0.2 s: more than half the width and height can give.
        done = subprocess.run(
            ["node", "viewer/scripts/govern.mjs", info.link(link.path), str(out), "--slow", "22000",
             "--fps", "5", "--splats", str(BUDGET), "--seconds", "90"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr

    seen = json.loads(out.read_text("utf-8"))
    assert seen["complaints"] == []
    slow, still = seen["slow"], seen["still"]
    assert seen["heldAfterMs"] is not None, seen["samples"][-3:]
    settings = slow["governor"]["settings"]
    steps = [step for step in slow["governor"]["log"] if step["why"] == "slow"]
    assert list(dict.fromkeys(step["dial"] for step in steps))[:2] == ["resolution", "splats"]
    assert settings["resolution"] < 1 and slow["pixelRatio"] == pytest.approx(
        settings["resolution"], abs=1e-6
    )
    # Fewer splats are drawn, the server knows of it and sends no more, and the place is whole all the same.
    assert slow["budget"] == settings["splats"] < BUDGET
    assert 0 < still["splatsAlive"] <= still["budget"] < seen["before"]["splatsAlive"]
    assert still["chunksLeftOut"] > seen["before"]["chunksLeftOut"]
    # Who stands still sees every pixel.
    assert still["pixelRatio"] == 1
    assert seen["hidden"] and len(seen["figures"]) == 4 and seen["figures"][1].endswith(" MB")
    # A chosen quality is kept until it is chosen again, here and on the next visit.
    for there in (seen["chosen"]["low"], seen["chosen"]["again"]):
        assert there["governor"]["settings"]["resolution"] == pytest.approx(0.6)
        assert there["budget"] == there["governor"]["settings"]["splats"] == 0.28 * BUDGET
    assert seen["chosen"]["shown"] == "low"
    assert seen["chosen"]["again"]["governor"]["log"] == []
