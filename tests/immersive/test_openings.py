"""Opens that come together: each gets its own answer, all are noted, and the disk is flushed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from immersive.catalog import Catalog
from immersive.errors import (
    DiskFullError,
    LinkPasswordError,
    RevokedLinkError,
    UnknownLinkError,
    UsedUpLinkError,
)
from immersive.server.openings import Openings
from immersive.share import Links, Opening, ShareLink
from tests.streaming.opaque_asset import opaque_asset


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path)
    made.publish(opaque_asset())
    yield made
    made.close()


@pytest.fixture
def links(catalog: Catalog) -> Links:
    return Links(catalog)


def made(links: Links, catalog: Catalog, **terms: Any) -> ShareLink:
    return links.create(catalog.list()[0].id, **terms)


def transactions_of(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    database = catalog.database
    plain = type(database).transaction

    @contextmanager
    def counting() -> Iterator[None]:
        counted.append(1)
        with plain(database):
            yield

    monkeypatch.setattr(database, "transaction", counting)
    return counted


async def gathered(links: Links, wanted: list[Opening]) -> list[object]:
    openings = Openings(links)
    return await asyncio.gather(*map(openings.open, wanted), return_exceptions=True)


def test_each_of_many_gets_what_is_its_own_with_one_flush(
    links: Links, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    thrice, revoked, locked = (
        made(links, catalog, max_opens=3),
        made(links, catalog),
        made(links, catalog, password="sesame"),
    )
    links.revoke(revoked.id)
    counted = transactions_of(catalog, monkeypatch)
    wanted = [
        Opening(thrice.id, thrice.secret),
        Opening(thrice.id, "wrong"),
        Opening(thrice.id, thrice.secret),
        Opening(revoked.id, revoked.secret),
        Opening(locked.id, locked.secret),
        Opening(thrice.id, None),
        Opening(thrice.id, thrice.secret),
        Opening("nosuchlink00", "any"),
        Opening(thrice.id, thrice.secret),
    ]

    found = asyncio.run(gathered(links, wanted))

    assert counted == [1]
    assert [one.open_count if isinstance(one, ShareLink) else type(one) for one in found] == [
        1, UnknownLinkError, 2, RevokedLinkError, LinkPasswordError, 2, 3, UnknownLinkError, UsedUpLinkError,
    ]  # fmt: skip
    assert [entry.result for entry in reversed(links.opens(thrice.id))] == [
        "opened", "wrong_secret", "opened", "again", "opened", "used_up",
    ]  # fmt: skip
    assert [entry.result for entry in links.opens(revoked.id)] == ["revoked"]
    assert [entry.result for entry in links.opens(locked.id)] == ["wrong_password"]


def test_opens_are_on_the_disk_before_anyone_is_told(links: Links, catalog: Catalog, tmp_path: Path) -> None:
    link = made(links, catalog)
    seen: list[int] = []

    async def one(openings: Openings) -> None:
        await openings.open(Opening(link.id, link.secret))
        other = Catalog(tmp_path)  # another connection sees only what was committed
        seen.append(Links(other).get(link.id).open_count)
        other.close()

    async def story() -> None:
        openings = Openings(links)
        await asyncio.gather(*(one(openings) for _ in range(5)))

    asyncio.run(story())

    assert seen == [5] * 5


def test_a_disk_that_refuses_opens_nothing_for_anyone(
    links: Links, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = made(links, catalog)

    @contextmanager
    def full() -> Iterator[None]:
        raise DiskFullError("the disk has no room for the catalog, nothing was stored")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(catalog.database, "transaction", full)
        found = asyncio.run(gathered(links, [Opening(link.id, link.secret)] * 3))

    assert [type(one) for one in found] == [DiskFullError] * 3
    assert (links.get(link.id).open_count, links.opens(link.id)) == (0, [])


def test_who_leaves_while_the_disk_is_written_keeps_nobody_waiting(links: Links, catalog: Catalog) -> None:
    link = made(links, catalog)

    async def story() -> list[ShareLink | BaseException]:
        openings = Openings(links)
        asked = [asyncio.create_task(openings.open(Opening(link.id, link.secret))) for _ in range(3)]
        await asyncio.sleep(0)
        asked[0].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(story())

    assert isinstance(found[0], asyncio.CancelledError)
    assert [type(one) for one in found[1:]] == [ShareLink] * 2
