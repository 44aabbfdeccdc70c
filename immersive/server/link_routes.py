"""REST routes of links: opening them for anyone, the rest for the owner."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from ..errors import UnknownLinkError
from ..growing import growth_of
from ..share import Opening, ShareLink
from .card_routes import shown_link
from .failures import AccessError, TooManyRequestsError
from .guard import Guard, visitor_of
from .limits import BEARER_LIFETIME_S, TICKET_LIFETIME_S
from .opened_scene import describe_scene
from .openings import Openings
from .schemas import (
    CreatedLink,
    CreateLinkRequest,
    GrowthResponse,
    GrowthState,
    LinkList,
    LinkResponse,
    OpenLinkRequest,
    OpenLinkResponse,
    OpenList,
    Preview,
)
from .services import Services, address_of


def link_routes(services: Services) -> APIRouter:
    """Return the routes below `/api/links`, and those that make and list a scene's links."""
    router = APIRouter()
    catalog, links, guard = services.catalog, services.links, Guard(services)
    openings = Openings(links)

    @router.post("/api/links/{link_id}/open")
    async def open_link(link_id: str, body: OpenLinkRequest, request: Request) -> OpenLinkResponse:
        """Exchange a link's secret for the scene, a ticket and a bearer.

        Who sends the bearer of an earlier open comes back: that needs no password and is not counted.
        """
        if not services.opens.take(address_of(request), services.now()):
            raise TooManyRequestsError("links were opened too often", hint="Wait a minute.")
        link = await opened(link_id, body, request)
        scene_id = link.scene_id if body.scene is None else body.scene
        links.check_way(link, scene_id)
        grant = services.grants.issue(link.id, scene_id)
        scope = link.scope if scene_id == link.scene_id else "view"
        described = None
        if catalog.get(scene_id).byte_length > 0:
            # The visitor's next step is the socket; reading the pack here has it ready by then.
            scene = await services.scenes.get(scene_id)
            described = describe_scene(catalog, scene.asset.manifest, scene_id, scope)
        return OpenLinkResponse(
            scene=described,
            ticket=grant.ticket if described else None,
            ticket_expires_in_s=int(TICKET_LIFETIME_S),
            bearer=grant.bearer,
            bearer_expires_in_s=int(BEARER_LIFETIME_S),
        )

    @router.get("/api/links/{link_id}/growth")
    async def growth(link_id: str, request: Request) -> GrowthResponse:
        """Say how far a scene is that is still being made, to whoever opened the link."""
        if not guard.returning(request, link_id):
            raise AccessError("this needs the bearer of an opened link", hint="Open the link first.")
        link = links.get(link_id)
        links.check(link)
        found = growth_of(catalog, link.scene_id, is_watching=True)
        record = catalog.get(link.scene_id)
        return GrowthResponse(
            title=record.title,
            growth=None if found is None else GrowthState(**found.as_dict()),
            version=record.version if record.byte_length > 0 else None,
        )

    async def opened(link_id: str, body: OpenLinkRequest, request: Request) -> ShareLink:
        visitor = visitor_of(request)
        if guard.returning(request, link_id):
            return await openings.open(Opening(link_id, None, visitor))
        if not needs_password(link_id, body.secret):
            return await openings.open(Opening(link_id, body.secret, visitor))
        # Asked only of who has the secret, so that nobody else can use up the tries.
        if not services.passwords.take(link_id, services.now()):
            raise TooManyRequestsError("passwords were tried too often", hint="Wait a minute.")
        async with services.hashing:
            return await asyncio.to_thread(
                links.open, link_id, body.secret, password=body.password, visitor=visitor
            )

    def needs_password(link_id: str, secret: str) -> bool:
        try:
            link = links.get(link_id)
        except UnknownLinkError:
            return False
        return link.has_password and (link.visibility == "public" or links.is_secret(link_id, secret))

    @router.get("/api/links/{link_id}/preview")
    async def preview(link_id: str) -> Preview:
        """Say what a link that is not private leads to."""
        record = catalog.get(shown_link(services, link_id).scene_id)
        return Preview(title=record.title, is_generated=record.is_generated)

    @router.delete("/api/links/{link_id}")
    async def revoke_link(link_id: str, request: Request) -> LinkResponse:
        """Revoke a link; whoever has it open is sent away within a second."""
        guard.owner(request)
        link = links.revoke(link_id)
        services.viewers.links_changed()
        return LinkResponse(link=link.as_dict())

    @router.get("/api/links/{link_id}/opens")
    async def list_opens(link_id: str, request: Request) -> OpenList:
        """List who opened a link, or tried to."""
        guard.owner(request)
        return OpenList(opens=[entry.as_dict() for entry in links.opens(link_id)])

    @router.get("/api/scenes/{scene_id}/links")
    async def list_links(scene_id: str, request: Request) -> LinkList:
        """List a scene's links."""
        guard.owner(request)
        return LinkList(links=[link.as_dict() for link in links.list(scene_id)])

    @router.post("/api/scenes/{scene_id}/links")
    async def create_link(scene_id: str, body: CreateLinkRequest, request: Request) -> CreatedLink:
        """Make a link to a scene."""
        guard.owner(request)
        link = await asyncio.to_thread(
            links.create,
            scene_id,
            scope=body.scope,
            visibility=body.visibility,
            expires_in_s=body.expires_in_s,
            max_opens=body.max_opens,
            password=body.password,
            embed_origins=body.embed_origins,
        )
        if links.shown_as(link) != "private":
            services.loops.want(catalog.get(link.scene_id))
        return CreatedLink(link=link.as_dict(), path=link.path)

    return router
