"""The moving picture of a link's card: where it looks from, what file it is, and to whom it is shown."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path

import av
import numpy as np
import pytest
import trimesh
from starlette.testclient import TestClient

from immersive import card_loop
from immersive.card_loop import MOST_BYTES, draw_loop, ensure_loop, loop_path, loop_poses
from immersive.catalog import Catalog
from immersive.serve_command import sample_folder
from immersive.server.app import build_app
from immersive.server.services import Services
from immersive.share import Links
from immersive.static_site import publish_static
from reconstruction.frames import Provenance
from reconstruction.fusion import Collider, Mesh
from streaming.assemble import build_asset, collider_mesh
from streaming.pack import read_asset
from tests.bench.raster import room
from tests.streaming.opaque_asset import opaque_asset

HOST = "http://127.0.0.1:8765"


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine pictures show the same way as a hundred and twenty."""
    monkeypatch.setattr(card_loop, "_FRAMES", 9)


def test_a_loop_begins_and_ends_at_the_start_and_keeps_to_the_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_loop, "_FRAMES", 120)
    asset = read_asset(sample_folder())
    poses = loop_poses(asset)
    eyes = np.array([pose.position for pose in poses])
    spawn = asset.manifest.spawn
    assert len(poses) == 120
    assert eyes[0] == pytest.approx(eyes[-1], abs=1e-9)
    assert eyes[0][[0, 2]] == pytest.approx(np.array(spawn.position)[[0, 2]])
    forward = np.array(poses[0].forward)
    yaw = math.radians(spawn.yaw_deg)
    assert forward / np.linalg.norm(forward) == pytest.approx([-math.sin(yaw), 0, -math.cos(yaw)], abs=1e-6)
    assert np.ptp(eyes[:, [0, 2]], axis=0).max() > 0.5  # it does move,
    assert np.linalg.norm(np.diff(eyes, axis=0), axis=1).max() < 0.04  # slowly,
    vertices, faces = collider_mesh(asset)  # type: ignore[misc]
    judge = Collider(Mesh(vertices.astype(np.float32), faces.astype(np.int32)))
    heights, steepness = judge.ground_below(eyes)
    assert np.abs(eyes[:, 1] - asset.manifest.eye_height_m - heights).max() < 0.15  # over the ground,
    assert steepness.min() > 0.6
    away, _ = judge.cast(np.repeat(eyes[:1], 119, axis=0), _units(eyes[1:] - eyes[0]))
    assert (away > np.linalg.norm(eyes[1:] - eyes[0], axis=1)).all()  # and through no wall


def _units(ways: np.ndarray) -> np.ndarray:
    return ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)


def test_a_scene_without_ground_is_looked_at_from_where_one_begins() -> None:
    cloud, _ = room(4000)
    asset = build_asset(cloud, title="room", provenance=Provenance("import", is_generated=False))
    eyes = np.array([pose.position for pose in loop_poses(asset)])
    assert np.ptp(eyes[:, 1]) == 0 and 0.8 < np.ptp(eyes[:, 0]) < 4.0


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    box = trimesh.creation.box(bounds=[low, high])
    return np.array(box.vertices, np.float32), np.array(box.faces, np.uint32)


