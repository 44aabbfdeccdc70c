"""Share links: `/v/{id}#{secret}`. Whoever has the secret may look; only its hash is kept.

The id is public (72 bits), the secret is not (192 bits): it travels in the fragment, which browsers do
not send, so it reaches no log. Links are private and can expire and be revoked.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from reconstruction.errors import InvalidInputError

from .catalog import Catalog
from .errors import ExpiredLinkError, RevokedLinkError, UnknownLinkError

_ID_BYTES = 9
_SECRET_BYTES = 24
_NO_HASH = bytes(32)  # compared with when there is no such link, so that both ways take equally long


@dataclass(frozen=True, slots=True)
class ShareLink:
    """One link to one scene. `secret` is known only to the call that made the link."""

    id: str
    scene_id: str
    scope: Literal["view"]
    is_private: bool  # True: nothing about the scene is told without the secret
    created_at: float  # seconds since 1970
    expires_at: float | None
    revoked_at: float | None
    secret: str | None = None

    @property
    def path(self) -> str:
        """The link below the server's address, with its secret if that is known."""
        return f"/v/{self.id}" + (f"#{self.secret}" if self.secret else "")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the secret."""
        names = ("id", "scene_id", "scope", "is_private", "created_at", "expires_at", "revoked_at")
        return {name: getattr(self, name) for name in names}


class Links:
    """The links of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._database = catalog.database

    def create(
        self, scene_id: str, *, expires_in_s: float | None = None, is_private: bool = True
    ) -> ShareLink:
        """Make a link and return it with its secret, which cannot be had again.

        Raises:
            UnknownSceneError: No such scene.
            InvalidInputError: It would expire before it is made.
        """
        if expires_in_s is not None and not 0 < expires_in_s < 1e10:
            raise InvalidInputError(f"expires must be a time from now on, got {expires_in_s} s")
        now = self._catalog.now()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        link = ShareLink(
            id=_new_id(),
            scene_id=self._catalog.get(scene_id).id,
            scope="view",
            is_private=is_private,
            created_at=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
            revoked_at=None,
            secret=secret,
        )
        with self._database.transaction():
            self._database.write(
                "INSERT INTO link (id, scene_id, secret_sha256, scope, is_private, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    link.id,
                    link.scene_id,
                    _hash(secret),
                    link.scope,
                    link.is_private,
                    now,
                    link.expires_at,
                ),
            )
        return link

    def open(self, link_id: str, secret: str) -> ShareLink:
        """Return the link that this secret opens.

        Raises:
            UnknownLinkError: No such link, or the wrong secret.
            RevokedLinkError, ExpiredLinkError: The right secret, too late.
        """
        rows = self._database.read("SELECT * FROM link WHERE id = ?", (link_id,))
        wanted = bytes(rows[0]["secret_sha256"]) if rows else _NO_HASH
        if not hmac.compare_digest(wanted, _hash(secret)) or not rows:
            raise UnknownLinkError(f"link {link_id[:40]!r} does not exist or its secret is wrong")
        link = _link(rows[0])
        self.check(link)
        return link

    def check(self, link: ShareLink) -> None:
        """Raise if the link cannot be used at this moment.

        Raises:
            RevokedLinkError, ExpiredLinkError: It was revoked, or its time is over.
        """
        if link.revoked_at is not None:
            raise RevokedLinkError(f"link {link.id!r} was revoked")
        if link.expires_at is not None and self._catalog.now() >= link.expires_at:
            raise ExpiredLinkError(f"link {link.id!r} has expired")

    def check_way(self, link: ShareLink, scene_id: str) -> None:
        """Raise unless the link can be used at this moment and portals lead from its scene to this one.

        Raises:
            RevokedLinkError, ExpiredLinkError: It was revoked, or its time is over.
            UnknownLinkError: It does not lead there. Whether there is such a scene is not told.
        """
        self.check(link)
        if not self._catalog.leads_to(link.scene_id, scene_id):
            raise UnknownLinkError(f"no way leads from link {link.id[:40]!r} to scene {scene_id[:40]!r}")

    def get(self, link_id: str) -> ShareLink:
        """Return a link as it is now, usable or not.

        Raises:
            UnknownLinkError: No such link; those of deleted scenes are gone with them.
        """
        rows = self._database.read("SELECT * FROM link WHERE id = ?", (link_id,))
        if not rows:
            raise UnknownLinkError(f"link {link_id[:40]!r} does not exist")
        return _link(rows[0])

    def list(self, scene_id: str) -> list[ShareLink]:
        """Return the links of a scene, newest first.

        Raises:
            UnknownSceneError: No such scene.
        """
        rows = self._database.read(
            "SELECT * FROM link WHERE scene_id = ? ORDER BY created_at DESC, id",
            (self._catalog.get(scene_id).id,),
        )
        return [_link(row) for row in rows]

    def revoke(self, link_id: str) -> ShareLink:
        """Make a link stop working, and return it. Revoking twice keeps the first time.

        Raises:
            UnknownLinkError: No such link.
        """
        with self._database.transaction():
            self._database.write(
                "UPDATE link SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                (self._catalog.now(), link_id),
            )
        return self.get(link_id)


def _new_id() -> str:
    while True:
        link_id = secrets.token_urlsafe(_ID_BYTES)
        if link_id[0] != "-":  # a command line would take it for an option
            return link_id


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _link(row: Any) -> ShareLink:
    return ShareLink(
        id=row["id"],
        scene_id=row["scene_id"],
        scope=row["scope"],
        is_private=bool(row["is_private"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
