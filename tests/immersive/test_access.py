"""Every route asked by everyone: exactly the allowed ones answer, and a route nobody listed fails here."""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from immersive.catalog import Catalog, SceneRecord
from immersive.jobs.queue import Jobs
from immersive.reports import Reports
from immersive.server.app import build_app
from immersive.server.owner import reset_owner_token
from immersive.server.services import Services
from immersive.share import Links, ShareLink
from streaming.messages import LINK_REVOKED, TICKET_EXPIRED, Chunk, decode_from_server
from tests.streaming.opaque_asset import opaque_asset

ASSET = opaque_asset()
PAGE = "<!doctype html><head><title>Immersive</title></head>"
HOST = "http://127.0.0.1:8765"

# Who asks. All but the first three once opened their link and hold its bearer and an unused ticket.
LINKED = ("view", "remix", "edit", "expired", "revoked", "other")
ASKERS = ("nobody", "wrong", "secret", *LINKED, "owner")
EVERYONE = set(ASKERS)
LIVE = {"view", "remix", "edit"}
OWNER = {"owner"}


@dataclass
class World:
    client: TestClient
    catalog: Catalog
    links: Links
    scene: SceneRecord
    other: SceneRecord
    held: dict[str, ShareLink] = field(default_factory=dict)
    bearers: dict[str, str] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)
    target: ShareLink | None = None  # the link that routes of links are asked for
    clock: list[float] = field(default_factory=lambda: [1000.0])
    job: str = ""
    report: str = ""

    def headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearers[who]}"} if who in self.bearers else {}

    def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        self.clock[0] += (
            120.0 if who in ("nobody", "wrong", "secret", "owner") else 0.0
        )  # no rate limits here
        headers = self.headers(who) | more.pop("headers", {})
        return self.client.request(method, path, headers=headers, **more)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # Jobs are only asked for here.
    monkeypatch.setattr("immersive.server.app.supervised", nullcontext)

    async def drawn(*asked: Any) -> tuple[bytes, tuple[float, float, float]]:
        return b"a picture", (0.0, 0.0, 0.0)  # chunks of `ASSET` are noise

    monkeypatch.setattr("immersive.server.picture_routes._one_picture", drawn)
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text(PAGE)
    (page / "assets" / "index-abc.js").write_text("export {};")
    (page / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_text("not for anyone")
    catalog = Catalog(tmp_path / "home")
    scene, other = catalog.publish(ASSET), catalog.publish(opaque_asset(seed=77))
    links = Links(catalog)
    clock = [1000.0]
    services = Services.build(catalog, frozenset({"127.0.0.1"}), page_folder=page, now=lambda: clock[0])
    made = World(TestClient(build_app(services), base_url=HOST), catalog, links, scene, other, clock=clock)
    for who in LINKED:
        scope = who if who in LIVE else "edit"
        link = links.create(other.id if who == "other" else scene.id, scope=scope)  # type: ignore[arg-type]
        grant = services.grants.issue(link.id, link.scene_id)
        made.held[who], made.bearers[who], made.tickets[who] = link, grant.bearer, grant.ticket
    (catalog.pack_folder(scene) / "poster.jpg").write_bytes(b"a picture")
    (catalog.pack_folder(scene) / "loop.mp4").write_bytes(b"a moving picture")
    links.revoke(made.held["revoked"].id)
    with catalog.database.transaction():
        catalog.database.write("UPDATE link SET expires_at = 5 WHERE id = ?", (made.held["expired"].id,))
    made.target = links.create(scene.id, visibility="unlisted", scope="edit")
    made.job = Jobs(catalog).submit({"prompt": "a meadow"}).id
    Jobs(catalog).cancel(made.job)
    made.report = Reports(catalog).file(other.id, reason="other", statement="It is not so.").id
    made.bearers |= {
        "wrong": "x" * 32, "secret": str(made.target.secret), "owner": reset_owner_token(tmp_path / "home"),
    }  # fmt: skip
    with made.client:  # one event loop for all of a test
        yield made
    catalog.close()


def _edit(title: str = "Changed") -> dict[str, Any]:
    return {"json": {"title": title}}


@dataclass(frozen=True)
class Entry:
    """Who may ask a route for the scene (or a link of it), and with what body."""

    allowed: set[str]
    more: Callable[[World], dict[str, Any]] = lambda world: {}
    refused: tuple[int, ...] = (401, 403)


ENTRIES: dict[tuple[str, str], Entry] = {
    ("GET", "/"): Entry(EVERYONE),
    ("GET", "/v/{link_id}"): Entry(EVERYONE),
    ("GET", "/pair"): Entry(EVERYONE),
    # Of links that are not private, as the one asked for here.
    ("GET", "/api/links/{link_id}/poster.jpg"): Entry(EVERYONE),
    ("GET", "/api/links/{link_id}/loop.mp4"): Entry(EVERYONE),
    ("GET", "/api/oembed"): Entry(EVERYONE, lambda w: {"params": {"url": f"{HOST}/v/{w.target.id}"}}),
    # The secret is in the body, whoever asks.
    ("POST", "/api/links/{link_id}/pair"): Entry(EVERYONE, lambda w: {"json": {"secret": w.target.secret}}),
    ("POST", "/api/pair"): Entry(set(), lambda w: {"json": {"code": "AAAAAA"}}, (404, 429)),
    ("GET", "/{name}.{extension}"): Entry(EVERYONE),
    ("GET", "/healthz"): Entry(EVERYONE),
    ("GET", "/api/openapi.json"): Entry(EVERYONE),
    ("GET", "/assets"): Entry(EVERYONE),
    # The secret is in the body, whoever asks; wrong ones below.
    ("POST", "/api/links/{link_id}/open"): Entry(EVERYONE, lambda w: {"json": {"secret": w.target.secret}}),
    ("GET", "/api/links/{link_id}/preview"): Entry(EVERYONE),
    # By bearers of this very link; those here are of others.
    ("GET", "/api/links/{link_id}/growth"): Entry(set(), refused=(401,)),
    ("GET", "/api/links/{link_id}/opens"): Entry(OWNER),
    ("DELETE", "/api/links/{link_id}"): Entry(OWNER),
    ("GET", "/api/scenes"): Entry(OWNER),
    ("GET", "/api/scenes/{scene_id}"): Entry(OWNER),
    ("PATCH", "/api/scenes/{scene_id}"): Entry({"edit", "owner"}, lambda w: _edit()),
    ("POST", "/api/scenes/{scene_id}/remix"): Entry({"remix", "edit", "owner"}, lambda w: _edit()),
    ("DELETE", "/api/scenes/{scene_id}"): Entry(OWNER),
    ("GET", "/api/scenes/{scene_id}/links"): Entry(OWNER),
    ("POST", "/api/scenes/{scene_id}/links"): Entry(OWNER, lambda w: {"json": {}}),
    ("GET", "/api/scenes/{scene_id}/pack"): Entry(
        LIVE | OWNER, lambda w: {"headers": {"Range": "bytes=0-9"}}
    ),
    ("GET", "/api/scenes/{scene_id}/picture"): Entry(LIVE | OWNER),
    ("POST", "/api/jobs"): Entry(OWNER, lambda w: {"json": {"prompt": "a meadow"}}),
    ("GET", "/api/jobs"): Entry(OWNER),
    ("GET", "/api/jobs/{job_id}"): Entry(OWNER),
    ("POST", "/api/jobs/{job_id}/cancel"): Entry(OWNER),
    ("GET", "/api/jobs/{job_id}/events"): Entry(OWNER),
    # Who reports holds a link that opens, which is asked of the body; here nobody does.
    ("POST", "/api/reports"): Entry(
        set(),
        lambda w: {"json": {"link": w.target.id, "secret": "x", "reason": "other", "statement": "No."}},
        (404, 429),
    ),
    ("GET", "/api/reports"): Entry(OWNER),
    # Its id is a secret of 96 bits that only the reporter was told.
    ("GET", "/api/reports/{report_id}"): Entry(EVERYONE),
    # Nothing is decided yet that one could appeal against.
    ("POST", "/api/reports/{report_id}/appeal"): Entry(
        set(), lambda w: {"json": {"statement": "No."}}, (422, 429)
    ),
    ("POST", "/api/reports/{report_id}/decide"): Entry(OWNER, lambda w: {"json": {"decision": "dismiss"}}),
    # Tickets below, as of sockets; without one nobody is anybody here.
    ("POST", "/api/stream"): Entry(set(), lambda w: {"params": {"ticket": "x" * 32}}, (401,)),
    ("POST", "/api/stream/{name}"): Entry(set(), refused=(404,)),
}
SOCKETS = {"/ws", "/ws/pictures"}


def _routes(app: Any) -> tuple[set[tuple[str, str]], set[str]]:
    http: set[tuple[str, str]] = set()
    sockets: set[str] = set()

    def walk(routes: Any, prefix: str = "") -> None:
        for route in routes:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            if isinstance(route, Mount):
                http.add(("GET", prefix + route.path))
            elif isinstance(route, WebSocketRoute) or type(route).__name__ == "APIWebSocketRoute":
                sockets.add(prefix + route.path)
            elif isinstance(route, Route):
                http.update(
                    (method, prefix + route.path) for method in (route.methods or ()) if method != "HEAD"
                )
            elif inner is not None:
                walk(inner.routes, prefix)
            else:
                pytest.fail(f"what kind of route is {route!r}?")

    walk(app.routes)
    return http, sockets


def test_every_route_of_the_application_is_in_the_table(world: World) -> None:
    http, sockets = _routes(world.client.app)
    assert http == set(ENTRIES)
    assert sockets == SOCKETS


def _path(world: World, template: str) -> str:
    assert world.target is not None
    if template == "/assets":
        return "/assets/index-abc.js"
    return (
        template.replace("{scene_id}", world.scene.id)
        .replace("{link_id}", world.target.id)
        .replace("{name}.{extension}", "icon.svg")
        .replace("{job_id}", world.job)
        .replace("{report_id}", world.report)
    )


@pytest.mark.parametrize(("method", "template"), list(ENTRIES))
def test_exactly_those_who_may_are_answered(world: World, method: str, template: str) -> None:
    entry = ENTRIES[method, template]
    path = _path(world, template)
    # Those who may not first: nothing that they ask may change what the others find.
    for who in sorted(ASKERS, key=lambda who: (who in entry.allowed, who == "owner")):
        answer = world.ask(who, method, path, **entry.more(world))
        if who in entry.allowed:
            assert answer.status_code in (200, 201, 202, 206), (who, answer.text)
        else:
            assert answer.status_code in entry.refused, (who, answer.text)
            assert set(answer.json()) == {"error"}
            assert world.scene.title not in answer.text and "prompt" not in answer.text
            assert world.catalog.get(world.scene.id).title == "Cabin by a lake"
            assert len(world.catalog.list()) == 2
            assert world.target is not None and world.links.get(world.target.id).revoked_at is None


def test_a_bearer_cannot_reach_the_other_scene_in_any_way(world: World) -> None:
    for who, (method, template) in itertools.product(LIVE, ENTRIES):
        if "{scene_id}" not in template:
            continue
        path = template.replace("{scene_id}", world.other.id)
        answer = world.ask(who, method, path, **ENTRIES[method, template].more(world))
        assert answer.status_code == 401, (who, method, template)
    assert world.catalog.get(world.other.id).title == "Cabin by a lake"


def test_doorways_lead_a_link_on_for_looking_only(world: World) -> None:
    world.catalog.connect(world.scene.id, [world.other.id])
    link = world.held["edit"]
    opened = world.client.post(
        f"/api/links/{link.id}/open", json={"secret": link.secret, "scene": world.other.id}
    ).json()
    headers = {"Authorization": f"Bearer {opened['bearer']}"}
    path = f"/api/scenes/{world.other.id}"
    assert opened["scene"]["scope"] == "view"
    assert world.client.get(f"{path}/pack", headers=headers).status_code == 200
    assert world.client.patch(path, headers=headers, **_edit()).status_code == 403
    assert world.client.post(f"{path}/remix", headers=headers, json={}).status_code == 403
    # The bearer for the place behind still stands for the link, whose own scene it may change.
    assert world.client.patch(f"/api/scenes/{world.scene.id}", headers=headers, **_edit()).status_code == 200


OPENINGS: list[tuple[str, str, int, str]] = [
    # whose link, whose secret, status, code
    ("view", "view", 200, ""),
    ("remix", "remix", 200, ""),
    ("edit", "edit", 200, ""),
    ("view", "edit", 404, "link_unknown"),
    ("edit", "view", 404, "link_unknown"),
    ("view", "none", 404, "link_unknown"),
    ("expired", "expired", 410, "link_expired"),
    ("revoked", "revoked", 410, "link_revoked"),
    ("expired", "view", 404, "link_unknown"),
    ("revoked", "none", 404, "link_unknown"),
]


@pytest.mark.parametrize(("whose", "with_secret", "status", "code"), OPENINGS)
def test_a_link_opens_by_its_own_secret_alone(
    world: World, whose: str, with_secret: str, status: int, code: str
) -> None:
    secret = world.held[with_secret].secret if with_secret in world.held else "x" * 32
    answer = world.client.post(f"/api/links/{world.held[whose].id}/open", json={"secret": secret})
    assert answer.status_code == status
    if code:
        assert answer.json()["error"]["code"] == code
    else:
        assert answer.json()["scene"]["scope"] == whose


@pytest.mark.parametrize("who", ["expired", "revoked"])
def test_the_bearer_of_a_link_that_ended_does_not_open_it_again(world: World, who: str) -> None:
    answer = world.ask(who, "POST", f"/api/links/{world.held[who].id}/open", json={"secret": ""})
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, f"link_{who}")


