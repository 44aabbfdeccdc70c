"""The ASGI application: page, REST and WebSocket on one port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket

import immersive

from ..jobs.supervisor import supervised
from .api import api_routes
from .card_routes import card_routes
from .failures import install_failures
from .fallback import fallback_routes
from .headers import SecurityHeaders
from .jobs_api import job_routes
from .link_routes import link_routes
from .page import page_files, page_routes
from .picture_routes import picture_routes
from .reports_api import report_routes
from .services import Services
from .stream import stream_scene


def build_app(services: Services) -> FastAPI:
    """Return the application over `services`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.catalog.sweep()
        works = [services.viewers.watch, services.presence.run]
        if services.bus is not None:
            works.append(services.bus.run)
        tasks = [asyncio.create_task(work()) for work in works]
        with supervised(services.catalog.home):
            yield
        services.studio.close()
        await services.loops.close()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

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
    app.include_router(link_routes(services))
    app.include_router(card_routes(services))
    app.include_router(api_routes(services))
    app.include_router(job_routes(services))
    app.include_router(report_routes(services))
    app.include_router(fallback_routes(services))
    app.include_router(picture_routes(services))
    app.mount("/assets", page_files(services))
    app.include_router(page_routes(services))

    @app.websocket("/ws")
    async def stream(socket: WebSocket) -> None:
        await stream_scene(socket, services)

    return app
