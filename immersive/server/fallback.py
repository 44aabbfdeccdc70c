"""The stream where WebSockets are blocked: the same messages and session, in bodies of ordinary requests.

`POST /api/stream?ticket=…` opens it and `POST /api/stream/{id}` brings the viewer's messages; either answers
with what the server has to say. An answer ends once its credit is spent or all is said, so that a proxy that
holds answers back until they are complete delays a window and not for ever; server-sent events would wait for
an end that never comes, and cost a third more bytes as base64. The newest request is answered: an older one
ends when it comes, after a whole message, and so requests overlap and the line stays full.

A frame is a length (u32, little-endian) and a message of `streaming.messages`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import struct
from collections.abc import AsyncIterator, Callable, Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from streaming.errors import ProtocolError
from streaming.limits import CLIENT_MESSAGE_BURST, CLIENT_MESSAGES_PER_SECOND
from streaming.messages import (
    BAD_MESSAGE,
    LINK_REVOKED,
    NOT_FOUND,
    TICKET_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
)
from streaming.session import ViewerSession

from .access import Pass
from .failures import failure
from .limits import CREDIT_DEADLINE_S, HELLO_DEADLINE_S, POLL_GAP_S, POLL_S
from .pose_pace import PosePace
from .rates import TokenBucket
from .services import Services, address_of
from .stream import Refused, admit, farewell
from .viewers import GOING_AWAY, Viewer

_log = logging.getLogger(__name__)

FRAME_LENGTH = struct.Struct("<I")
# No proxy may keep, change or (nginx) gather what is streamed.
_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
_STATUS = {
    BAD_MESSAGE: (422, "bad_message"),
    TICKET_EXPIRED: (401, "ticket_expired"),
    LINK_REVOKED: (410, "link_revoked"),
    NOT_FOUND: (404, "scene_gone"),
    TOO_MANY: (429, "too_many_requests"),
    GOING_AWAY: (503, "draining"),
}


def fallback_routes(services: Services) -> APIRouter:
    """Return the two routes."""
    router = APIRouter()
    streams: dict[str, RequestStream] = {}

    @router.post("/api/stream")
    async def open_stream(request: Request) -> Response:
        """Open a stream with the ticket of a link; the query is that of `/ws`. `X-Stream` names it."""
        if (refusal := _foreign(request)) is not None:
            return refusal
        viewer = Viewer(Pass("", ""), address=address_of(request))
        try:
            session = await admit(request, services, viewer)
        except Refused as refused:
            status, code = _STATUS[refused.goodbye.code]
            return failure(status, code, refused.goodbye.text, None)
        name = secrets.token_urlsafe(24)
        stream = streams[name] = RequestStream(session, viewer, on_end=lambda: _forget(name))
        services.viewers.add(viewer)
        return _response(stream.answer(wait_s=0.0), {"X-Stream": name})

    @router.post("/api/stream/{name}")
    async def go_on(name: str, request: Request) -> Response:
        """Take a viewer's messages in and answer."""
        if (refusal := _foreign(request)) is not None:
            return refusal
        body = await request.body()
        stream = streams.get(name)
        if stream is None:
            return failure(404, "stream_unknown", "the stream has ended", "Open the link again.")
        stream.take(body)
        return _response(stream.answer(wait_s=POLL_S), {})

    def _foreign(request: Request) -> Response | None:
        if services.is_own_origin(request.headers.get("origin"), request.headers.get("host")):
            return None
        return failure(403, "foreign_origin", "this stream is for its own page", None)

    def _forget(name: str) -> None:
        stream = streams.pop(name)
        services.viewers.remove(stream.viewer)
        _log.info("viewer without a socket leaves: %d chunk bytes", stream.session.sent_chunk_bytes)

    return router


def _response(frames: AsyncIterator[bytes], headers: dict[str, str]) -> Response:
    return StreamingResponse(frames, media_type="application/octet-stream", headers=_HEADERS | headers)


