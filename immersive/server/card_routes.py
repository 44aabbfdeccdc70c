"""Routes that messengers, other sites and headsets ask: poster, oEmbed, pairing codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from ..card_loop import loop_path
from ..catalog import Catalog, SceneRecord
from ..errors import LinkError, UnknownLinkError
from ..poster import poster_path
from ..share import ShareLink
from .failures import TooManyRequestsError
from .page_card import Card, link_id_of_url
from .schemas import PairedLink, PairingCode, PairLinkRequest, PairRequest
from .services import Services, address_of

_LIFETIME_S = 3600  # as long as crawlers may show what was edited or made private since


def card_routes(services: Services) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/api/links/{link_id}/poster.jpg", response_class=FileResponse)
    async def poster(link_id: str) -> Response:
        """Send the picture of a link that is not private."""
        return shown_file(link_id, poster_path, "image/jpeg")

    @router.get("/api/links/{link_id}/loop.mp4", response_class=FileResponse)
    async def loop(link_id: str) -> Response:
        """Send the moving picture of a link that is not private, if it is made already."""
        return shown_file(link_id, loop_path, "video/mp4")

    def shown_file(link_id: str, path_of: Callable[[Catalog, SceneRecord], Path], kind: str) -> Response:
        link = shown_link(services, link_id)
        path = path_of(services.catalog, services.catalog.get(link.scene_id))
        if not path.is_file():
            raise UnknownLinkError(f"link {link_id[:40]!r} has no picture")
        headers = {"Cache-Control": f"public, max-age={_LIFETIME_S}"}
        return FileResponse(path, media_type=kind, headers=headers)

    @router.get("/api/oembed")
    async def oembed(url: str, request: Request) -> dict[str, Any]:
        """Describe a public or unlisted link to sites that embed what is pasted into them (oEmbed, JSON)."""
        link_id = link_id_of_url(url)
        if link_id is None:
            raise UnknownLinkError("this is no link of this server")
        return card_of(services, request, link_id, must_be_shown=True).oembed_document()

    @router.post("/api/links/{link_id}/pair")
    async def make_code(link_id: str, body: PairLinkRequest, request: Request) -> PairingCode:
        """Give whoever has a link's secret six characters to type into a headset at `/pair`."""
        if not services.opens.take(address_of(request), services.now()):
            raise TooManyRequestsError("links were asked for too often", hint="Wait a minute.")
        if not services.links.is_secret(link_id, body.secret):
            raise UnknownLinkError(f"link {link_id[:40]!r} does not exist or its secret is wrong")
        services.links.check(services.links.get(link_id))
        code, lifetime_s = services.codes.make(link_id, body.secret)
        return PairingCode(code=code, expires_in_s=int(lifetime_s))

    @router.post("/api/pair")
    async def pair(body: PairRequest, request: Request) -> PairedLink:
        """Exchange a code for its link, once."""
        now = services.now()
        if not (services.pairings.take(address_of(request), now) and services.all_pairings.take(now)):
            raise TooManyRequestsError("codes were tried too often", hint="Wait a minute.")
        found = services.codes.take(body.code)
        if found is None:
            raise UnknownLinkError(
                "this code is unknown, used or older than ten minutes", hint="Ask for another code."
            )
        link_id, secret = found
        return PairedLink(path=f"/v/{link_id}#{secret}")

    return router


def shown_link(services: Services, link_id: str) -> ShareLink:
    """Return a link of which title and picture may be told, and that opens.

    Raises:
        UnknownLinkError: There is none, or it is private: that it exists is private too. Or its scene was
            taken down, or is still being made.
        RevokedLinkError, ExpiredLinkError: It was shown once.
    """
    link, catalog = services.links.get(link_id), services.catalog
    is_hidden = catalog.is_taken_down(link.scene_id) or catalog.is_growing(link.scene_id)
    if is_hidden or services.links.shown_as(link) == "private":
        raise UnknownLinkError(f"link {link_id[:40]!r} does not exist")
    services.links.check(link)
    return link


def card_of(services: Services, request: Request, link_id: str, *, must_be_shown: bool = False) -> Card:
    """Return the card of a link; a link that is private, or none at all, has one that tells nothing.

    Raises:
        LinkError: It tells nothing, and `must_be_shown`.
    """
    base = services.base_url(request)
    try:
        link = shown_link(services, link_id)
        record = services.catalog.get(link.scene_id)
        has_poster = poster_path(services.catalog, record).is_file()
        has_loop = loop_path(services.catalog, record).is_file()
    except LinkError:
        if must_be_shown:
            raise
        return Card(base, "/")
    if not has_loop:
        services.loops.want(record)  # for who asks next
    path = f"/v/{link.id}"
    return Card(
        base,
        path,
        title=record.title,
        is_generated=record.is_generated,
        poster=f"/api/links/{link.id}/poster.jpg" if has_poster else None,
        loop=f"/api/links/{link.id}/loop.mp4" if has_loop else None,
        oembed=f"/api/oembed?url={base}{path}",
    )