def test_a_bearer_opens_only_its_own_link_again(world: World) -> None:
    for who in (*LIVE, "other"):
        answer = world.ask(who, "POST", f"/api/links/{world.held[who].id}/open", json={"secret": ""})
        assert answer.status_code == 200
        answer = world.ask(who, "POST", f"/api/links/{world.target.id}/open", json={"secret": ""})
        assert answer.status_code == 404


@pytest.mark.parametrize("range_header", ["bytes=0-9", "bytes=1500-2599", "bytes=-100", "bytes=102000-"])
def test_ranges_of_the_pack_are_for_those_who_may_see_the_scene(world: World, range_header: str) -> None:
    for who in ASKERS:
        answer = world.ask(who, "GET", f"/api/scenes/{world.scene.id}/pack", headers={"Range": range_header})
        if who in LIVE | OWNER:
            assert answer.status_code == 206
            assert answer.content in ASSET.pack and len(answer.content) <= 1100
        else:
            assert answer.status_code == 401
            assert "etag" not in answer.headers


@pytest.mark.parametrize(
    "range_header", ["bytes=999999999-", "bytes=5-1", "bytes=x-y", "items=0-1", "bytes=0-0,2-2,4-4"]
)
def test_ranges_that_make_no_sense_harm_nobody(world: World, range_header: str) -> None:
    answer = world.ask("view", "GET", f"/api/scenes/{world.scene.id}/pack", headers={"Range": range_header})
    assert answer.status_code in (200, 206, 400, 416)


