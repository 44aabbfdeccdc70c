"""REST routes of scenes, and the health check: the owner's, and what an opened link allows of them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from streaming.asset import Spawn
from streaming.pack import PACK_NAME

from ..remixing import remix_scene
from .failures import TooManyRequestsError
from .guard import Guard
from .schemas import (
    EditedScene,
    EditRequest,
    RemixedScene,
    RemixRequest,
    SceneList,
    SceneResponse,
)
from .services import Services
from .watched_file import WatchedFile


def api_routes(services: Services) -> APIRouter:
    """Return the routes below `/api/scenes`, and the health check."""
    router = APIRouter()
    catalog, links, guard = services.catalog, services.links, Guard(services)

    @router.get("/healthz", include_in_schema=False)
    async def health() -> Response:
        if services.viewers.is_draining:
            return JSONResponse({"status": "draining"}, 503)
        return JSONResponse({"status": "ok"})

    @router.get("/api/scenes")
    async def list_scenes(request: Request) -> SceneList:
        """List all scenes."""
        guard.owner(request)
        return SceneList(scenes=[record.as_dict() for record in catalog.list()])

    @router.get("/api/scenes/{scene_id}")
    async def get_scene(scene_id: str, request: Request) -> SceneResponse:
        """Describe one scene."""
        guard.owner(request)
        return SceneResponse(scene=catalog.get(scene_id).as_dict())

    @router.patch("/api/scenes/{scene_id}")
    async def edit_scene(scene_id: str, body: EditRequest, request: Request) -> EditedScene:
        """Change a scene's title, spawn, notes, sound or visibility; for the owner and edit links."""
        guard.changer(request, scene_id, "edit")
        spawn = None if body.spawn is None else Spawn(body.spawn.position, body.spawn.yaw_deg)
        record = catalog.edit(
            scene_id,
            title=body.title,
            notes=body.notes,
            spawn=spawn,
            has_sound=body.has_sound,
            visibility=body.visibility,
        )
        services.viewers.links_changed()  # public links of a scene that no longer is
        return EditedScene(scene=record.as_dict(), edit=catalog.edits(record.id).as_dict())

    @router.post("/api/scenes/{scene_id}/remix")
    async def fork_scene(scene_id: str, body: RemixRequest, request: Request) -> RemixedScene:
        """Copy a scene and tell an edit link to the copy; for the owner, remix and edit links."""
        link = guard.changer(request, scene_id, "remix")
        if link is not None and not services.remixes.take(link.id, services.now()):
            raise TooManyRequestsError("this link was remixed too often", hint="Try again in an hour.")
        record = await asyncio.to_thread(remix_scene, catalog, scene_id, title=body.title)
        edit_link = links.create(record.id, scope="edit")
        scene = await services.scenes.get(record.id)
        return RemixedScene(
            scene=record.as_dict(),
            link=edit_link.as_dict(),
            path=edit_link.path,
            recipe=scene.asset.manifest.recipe,
        )

    @router.delete("/api/scenes/{scene_id}")
    async def delete_scene(scene_id: str, request: Request) -> SceneResponse:
        """Delete a scene, its links and its pack."""
        guard.owner(request)
        record = catalog.delete(scene_id)
        services.viewers.links_changed()
        return SceneResponse(scene=record.as_dict())

    @router.get("/api/scenes/{scene_id}/pack", response_class=FileResponse)
    async def pack(scene_id: str, request: Request) -> Response:
        """Send the pack, whole or by Range; its chunks lie end to end."""
        still_readable = guard.reader(request, scene_id)
        record = catalog.get(scene_id)
        tag = f'"{record.version}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        path = catalog.pack_folder(record) / PACK_NAME
        return WatchedFile(path, still_readable, media_type="application/octet-stream", headers=headers)

    return router
