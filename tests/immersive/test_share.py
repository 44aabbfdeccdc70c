"""Links open for who has the secret, until they expire or are revoked, and keep no secret."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from immersive.catalog import Catalog, SceneRecord
from immersive.errors import ExpiredLinkError, RevokedLinkError, UnknownLinkError, UnknownSceneError
from immersive.share import Links
from reconstruction.errors import InvalidInputError
from tests.streaming.opaque_asset import opaque_asset


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    made = Catalog(tmp_path, now=clock)
    yield made
    made.close()


@pytest.fixture
def scene(catalog: Catalog) -> SceneRecord:
    return catalog.publish(opaque_asset())


def test_the_secret_opens_the_link_and_another_does_not(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    link, other = links.create(scene.id), links.create(scene.id)

    assert links.open(link.id, link.secret).scene_id == scene.id
    for wrong in (other.secret, "", link.secret[:-1], link.secret + "A", "\ud800", "é"):
        with pytest.raises(UnknownLinkError):
            links.open(link.id, wrong)


def test_an_unknown_link_and_a_wrong_secret_are_told_alike(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    link = links.create(scene.id)
    with pytest.raises(UnknownLinkError) as unknown:
        links.open("nosuchlink00", link.secret)
    with pytest.raises(UnknownLinkError) as wrong:
        links.open(link.id, "x" * 32)
    assert str(unknown.value).replace("nosuchlink00", link.id) == str(wrong.value)
    assert unknown.value.code == wrong.value.code == "link_unknown"


def test_the_path_has_72_public_and_192_secret_bits(catalog: Catalog, scene: SceneRecord) -> None:
    link = Links(catalog).create(scene.id)
    assert (len(link.id), len(link.secret)) == (12, 32)  # 6 bits a character
    assert link.path == f"/v/{link.id}#{link.secret}"
    assert link.id[0] != "-"


def test_no_file_of_the_data_folder_holds_the_secret(catalog: Catalog, scene: SceneRecord) -> None:
    link = Links(catalog).create(scene.id)
    files = [path for path in catalog.home.rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files)
    assert link.secret.encode() not in everything
    assert hashlib.sha256(link.secret.encode()).digest() in everything
    assert link.secret not in str(Links(catalog).list(scene.id))
    assert "secret" not in link.as_dict()


def test_a_link_works_until_its_time_is_over(catalog: Catalog, scene: SceneRecord, clock: Clock) -> None:
    links = Links(catalog)
    link = links.create(scene.id, expires_in_s=60)
    clock.time += 59.9
    links.open(link.id, link.secret)
    clock.time += 0.1
    with pytest.raises(ExpiredLinkError):
        links.open(link.id, link.secret)


def test_revoking_is_final_and_keeps_its_time(catalog: Catalog, scene: SceneRecord, clock: Clock) -> None:
    links = Links(catalog)
    link, kept = links.create(scene.id), links.create(scene.id, expires_in_s=1e6)

    clock.time += 5
    links.revoke(link.id)
    clock.time += 5
    assert links.revoke(link.id).revoked_at == link.created_at + 5

    with pytest.raises(RevokedLinkError):
        links.open(link.id, link.secret)
    links.open(kept.id, kept.secret)


def test_a_revoked_link_says_so_only_to_who_has_the_secret(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    link = links.create(scene.id)
    links.revoke(link.id)
    with pytest.raises(UnknownLinkError):
        links.open(link.id, "x" * 32)


def test_links_need_a_scene_and_a_future(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    with pytest.raises(UnknownSceneError):
        links.create("nothing")
    for never in (0, -5, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError):
            links.create(scene.id, expires_in_s=never)
    with pytest.raises(UnknownLinkError):
        links.revoke("nothing")
    assert links.list(scene.id) == []


def test_links_are_private_unless_asked_otherwise(catalog: Catalog, scene: SceneRecord) -> None:
    links = Links(catalog)
    assert links.create(scene.id).visibility == "private"
    assert links.get(links.create(scene.id, visibility="unlisted").id).visibility == "unlisted"