class RequestStream:
    """One viewer between its requests. `on_end` is called once."""

    def __init__(self, session: ViewerSession, viewer: Viewer, on_end: Callable[[], None]) -> None:
        self.session, self.viewer = session, viewer
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(CLIENT_MESSAGES_PER_SECOND, CLIENT_MESSAGE_BURST, self._loop.time())
        self._hello_by = self._loop.time() + HELLO_DEADLINE_S
        self._credit_by = math.inf
        self._pace = PosePace(session.receive, self._obeyed)
        self._turn = 0
        self._answering = 0
        self.has_ended = False
        self._wake = asyncio.Event()
        self._gap: asyncio.TimerHandle | None = None
        viewer.goodbye.add_done_callback(lambda _: self._ended_by_server())

    def take(self, body: bytes) -> None:
        """Take in the frames of one request; what breaks a rule ends the stream in its next answer."""
        try:
            if not self._bucket.take(self._loop.time()):
                raise Refused(TOO_MANY, f"at most {CLIENT_MESSAGES_PER_SECOND} messages a second")
            for number, message in enumerate(_messages(body)):
                if number and not self._bucket.take(self._loop.time()):
                    raise Refused(TOO_MANY, f"at most {CLIENT_MESSAGES_PER_SECOND} messages a second")
                self._pace.take(message)
        except ProtocolError as error:
            self._obeyed(error)
        except Refused as refused:
            self.viewer.end(refused.goodbye.code, refused.goodbye.text)

    def _obeyed(self, error: ProtocolError | None) -> None:
        if error is not None:
            self.viewer.end(BAD_MESSAGE, str(error))
        self._wake.set()

    async def answer(self, *, wait_s: float) -> AsyncIterator[bytes]:
        """Yield frames until there is nothing to say, waiting up to `wait_s` for something to say at all."""
        self._turn += 1
        turn = self._turn
        self._answering += 1
        self._wake.set()  # whoever answered so far makes way
        if self._gap is not None:
            self._gap.cancel()
        is_whole = False
        try:
            async for message in self._said(turn, self._loop.time() + wait_s):
                yield FRAME_LENGTH.pack(len(message)) + message
            is_whole = True
        finally:
            self._answering -= 1
            # An answer that broke off has lost messages that the session thinks are sent.
            if not is_whole:
                self.end()
            elif self._answering == 0:
                self._gap = self._loop.call_later(POLL_GAP_S, self.end)

    async def _said(self, turn: int, until: float) -> AsyncIterator[bytes]:
        has_spoken = False
        while turn == self._turn:
            if self.viewer.goodbye.done():
                yield farewell(self.viewer.goodbye.result())
                self.end()
                return
            self._wake.clear()
            bytes_before = self.session.sent_chunk_bytes
            message = self.session.next_to_send()
            if message is not None:
                if self.session.sent_chunk_bytes > bytes_before:
                    self._bucket.give()
                has_spoken = True
                self._credit_by = math.inf
                yield message
                await asyncio.sleep(0)
                continue
            if has_spoken or self._loop.time() >= until:
                return
            await self._wait(until)

    async def _wait(self, until: float) -> None:
        now = self._loop.time()
        if self.session.is_starved:
            self._credit_by = min(self._credit_by, now + CREDIT_DEADLINE_S)
        deadline = self._credit_by if self.session.has_begun else self._hello_by
        try:
            async with asyncio.timeout_at(min(until, deadline)):
                await self._wake.wait()
        except TimeoutError:
            if self._loop.time() >= deadline:
                what = "no credit came" if self.session.has_begun else "no HELLO came"
                self.viewer.end(TOO_SLOW, what)

    def _ended_by_server(self) -> None:
        self._wake.set()
        if self._answering > 0:
            return  # the answer says why
        if self.viewer.goodbye.result().code == GOING_AWAY:
            self.end()  # there will be nobody to tell its next request

    def end(self) -> None:
        """Be over, without a word. Safe to call twice."""
        if not self.has_ended:
            self.has_ended = True
            self._pace.close()
            if self._gap is not None:
                self._gap.cancel()
            self._on_end()


def _messages(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        if at + FRAME_LENGTH.size > len(body):
            raise ProtocolError("a frame must have a length of 4 bytes")
        (length,) = FRAME_LENGTH.unpack_from(body, at)
        at += FRAME_LENGTH.size
        if at + length > len(body):
            raise ProtocolError(f"a frame must hold {length} bytes, got {len(body) - at}")
        yield body[at : at + length]
        at += length
