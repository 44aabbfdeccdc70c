"""What the routes share: catalog, links, grants, viewers, and who may talk to us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ..catalog import Catalog
from ..share import Links
from ..thin.studio import Studio
from .access import Grants
from .bus import Bus
from .limits import (
    ALL_PAIRINGS_PER_MINUTE,
    MAX_ADDRESSES,
    OPENS_PER_MINUTE,
    PAIRINGS_PER_MINUTE,
    PASSWORDS_AT_ONCE,
    PASSWORDS_PER_MINUTE,
    REMIXES_PER_HOUR,
)
from .loops import LoopMaker
from .pairing import PairingCodes
from .presence import Presence
from .rates import BucketPerAddress, TokenBucket
from .scenes import SceneCache
from .viewers import Viewers

PAGE_FOLDER = Path(__file__).resolve().parents[2] / "streaming" / "_viewer"


@dataclass(slots=True)
class Services:
    """Everything behind the routes of one server."""

    catalog: Catalog
    links: Links
    grants: Grants
    scenes: SceneCache
    viewers: Viewers
    presence: Presence
    bus: Bus | None
    opens: BucketPerAddress
    passwords: BucketPerAddress  # by link, not by address
    remixes: BucketPerAddress  # by link
    codes: PairingCodes
    pairings: BucketPerAddress
    all_pairings: TokenBucket
    studio: Studio
    loops: LoopMaker
    hashing: asyncio.Semaphore  # held while a password is compared
    allowed_hosts: frozenset[str] | None  # without port; None: any, for servers behind a proxy
    page_folder: Path = PAGE_FOLDER
    public_url: str | None = None  # where a proxy or tunnel shows this server
    now: Callable[[], float] = field(default=time.monotonic)

    @classmethod
    def build(
        cls,
        catalog: Catalog,
        allowed_hosts: frozenset[str] | None,
        *,
        page_folder: Path = PAGE_FOLDER,
        public_url: str | None = None,
        now: Callable[[], float] = time.monotonic,
        redis_url: str | None = None,
    ) -> Services:
        """Wire the parts together. `now` is a monotonic clock in seconds.

        Raises:
            ServerError: There is no talking to other servers through `redis_url`.
        """
        links = Links(catalog)
        viewers = Viewers(catalog, links)
        bus = Bus(redis_url) if redis_url else None
        if bus is not None:
            viewers.on_change, bus.on_change = bus.tell_change, viewers.check_links
        return cls(
            catalog=catalog,
            links=links,
            grants=Grants(now),
            scenes=SceneCache(catalog),
            viewers=viewers,
            presence=Presence(bus),
            bus=bus,
            opens=BucketPerAddress(OPENS_PER_MINUTE / 60, OPENS_PER_MINUTE, MAX_ADDRESSES),
            passwords=BucketPerAddress(PASSWORDS_PER_MINUTE / 60, PASSWORDS_PER_MINUTE, MAX_ADDRESSES),
            remixes=BucketPerAddress(REMIXES_PER_HOUR / 3600, REMIXES_PER_HOUR, MAX_ADDRESSES),
            codes=PairingCodes(now),
            pairings=BucketPerAddress(PAIRINGS_PER_MINUTE / 60, PAIRINGS_PER_MINUTE, MAX_ADDRESSES),
            all_pairings=TokenBucket(ALL_PAIRINGS_PER_MINUTE / 60, ALL_PAIRINGS_PER_MINUTE, now()),
            studio=Studio(),
            loops=LoopMaker(catalog),
            hashing=asyncio.Semaphore(PASSWORDS_AT_ONCE),
            allowed_hosts=allowed_hosts,
            page_folder=page_folder,
            public_url=public_url,
            now=now,
        )

    def base_url(self, request: HTTPConnection) -> str:
        """Return this server's address as the other side knows it, without a slash at the end."""
        return self.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"

    def is_own_host(self, host: str | None) -> bool:
        """Return whether a request's Host is a name of this server.

        A foreign one means that somebody's page points its own name at our address (DNS rebinding).
        """
        return self.allowed_hosts is None or hostname_of(host) in self.allowed_hosts

    def is_own_origin(self, origin: str | None, host: str | None) -> bool:
        """Return whether a socket comes from our own page, or from no page at all."""
        if not self.is_own_host(host):
            return False
        return origin is None or urlsplit(origin).netloc.lower() == (host or "").lower()


def hostname_of(host: str | None) -> str:
    """Return the name in a Host header, without port, in lower case; empty if there is none."""
    try:
        return urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return ""


def address_of(connection: HTTPConnection) -> str:
    """Return the client's address, for limits."""
    return connection.client.host if connection.client else "unknown"