def _loop_on(monkeypatch: pytest.MonkeyPatch, *boxes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Eyes [F, 3] of a loop in a world of boxes; the start is the sample's, about 0, -1.6, 0, facing -Z."""
    first = np.cumsum([0, *(len(vertices) for vertices, _ in boxes)])
    mesh = (
        np.concatenate([vertices for vertices, _ in boxes]),
        np.concatenate([faces + start for (_, faces), start in zip(boxes, first, strict=False)]),
    )
    monkeypatch.setattr("streaming.assemble.collider_mesh", lambda asset: mesh)
    monkeypatch.setattr(card_loop, "_FRAMES", 120)
    return np.array([pose.position for pose in loop_poses(read_asset(sample_folder()))])


FLOOR = _box((-9.0, -3.0, -9.0), (9.0, -1.65, 9.0))


def test_a_step_in_the_way_is_gone_over_softly(monkeypatch: pytest.MonkeyPatch) -> None:
    eyes = _loop_on(monkeypatch, FLOOR, _box((0.1, -2.0, -9.0), (9.0, -1.45, 9.0)))
    assert np.ptp(eyes[:, 0]) > 0.6 and 0.15 < np.ptp(eyes[:, 1]) < 0.25
    assert np.abs(np.diff(eyes[:, 1])).max() < 0.05
    assert eyes[0] == pytest.approx(eyes[-1])


def test_between_walls_there_is_less_of_it_and_between_narrow_ones_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = _loop_on(monkeypatch, FLOOR, _box((0.5, -2.0, -9.0), (0.7, 1.0, 9.0)))
    assert 0.1 < np.ptp(wide[:, 0]) < 0.5 and wide[:, 0].max() < 0.3
    walls = [_box((side - 0.05, -2.0, -9.0), (side + 0.05, 1.0, 9.0)) for side in (-0.3, 0.3)]
    narrow = _loop_on(monkeypatch, FLOOR, *walls)
    assert np.ptp(narrow[:, 0]) < 0.02


def test_the_file_is_a_small_movie_that_says_that_it_is_ai_made() -> None:
    asset = read_asset(sample_folder())
    data = draw_loop(asset)
    assert len(data) < MOST_BYTES
    assert data.index(b"moov") < data.index(b"mdat")  # plays before all of it is there
    with av.open(io.BytesIO(data)) as movie:
        stream = movie.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("vp9", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (640, 360, 24)
        assert movie.metadata["comment"] == "AI-generated"
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in movie.decode(stream)]
    assert len(frames) == 9
    first, middle, last = frames[0], frames[3], frames[-1]
    assert np.abs(first - last).mean() < 1.5 < np.abs(first - middle).mean()
    assert first.std() > 20


def test_a_movie_that_came_out_too_large_is_made_again_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    asset = read_asset(sample_folder())
    large = draw_loop(asset)
    monkeypatch.setattr(card_loop, "MOST_BYTES", len(large) - 1)
    assert len(draw_loop(asset)) < 0.9 * len(large)


def test_nothing_is_kept_of_what_nobody_waits_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    catalog = Catalog(tmp_path)
    record = catalog.publish(read_asset(sample_folder()))
    assert not ensure_loop(catalog, record, is_wanted=lambda: False)
    assert not loop_path(catalog, record).exists()
    noise = catalog.publish(opaque_asset())
    assert not ensure_loop(catalog, noise) and "no loop" in caplog.text
    assert ensure_loop(catalog, record)
    path = loop_path(catalog, record)
    made = path.stat().st_mtime_ns
    assert ensure_loop(catalog, record) and path.stat().st_mtime_ns == made
    assert path.stat().st_mode & 0o077 == 0
    catalog.delete(record.id)
    assert not path.exists()
    catalog.close()


def test_only_links_that_are_shown_have_one_and_private_scenes_cost_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html><html><head></head></html>")
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(read_asset(sample_folder()))
    links = Links(catalog)
    services = Services.build(catalog, frozenset({"127.0.0.1"}), page_folder=page)
    with TestClient(build_app(services), base_url=HOST) as client:
        private = links.create(scene.id)
        locked = links.create(scene.id, visibility="unlisted", password="open it")
        for link in (private, locked):
            assert "og:video" not in client.get(f"/v/{link.id}").text
            assert client.get(f"/api/links/{link.id}/loop.mp4").status_code == 404
        time.sleep(0.3)
        assert not loop_path(catalog, scene).exists()

        shown = links.create(scene.id, visibility="unlisted")
        assert "og:video" not in client.get(f"/v/{shown.id}").text  # now it is made
        for _ in range(200):
            if loop_path(catalog, scene).exists():
                break
            time.sleep(0.05)
        html = client.get(f"/v/{shown.id}").text
        assert f'<meta property="og:video" content="{HOST}/api/links/{shown.id}/loop.mp4">' in html
        answer = client.get(f"/api/links/{shown.id}/loop.mp4")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
        assert answer.content == loop_path(catalog, scene).read_bytes()
        part = client.get(f"/api/links/{shown.id}/loop.mp4", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        for link in (private, locked):
            assert "og:video" not in client.get(f"/v/{link.id}").text
            assert client.get(f"/api/links/{link.id}/loop.mp4").status_code == 404
        catalog.edit(scene.id, visibility="private")
        assert client.get(f"/api/links/{shown.id}/loop.mp4").status_code == 404
    catalog.close()


def test_a_folder_for_a_plain_host_brings_its_own(tmp_path: Path) -> None:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><html><head></head></html>")
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(read_asset(sample_folder()))
    publish_static(catalog, scene.id, tmp_path / "www", url="https://me.example/lake", page_folder=page)
    assert 'content="https://me.example/lake/loop.mp4"' in (tmp_path / "www" / "index.html").read_text()
    assert (tmp_path / "www" / "loop.mp4").read_bytes() == loop_path(catalog, scene).read_bytes()
    publish_static(catalog, scene.id, tmp_path / "plain", page_folder=page)
    assert not (tmp_path / "plain" / "loop.mp4").exists()
    catalog.close()
