"""Who opened which link, as coarsely as an owner needs: no address and no browser name is kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .database import Database
from .home import make_private, write_private

OpenResult = Literal["opened", "again", "wrong_secret", "wrong_password", "revoked", "expired", "used_up"]

_SALT_FILE = "audit-salt"
_MOST_ROWS = 1_000  # of one link; the oldest go first, so that nobody fills the disk by knocking

# Looked for in this order: a headset's browser calls itself a phone's as well.
_AGENTS = (
    ("headset", ("oculusbrowser", "quest", "pico", "wolvic", "visionos", "vr;")),
    ("crawler", ("bot", "crawler", "spider", "preview", "facebookexternalhit", "slurp")),
    ("phone", ("mobile", "android", "iphone", "ipad")),
    ("desktop", ("mozilla",)),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where an open comes from. Both may be empty."""

    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class LinkOpen:
    """One open, or one try."""

    link_id: str
    at: float  # seconds since 1970
    result: OpenResult
    address_hash: str  # 16 hex digits: the same for one network (/24 or /48) in one home, says nothing else
    agent: str  # headset, phone, desktop, crawler, program or unknown

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


class LinkAudit:
    """The opens of all links of a home."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._salt = _salt_of(home)

    def add(self, link_id: str, result: OpenResult, visitor: Visitor, now: float) -> None:
        """Write one row; a link that is gone gets none. Call within a transaction."""
        self._database.write(
            "INSERT INTO link_open (link_id, at, result, address_hash, agent)"
            " SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM link WHERE id = ?)",
            (
                link_id,
                now,
                result,
                self._address_hash(visitor.address),
                agent_of(visitor.user_agent),
                link_id,
            ),
        )
        self._database.write(
            "DELETE FROM link_open WHERE link_id = ? AND id <="
            " (SELECT id FROM link_open WHERE link_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (link_id, link_id, _MOST_ROWS),
        )

    def of_link(self, link_id: str) -> list[LinkOpen]:
        """Return the opens of a link that are kept, newest first."""
        rows = self._database.read(
            "SELECT link_id, at, result, address_hash, agent FROM link_open WHERE link_id = ?"
            " ORDER BY id DESC",
            (link_id,),
        )
        return [LinkOpen(**dict(row)) for row in rows]

    def _address_hash(self, address: str) -> str:
        return hmac.new(self._salt, network_of(address).encode(), hashlib.sha256).hexdigest()[:16]


def network_of(address: str) -> str:
    """Return the network that an address is in: its first 24 bits of IPv4, 48 of IPv6; else the text."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def agent_of(user_agent: str) -> str:
    """Return the kind of thing that calls itself this."""
    text = user_agent.lower()
    for kind, words in _AGENTS:
        if any(word in text for word in words):
            return kind
    return "program" if text else "unknown"


def _salt_of(home: Path) -> bytes:
    path = make_private(home) / _SALT_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        write_private(path, os.urandom(32))
        return path.read_bytes()  # of whoever was last, should two begin at once
