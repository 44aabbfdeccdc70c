"""What messengers, other sites and headsets are told of a link, and what not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from immersive.catalog import Catalog, SceneRecord
from immersive.growing import Growing
from immersive.poster import ensure_poster, poster_path
from immersive.reports import Reports
from immersive.server.app import build_app
from immersive.server.pairing import ALPHABET, PairingCodes
from immersive.server.services import Services
from immersive.share import Links
from reconstruction.frames import Provenance
from reconstruction.splats import SplatCloud
from streaming.assemble import build_asset
from tests.streaming.opaque_asset import opaque_asset

HOST = "http://127.0.0.1:8765"
TITLE = 'Cabin "A" <script>alert(1)</script> & lake'


@dataclass
class Site:
    client: TestClient
    catalog: Catalog
    links: Links
    scene: SceneRecord
    clock: list[float]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text(
        "<!doctype html><html><head><title>Immersive</title></head><body></body></html>"
    )
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(opaque_asset(title=TITLE))
    poster_path(catalog, scene).write_bytes(b"a picture")
    clock = [50.0]
    services = Services.build(catalog, frozenset({"127.0.0.1"}), page_folder=page, now=lambda: clock[0])
    with TestClient(build_app(services), base_url=HOST) as client:
        yield Site(client, catalog, Links(catalog), scene, clock)
    catalog.close()


class _Head(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: dict[str, str] = {}
        self.links: list[dict[str, str | None]] = []
        self.scripts = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "meta":
            self.tags[found.get("property") or found.get("name") or ""] = found.get("content") or ""
        elif tag == "link":
            self.links.append(found)
        self.scripts += tag == "script"


@pytest.mark.parametrize("visibility", ["unlisted", "public"])
def test_messengers_are_shown_title_and_picture(site: Site, visibility: str) -> None:
    link = site.links.create(site.scene.id, visibility=visibility)  # type: ignore[arg-type]
    head = _Head(site.client.get(f"/v/{link.id}").text)
    assert head.tags["og:title"] == TITLE
    assert head.tags["og:url"] == f"{HOST}/v/{link.id}"
    assert "AI-generated" in head.tags["og:description"]
    assert head.tags["twitter:card"] == "summary_large_image"
    assert head.scripts == 0
    picture = site.client.get(head.tags["og:image"])
    assert (picture.content, picture.headers["content-type"]) == (b"a picture", "image/jpeg")
    document = site.client.get(str(head.links[0]["href"])).json()
    assert (document["version"], document["type"], document["title"]) == ("1.0", "rich", TITLE)
    frame = {}

    class _Frame(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            frame[tag] = dict(attrs)

    _Frame().feed(document["html"])
    assert list(frame) == ["iframe"]
    assert frame["iframe"]["src"] == f"{HOST}/v/{link.id}"
    assert "xr-spatial-tracking" in str(frame["iframe"]["allow"]).split("; ")
    assert link.secret not in str(document)


def test_of_what_is_private_nothing_is_told(site: Site) -> None:
    private = site.links.create(site.scene.id)
    locked = site.links.create(site.scene.id, visibility="unlisted", password="open it")
    capped = site.links.create(site.scene.id, visibility="unlisted")
    revoked = site.links.create(site.scene.id, visibility="public")
    site.links.revoke(revoked.id)
    site.catalog.edit(site.scene.id, visibility="private")
    generic = site.client.get("/v/nosuchlink00").text
    assert _Head(generic).tags["og:title"] == "Immersive"
    for link in (private, locked, capped, revoked):
        assert site.client.get(f"/v/{link.id}").text == generic
        assert site.client.get(f"/api/links/{link.id}/poster.jpg").status_code == 404
        answer = site.client.get("/api/oembed", params={"url": f"{HOST}/v/{link.id}"})
        assert answer.status_code == 404
        assert "Cabin" not in answer.text


@pytest.mark.parametrize(
    "url", ["", "x", f"{HOST}/", f"{HOST}/v/", f"{HOST}/v/a/b", "//[", "javascript:alert(1)"]
)
def test_oembed_of_anything_else_is_refused(site: Site, url: str) -> None:
    assert site.client.get("/api/oembed", params={"url": url}).status_code == 404


def test_what_was_taken_down_or_is_not_finished_has_no_card(site: Site) -> None:
    shown = site.links.create(site.scene.id, visibility="unlisted")
    growing = Growing.begin(site.catalog, recipe_digest="r", title="Half a hut", prompt="a hut")
    early = site.links.create(growing.scene_id, visibility="unlisted")
    assert site.client.get(f"/api/links/{shown.id}/preview").json()["title"] == site.scene.title
    reports = Reports(site.catalog)
    reports.decide(reports.file(site.scene.id, reason="other", statement="No.").id, "uphold")
    for link in (shown, early):
        for route in ("preview", "poster.jpg"):
            answer = site.client.get(f"/api/links/{link.id}/{route}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "link_unknown"), route
        page = site.client.get(f"/v/{link.id}").text
        assert TITLE not in page and "Cabin" not in page and "Half a hut" not in page


def test_only_named_origins_may_embed_a_link(site: Site) -> None:
    link = site.links.create(site.scene.id, embed_origins=["https://Blog.example", "http://localhost:3000"])
    other = site.links.create(site.scene.id)

    def ancestors(path: str) -> str:
        policy = site.client.get(path).headers["content-security-policy"]
        parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert parts["default-src"] == "'self'"
        return parts["frame-ancestors"]

    assert ancestors(f"/v/{link.id}") == "https://blog.example http://localhost:3000"
    for path in (f"/v/{other.id}", "/v/nosuchlink00", "/", "/pair"):
        assert ancestors(path) == "'none'"
    site.links.revoke(link.id)
    assert ancestors(f"/v/{link.id}") == "'none'"


def test_a_poster_shows_what_a_visitor_sees_first(tmp_path: Path) -> None:
    # A wall of red splats ahead of the spawn (at -X: the visitor is turned) and one of green ones behind.
    y, z = (grid.ravel() for grid in np.meshgrid(np.linspace(-3, 6, 40), np.linspace(-6, 6, 40)))
    walls = [np.column_stack([np.full_like(y, x), y, z]) for x in (-4.0, 4.0)]
    means = np.concatenate(walls).astype(np.float32)
    count = len(means)
    sh = np.full((count, 1, 3), -1.5, np.float32)
    sh[: count // 2, 0, 0] = 1.5
    sh[count // 2 :, 0, 1] = 1.5
    quats = np.zeros((count, 4), np.float32)
    quats[:, 0] = 1
    cloud = SplatCloud(
        means, quats, np.full((count, 3), 0.2, np.float32), np.full(count, 0.95, np.float32), sh
    )
    asset = build_asset(
        cloud, title="Walls", recipe={}, provenance=Provenance("import", is_generated=False, detail="x")
    )
    catalog = Catalog(tmp_path)
    record = catalog.publish(asset)
    from streaming.asset import Spawn

    catalog.edit(record.id, spawn=Spawn((0.0, 0.0, 0.0), 90.0))
    assert ensure_poster(catalog, record) and ensure_poster(catalog, record)
    path = poster_path(catalog, record)
    with Image.open(io.BytesIO(path.read_bytes())) as poster:
        assert (poster.format, poster.size) == ("JPEG", (1200, 630))
        red, green, _ = np.asarray(poster, np.float64)[200:430, 400:800].mean((0, 1))
    assert red > 150 and green < 60
    assert path.stat().st_mode & 0o077 == 0
    catalog.delete(record.id)
    assert not path.exists()
    catalog.close()


def test_a_scene_that_cannot_be_drawn_is_published_without_a_poster(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(tmp_path)
    record = catalog.publish(opaque_asset())  # whose chunks are noise
    assert not ensure_poster(catalog, record)
    assert "no poster" in caplog.text
    assert not poster_path(catalog, record).exists()
    catalog.close()


# --- pairing ------------------------------------------------------------------------------------------


def _code(site: Site) -> tuple[str, str]:
    link = site.links.create(site.scene.id)
    told = site.client.post(f"/api/links/{link.id}/pair", json={"secret": link.secret}).json()
    assert told["expires_in_s"] == 600
    return told["code"], link.path


def test_a_code_opens_its_link_once_however_it_is_typed(site: Site) -> None:
    code, path = _code(site)
    assert len(code) == 6 and set(code) <= set(ALPHABET)
    typed = f" {code[:3].lower()}-{code[3:]} "
    assert site.client.post("/api/pair", json={"code": typed}).json() == {"path": path}
    assert site.client.post("/api/pair", json={"code": code}).status_code == 404


def test_a_code_lives_ten_minutes_and_the_newest_counts(site: Site) -> None:
    code, path = _code(site)
    site.clock[0] += 599
    link_id, secret = path.removeprefix("/v/").split("#")
    newer = site.client.post(f"/api/links/{link_id}/pair", json={"secret": secret}).json()["code"]
    assert site.client.post("/api/pair", json={"code": code}).status_code == 404
    site.clock[0] += 599
    assert site.client.post("/api/pair", json={"code": newer}).status_code == 200
    late, _ = _code(site)
    site.clock[0] += 600
    assert site.client.post("/api/pair", json={"code": late}).status_code == 404


def test_codes_are_for_who_has_the_secret_of_a_link_that_opens(site: Site) -> None:
    link, gone = site.links.create(site.scene.id), site.links.create(site.scene.id)
    site.links.revoke(gone.id)
    for link_id, secret, status in [
        (link.id, "x" * 32, 404),
        ("nosuchlink00", "x", 404),
        (gone.id, gone.secret, 410),
        (gone.id, "x", 404),
    ]:
        assert site.client.post(f"/api/links/{link_id}/pair", json={"secret": secret}).status_code == status


def test_guessing_is_slow(site: Site) -> None:
    code, _ = _code(site)
    statuses = [site.client.post("/api/pair", json={"code": "ZZZZZZ"}).status_code for _ in range(7)]
    assert statuses == [404] * 5 + [429] * 2
    assert site.client.post("/api/pair", json={"code": code}).status_code == 429
    site.clock[0] += 12  # a fifth of a minute later, one more try
    assert site.client.post("/api/pair", json={"code": code}).status_code == 200


def test_codes_do_not_repeat_and_look_like_nothing_else() -> None:
    codes = PairingCodes(lambda: 0.0)
    made = {codes.make(f"link{i}", "s")[0] for i in range(500)}
    assert len(made) == 500
    assert set("".join(made)) == set(ALPHABET)
    assert not set(ALPHABET) & set("0O1IL") and len(ALPHABET) == 31
