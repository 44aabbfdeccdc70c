"""A prompt, a hosted model's clip, and a scene behind a link that opens: minutes of structure from motion."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from immersive.pipeline import create_scene
from immersive.request import CreateRequest
from immersive.server.run import start_in_thread
from tests.data import shared
from tests.immersive.fake_clip_services import FakeService, running


@pytest.mark.slow
def test_a_hosted_clip_becomes_a_scene_behind_a_link(tmp_path: Path, monkeypatch) -> None:
    clip = shared("generated/matrixgame2_forest.mp4").read_bytes()
    with running(FakeService(clip, polls_until_done=1)) as service:
        monkeypatch.setenv("IMMERSIVE_VIDEOS_URL", f"{service.url}/v1")
        request = CreateRequest("a mossy forest", backend="videos=any", budget_s=20, splats=40_000)
        scene = create_scene(request, home=tmp_path)
        again = create_scene(request, home=tmp_path)

    assert len(service.orders) == 1 and again.record.id == scene.record.id
    assert b"any" in service.orders[0].body
    assert scene.record.backend == "videos" and scene.record.is_generated
    assert scene.record.quality is not None and scene.record.quality.psnr_db > 16
    assert any("videos was asked for 8 s" in note for note in scene.notes)
    with start_in_thread(tmp_path, page_folder=tmp_path) as info:
        opened = httpx.post(
            f"{info.url}/api/links/{scene.link.id}/open", json={"secret": scene.link.secret}
        ).json()
    assert opened["scene"]["is_generated"] and opened["scene"]["splat_count"] > 10_000
