"""The stream without a WebSocket, as `server/fallback.py` has it: frames in bodies of many requests."""

from __future__ import annotations

import asyncio
import ssl
import struct
import time
from collections.abc import Coroutine

import httpx

from reconstruction.errors import ImmersiveError
from streaming.errors import ProtocolError
from streaming.limits import MAX_FILE_BYTES

from .errors import ConnectionRefusedByServerError

_LENGTH = struct.Struct("<I")
_DEADLINE_S = 40.0  # an answer with nothing to say ends after 20
_LOST = "the connection was lost"


class HttpStream:
    """What `client.SceneConnection` needs of a socket: `send`, `recv`, `close`, `abort`."""

    def __init__(self, server_url: str, tls: ssl.SSLContext | None) -> None:
        # Reading the system's certificates takes longer than a first picture; without TLS nobody needs them.
        checks = tls or server_url.startswith("https:")
        self._client = httpx.AsyncClient(
            base_url=server_url, verify=checks, timeout=_DEADLINE_S, trust_env=False
        )
        self._path = ""
        self._waiting: list[bytes] = []  # frames for the next request
        self._has_work = asyncio.Event()
        self._answers: asyncio.Queue[httpx.Response] = asyncio.Queue()  # begun, in the order of requests
        self._unread = 0
        self._received: asyncio.Queue[bytes | ImmersiveError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.opening_s = 0.0  # connect and first answer

    async def open(self, query: str) -> None:
        """Use up the ticket in `query`, which is that of `/ws`.

        Raises:
            ConnectionRefusedByServerError: It is not accepted; `status` is HTTP's.
        """
        began = time.perf_counter()
        answer = await self._post("/api/stream?" + query, b"")
        self.opening_s = time.perf_counter() - began
        self._path = f"/api/stream/{answer.headers['X-Stream']}"
        self._tasks = [asyncio.create_task(self._guard(work())) for work in (self._ask, self._read)]

    async def send(self, message: bytes) -> None:
        """Send one message, with the next request."""
        self._waiting.append(_LENGTH.pack(len(message)) + message)
        self._has_work.set()

    async def recv(self) -> bytes:
        """Return the next message.

        Raises:
            ConnectionRefusedByServerError: The stream was lost.
        """
        found = await self._received.get()
        if isinstance(found, ImmersiveError):
            raise found
        return found

    async def close(self) -> None:
        """End it; the server notices by the silence."""
        self.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def abort(self) -> None:
        """Stop asking and reading."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            body, self._waiting = b"".join(self._waiting), []
            await self._post(self._path, body)

    async def _post(self, path: str, body: bytes) -> httpx.Response:
        answer = await self._client.send(self._client.build_request("POST", path, content=body), stream=True)
        if answer.status_code != 200:
            await answer.aread()
            problem = answer.json()["error"]
            raise ConnectionRefusedByServerError(
                problem["message"], status=answer.status_code, code=problem["code"], hint=problem["hint"]
            )
        self._unread += 1
        self._answers.put_nowait(answer)
        return answer

    async def _read(self) -> None:
        while True:
            answer = await self._answers.get()
            await self._frames_of(answer)
            self._unread -= 1
            if self._unread == 0:
                self._has_work.set()  # the server can only speak when asked

    async def _frames_of(self, answer: httpx.Response) -> None:
        held = bytearray()
        async for part in answer.aiter_raw():
            held += part
            while len(held) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(held)
                if length > MAX_FILE_BYTES:
                    raise ProtocolError(f"a frame must hold at most {MAX_FILE_BYTES} bytes, got {length}")
                end = _LENGTH.size + length
                if len(held) < end:
                    break
                self._received.put_nowait(bytes(held[_LENGTH.size : end]))
                del held[:end]
        if held:
            raise ProtocolError(f"an answer must end with a frame, got {len(held)} bytes more")

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except ImmersiveError as error:
            self._received.put_nowait(error)
        except httpx.HTTPError as error:
            lost = ConnectionRefusedByServerError(f"{_LOST}: {error}", status=1006)
            self._received.put_nowait(lost)
