"""Links keep their promise: scopes, most opens, passwords, visibility, and a note of every open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from immersive import link_audit
from immersive.catalog import Catalog, SceneRecord
from immersive.database import Database
from immersive.errors import (
    ExpiredLinkError,
    LinkPasswordError,
    RevokedLinkError,
    UnknownLinkError,
    UsedUpLinkError,
)
from immersive.link_audit import Visitor, agent_of, network_of
from immersive.remixing import remix_scene
from immersive.scene_edit import SceneEdit, edited
from immersive.share import Links
from reconstruction.errors import InvalidInputError
from streaming.asset import Sound, Spawn
from tests.streaming.opaque_asset import opaque_asset

ROOT = Path(__file__).resolve().parents[2]
QUEST = "Mozilla/5.0 (X11; Linux x86_64; Quest 3) OculusBrowser/34.1 Chrome/124 VR Safari/537.36"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path)
    yield made
    made.close()


@pytest.fixture
def scene(catalog: Catalog) -> SceneRecord:
    return catalog.publish(opaque_asset())


def results(links: Links, link_id: str) -> list[str]:
    return [entry.result for entry in links.opens(link_id)]


def test_each_scope_allows_what_those_before_it_do(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    allowed = {
        scope: [
            what for what in ("view", "remix", "edit") if links.create(scene.id, scope=scope).allows(what)
        ]
        for scope in ("view", "remix", "edit")
    }
    assert allowed == {"view": ["view"], "remix": ["view", "remix"], "edit": ["view", "remix", "edit"]}


@pytest.mark.parametrize(
    "terms",
    [
        {"scope": "own"},
        {"visibility": "secret"},
        {"visibility": "public", "scope": "edit"},  # would open without a secret
        {"max_opens": 0},
        {"max_opens": -3},
        {"password": "abc"},
        {"password": "x" * 201},
        {"embed_origins": ["https://a.example/path"]},
        {"embed_origins": ["*"]},
        {"embed_origins": ["https://*.example"]},
        {"embed_origins": ["https://a.example; script-src *"]},
        {"embed_origins": ["https://a.example\r\nX-Evil: 1"]},
        {"embed_origins": ["javascript:alert(1)"]},
        {"embed_origins": [f"https://a{i}.example" for i in range(17)]},
    ],
)
def test_terms_that_make_no_sense_make_no_link(
    catalog: Catalog, scene: SceneRecord, terms: dict[str, object]
) -> None:
    links = Links(catalog)
    with pytest.raises(InvalidInputError):
        links.create(scene.id, **terms)  # type: ignore[arg-type]
    assert links.list(scene.id) == []


def test_a_link_opens_as_often_as_it_may_and_coming_back_is_not_counted(
    catalog: Catalog, scene: SceneRecord
) -> None:
    links = Links(catalog)
    link = links.create(scene.id, max_opens=2)
    assert [links.open(link.id, link.secret).open_count for _ in range(2)] == [1, 2]
    with pytest.raises(UsedUpLinkError, match="2 times"):
        links.open(link.id, link.secret)
    assert links.reopen(link.id).open_count == 2
    assert results(links, link.id) == ["again", "used_up", "opened", "opened"]
    with pytest.raises(UnknownLinkError):  # who lacks the secret is not told that it is used up
        links.open(link.id, "x" * 32)


_OPEN_FIVE_TIMES = """
import sys
from pathlib import Path
from immersive.catalog import Catalog
from immersive.errors import UsedUpLinkError
from immersive.share import Links
links = Links(Catalog(Path(sys.argv[1])))
sys.stdin.readline()
opened = 0
for _ in range(5):
    try:
        links.open(sys.argv[2], sys.argv[3])
        opened += 1
    except UsedUpLinkError:
        pass
