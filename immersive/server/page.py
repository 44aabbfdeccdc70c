"""The built page and its files."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .services import Services

_NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Immersive</title>
<p>The page is not built yet. Run <code>make setup</code> in the repository, then reload.</p>
"""


class _Immutable(StaticFiles):
    """Files whose names hold a hash of their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def page_files(services: Services) -> StaticFiles:
    """Return the app that serves the built page's `assets` folder, also if it is built later."""
    return _Immutable(directory=services.page_folder / "assets", check_dir=False)


def page_routes(services: Services) -> APIRouter:
    """Return the routes of the page itself, which finds its link in the address."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/v/{link_id}")
    async def page(request: Request) -> Response:
        index = services.page_folder / "index.html"
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return HTMLResponse(index.read_text("utf-8"))

    @router.get("/{name}.{extension}")
    async def root_file(name: str, extension: str) -> Response:
        # An icon or a web manifest beside index.html; names of one part only, and only what was built.
        wanted = f"{name}.{extension}"
        folder = services.page_folder
        names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
        if wanted not in names or wanted == "index.html":
            return Response(status_code=404)
        return FileResponse(folder / wanted, headers={"Cache-Control": "no-cache"})

    return router
