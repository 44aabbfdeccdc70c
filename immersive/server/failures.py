"""Every failure as `{"error": {"code", "message", "hint"}}`, with the status that fits its kind."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from reconstruction.errors import ImmersiveError, InvalidInputError
from streaming.errors import AssetFormatError

from ..errors import (
    DiskFullError,
    ExpiredLinkError,
    LinkPasswordError,
    QueueFullError,
    RevokedLinkError,
    SceneGrowingError,
    UnknownJobError,
    UnknownLinkError,
    UnknownReportError,
    UnknownSceneError,
    UsedUpLinkError,
)

_log = logging.getLogger(__name__)


class AccessError(ImmersiveError, PermissionError):
    """A route needs a proof that the request does not have."""

    code = "not_allowed"


class ScopeError(ImmersiveError, PermissionError):
    """A link was opened, and it does not allow this."""

    code = "scope_too_small"
    hint = "Ask whoever sent the link for one that allows it."


class TooManyRequestsError(ImmersiveError):
    """An address asks too often."""

    code = "too_many_requests"


_STATUS: tuple[tuple[type[ImmersiveError], int], ...] = (
    (AccessError, 401),
    (LinkPasswordError, 401),
    (ScopeError, 403),
    (TooManyRequestsError, 429),
    (UnknownLinkError, 404),
    (UnknownSceneError, 404),
    (UnknownJobError, 404),
    (UnknownReportError, 404),
    (QueueFullError, 429),
    (ExpiredLinkError, 410),
    (RevokedLinkError, 410),
    (UsedUpLinkError, 410),
    (InvalidInputError, 422),
    (DiskFullError, 507),
    (SceneGrowingError, 409),
    (AssetFormatError, 500),
)


def install_failures(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(ImmersiveError)
    async def known(request: Request, error: ImmersiveError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        if status == 500:
            _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return failure(status, error.code, str(error), error.hint)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        response = failure(error.status_code, phrase.lower().replace(" ", "_"), phrase.lower(), None)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return failure(422, "invalid_request", f"{where}: {first['msg']}", "See /api/openapi.json.")

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        # Starlette logs the traceback; the client is told no details.
        return failure(500, "internal", "the server failed on this request", "Its log says why.")


def failure(status: int, code: str, message: str, hint: str | None) -> JSONResponse:
    """Return the response for one failure."""
    return JSONResponse({"error": {"code": code, "message": message, "hint": hint}}, status)
