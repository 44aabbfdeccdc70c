"""Two server processes over one catalog and one Redis: visitors see each other, and are sent away at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from immersive.catalog import Catalog
from immersive.client import SceneConnection, connect
from immersive.errors import ConnectionRefusedByServerError, ServerError
from immersive.server.bus import Bus
from immersive.server.elsewhere import Elsewhere, wrap
from immersive.share import Links, ShareLink
from streaming.errors import ProtocolError
from streaming.messages import LINK_REVOKED, decode_from_server
from streaming.people_messages import PeerLeave, PeerNames, PeerSay
from streaming.presence import Room
from tests.immersive import cluster
from tests.immersive.served_site import ASSET, ROOT
from tests.immersive.test_presence import at, until
from tests.streaming.test_presence import place, seen, told

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="needs Redis (apt-get install redis-server)"
)

# The catalog is hardly ever asked, so what comes at once came through Redis.
_SERVE = """
import logging, sys
from pathlib import Path
from immersive.server import run, viewers
logging.basicConfig(level=logging.WARNING, format="%(message)s")
viewers.REVOCATION_CHECK_S = 3600.0
run.serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, info.owner_token, flush=True))
"""


COLOUR = 0xC0FFEE


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    owner_token: str
    log: Path


@contextmanager
def server(home: Path, redis_url: str, log: Path) -> Iterator[Server]:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(home)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
            env={**os.environ, "IMMERSIVE_REDIS": redis_url},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield Server(*process.stdout.readline().split(), log)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


@asynccontextmanager
async def visit(server: Server, link: ShareLink, name: str, x: float) -> AsyncIterator[SceneConnection]:
    async with connect(server.url + link.path) as connection:
        await connection.join(name)
        await connection.pose(at(x))
        yield connection


def places(connection: SceneConnection) -> dict[str, float]:
    return {
        person.name: person.pose.position[0]
        for person in connection.people.values()
        if person.pose is not None
    }


@needs_redis
def test_two_servers_share_their_visitors_and_go_on_alone_without_redis(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    links = Links(catalog)
    link = links.create(catalog.publish(ASSET).id)
    port = cluster.free_port()

    async def scenario(one: Server, two: Server, redis: ExitStack) -> None:
        async with visit(one, link, "Anna", 1.0) as anna, visit(two, link, "Ben", 2.0) as ben:
            async with visit(two, link, "Cleo", 3.0) as cleo:
                everybody = [anna, ben, cleo]
                await until(everybody, lambda: places(anna) == {"Ben": 2.0, "Cleo": 3.0})
                await until(everybody, lambda: places(ben) == {"Anna": 1.0, "Cleo": 3.0})
                await anna.pose(at(1.5))
                await ben.pose(at(2.5))
                await until(everybody, lambda: places(cleo) == {"Anna": 1.5, "Ben": 2.5})
                await until(everybody, lambda: places(anna) == {"Ben": 2.5, "Cleo": 3.0})
                await anna.say("Hello over there")
                async with asyncio.timeout(10):
                    while not isinstance(said := await ben.receive(), PeerSay):
                        pass
                assert said.text == "Hello over there" and ben.people[said.peer].name == "Anna"
            await until([anna, ben], lambda: places(anna) == {"Ben": 2.5})

            redis.close()
            async with visit(two, link, "Dora", 4.0) as dora:
                company = [anna, ben, dora]
                await until(company, lambda: places(ben) == {"Dora": 4.0} and places(anna) == {})
            with cluster.redis(port):
                await until(
                    [anna, ben], lambda: places(anna) == {"Ben": 2.5} and places(ben) == {"Anna": 1.5}
                )

                withdrawn = time.monotonic()
                owner = {"Authorization": f"Bearer {one.owner_token}"}
                async with httpx.AsyncClient(trust_env=False) as client:
                    (await client.delete(f"{one.url}/api/links/{link.id}", headers=owner)).raise_for_status()
                with pytest.raises(ConnectionRefusedByServerError) as refused:
                    async with asyncio.timeout(10):
                        while True:
                            await ben.receive()
                assert refused.value.status == LINK_REVOKED
                assert time.monotonic() - withdrawn < 5.0  # an hour, if the catalog had to be asked

    with ExitStack() as stack:
        redis = stack.enter_context(ExitStack())
        url = redis.enter_context(cluster.redis(port))
        one = stack.enter_context(server(tmp_path / "home", url, tmp_path / "one.log"))
        two = stack.enter_context(server(tmp_path / "home", url, tmp_path / "two.log"))
        # The first made the token; both know it.
        asyncio.run(scenario(one, two, redis))
    catalog.close()
    for log in (one.log, two.log):
        lines = log.read_text().splitlines()
        assert [line.split(" (")[0] for line in lines[:2]] == ["Redis does not answer", "Redis answers again"]


def test_an_address_that_is_none_of_redis_is_refused_without_repeating_it() -> None:
    with pytest.raises(ServerError) as refused:
        Bus("http://user:secret@example.org")
    assert "secret" not in str(refused.value) and refused.value.hint == "It looks like redis://host:6379/0."


def _two_rooms() -> tuple[Room, Room, Elsewhere]:
    here, there = Room(), Room()
    return here, there, Elsewhere(here)


def test_people_elsewhere_are_told_of_as_if_they_were_here() -> None:
    here, there, elsewhere = _two_rooms()
    for _ in range(3):
        there.leave(there.join())  # so that numbers differ
    viewer, other = here.join("Viewer", COLOUR), there.join("Other", 0x112233)
    place(here, viewer, 1.0)
    place(there, other, 2.0)
    there.tick([])
    elsewhere.take_in(b"server 2", wrap(there.report([other], everything=False), everything=False), 10.0)

    names, peers = told(here, [viewer])[viewer]

    assert isinstance(names, PeerNames) and names.json.endswith(f',{0x112233},"Other"]]')
    assert [pose.position[0] for pose in seen([peers]).values()] == [2.0]
    assert there.report([other], everything=False) == []
    # The others' servers are not told of whom they told us.
    names, _ = (decode_from_server(part) for part in here.report([viewer], everything=True))
    assert names == PeerNames(f'[[{viewer},{COLOUR},"Viewer"]]')


def test_who_is_missing_when_everything_is_said_has_left_and_a_silent_server_takes_all_with_it() -> None:
    here, there, elsewhere = _two_rooms()
    viewer = here.join()
    people = [there.join(f"P{number}") for number in range(3)]
    for number, person in enumerate(people):
        place(there, person, float(number))
    elsewhere.take_in(b"server 2", wrap(there.report(people, everything=True), everything=True), 10.0)
    assert len(seen(told(here, [viewer])[viewer])) == 3

    elsewhere.take_in(b"server 2", wrap(there.report(people[1:], everything=True), everything=True), 11.0)
    [left] = told(here, [viewer])[viewer]
    assert isinstance(left, PeerLeave) and left.peer.size == 1
    # News of somebody are not everything.
    place(there, people[1], 7.0)
    elsewhere.take_in(b"server 2", wrap(there.report(people[1:], everything=False), everything=False), 12.0)
    assert len(here) == 3
    elsewhere.forget_silent(14.9)
    assert len(here) == 3
    elsewhere.forget_silent(15.1)
    assert len(here) == 1


@pytest.mark.parametrize(
    "said", [b"\0\x05", b"\0\x05\0\0\0\x21", b"\0\x02\0\0\0\x25[", b"\0\x06\0\0\0\x21\0\0\0\x07\0"]
)
def test_strange_words_of_a_server_are_refused(said: bytes) -> None:
    _, _, elsewhere = _two_rooms()
    with pytest.raises((ProtocolError, ValueError)):
        elsewhere.take_in(b"server 2", said, 0.0)