def _first_message(world: World, ticket: str, headers: dict[str, str] | None = None) -> Any:
    address = f"ws://127.0.0.1:8765/ws?ticket={ticket}&credit=100000"
    message = None
    # Leaving in the middle of a stream, which the test client may call cancelled.
    with suppress(CancelledError), world.client.websocket_connect(address, headers=headers or {}) as socket:
        message = decode_from_server(socket.receive_bytes())
    return message


def test_requests_stream_to_those_with_a_ticket_of_a_link_that_opens(world: World) -> None:
    def ask(ticket: str) -> httpx.Response:
        return world.client.post("/api/stream", params={"ticket": ticket, "credit": 300_000})

    for who in (*LIVE, "other"):
        answer = ask(world.tickets[who])
        assert answer.status_code == 200
        (length,) = struct.unpack_from("<I", answer.content)
        message = decode_from_server(answer.content[4 : 4 + length])
        assert isinstance(message, Chunk)
        wanted = ASSET if who != "other" else opaque_asset(seed=77)
        assert message.glb == wanted.chunk_bytes(message.chunk)
        assert ask(world.tickets[who]).status_code == 401  # used up
    for who in ("expired", "revoked"):
        assert ask(world.tickets[who]).status_code == 410
    for ticket in ("", "x" * 32, world.bearers["view"], world.bearers["owner"], str(world.target.secret)):
        assert ask(ticket).status_code == 401


