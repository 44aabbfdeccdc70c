"""Security headers, on every response."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .services import Services

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PERMISSIONS = (
    "xr-spatial-tracking=(self), gyroscope=(self), accelerometer=(self), gamepad=(self), fullscreen=(self), "
    "camera=(), microphone=(), geolocation=()"
)
_SAFE_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")


def content_security_policy(host: str, embed_origins: Sequence[str] = ()) -> str:
    """Return the page's policy: nothing from anyone else; WASM may compile, scripts may not be made.

    Args:
        host: The Host that was asked for.
        embed_origins: Origins of pages that may hold this one in a frame, checked when the link was made.

    `data:` in connect-src: Spark carries its WASM in itself and fetches it from there. Sockets are named
    because older Safari does not count them as 'self'.
    """
    sockets = f"ws://{host} wss://{host} " if _SAFE_HOST.fullmatch(host) else ""
    ancestors = " ".join(embed_origins) or "'none'"
    return (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
        f"connect-src 'self' {sockets}blob: data:; img-src 'self' data: blob:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {ancestors}"
    )


def static_policy() -> str:
    """Return the policy that a page carries in itself, where headers are somebody else's."""
    parts = content_security_policy("").split("; ")
    return "; ".join(part for part in parts if not part.startswith("frame-ancestors"))  # not valid in a page


class SecurityHeaders:
    """Adds the headers, and refuses names that are not ours."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", content_security_policy(host or ""))
                    headers["Permissions-Policy"] = _PERMISSIONS
            await send(message)

        if not self._services.is_own_host(host):
            refusal = {
                "code": "foreign_host",
                "message": "this server does not go by that name",
                "hint": "Use the address that the server printed.",
            }
            await JSONResponse({"error": refusal}, 421)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)