print(opened)
"""


def test_two_processes_together_open_no_more_than_once_too_often(
    catalog: Catalog, scene: SceneRecord
) -> None:
    links = Links(catalog)
    link = links.create(scene.id, max_opens=7)
    command = [sys.executable, "-c", _OPEN_FIVE_TIMES, str(catalog.home), link.id, str(link.secret)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(counts) == 7
    assert links.get(link.id).open_count == 7
    assert sorted(results(links, link.id)) == ["opened"] * 7 + ["used_up"] * 3


def test_a_password_is_needed_beside_the_secret_and_tells_nothing_else(
    catalog: Catalog, scene: SceneRecord
) -> None:
    links = Links(catalog)
    link = links.create(scene.id, password="höhle und Licht", expires_in_s=1000)
    assert link.has_password
    sentences = set()
    for wrong in ("", "hohle und Licht", "höhle und Licht ", "\ud800"):
        with pytest.raises(LinkPasswordError) as refused:
            links.open(link.id, link.secret, password=wrong)
        sentences.add(str(refused.value))
    links.revoke(link.id)
    with pytest.raises(LinkPasswordError) as refused:  # nor that it was revoked
        links.open(link.id, link.secret, password="wrong one")
    assert sentences == {str(refused.value)}
    with pytest.raises(UnknownLinkError):
        links.open(link.id, "x" * 32, password="höhle und Licht")
    with pytest.raises(RevokedLinkError):
        links.open(link.id, link.secret, password="höhle und Licht")
    assert links.get(link.id).open_count == 0
    stored = catalog.database.read("SELECT password_argon2 FROM link")[0][0]
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    everything = b"".join(path.read_bytes() for path in catalog.home.rglob("*") if path.is_file())
    assert "höhle und Licht".encode() not in everything


def test_every_open_is_noted_without_address_or_browser(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    link = links.create(scene.id)
    links.open(link.id, link.secret, visitor=Visitor("203.0.113.77", QUEST))
    links.open(link.id, link.secret, visitor=Visitor("203.0.113.9", "curl/8"))
    with pytest.raises(UnknownLinkError):
        links.open(link.id, "x" * 32, visitor=Visitor("198.51.100.4"))
    links.revoke(link.id)
    with pytest.raises(RevokedLinkError):
        links.open(link.id, link.secret)

    newest_first = links.opens(link.id)

    assert [(o.result, o.agent) for o in newest_first] == [
        ("revoked", "unknown"),
        ("wrong_secret", "unknown"),
        ("opened", "program"),
        ("opened", "headset"),
    ]
    assert newest_first[2].address_hash == newest_first[3].address_hash  # one network
    assert newest_first[1].address_hash != newest_first[2].address_hash
    everything = b"".join(path.read_bytes() for path in catalog.home.rglob("*") if path.is_file())
    assert b"203.0.113" not in everything and b"Oculus" not in everything
    salt = catalog.home / "audit-salt"
    assert salt.stat().st_mode & 0o077 == 0
    with pytest.raises(UnknownLinkError):
        links.open("nosuchlink00", "x")  # no row to refer to, and no failure of its own
    with pytest.raises(UnknownLinkError):
        links.opens("nosuchlink00")


def test_another_home_hashes_the_same_address_to_something_else(tmp_path: Path) -> None:
    hashes = set()
    for name in ("a", "b"):
        catalog = Catalog(tmp_path / name)
        links = Links(catalog)
        link = links.create(catalog.publish(opaque_asset()).id)
        links.open(link.id, link.secret, visitor=Visitor("203.0.113.77"))
        hashes.add(links.opens(link.id)[0].address_hash)
        catalog.close()
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.129", "192.0.2.0/24"),
        ("::ffff:192.0.2.129", "192.0.2.0/24"),
        ("2001:db8:7:9::1", "2001:db8:7::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unknown", "unknown"),
    ],
)
def test_addresses_are_kept_as_coarse_as_networks(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_opens_is_one_of_a_few_kinds() -> None:
    told = {
        QUEST: "headset",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148 Safari/604.1": "phone",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "desktop",
        "facebookexternalhit/1.1": "crawler",
        "python-httpx/0.28": "program",
        "": "unknown",
    }
    assert {text: agent_of(text) for text in told} == told


def test_knocking_does_not_fill_the_disk(
    catalog: Catalog, scene: SceneRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_audit, "_MOST_ROWS", 3)
    links = Links(catalog)
    link, other = links.create(scene.id), links.create(scene.id)
    links.open(other.id, other.secret)
    links.open(link.id, link.secret)
    for _ in range(5):
        with pytest.raises(UnknownLinkError):
            links.open(link.id, "x")
    assert results(links, link.id) == ["wrong_secret"] * 3
    assert results(links, other.id) == ["opened"]


def test_a_public_link_opens_without_a_secret_until_its_scene_is_no_longer_public(
    catalog: Catalog, scene: SceneRecord
) -> None:
    links = Links(catalog)
    link, unlisted = (links.create(scene.id, visibility=v) for v in ("public", "unlisted"))
    assert link.path == f"/v/{link.id}"
    assert links.open(link.id, "").scene_id == scene.id
    with pytest.raises(UnknownLinkError):
        links.open(unlisted.id, "")

    catalog.edit(scene.id, visibility="unlisted")
    with pytest.raises(RevokedLinkError, match="no longer public"):
        links.open(link.id, "")
    links.open(unlisted.id, unlisted.secret)
    assert links.shown_as(unlisted) == "unlisted"
    catalog.edit(scene.id, visibility="private")
    assert links.shown_as(unlisted) == "private"
    links.open(unlisted.id, unlisted.secret)
    catalog.edit(scene.id, visibility="public")
    assert links.open(link.id, "").open_count == 2


def test_an_edit_changes_what_visitors_are_told_and_not_the_pack(
    catalog: Catalog, scene: SceneRecord
) -> None:
    before = (catalog.pack_folder(scene) / "manifest.json").read_bytes()
    spawn = Spawn((1.5, -0.5, -7.0), -45.0)
    record = catalog.edit(scene.id, title="Lake", notes="Mind the step.\nSit down.", spawn=spawn)
    assert (record.title, record.version) == ("Lake", scene.version)
    manifest = catalog.asset(scene.id).manifest
    assert (manifest.title, manifest.spawn) == ("Lake", spawn)
    catalog.edit(scene.id, has_sound=False)
    edit = catalog.edits(scene.id)
    assert (edit.notes, edit.spawn, edit.has_sound) == ("Mind the step.\nSit down.", spawn, False)
    assert (catalog.pack_folder(scene) / "manifest.json").read_bytes() == before


def test_a_scene_whose_sound_is_off_has_none_to_be_heard() -> None:
    sound = Sound("wind", "wind in the trees", 8, None, 0.5, 0.0)
    manifest = replace(opaque_asset().manifest, sounds=(sound,))
    assert edited(manifest, "x", SceneEdit()).sounds == (sound,)
    assert edited(manifest, "x", SceneEdit(has_sound=False)).sounds == ()


@pytest.mark.parametrize(
    "change",
    [
        {"title": " "},
        {"notes": "x" * 4001},
        {"notes": "bell \x07"},
        {"spawn": Spawn((0.0, float("nan"), 0.0), 0.0)},
        {"spawn": Spawn((0.0, 0.0, 14.1), 0.0)},
        {"spawn": Spawn((-10.1, 0.0, 0.0), 0.0)},
        {"spawn": Spawn((0.0, 0.0, 0.0), 361.0)},
        {"visibility": "secret"},
    ],
)
def test_an_edit_that_is_not_possible_changes_nothing(
    catalog: Catalog, scene: SceneRecord, change: dict[str, object]
) -> None:
    with pytest.raises(InvalidInputError):
        catalog.edit(scene.id, **({"title": "New", "has_sound": False} | change))  # type: ignore[arg-type]
    assert catalog.get(scene.id).title == "Cabin by a lake"
    assert catalog.edits(scene.id).has_sound


def test_a_remix_is_a_scene_of_its_own_that_names_and_credits_its_origin(
    catalog: Catalog, scene: SceneRecord
) -> None:
    first = remix_scene(catalog, scene.id, title="Mine")
    second = remix_scene(catalog, scene.id, title="Mine")
    third = remix_scene(catalog, first.id)
    assert len({scene.id, first.id, second.id, third.id}) == 4
    asset = catalog.asset(first.id)
    assert asset.pack == catalog.asset(scene.id).pack
    assert [row["scene"] for row in asset.manifest.recipe["remix_of"]] == [scene.id]
    assert asset.manifest.recipe["prompt"] == "a cabin by a lake"
    assert asset.manifest.credit == "Remix of “Cabin by a lake”"
    assert asset.manifest.is_generated
    grandchild = catalog.asset(third.id).manifest
    assert [row["scene"] for row in grandchild.recipe["remix_of"]] == [first.id, scene.id]
    assert grandchild.credit == "Remix of “Mine” (Remix of “Cabin by a lake”)"

    catalog.delete(scene.id)  # what was forked stays, and still says where it comes from
    assert catalog.asset(first.id).manifest.recipe["remix_of"][0]["title"] == "Cabin by a lake"
    found = catalog.remixed(first.id)
    assert found is not None and (found.origin_id, found.origin_title) == (scene.id, "Cabin by a lake")
    assert catalog.remixed("nothing") is None


# The schemas of earlier releases, as they were.
_FIRST = """
CREATE TABLE scene (id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at REAL NOT NULL,
    version TEXT NOT NULL UNIQUE, splat_count INTEGER NOT NULL, byte_length INTEGER NOT NULL,
    is_generated INTEGER NOT NULL, prompt TEXT, backend TEXT NOT NULL, recipe_digest TEXT, quality TEXT,
    walkability TEXT) STRICT;
