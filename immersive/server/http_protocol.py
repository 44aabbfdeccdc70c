"""uvicorn's connection classes with the deadlines that it lacks."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .limits import (
    ASIDE_ALLOWANCE_BYTES,
    CLOSE_DEADLINE_S,
    FRAME_BURST,
    FRAMES_PER_SECOND,
    MAX_CONNECTIONS_PER_ADDRESS,
    MAX_FRAGMENTS,
    MAX_REQUEST_BYTES,
    NOT_SENT_LEAST_BYTES,
    NOT_SENT_MOST_BYTES,
    NOT_SENT_S,
    PARSED_AT_ONCE_BYTES,
    REQUEST_DEADLINE_S,
    SEND_BUFFER_BYTES,
    WRITE_HIGH_WATER_BYTES,
    WRITE_STALL_S,
)
from .rates import TokenBucket
from .watched_file import ABORT

# In a WebSocket's `extensions`: the connection itself, for whoever has thousands of messages a second.
DIRECT = "immersive.direct"

Pieces = Sequence[bytes | memoryview]  # of one message, one after another

ASIDE = "immersive.aside"  # in the scope's extensions

_RATE_AT = 160  # of tcpi_delivery_rate in Linux's struct tcp_info, since 4.9: u64

_TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b'content-length: 111\r\n\r\n{"error":{"code":"request_too_large","message":"a request must be at most'
    b' 64 KiB","hint":"Send less at once."}}'
)


class DeadlineHttpProtocol(HttpToolsProtocol):
    """An HTTP connection that must send its request, and take its response, without long pauses."""

    _request_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _received_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Behind a proxy all come from one address, and it has limits of its own.
        if not self.config.proxy_headers and self._is_crowded():
            transport.abort()
            return
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _hold_back(connection, NOT_SENT_MOST_BYTES)
        self._expect_request()

    def _is_crowded(self) -> bool:
        if self.client is None or len(self.connections) <= MAX_CONNECTIONS_PER_ADDRESS:
            return False
        address = self.client[0]
        same = sum(other.client is not None and other.client[0] == address for other in self.connections)
        return same > MAX_CONNECTIONS_PER_ADDRESS

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._received_bytes > MAX_REQUEST_BYTES:
            if not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope.setdefault("extensions", {})[ABORT] = self.transport.abort

    def on_message_complete(self) -> None:
        self._cancel_timers()
        self._received_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request()

    def handle_websocket_upgrade(self) -> None:
        self._cancel_timers()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(WRITE_STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._cancel_timers()
        if not self.transport.is_closing():  # a client may leave before its answer is complete
            self._request_timer = self.loop.call_later(REQUEST_DEADLINE_S, self.transport.abort)

    def _cancel_timers(self) -> None:
        for timer in (self._request_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._request_timer = self._stall_timer = None


def frame_head(length: int) -> bytes:
    """Return what stands before an unmasked binary message of one frame (RFC 6455, 5.2)."""
    if length < 126:
        return struct.pack("!BB", 0x82, length)
    if length < 65_536:
        return struct.pack("!BBH", 0x82, 126, length)
    return struct.pack("!BBQ", 0x82, 127, length)


def _hold_back(connection: Any, unsent_bytes: int) -> None:
    """Have the kernel take no more while it has so many bytes that it has not sent even once."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        with suppress(OSError):  # the other side may be gone
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent_bytes)


def _delivery_bytes_s(connection: Any) -> int | None:
    """Return what TCP delivered lately, bytes a second; None where the kernel does not say."""
    if sys.platform != "linux":  # elsewhere the structure is another
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RATE_AT + 8)
    except (OSError, AttributeError):
        return None
    return int.from_bytes(info[_RATE_AT:], sys.byteorder) if len(info) == _RATE_AT + 8 else None


class Aside:
    """What goes around a socket's stream, in both directions: small messages that are stale in a moment.

    Diverted messages come to `on_message` from the parser, without queue or task, and do not hold up reading;
    `send` writes at once. Four thousand of each a second would else take a core for handing over alone.
    """

    def __init__(self, protocol: AbortingWebSocketProtocol) -> None:
        self._protocol = protocol
        self.types: frozenset[int] = frozenset()
        self.on_message: Callable[[bytes], None] = lambda data: None
        self.on_room: Callable[[], None] = lambda: None

    def start(
        self, types: frozenset[int], on_message: Callable[[bytes], None], on_room: Callable[[], None]
    ) -> None:
        """Divert messages whose first byte is in `types`; `on_room` is called before a chunk is written."""
        self.types, self.on_message, self.on_room = types, on_message, on_room

    def stop(self) -> None:
        """Divert nothing."""
        self.types, self.on_room = frozenset(), lambda: None

    @property
    def has_room(self) -> bool:
        """Whether a message written now would go out soon."""
        protocol = self._protocol
        return (
            protocol.handshake_complete
            and not (protocol.close_sent or protocol.transport.is_closing())
            and protocol.transport.get_write_buffer_size() <= ASIDE_ALLOWANCE_BYTES
        )

    def send(self, data: bytes) -> None:
        """Write a message now, whatever waits."""
        self._protocol.conn.send_binary(data)
        self._protocol.transport.write(b"".join(self._protocol.conn.data_to_send()))


class AbortingWebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that ends even if the other side reads nothing: `close` alone would wait for it.

    `listen` and `send_messages` go around ASGI, whose queue, tasks and copies cost the server more than the
    kernel does: 4.4 CPU-ms a megabyte of 32 KB chunks where these take 2.0 (200 viewers, loopback).
    """

    _abort_timer: asyncio.TimerHandle | None = None
    _hear: Callable[[bytes | None], None] | None = None
    _late_pong = b""

    def handle_bytes(self, event: Any) -> None:
        if event.fin and event.data and event.data[0] in self._aside.types:
            self._aside.on_message(bytes(event.data))
        else:
            super().handle_bytes(event)

    def connection_made(self, transport: Any) -> None:
        self._aside = Aside(self)
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self._frames_bucket = TokenBucket(FRAMES_PER_SECOND, FRAME_BURST, self.loop.time())
        self._socket = transport.get_extra_info("socket")
        _hold_back(self._socket, NOT_SENT_LEAST_BYTES)

    def data_received(self, data: bytes) -> None:
        # A frame costs ten microseconds, however small: 256 KB of empty ones would stop everyone for 0.4 s.
        for at in range(0, len(data), PARSED_AT_ONCE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + PARSED_AT_ONCE_BYTES])

    def handle_events(self) -> None:
        now = self.loop.time()
        is_flood = not all(self._frames_bucket.take(now) for _ in self.conn.events)
        super().handle_events()
        if (is_flood or len(self.frames) > MAX_FRAGMENTS) and not self.transport.is_closing():
            self.conn.fail(1008, "too many frames")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
            self._abort_soon()

    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        # RFC 6455 asks for an answer to the latest only: who does not read shall not fill our memory.
        if self.writable.is_set():
            self.transport.write(pong)
        elif pong:  # the first of several that came together has the answers to all
            self._late_pong = pong

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[DIRECT] = self  # the application's task begins later
            extensions[ASIDE] = self._aside

    def listen(self, hear: Callable[[bytes | None], None]) -> None:
        """Have `hear` called with every binary message, and None for one of text; it must not raise.

        What came so far is heard at once. Disconnects still come by ASGI's `receive`.
        """
        self._hear = hear
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] != "websocket.receive":
                self.queue.put_nowait(event)  # a disconnect, and nothing comes after one
                break
            hear(event.get("bytes"))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        if self._hear is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if not self.close_sent:
            self._hear(data if self.curr_msg_data_type == "bytes" else None)

    @property
    def can_send(self) -> bool:
        """Whether what is sent now goes out soon."""
        return self.writable.is_set()

    async def send_messages(self, messages: Sequence[Pieces]) -> None:
        """Wait until there is room for the first, then do as `send_now`."""
        await self.writable.wait()
        self.send_now(messages)

    def send_now(self, messages: Sequence[Pieces]) -> None:
        """Send binary messages in one go; their bytes are copied once.

        Raises:
            WebSocketDisconnect: The other side is gone, or a close is on its way.
        """
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise WebSocketDisconnect(1006)
        framed: list[bytes | memoryview] = []
        for pieces in messages:
            framed.append(frame_head(sum(map(len, pieces))))
            framed += pieces
        self.transport.write(b"".join(framed))

    def resume_writing(self) -> None:
        self._aside.on_room()  # whoever waits for `writable` comes later
        super().resume_writing()
        if self._late_pong and not self.transport.is_closing():
            self.transport.write(self._late_pong)
            self._late_pong = b""
        rate = _delivery_bytes_s(self._socket)
        if rate is not None:
            unsent = min(max(int(rate * NOT_SENT_S), NOT_SENT_LEAST_BYTES), NOT_SENT_MOST_BYTES)
            _hold_back(self._socket, unsent)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._abort_soon()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._abort_timer is not None:
            self._abort_timer.cancel()

    def _abort_soon(self) -> None:
        if self._abort_timer is None and not self.disconnected:
            self._abort_timer = self.loop.call_later(CLOSE_DEADLINE_S, self.transport.abort)
