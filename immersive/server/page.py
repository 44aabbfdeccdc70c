"""The built page and its files."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..errors import LinkError
from .card_routes import card_of
from .headers import content_security_policy
from .page_card import Card, with_head
from .services import Services

_NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Immersive</title>
<p>The page is not built yet. Run <code>make setup</code> in the repository, then reload.</p>
"""


# What gzip makes smaller; the renderer alone shrinks from 3.1 to 1.0 MB.
_COMPRESSED_SUFFIXES = (".js", ".css", ".svg", ".wasm")
_GZIP_LEVEL = 6


class _Immutable(StaticFiles):
    """Files whose names hold a hash of their content, so each is compressed once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._compressed: dict[str, bytes] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code not in (200, 206, 304):
            return response
        headers = Headers(scope=scope)
        accepts_gzip = "gzip" in headers.get("accept-encoding", "") and "range" not in headers
        wants_gzip = accepts_gzip and path.endswith(_COMPRESSED_SUFFIXES)
        if wants_gzip and response.status_code == 200 and isinstance(response, FileResponse):
            media_type = response.media_type
            data = self._compressed.get(path)
            if data is None:
                data = await asyncio.to_thread(_compress, Path(response.path))
                self._compressed[path] = data
            response = Response(data, media_type=media_type, headers={"Content-Encoding": "gzip"})
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _compress(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), _GZIP_LEVEL, mtime=0)


def page_files(services: Services) -> StaticFiles:
    """Return the app that serves the built page's `assets` folder, also if it is built later."""
    return _Immutable(services.page_folder / "assets")


def page_routes(services: Services) -> APIRouter:
    """Return the routes of the page itself, which finds its link in the address."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/pair")
    async def page(request: Request) -> Response:
        return built_page(Card(services.base_url(request), "/"))

    @router.get("/v/{link_id}")
    async def page_of_link(link_id: str, request: Request) -> Response:
        page = built_page(card_of(services, request, link_id))
        origins = embedders(link_id)
        if origins:
            host = request.headers.get("host", "")
            page.headers["Content-Security-Policy"] = content_security_policy(host, origins)
        return page

    def built_page(card: Card) -> Response:
        index = services.page_folder / "index.html"
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return HTMLResponse(with_head(index.read_text("utf-8"), card.head()))

    def embedders(link_id: str) -> tuple[str, ...]:
        try:
            link = services.links.get(link_id)
            services.links.check(link)
        except LinkError:
            return ()
        return link.embed_origins

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