CREATE INDEX scene_by_time ON scene (created_at);
CREATE TABLE link (id TEXT PRIMARY KEY, scene_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
    secret_sha256 BLOB NOT NULL, scope TEXT NOT NULL CHECK (scope = 'view'), is_private INTEGER NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL) STRICT;
CREATE INDEX link_by_scene ON link (scene_id);
"""
_SECOND = """
CREATE TABLE portal (scene_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
    place INTEGER NOT NULL, target_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
    PRIMARY KEY (scene_id, place)) STRICT;
CREATE INDEX portal_by_target ON portal (target_id);
"""
_ROWS = """
INSERT INTO scene VALUES ('0123456789ab', 'Old', 5.0, 'ff', 1, 2, 1, NULL, 'import', NULL, NULL, NULL);
INSERT INTO link VALUES ('privatelink1', '0123456789ab',
    x'2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b',
    'view', 1, 6.0, NULL, NULL);
INSERT INTO link VALUES ('unlistedlink', '0123456789ab', x'00', 'view', 0, 7.0, 8.0, 9.0);
"""  # the sha256 of "secret"


@pytest.mark.parametrize(("format_number", "schema"), [(1, _FIRST), (2, _FIRST + _SECOND)])
def test_links_of_earlier_releases_open_as_they_did(tmp_path: Path, format_number: int, schema: str) -> None:
    with sqlite3.connect(tmp_path / "catalog.sqlite") as old:
        old.executescript(schema + _ROWS)
        old.execute(f"PRAGMA user_version = {format_number}")
    old.close()

    catalog = Catalog(tmp_path, now=lambda: 100.0)
    links = Links(catalog)

    link = links.open("privatelink1", "secret")
    assert (link.scope, link.visibility, link.open_count, link.has_password) == ("view", "private", 1, False)
    other = links.get("unlistedlink")
    assert (other.visibility, other.created_at, other.expires_at, other.revoked_at) == (
        "unlisted",
        7.0,
        8.0,
        9.0,
    )
    assert catalog.portals("0123456789ab") == {}
    links.create("0123456789ab", scope="edit")
    assert catalog.database.read("PRAGMA foreign_key_check") == []
    with catalog.database.transaction():
        catalog.database.write("DELETE FROM scene")
    assert catalog.database.read("SELECT count(*) FROM link")[0][0] == 0
    assert catalog.database.read("SELECT count(*) FROM link_open")[0][0] == 0
    catalog.close()
    Database(tmp_path / "catalog.sqlite").close()  # and once is enough


def test_an_expired_link_is_noted_as_such(tmp_path: Path) -> None:
    now = [1000.0]
    catalog = Catalog(tmp_path, now=lambda: now[0])
    links = Links(catalog)
    link = links.create(catalog.publish(opaque_asset()).id, expires_in_s=10)
    now[0] = 1010.0
    with pytest.raises(ExpiredLinkError):
        links.open(link.id, link.secret)
    assert [(o.at, o.result) for o in links.opens(link.id)] == [(1010.0, "expired")]
    assert links.get(link.id).open_count == 0
    catalog.close()