def test_sockets_stream_to_those_with_a_ticket_of_a_link_that_opens(world: World) -> None:
    for who in (*LIVE, "other"):
        message = _first_message(world, world.tickets[who])
        assert isinstance(message, Chunk)
        wanted = ASSET if who != "other" else opaque_asset(seed=77)
        assert message.glb == wanted.chunk_bytes(message.chunk)
        assert _first_message(world, world.tickets[who]).code == TICKET_EXPIRED  # used up
    for who in ("expired", "revoked"):
        assert _first_message(world, world.tickets[who]).code == LINK_REVOKED
    no_tickets = ("", "x" * 32, world.bearers["view"], world.bearers["owner"], str(world.target.secret))
    for ticket in no_tickets:
        assert _first_message(world, ticket).code == TICKET_EXPIRED
    with pytest.raises(WebSocketDisconnect):
        _first_message(world, world.tickets["view"], {"Origin": "https://evil.example"})


def test_a_foreign_host_name_is_told_nothing(world: World) -> None:
    for method, template in ENTRIES:
        answer = world.ask("owner", method, _path(world, template), headers={"Host": "rebound.example"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "foreign_host")


def _is_page(body: bytes) -> bool:
    """Whether it is the page with a card that tells nothing."""
    return body.startswith(PAGE[:-7].encode()) and b'content="Immersive"' in body and b"Cabin" not in body


def _raw(world: World, method: str, path: str) -> tuple[int, bytes]:
    """Ask the application without a client that tidies the path up; with the owner's token."""
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8765),
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {world.bearers['owner']}".encode())],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(world.client.app(scope, receive, send))  # type: ignore[arg-type]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], body


