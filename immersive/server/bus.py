"""What the servers of one catalog tell each other through Redis: where people are, and that links changed.

Nothing is kept there. Without Redis each server goes on alone: its people see each other, and links that
were withdrawn elsewhere are noticed by asking the catalog, as ever.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ServerError
from .access import Pass
from .limits import BUS_DEADLINE_S, BUS_RETRY_S

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_log = logging.getLogger(__name__)

_CHANGES = "immersive:links"


class Bus:
    """One server's ear and mouth. `on_people` and `on_change` are called for what other servers say."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is connected before `run`.

        Raises:
            ServerError: Package redis is missing, or `url` is none of Redis.
        """
        try:
            from redis.asyncio import ConnectionPool
        except ModuleNotFoundError as error:
            hint = "Install it with: pip install 'immersive[cluster]'"
            raise ServerError(f"package {error.name!r} is not installed", hint=hint) from error
        try:
            ConnectionPool.from_url(url)
        except ValueError as error:
            # The address is not repeated: it may hold a password.
            hint = "It looks like redis://host:6379/0."
            raise ServerError("IMMERSIVE_REDIS must be the address of a Redis server", hint=hint) from error
        self._url = url
        self._own = secrets.token_bytes(8)  # by which a server knows its own words
        self._places: dict[str, Pass] = {}
        self._outbox: dict[str, bytes] = {}  # by channel
        self._sending: dict[str, bytes] = {}
        self._wake = asyncio.Event()
        self._is_up = self._has_told = False
        self.on_people: Callable[[Pass, bytes, bytes], None] = lambda place, origin, said: None
        self.on_change: Callable[[], None] = lambda: None

    def is_free(self, place: Pass) -> bool:
        """Whether what is said of a place goes out at once; behind older words it would be old news."""
        channel = _channel(place)
        return self._is_up and channel not in self._outbox and channel not in self._sending

    def watch(self, place: Pass) -> None:
        """Listen to what is said of a place."""
        self._places[_channel(place)] = place
        self._wake.set()

    def unwatch(self, place: Pass) -> None:
        """Listen no longer."""
        self._places.pop(_channel(place), None)
        self._wake.set()

    def say(self, place: Pass, said: bytes) -> None:
        """Tell the others about the people at a place."""
        self._send(_channel(place), said)

    def tell_change(self) -> None:
        """Have the others look at their links now."""
        self._send(_CHANGES, b"")

    def _send(self, channel: str, said: bytes) -> None:
        if self._is_up:
            self._outbox[channel] = self._own + said
            self._wake.set()

    async def run(self) -> None:
        """Stay connected, for as long as it runs."""
        from redis.exceptions import RedisError

        while True:
            try:
                await self._talk()
            except (RedisError, OSError) as error:
                if not self._has_told:
                    _log.warning("Redis does not answer (%s); this server goes on alone until it does", error)
                self._has_told = True
            finally:
                self._is_up = False
                self._outbox, self._sending = {}, {}
            await asyncio.sleep(BUS_RETRY_S)

    async def _talk(self) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = Redis.from_url(
            self._url,
            socket_connect_timeout=BUS_DEADLINE_S,
            socket_timeout=None,  # listening waits for as long as nobody speaks
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        async with client, client.pubsub() as ear:
            await ear.subscribe(_CHANGES)
            tasks = [asyncio.create_task(self._listen(ear)), asyncio.create_task(self._speak(client, ear))]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, ear: PubSub) -> None:
        async for message in ear.listen():
            channel, data = message["channel"].decode(), message["data"]
            if message["type"] != "message" or data[: len(self._own)] == self._own:
                continue
            if channel == _CHANGES:
                self.on_change()
            elif (place := self._places.get(channel)) is not None:
                self.on_people(place, data[: len(self._own)], data[len(self._own) :])

    async def _speak(self, client: Redis, ear: PubSub) -> None:
        heard: set[str] = set()
        while True:
            async with asyncio.timeout(BUS_DEADLINE_S):
                wanted = set(self._places)
                if wanted - heard:
                    await ear.subscribe(*(wanted - heard))
                if heard - wanted:
                    await ear.unsubscribe(*(heard - wanted))
                heard = wanted
                if self._outbox:
                    self._sending, self._outbox = self._outbox, {}
                    pipeline = client.pipeline(transaction=False)
                    for channel, said in self._sending.items():
                        pipeline.publish(channel, said)
                    await pipeline.execute()
                    self._sending = {}
                else:
                    await client.ping()
            if not self._is_up:
                self._is_up = True
                if self._has_told:
                    _log.warning("Redis answers again")
                self._has_told = False
                self.on_change()  # what was missed meanwhile
            if not self._outbox:
                self._wake.clear()
                await self._wake.wait()


def _channel(place: Pass) -> str:
    return f"immersive:people:{place.link_id}:{place.scene_id}"
