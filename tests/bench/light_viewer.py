"""A viewer that costs next to nothing: it counts what comes and gives credit, so that 200 of them leave the
cores of a small machine to the server. Its WebSocket is the bare minimum; the server's is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from immersive.credit_window import HOLD_S
from streaming.messages import SUBPROTOCOL, Chunk, Credit, encode

_UPGRADE = (
    "GET /ws?ticket={ticket}&credit={window}&budget=5000000 HTTP/1.1\r\nHost: {host}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
)
_BUFFER = bytearray(256 * 1024)  # shared: what is read is taken in before the next read
_PARTS = 8  # of the window, as in `credit_window`


@dataclass(slots=True)
class Seen:
    """What one viewer met. Times in seconds."""

    first_s: float = float("nan")  # from before the link was opened to the first whole message
    chunk_bytes: int = 0
    errors: list[str] = field(default_factory=list)


class LightSocket(asyncio.BufferedProtocol):
    """A WebSocket after the upgrade that it asks for; it gives credit no faster than `bytes_s`."""

    def __init__(self, request: bytes, window: int, bytes_s: float) -> None:
        self._request, self._window, self._bytes_s = request, window, bytes_s
        self._loop = asyncio.get_running_loop()
        self.has_first: asyncio.Future[None] = self._loop.create_future()
        self.is_lost: asyncio.Future[None] = self._loop.create_future()
        self.chunk_bytes = 0
        self._answer: bytes | None = b""  # to the upgrade, until it is whole
        self._head = b""  # of a frame, as far as it is here
        self._length = self._left = 0  # of its payload
        self._type = -1
        self._began, self._owed = 0.0, 0
        self._hold: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._hold is not None:
            self._hold.cancel()
        for waiting in (self.is_lost, self.has_first):
            if not waiting.done():
                waiting.set_result(None)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where to read to."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what was read."""
        at = 0
        if self._answer is not None:
            self._answer += _BUFFER[:nbytes]
            end = self._answer.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            if not self._answer.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return
            at = nbytes - (len(self._answer) - end)
            self._answer = None
        while at < nbytes:
            if self._left == 0:
                self._take_head(_BUFFER[at])
                at += 1
                continue
            if self._left == self._length:
                self._type = _BUFFER[at]
            taken = min(self._left, nbytes - at)
            at += taken
            self._left -= taken
            if self._left == 0:
                self._message_ends()

    def _take_head(self, byte: int) -> None:
        self._head += bytes((byte,))
        head = self._head
        size = 2 if len(head) < 2 else {126: 4, 127: 10}.get(head[1], 2)
        if len(head) == size:
            self._length = int.from_bytes(head[2:]) if size > 2 else head[1]
            self._left, self._head = self._length, b""

    def _message_ends(self) -> None:
        if self._type != Chunk.TYPE:
            return
        now = self._loop.time()
        if not self.has_first.done():
            self.has_first.set_result(None)
            self._began = now
        self.chunk_bytes += self._length
        # A line of that rate would have brought it by then.
        here_at = self._began + self.chunk_bytes / self._bytes_s
        if here_at > now:
            self._loop.call_at(here_at, self._release, self._length)
        else:
            self._release(self._length)

    def _release(self, count: int) -> None:
        self._owed += count
        if self._owed * _PARTS >= self._window:
            self._give()
        elif self._hold is None:
            self._hold = self._loop.call_later(HOLD_S, self._give)

    def _give(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        if self._owed and not self.transport.is_closing():
            self.send(encode(Credit(self._owed)))
            self._owed = 0

    def send(self, message: bytes) -> None:
        """Send a message of at most 125 bytes; masked with zeros, which changes nothing."""
        self.transport.write(struct.pack("!BBI", 0x82, 0x80 | len(message), 0) + message)


async def ticket_of(url: str) -> str:
    """Open the link `url` and return the ticket.

    Raises:
        OSError, KeyError, ValueError: It was refused, or the connection lost.
    """
    parts = urlsplit(url)
    body = json.dumps({"secret": parts.fragment})
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"POST /api/links/{parts.path.removeprefix('/v/')}/open HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        f"{body}".encode()
    )
    answer = await reader.read()
    writer.close()
    ticket: str = json.loads(answer.partition(b"\r\n\r\n")[2])["ticket"]
    return ticket


async def socket_of(url: str, ticket: str, window: int, bytes_s: float) -> LightSocket:
    """Connect a socket to the server of the link `url`, and ask for the upgrade."""
    parts = urlsplit(url)
    request = _UPGRADE.format(ticket=ticket, window=window, host=parts.netloc).encode()
    _, socket = await asyncio.get_running_loop().create_connection(
        lambda: LightSocket(request, window, bytes_s), parts.hostname, parts.port
    )
    return socket


async def visit(url: str, seconds: float, *, window: int, bytes_s: float) -> Seen:
    """Open the link `url`, wait for the first chunk and stay for `seconds`."""
    seen, began = Seen(), time.perf_counter()
    try:
        socket = await socket_of(url, await ticket_of(url), window, bytes_s)
    except (OSError, KeyError, ValueError) as error:
        seen.errors.append(repr(error))
        return seen
    await socket.has_first
    if not socket.is_lost.done():
        seen.first_s = time.perf_counter() - began
        await asyncio.wait([socket.is_lost], timeout=seconds)
    seen.chunk_bytes = socket.chunk_bytes
    if socket.is_lost.done():
        seen.errors.append("the connection was lost")
    socket.transport.abort()
    return seen
