"""A link with a password, used in a real Chromium: password, edit, headset code, copy, frame elsewhere."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.preflight import find_chromium
from immersive.reports import Reports
from immersive.serve_command import sample_folder
from immersive.server.page_card import iframe_html
from immersive.server.run import start_in_thread
from immersive.share import Links
from immersive.static_site import publish_static
from streaming.pack import read_asset
from tests.conftest import ROOT

PASSWORD = "höhle 7"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def plain_host(folder: Path) -> Iterator[str]:
    """Serve a folder as the simplest host does, without Range; yields its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _run(*command: str) -> None:
    done = subprocess.run(
        ["node", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.browser
def test_a_link_with_a_password_is_opened_edited_handed_on_and_copied(tmp_path: Path) -> None:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    catalog = Catalog(tmp_path / "home")
    record = catalog.publish(read_asset(sample_folder()), backend="procedural")
    links = Links(catalog)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with start_in_thread(tmp_path / "home") as info, plain_host(elsewhere) as blog:
        link = links.create(record.id, scope="edit", password=PASSWORD, max_opens=2)
        framed = links.create(record.id, embed_origins=[blog])
        (elsewhere / "post.html").write_text(
            f"<!doctype html><p>A post</p>{iframe_html(info.link(framed.path))}"
        )
        _run(
            "viewer/scripts/sharing.mjs", info.link(link.path), PASSWORD, str(tmp_path / "report.json"),
            str(tmp_path), f"--frame={blog}/post.html",
        )  # fmt: skip
        report = json.loads((tmp_path / "report.json").read_text("utf-8"))
        assert report["wrong"] == "That was not it"
        assert report["wrongCode"].startswith("This code is unknown")
        assert report["paired"] == info.link(link.path)
        assert report["titleAfter"] == report["framed"] == "Renamed by a friend"
        assert report["mayEnterXr"] in (True, None)  # None: this Chromium does not tell
        assert report["complaints"] == []
    filed = Reports(catalog).get(report["reported"])
    assert (filed.scene_id, filed.reason) == (record.id, "copyright")
    assert filed.statement == "I painted that picture on the wall."
    # Two devices opened it; the wrong passwords, the code and coming back did not count.
    assert links.get(link.id).open_count == 2
    assert catalog.edits(record.id).notes == "Mind the step."
    spawn = catalog.edits(record.id).spawn
    assert spawn is not None and spawn.position != read_asset(sample_folder()).manifest.spawn.position
    copy = next(scene for scene in catalog.list() if scene.id != record.id)
    origin = catalog.remixed(copy.id)
    assert origin is not None and origin.origin_id == record.id
    assert report["copy"].startswith(f"{info.url}/v/{links.list(copy.id)[0].id}#")
    catalog.close()


@pytest.mark.browser
def test_a_folder_on_a_plain_host_is_the_whole_scene(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    asset = read_asset(sample_folder())
    record = catalog.publish(asset, backend="procedural")
    publish_static(catalog, record.id, tmp_path / "www" / "deep" / "lake")
    catalog.close()
    with plain_host(tmp_path / "www") as host:
        _run("viewer/scripts/walkthrough.mjs", f"{host}/deep/lake/", str(tmp_path / "report.json"))
    scene = json.loads((tmp_path / "report.json").read_text("utf-8"))["scene"]
    assert scene["bytesReceived"] == len(asset.pack)
    assert scene["splatsAlive"] == asset.manifest.splat_count
    assert scene["hasCollider"] and scene["isGrounded"]
