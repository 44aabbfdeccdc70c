"""REST on a real socket: who opens what, and what the owner does."""

from __future__ import annotations

import json
import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from immersive.client import open_link
from immersive.server.owner import is_owner, reset_owner_token
from tests.immersive.served_site import ASSET, Site, heavy_asset
from tests.streaming.opaque_asset import opaque_asset


def test_opening_a_link_tells_the_scene_and_gives_aticket_of(site: Site) -> None:
    address = f"{site.info.url}/api/links/{site.link.id}/open"
    answer = httpx.post(address, json={"secret": site.link.secret})

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["scene"]["id"] == site.scene.id
    assert told["scene"]["title"] == "Cabin by a lake"
    assert told["scene"]["is_generated"] is True
    assert told["scene"]["quality"]["psnr_db"] == 22.5
    assert told["scene"]["spawn"] == {"position": [0.0, 0.0, 2.0], "yaw_deg": 0.0}
    assert told["ticket_expires_in_s"] == 60
    assert told["ticket"] != told["bearer"]


def test_links_that_do_not_open_say_why_as_json(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    expiring = site.links.create(site.scene.id, expires_in_s=1000)
    revoked = site.links.create(site.scene.id)
    site.links.revoke(revoked.id)
    with site.catalog.database.transaction():
        site.catalog.database.write("UPDATE link SET expires_at = 5 WHERE id = ?", (expiring.id,))
    cases = [
        ("nothing", "x", 404, "link_unknown"),
        (site.link.id, "x" * 32, 404, "link_unknown"),
        (expiring.id, expiring.secret, 410, "link_expired"),
        (revoked.id, revoked.secret, 410, "link_revoked"),
        (site.link.id, "x" * 300, 422, "invalid_request"),
    ]
    for link_id, secret, status, code in cases:
        answer = httpx.post(f"{site.info.url}/api/links/{link_id}/open", json={"secret": secret})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert set(answer.json()["error"]) == {"code", "message", "hint"}


def test_every_failure_is_json(site: Site) -> None:
    requests = [("GET", "/api/nothing"), ("PUT", "/healthz"), ("GET", "/assets/none.js"), ("GET", "/ws")]
    for method, path in requests:
        answer = httpx.request(method, site.info.url + path)
        assert answer.status_code in (404, 405)
        assert answer.json()["error"]["code"] in ("not_found", "method_not_allowed")


def test_opening_too_often_is_limited(site: Site) -> None:
    with httpx.Client() as client:
        address = f"{site.info.url}/api/links/nothing/open"
        codes = [client.post(address, json={"secret": "x"}).status_code for _ in range(65)]
    assert codes[:60] == [404] * 60
    assert 429 in codes[60:]


def test_a_preview_is_told_only_for_links_that_are_not_private(site: Site) -> None:
    shown = site.links.create(site.scene.id, visibility="unlisted")
    answer = httpx.get(f"{site.info.url}/api/links/{shown.id}/preview")
    assert answer.json() == {"title": "Cabin by a lake", "is_generated": True}
    hidden = httpx.get(f"{site.info.url}/api/links/{site.link.id}/preview")
    missing = httpx.get(f"{site.info.url}/api/links/nosuchlink00/preview")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace(site.link.id, "nosuchlink00") == missing.text


def test_the_owner_manages_scenes_and_links(site: Site) -> None:
    with httpx.Client(base_url=site.info.url, headers=site.owner) as owner:
        assert [s["id"] for s in owner.get("/api/scenes").json()["scenes"]] == [site.scene.id]
        scene = f"/api/scenes/{site.scene.id}"
        assert owner.patch(scene, json={"title": "Lake"}).json()["scene"]["title"] == "Lake"
        assert owner.patch(scene, json={"title": " "}).status_code == 422
        created = owner.post(f"{scene}/links", json={"expires_in_s": 60}).json()
        assert open_link(site.info.link(created["path"])).scene["title"] == "Lake"
        listed = owner.get(f"{scene}/links").json()["links"]
        assert {link["id"] for link in listed} == {site.link.id, created["link"]["id"]}
        assert "secret" not in json.dumps(listed)
        revoked = owner.delete(f"/api/links/{created['link']['id']}").json()["link"]
        assert revoked["revoked_at"] is not None
        assert owner.delete(scene).json()["scene"]["id"] == site.scene.id
        assert owner.get(scene).status_code == 404
        assert owner.get("/api/scenes").json() == {"scenes": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/scenes"),
        ("GET", "/api/scenes/{id}"),
        ("PATCH", "/api/scenes/{id}"),
        ("DELETE", "/api/scenes/{id}"),
        ("GET", "/api/scenes/{id}/links"),
        ("POST", "/api/scenes/{id}/links"),
        ("DELETE", "/api/links/{link}"),
        ("GET", "/api/scenes/{id}/pack"),
    ],
)
def test_everything_of_the_owner_needs_the_token(site: Site, method: str, path: str) -> None:
    path = path.replace("{id}", site.scene.id).replace("{link}", site.link.id)
    body = {"title": "x"} if method in ("PATCH", "POST") else None
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {site.link.secret}"}):
        answer = httpx.request(method, site.info.url + path, headers=headers, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_allowed")
    assert site.catalog.get(site.scene.id).title == "Cabin by a lake"
    assert site.links.get(site.link.id).revoked_at is None


def test_the_owner_token_is_kept_as_a_hash_for_the_owner_alone(tmp_path: Path) -> None:
    token = reset_owner_token(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert token.encode() not in b"".join(path.read_bytes() for path in files)
    assert is_owner(tmp_path, token)
    assert not is_owner(tmp_path, token + "x")
    assert not is_owner(tmp_path / "elsewhere", token)
    newer = reset_owner_token(tmp_path)
    assert is_owner(tmp_path, newer) and not is_owner(tmp_path, token)


def test_the_pack_can_be_read_by_range(site: Site) -> None:
    opened = open_link(site.url)
    bearer = {"Authorization": f"Bearer {opened.bearer}"}
    address = f"{site.info.url}/api/scenes/{site.scene.id}/pack"
    chunk = ASSET.chunks[3]
    last = chunk.byte_offset + chunk.byte_length - 1

    part = httpx.get(address, headers={**bearer, "Range": f"bytes={chunk.byte_offset}-{last}"})
    whole = httpx.get(address, headers=bearer)
    again = httpx.get(address, headers={**bearer, "If-None-Match": whole.headers["etag"]})

    assert (part.status_code, part.content) == (206, ASSET.chunk_bytes(3))
    assert (whole.status_code, whole.content) == (200, ASSET.pack)
    assert "immutable" in whole.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")


def test_a_bearer_reads_its_own_scene_and_only_while_its_link_opens(site: Site) -> None:
    other = site.catalog.publish(opaque_asset(seed=77))
    opened = open_link(site.url)
    bearer = {"Authorization": f"Bearer {opened.bearer}"}
    assert httpx.get(f"{site.info.url}/api/scenes/{other.id}/pack", headers=bearer).status_code == 401
    assert httpx.get(f"{site.info.url}/api/scenes", headers=bearer).status_code == 401
    site.links.revoke(site.link.id)
    address = f"{site.info.url}/api/scenes/{site.scene.id}/pack"
    assert httpx.get(address, headers=bearer).status_code == 401
    assert httpx.get(address, headers=site.owner).status_code == 200


@pytest.mark.parametrize("how", ["revoke", "expire", "delete"])
def test_a_pack_on_its_way_stops_when_its_link_ends(
    site: Site, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene = site.catalog.publish(heavy_asset())
    link = site.links.create(scene.id)
    bearer = open_link(site.info.link(link.path)).bearer
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    raw.settimeout(10)
    raw.connect(("127.0.0.1", site.info.port))
    raw.sendall(
        f"GET /api/scenes/{scene.id}/pack HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {bearer}\r\n\r\n".encode()
    )
    received = 0
    while received < 50_000:  # the file is on its way, not just the header
        received += len(raw.recv(50_000))
    if how == "revoke":
        site.links.revoke(link.id)
    elif how == "expire":
        with site.catalog.database.transaction():
            site.catalog.database.write("UPDATE link SET expires_at = 5 WHERE id = ?", (link.id,))
    else:
        site.catalog.delete(scene.id)
    time.sleep(0.6)  # reads nothing meanwhile: what is in buffers is on its way already
    with suppress(ConnectionResetError):
        while part := raw.recv(65_536):
            received += len(part)
    raw.close()
    assert 50_000 <= received < scene.byte_length / 2
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