TRICKS = [
    "..", "../..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e%2fsecret.txt", "..%5c..", "%00", "a%00.js", ".%2e/",
    "....//", "%252e%252e", "~", "%c0%ae%c0%ae", "'", "%25", "*", "secret.txt", "a" * 3000, "é", "%ff",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_paths_that_climb_reach_nothing(world: World, trick: str) -> None:
    (world.catalog.home / "scenes" / "secret.txt").write_text("not for anyone")
    for method, template in ENTRIES:
        if "{" not in template and template != "/assets":
            continue
        path = template.replace("{name}.{extension}", trick)
        path = (
            path.replace("{scene_id}", trick)
            .replace("{link_id}", trick)
            .replace("/assets", f"/assets/{trick}")
        )
        for who in ("view", "owner"):
            more = ENTRIES[method, template].more(world)
            answer = world.ask(who, method, path, **more)
            # The client takes out dots, so some of these are the page's own address.
            is_page = method == "GET" and _is_page(answer.content)
            assert answer.status_code in (400, 401, 404, 405, 422) or is_page, (method, path, answer.text)
            assert "not for anyone" not in answer.text
        for sent in (path, unquote(path)):  # as they are, and as a server may read them
            status, body = _raw(world, method, sent)
            # 307: without the slash at the end, where it is asked again.
            assert status in (200, 307, 400, 401, 404, 405, 422), (method, sent)
            assert b"not for anyone" not in body
            assert status != 200 or _is_page(body), (method, sent)
    assert len(world.catalog.list()) == 2
    assert json.loads(world.client.get("/healthz").text) == {"status": "ok"}


def test_a_scene_id_cut_short_is_no_way_round_for_a_bearer(world: World) -> None:
    # The owner may shorten ids on the command line; a bearer names its scene whole.
    short = world.scene.id[:8]
    for who in LIVE:
        assert world.ask(who, "GET", f"/api/scenes/{short}/pack").status_code == 401
        assert world.ask(who, "PATCH", f"/api/scenes/{short}", **_edit()).status_code == 401


def test_the_table_would_notice_a_route_that_forgot_to_ask(world: World) -> None:
    @world.client.app.get("/api/scenes/{scene_id}/prompt")  # type: ignore[attr-defined]
    async def forgetful(scene_id: str) -> dict[str, str]:
        return {"prompt": "told to anyone"}

    http, _ = _routes(world.client.app)
    assert http - set(ENTRIES) == {("GET", "/api/scenes/{scene_id}/prompt")}
