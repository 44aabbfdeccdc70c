"""The REST routes: opening links for anyone, everything else for the owner."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from streaming.pack import PACK_NAME

from ..catalog import SceneRecord
from ..errors import LinkError, UnknownLinkError
from .failures import AccessError, TooManyRequestsError
from .limits import BEARER_LIFETIME_S, TICKET_LIFETIME_S
from .owner import is_owner
from .schemas import (
    CreatedLink,
    CreateLinkRequest,
    LinkList,
    LinkResponse,
    OpenedScene,
    OpenLinkRequest,
    OpenLinkResponse,
    Preview,
    RenameRequest,
    SceneList,
    SceneResponse,
)
from .services import Services, address_of


def api_routes(services: Services) -> APIRouter:
    """Return the routes below `/api`, and the health check."""
    router = APIRouter()
    catalog, links = services.catalog, services.links

    def require_owner(request: Request) -> None:
        if not is_owner(catalog.home, _bearer(request)):
            raise AccessError("this needs the owner's token", hint="Send `Authorization: Bearer <token>`.")

    @router.get("/healthz", include_in_schema=False)
    async def health() -> Response:
        if services.viewers.is_draining:
            return JSONResponse({"status": "draining"}, 503)
        return JSONResponse({"status": "ok"})

    @router.post("/api/links/{link_id}/open")
    async def open_link(link_id: str, body: OpenLinkRequest, request: Request) -> OpenLinkResponse:
        """Exchange a link's secret for the scene, a ticket and a bearer."""
        if not services.opens.take(address_of(request), services.now()):
            raise TooManyRequestsError("links were opened too often", hint="Wait a minute.")
        link = links.open(link_id, body.secret)
        scene_id = link.scene_id if body.scene is None else body.scene
        links.check_way(link, scene_id)
        # The visitor's next step is the socket; reading the pack here has it ready by then.
        scene = await services.scenes.get(scene_id)
        manifest, grant = scene.asset.manifest, services.grants.issue(link.id, scene_id)
        record = catalog.get(scene_id)
        return OpenLinkResponse(
            scene=OpenedScene(
                id=record.id,
                version=record.version,
                title=record.title,
                splat_count=record.splat_count,
                byte_length=record.byte_length,
                is_generated=record.is_generated,
                quality=record.as_dict()["quality"],
                walkability=record.as_dict()["walkability"],
                spawn=asdict(manifest.spawn),
                eye_height_m=manifest.eye_height_m,
                bounds_min=manifest.bounds_min,
                bounds_max=manifest.bounds_max,
                background=manifest.background,
                portals=catalog.portals(scene_id),
            ),
            ticket=grant.ticket,
            ticket_expires_in_s=int(TICKET_LIFETIME_S),
            bearer=grant.bearer,
            bearer_expires_in_s=int(BEARER_LIFETIME_S),
        )

    @router.get("/api/links/{link_id}/preview")
    async def preview(link_id: str) -> Preview:
        """Say what a link that is not private leads to."""
        link = links.get(link_id)
        links.check(link)
        if link.is_private:
            # As if there were none: that it exists is private too.
            raise UnknownLinkError(f"link {link_id[:40]!r} does not exist")
        record = catalog.get(link.scene_id)
        return Preview(title=record.title, is_generated=record.is_generated)

    @router.delete("/api/links/{link_id}")
    async def revoke_link(link_id: str, request: Request) -> LinkResponse:
        """Revoke a link; whoever has it open is sent away within a second."""
        require_owner(request)
        link = links.revoke(link_id)
        services.viewers.end_refused()
        return LinkResponse(link=link.as_dict())

    @router.get("/api/scenes")
    async def list_scenes(request: Request) -> SceneList:
        """List all scenes."""
        require_owner(request)
        return SceneList(scenes=[record.as_dict() for record in catalog.list()])

    @router.get("/api/scenes/{scene_id}")
    async def get_scene(scene_id: str, request: Request) -> SceneResponse:
        """Describe one scene."""
        require_owner(request)
        return SceneResponse(scene=catalog.get(scene_id).as_dict())

    @router.patch("/api/scenes/{scene_id}")
    async def rename_scene(scene_id: str, body: RenameRequest, request: Request) -> SceneResponse:
        """Give a scene another title."""
        require_owner(request)
        return SceneResponse(scene=catalog.rename(scene_id, body.title).as_dict())

    @router.delete("/api/scenes/{scene_id}")
    async def delete_scene(scene_id: str, request: Request) -> SceneResponse:
        """Delete a scene, its links and its pack."""
        require_owner(request)
        record = catalog.delete(scene_id)
        services.viewers.end_refused()
        return SceneResponse(scene=record.as_dict())

    @router.get("/api/scenes/{scene_id}/links")
    async def list_links(scene_id: str, request: Request) -> LinkList:
        """List a scene's links."""
        require_owner(request)
        return LinkList(links=[link.as_dict() for link in links.list(scene_id)])

    @router.post("/api/scenes/{scene_id}/links")
    async def create_link(scene_id: str, body: CreateLinkRequest, request: Request) -> CreatedLink:
        """Make a link to a scene."""
        require_owner(request)
        link = links.create(scene_id, expires_in_s=body.expires_in_s, is_private=body.is_private)
        return CreatedLink(link=link.as_dict(), path=link.path)

    @router.get("/api/scenes/{scene_id}/pack", response_class=FileResponse)
    async def pack(scene_id: str, request: Request) -> Response:
        """Send the pack, whole or by Range; its chunks lie end to end."""
        record = readable_scene(scene_id, request)
        tag = f'"{record.version}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        path: Path = catalog.pack_folder(record) / PACK_NAME
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    def readable_scene(scene_id: str, request: Request) -> SceneRecord:
        token = _bearer(request)
        if is_owner(catalog.home, token):
            return catalog.get(scene_id)
        admitted = services.grants.pass_of_bearer(token)
        if admitted is not None:
            try:
                links.check_way(links.get(admitted.link_id), admitted.scene_id)
            except LinkError as error:
                raise AccessError("the link behind this bearer no longer opens") from error
            if admitted.scene_id == scene_id:
                return catalog.get(scene_id)
        raise AccessError("this needs the bearer of an opened link", hint="Open the link first.")

    return router


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
