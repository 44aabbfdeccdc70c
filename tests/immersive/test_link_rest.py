"""What links promise, over REST and sockets: passwords, most opens, forks, edits, visibility."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from immersive.catalog import Catalog, SceneRecord
from immersive.server import services
from immersive.server.app import build_app
from immersive.server.owner import reset_owner_token
from immersive.server.services import Services
from immersive.share import Links, ShareLink
from streaming.messages import LINK_REVOKED, Error, Scene, decode_from_server
from tests.streaming.opaque_asset import opaque_asset

HOST = "http://127.0.0.1:8765"


@dataclass
class Site:
    client: TestClient
    catalog: Catalog
    links: Links
    scene: SceneRecord
    clock: list[float]
    owner: dict[str, str]

    def open(self, link: ShareLink, bearer: str = "", **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self.client.post(
            f"/api/links/{link.id}/open", json={"secret": link.secret} | body, headers=headers
        )

    def bearer(self, link: ShareLink) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.open(link).json()['bearer']}"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(services, "PASSWORDS_PER_MINUTE", 4)  # each costs 64 MiB and a tenth of a second
    catalog = Catalog(tmp_path)
    scene = catalog.publish(opaque_asset())
    clock = [50.0]
    built = Services.build(catalog, frozenset({"127.0.0.1"}), now=lambda: clock[0])
    owner = {"Authorization": f"Bearer {reset_owner_token(tmp_path)}"}
    with TestClient(build_app(built), base_url=HOST) as client:
        yield Site(client, catalog, Links(catalog), scene, clock, owner)
    catalog.close()


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_password_is_asked_for_tried_slowly_and_not_again(site: Site) -> None:
    link = site.links.create(site.scene.id, password="sesame")
    missing, wrong = site.open(link), site.open(link, password="barley")
    assert code_of(missing) == code_of(wrong) == (401, "link_password")
    assert missing.json() == wrong.json()
    bearer = site.open(link, password="sesame").json()["bearer"]
    assert site.open(link, bearer).status_code == 200  # a visit that comes back types nothing
    site.open(link, password="barley")
    assert code_of(site.open(link, password="sesame")) == (429, "too_many_requests")
    # Without the secret nobody can use up the tries of others.
    other = site.links.create(site.scene.id, password="sesame")
    for _ in range(15):
        answer = site.client.post(f"/api/links/{other.id}/open", json={"secret": "x", "password": "sesame"})
        assert code_of(answer) == (404, "link_unknown")
    assert site.open(other, password="sesame").status_code == 200
    site.clock[0] += 15  # a quarter of a minute, one more try
    assert site.open(link, password="sesame").status_code == 200


def test_a_link_for_one_open_carries_one_visit_however_often_that_comes_back(site: Site) -> None:
    link = site.links.create(site.scene.id, max_opens=1)
    first = site.open(link)
    bearer = first.json()["bearer"]
    assert code_of(site.open(link)) == (410, "link_used_up")
    for _ in range(3):
        again = site.open(link, bearer)
        assert again.status_code == 200
        bearer = again.json()["bearer"]
    opens = site.client.get(f"/api/links/{link.id}/opens", headers=site.owner).json()["opens"]
    assert [row["result"] for row in opens] == ["again", "again", "again", "used_up", "opened"]
    assert {row["agent"] for row in opens} == {"program"}
    site.clock[0] += 3600
    assert code_of(site.open(link, bearer)) == (410, "link_used_up")


def test_an_edit_is_what_the_next_visitor_is_told(site: Site) -> None:
    edit, view = (site.links.create(site.scene.id, scope=scope) for scope in ("edit", "view"))
    change = {"title": "Lake", "notes": "Hello", "spawn": {"position": [1, 0, -3], "yaw_deg": 90}}
    path = f"/api/scenes/{site.scene.id}"
    site.open(view)  # so that the scene is in memory as it was
    answer = site.client.patch(path, json=change, headers=site.bearer(edit))
    assert answer.json()["edit"]["notes"] == "Hello"
    told = site.open(view).json()
    assert (told["scene"]["title"], told["scene"]["notes"]) == ("Lake", "Hello")
    assert told["scene"]["spawn"] == {"position": [1.0, 0.0, -3.0], "yaw_deg": 90.0}
    address = f"ws://127.0.0.1:8765/ws?ticket={told['ticket']}&credit=500000"
    # Leaving in the middle of a stream, which the test client may call cancelled.
    with suppress(CancelledError), site.client.websocket_connect(address) as socket:
        messages = [decode_from_server(socket.receive_bytes()) for _ in range(3)]
    scene = next(message for message in messages if isinstance(message, Scene))
    assert '"title":"Lake"' in scene.json and '"position":[1.0,0.0,-3.0]' in scene.json
    bad = {"title": "Other", "spawn": {"position": [1, 0, 900], "yaw_deg": 0}}
    assert site.client.patch(path, json=bad, headers=site.bearer(edit)).status_code == 422
    assert site.catalog.get(site.scene.id).title == "Lake"


def test_a_fork_belongs_to_whoever_made_it_and_is_not_made_without_end(site: Site) -> None:
    link = site.links.create(site.scene.id, scope="remix")
    headers = site.bearer(link)
    path = f"/api/scenes/{site.scene.id}"
    made = site.client.post(f"{path}/remix", json={"title": "Mine"}, headers=headers).json()
    link_id, secret = made["path"].removeprefix("/v/").split("#")
    own = site.client.post(f"/api/links/{link_id}/open", json={"secret": secret}).json()
    assert (own["scene"]["title"], own["scene"]["scope"]) == ("Mine", "edit")
    assert own["scene"]["remix_of"] == "Cabin by a lake"
    assert made["recipe"]["prompt"] == "a cabin by a lake"
    fork = f"/api/scenes/{own['scene']['id']}"
    own_headers = {"Authorization": f"Bearer {own['bearer']}"}
    assert site.client.patch(fork, json={"title": "Ours"}, headers=own_headers).status_code == 200
    assert site.client.patch(fork, json={"title": "Theirs"}, headers=headers).status_code == 401
    assert site.client.patch(path, json={"title": "Ours"}, headers=own_headers).status_code == 401
    site.links.revoke(link.id)  # takes back the way to the origin, not what was made of it
    assert site.client.post(f"{path}/remix", json={}, headers=headers).status_code == 401
    assert site.client.get(f"{fork}/pack", headers=own_headers).status_code == 200


def test_forks_of_one_link_are_limited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from immersive.server import api

    headers = site.bearer(site.links.create(site.scene.id, scope="remix"))
    monkeypatch.setattr(api, "remix_scene", lambda catalog, scene_id, title: site.scene)
    statuses = [
        site.client.post(f"/api/scenes/{site.scene.id}/remix", json={}, headers=headers).status_code
        for _ in range(21)
    ]
    assert statuses == [200] * 20 + [429]


def test_visitors_of_a_public_link_leave_when_its_scene_no_longer_is(site: Site) -> None:
    public = site.links.create(site.scene.id, visibility="public")
    ticket = site.client.post(f"/api/links/{public.id}/open", json={"secret": ""}).json()["ticket"]
    with site.client.websocket_connect(f"ws://127.0.0.1:8765/ws?ticket={ticket}&credit=500000") as socket:
        socket.receive_bytes()
        answer = site.client.patch(
            f"/api/scenes/{site.scene.id}", json={"visibility": "private"}, headers=site.owner
        )
        assert answer.status_code == 200
        messages = []
        with pytest.raises(WebSocketDisconnect) as closed:
            while True:
                messages.append(decode_from_server(socket.receive_bytes()))
    assert closed.value.code == LINK_REVOKED
    assert isinstance(messages[-1], Error) and "no longer public" in messages[-1].text


def test_the_owner_makes_links_of_every_kind(site: Site) -> None:
    path = f"/api/scenes/{site.scene.id}/links"
    terms = {
        "scope": "remix", "visibility": "unlisted", "max_opens": 3, "password": "sesame", "expires_in_s": 60,
        "embed_origins": ["https://blog.example"],
    }  # fmt: skip
    made = site.client.post(path, json=terms, headers=site.owner).json()
    assert {name: made["link"][name] for name in ("scope", "visibility", "max_opens", "embed_origins")} == {
        name: terms[name] for name in ("scope", "visibility", "max_opens", "embed_origins")
    }
    assert made["link"]["has_password"] is True
    assert "sesame" not in str(made) and "argon2" not in str(made)
    for bad in ({"scope": "own"}, {"scope": "edit", "visibility": "public"}, {"embed_origins": ["*"]},
                {"max_opens": 0}, {"password": "x"}):  # fmt: skip
        assert site.client.post(path, json=bad, headers=site.owner).status_code == 422
    assert len(site.links.list(site.scene.id)) == 1
