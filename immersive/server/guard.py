"""Who asks, and whether they may: the owner by the owner's token, others by the bearer of an opened link."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from ..errors import LinkError
from ..link_audit import Visitor
from ..link_terms import Scope
from ..share import ShareLink
from .access import Pass
from .failures import AccessError, ScopeError
from .owner import is_owner
from .services import Services, address_of


class Guard:
    """The checks that routes begin with. Each raises, or returns who asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def owner(self, request: Request) -> None:
        """Raise AccessError unless the owner asks."""
        if not self.is_owner(request):
            raise AccessError("this needs the owner's token", hint="Send `Authorization: Bearer <token>`.")

    def is_owner(self, request: Request) -> bool:
        """Return whether the owner asks."""
        return is_owner(self._services.catalog.home, bearer_of(request))

    def reader(self, request: Request, scene_id: str) -> Callable[[], object]:
        """Return what to call later to see whether the asker may still read the scene; it raises LinkError.

        Raises:
            AccessError: Neither the owner asks, nor whoever opened a link that leads to this very scene.
        """
        if self.is_owner(request):
            return lambda: None
        admitted = self._admitted(request)
        if admitted is None or admitted[0].scene_id != scene_id:
            raise AccessError("this needs the bearer of an opened link", hint="Open the link first.")
        links, link_id = self._services.links, admitted[1].id
        return lambda: links.check_way(links.get(link_id), scene_id)

    def changer(self, request: Request, scene_id: str, scope: Scope) -> ShareLink | None:
        """Return the link by which someone may do what `scope` stands for; None when the owner asks.

        Doorways lead a link on for looking only: what may be changed or forked is its own scene.

        Raises:
            AccessError: Neither the owner nor a link to this scene.
            ScopeError: A link to this scene that does not allow it.
        """
        if self.is_owner(request):
            return None
        admitted = self._admitted(request)
        if admitted is None or scene_id not in (admitted[0].scene_id, admitted[1].scene_id):
            raise AccessError("this needs the bearer of an opened link", hint="Open the link first.")
        link = admitted[1]
        if link.scene_id != scene_id or not link.allows(scope):
            raise ScopeError(f"this needs a link with scope {scope!r} to this scene")
        return link

    def returning(self, request: Request, link_id: str) -> bool:
        """Return whether someone who opened this link before comes back with its bearer."""
        admitted = self._services.grants.pass_of_bearer(bearer_of(request))
        return admitted is not None and admitted.link_id == link_id

    def _admitted(self, request: Request) -> tuple[Pass, ShareLink] | None:
        admitted = self._services.grants.pass_of_bearer(bearer_of(request))
        if admitted is None:
            return None
        links = self._services.links
        try:
            link = links.get(admitted.link_id)
            links.check_way(link, admitted.scene_id)
        except LinkError as error:
            raise AccessError("the link behind this bearer no longer opens") from error
        return admitted, link


def bearer_of(request: Request) -> str:
    """Return the token of the Authorization header, or nothing."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def visitor_of(request: Request) -> Visitor:
    """Return who asks, for the audit."""
    return Visitor(address_of(request), request.headers.get("user-agent", ""))
