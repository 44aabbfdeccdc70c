"""The ASGI application: page, REST and WebSocket on one port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket

import immersive

from .api import api_routes
from .failures import install_failures
from .fallback import fallback_routes
from .headers import SecurityHeaders
from .page import page_files, page_routes
from .services import Services
from .stream import stream_scene


def build_app(services: Services) -> FastAPI:
    """Return the application over `services`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.catalog.sweep()
        watch = asyncio.create_task(services.viewers.watch())
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch

    app = FastAPI(
        title="Immersive",
        version=immersive.__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # their assets come from a third party
        redoc_url=None,
    )
    install_failures(app)
    app.add_middleware(SecurityHeaders, services=services)
    app.include_router(api_routes(services))
    app.include_router(fallback_routes(services))
    app.mount("/assets", page_files(services))
    app.include_router(page_routes(services))

    @app.websocket("/ws")
    async def stream(socket: WebSocket) -> None:
        await stream_scene(socket, services)

    return app
