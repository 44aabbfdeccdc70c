"""Share links: `/v/{id}#{secret}`. Whoever has the secret may do what the link's scope says.

The id is public (72 bits), the secret is not (192 bits): it travels in the fragment, which browsers do
not send, so it reaches no log, and only its hash is kept. A public link opens without one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .catalog import Catalog
from .errors import (
    ExpiredLinkError,
    LinkError,
    LinkPasswordError,
    RevokedLinkError,
    UnknownLinkError,
    UsedUpLinkError,
)
from .link_audit import LinkAudit, LinkOpen, OpenResult, Visitor
from .link_terms import (
    SCOPES,
    Scope,
    Visibility,
    check_terms,
    checked_origins,
    hash_password,
    is_password,
    narrower,
)

_ID_BYTES = 9
_SECRET_BYTES = 24
_NO_HASH = bytes(32)  # compared with when there is no such link, so that both ways take equally long
_NOBODY = Visitor()


@dataclass(frozen=True, slots=True)
class ShareLink:
    """One link to one scene. `secret` is known only to the call that made the link."""

    id: str
    scene_id: str
    scope: Scope
    visibility: Visibility  # private: nothing is told without the secret; public: opens without one
    created_at: float  # seconds since 1970
    expires_at: float | None
    revoked_at: float | None
    max_opens: int | None
    open_count: int  # first opens; coming back to a visit counts as the same
    has_password: bool
    embed_origins: tuple[str, ...]  # of pages that may hold the scene in a frame
    secret: str | None = None

    @property
    def path(self) -> str:
        """The link below the server's address, with its secret if that is known and needed."""
        is_secret_needed = self.secret is not None and self.visibility != "public"
        return f"/v/{self.id}" + (f"#{self.secret}" if is_secret_needed else "")

    def allows(self, scope: Scope) -> bool:
        """Return whether the link lets its holder do what `scope` stands for."""
        return SCOPES.index(scope) <= SCOPES.index(self.scope)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the secret."""
        names = (
            "id", "scene_id", "scope", "visibility", "created_at", "expires_at", "revoked_at", "max_opens",
            "open_count", "has_password",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"embed_origins": list(self.embed_origins)}


@dataclass(frozen=True, slots=True)
class Opening:
    """Someone who wants a link opened."""

    link_id: str
    secret: str | None  # None: proved to have opened it before
    visitor: Visitor = _NOBODY
    is_password: bool = False  # whether the right one was given, where the link has one


class Links:
    """The links of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._database = catalog.database
        self._audit = LinkAudit(catalog.database, catalog.home)

    def create(
        self,
        scene_id: str,
        *,
        scope: Scope = "view",
        visibility: Visibility = "private",
        expires_in_s: float | None = None,
        max_opens: int | None = None,
        password: str | None = None,
        embed_origins: Sequence[str] = (),
    ) -> ShareLink:
        """Make a link and return it with its secret, which cannot be had again.

        Raises:
            UnknownSceneError: No such scene.
            InvalidInputError: It would expire before it is made, or another term makes no sense.
        """
        check_terms(
            scope=scope,
            visibility=visibility,
            expires_in_s=expires_in_s,
            max_opens=max_opens,
            password=password,
        )
        origins = checked_origins(embed_origins)
        now = self._catalog.now()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        link = ShareLink(
            id=_new_id(),
            scene_id=self._catalog.get(scene_id).id,
            scope=scope,
            visibility=visibility,
            created_at=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
            revoked_at=None,
            max_opens=max_opens,
            open_count=0,
            has_password=password is not None,
            embed_origins=origins,
            secret=secret,
        )
        values = {
            name: getattr(link, name)
            for name in ("id", "scene_id", "scope", "visibility", "created_at", "expires_at", "max_opens")
        } | {
            "secret_sha256": _hash(secret),
            "password_argon2": None if password is None else hash_password(password),
            "embed_origins": json.dumps(origins),
        }
        marks = ", ".join("?" * len(values))
        with self._database.transaction():
            self._database.write(
                f"INSERT INTO link ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
            )
        return link

    def open(self, link_id: str, secret: str, *, password: str = "", visitor: Visitor = _NOBODY) -> ShareLink:
        """Return the link that this secret opens, and count and note the open.

        Opening and counting are one step, also between processes: a link for three opens is opened three
        times at most.

        Raises:
            UnknownLinkError: No such link, or the wrong secret.
            LinkPasswordError: The right secret, and no or the wrong password. Nothing else is told.
            RevokedLinkError, ExpiredLinkError, UsedUpLinkError: Both right, too late.
        """
        # Comparing passwords takes a tenth of a second, which nobody else's write should wait for.
        is_password = self._is_password(link_id, secret, password)
        return _link_or_raise(self.open_together([Opening(link_id, secret, visitor, is_password)])[0])

    def reopen(self, link_id: str, *, visitor: Visitor = _NOBODY) -> ShareLink:
        """Return a link to whoever proved to have opened it before; noted, but not counted again.

        Raises:
            UnknownLinkError, RevokedLinkError, ExpiredLinkError: It cannot be used any more.
        """
        return _link_or_raise(self.open_together([Opening(link_id, None, visitor)])[0])

    def open_together(self, openings: Sequence[Opening]) -> list[ShareLink | LinkError]:
        """Do what `open` and `reopen` do for each, and return what each returns or raises.

        All are on the disk when it returns: one flush for two hundred instead of two hundred.
        """
        found: list[ShareLink | LinkError] = []
        with self._database.transaction():
            for opening in openings:
                try:
                    found.append(self._open(opening))
                except LinkError as error:
                    found.append(error)
        return found

    def _open(self, opening: Opening) -> ShareLink:
        """Open one within a transaction. What is refused has written its note and nothing else."""
        link_id, visitor = opening.link_id, opening.visitor
        if opening.secret is None:
            link = self.get(link_id)
            self.check(link)
            self._note(link_id, "again", visitor)
            return link
        rows = self._database.read("SELECT * FROM link WHERE id = ?", (link_id,))
        wanted = bytes(rows[0]["secret_sha256"]) if rows else _NO_HASH
        is_right = hmac.compare_digest(wanted, _hash(opening.secret))
        if not rows or not (is_right or rows[0]["visibility"] == "public"):
            self._note(link_id, "wrong_secret", visitor)
            raise UnknownLinkError(f"link {link_id[:40]!r} does not exist or its secret is wrong")
        if rows[0]["password_argon2"] is not None and not opening.is_password:
            self._note(link_id, "wrong_password", visitor)
            raise LinkPasswordError(f"link {link_id!r} needs its password")
        try:
            self.check(_link(rows[0]))
            self._count(link_id, visitor)
        except (RevokedLinkError, ExpiredLinkError, UsedUpLinkError) as error:
            self._note(link_id, _RESULTS[type(error)], visitor)
            raise
        return self.get(link_id)

    def _is_password(self, link_id: str, secret: str, password: str) -> bool:
        rows = self._database.read(
            "SELECT secret_sha256, password_argon2, visibility FROM link WHERE id = ?", (link_id,)
        )
        if not rows or rows[0]["password_argon2"] is None:
            return True
        is_right = hmac.compare_digest(bytes(rows[0]["secret_sha256"]), _hash(secret))
        may_ask = is_right or rows[0]["visibility"] == "public"
        return may_ask and is_password(password, rows[0]["password_argon2"])

    def _count(self, link_id: str, visitor: Visitor) -> None:
        changed = self._database.write(
            "UPDATE link SET open_count = open_count + 1 WHERE id = ? AND revoked_at IS NULL"
            " AND (max_opens IS NULL OR open_count < max_opens)",
            (link_id,),
        )
        if not changed:
            link = self.get(link_id)  # gone, revoked or used up meanwhile
            self.check(link)
            raise UsedUpLinkError(
                f"link {link_id!r} was opened {link.open_count} times, as often as it may be"
            )
        self._note(link_id, "opened", visitor)

    def _note(self, link_id: str, result: OpenResult, visitor: Visitor) -> None:
        self._audit.add(link_id, result, visitor, self._catalog.now())

    def opens(self, link_id: str) -> list[LinkOpen]:
        """Return who opened a link or tried to, newest first, the latest thousand.

        Raises:
            UnknownLinkError: No such link.
        """
        return self._audit.of_link(self.get(link_id).id)

    def is_secret(self, link_id: str, secret: str) -> bool:
        """Return whether a link has this secret; opens nothing and checks nothing else."""
        rows = self._database.read("SELECT secret_sha256 FROM link WHERE id = ?", (link_id,))
        return hmac.compare_digest(bytes(rows[0][0]) if rows else _NO_HASH, _hash(secret)) and bool(rows)

    def check(self, link: ShareLink) -> None:
        """Raise if the link cannot be used at this moment.

        Raises:
            RevokedLinkError, ExpiredLinkError: It was revoked, or its time is over.
        """
        if link.revoked_at is not None:
            raise RevokedLinkError(f"link {link.id!r} was revoked")
        if link.expires_at is not None and self._catalog.now() >= link.expires_at:
            raise ExpiredLinkError(f"link {link.id!r} has expired")
        if link.visibility == "public" and self._catalog.edits(link.scene_id).visibility != "public":
            raise RevokedLinkError(f"link {link.id!r} was withdrawn: its scene is no longer public")

    def shown_as(self, link: ShareLink) -> Visibility:
        """Return how much may be told of a link: what it and its scene allow; with a password, nothing."""
        if link.has_password:
            return "private"
        return narrower(link.visibility, self._catalog.edits(link.scene_id).visibility)

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


_RESULTS: dict[type[Exception], OpenResult] = {
    RevokedLinkError: "revoked",
    ExpiredLinkError: "expired",
    UsedUpLinkError: "used_up",
}


def _link_or_raise(found: ShareLink | LinkError) -> ShareLink:
    if isinstance(found, LinkError):
        raise found
    return found


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
        visibility=row["visibility"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        max_opens=row["max_opens"],
        open_count=row["open_count"],
        has_password=row["password_argon2"] is not None,
        embed_origins=tuple(json.loads(row["embed_origins"])),
    )
