"""A viewer without a screen: opens a link and receives its scene. For tests, benchmarks and programs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from streaming.errors import ProtocolError
from streaming.limits import MAX_CHUNKS, MAX_FILE_BYTES
from streaming.messages import (
    CHUNK_HEADER_BYTES,
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TREE_HASH_BYTES,
    BatchDone,
    Chunk,
    ClientMessage,
    Credit,
    Error,
    Hello,
    Ping,
    Pong,
    Scene,
    ServerMessage,
    Tree,
    decode_from_server,
    encode,
)
from streaming.peer_pose import PersonPose, pose_message, poses_in
from streaming.people_messages import PeerJoin, PeerLeave, PeerNames, Peers, Say
from streaming.wire import HASH_PREFIX_BYTES

from .credit_window import FIRST_WINDOW_BYTES, HOLD_S, CreditWindow
from .errors import ConnectionRefusedByServerError
from .http_stream import HttpStream
from .link_client import OpenedLink, open_link

_log = logging.getLogger(__name__)

_SOCKET_DEADLINE_S = 5.0
# A machine that slept, or left its network, has a socket that is dead and does not say so.
_ALIVE_INTERVAL_S = 5.0
_ALIVE_DEADLINE_S = 20.0  # the first window, 256 KB at 128 kbit/s, may stand before the answer
_PING_INTERVAL_S = 0.25  # an opening that a busy machine drew out is a round trip only until a shorter one


@dataclass(slots=True)
class ReceivedScene:
    """What has arrived so far."""

    description: dict[str, Any] | None = None  # SceneMessage's JSON
    tree: Tree | None = None
    chunks: dict[int, bytes] = field(default_factory=dict)  # GLB by chunk index, checked against `tree`
    order: list[int] = field(default_factory=list)  # indices as they came
    chunk_bytes: int = 0  # of chunk messages, headers included
    is_complete: bool = False  # BATCH_DONE with nothing left out


@dataclass(slots=True)
class Person:
    """Somebody else in the scene."""

    name: str
    colour: int  # 0xRRGGBB
    pose: PersonPose | None = None


@asynccontextmanager
async def connect(
    link_url: str,
    *,
    tls: ssl.SSLContext | None = None,
    window: int | None = None,
    have: Iterable[bytes] = (),
    max_splats: int = 5_000_000,
    pose: Sequence[float] | None = None,
    fov_deg: float = 90.0,
    max_sh_degree: int = 3,
    sockets: bool = True,
) -> AsyncIterator[SceneConnection]:
    """Open a link and its stream; the connection closes with the context.

    Args:
        link_url: `http(s)://host:port/v/{id}#{secret}`.
        tls: How to check certificates; None: as the system does.
        window: Bytes that may be on the way before they are acknowledged. None: as many as the line turns
            out to need.
        have: First 8 bytes or more of the sha256 of chunks that need not come again.
        max_splats: How many splats to receive at most.
        pose: Eye x y z in metres and viewing direction x y z; None: the scene's spawn.
        fov_deg: Full angle of the cone that is looked into.
        max_sh_degree: 0 leaves view-dependent colour out.
        sockets: Try a WebSocket first; requests are used where it is refused, or at once if False.

    Raises:
        InvalidInputError, ConnectionRefusedByServerError: As for `open_link`.
    """
    opened = await asyncio.to_thread(open_link, link_url, tls=tls)
    async with stream(
        opened,
        tls=tls,
        window=window,
        have=have,
        max_splats=max_splats,
        pose=pose,
        fov_deg=fov_deg,
        max_sh_degree=max_sh_degree,
        sockets=sockets,
    ) as connection:
        yield connection


@asynccontextmanager
async def stream(
    opened: OpenedLink,
    *,
    tls: ssl.SSLContext | None = None,
    window: int | None = None,
    have: Iterable[bytes] = (),
    max_splats: int = 5_000_000,
    pose: Sequence[float] | None = None,
    fov_deg: float = 90.0,
    max_sh_degree: int = 3,
    sockets: bool = True,
) -> AsyncIterator[SceneConnection]:
    """Stream the scene of a link that was just opened; a ticket is good for one stream. Else as `connect`."""
    first_window = FIRST_WINDOW_BYTES if window is None else window
    prefixes = tuple(prefix[:HASH_PREFIX_BYTES] for prefix in have)
    query: dict[str, object] = {
        "ticket": opened.ticket,
        "v": PROTOCOL_VERSION,
        "fov": fov_deg,
        "budget": max_splats,
        "sh": max_sh_degree,
        # Without credit the server waits for HELLO, and so learns first what not to send.
        "credit": 0 if prefixes else first_window,
    }
    if pose is not None:
        query["pose"] = ",".join(f"{number:.6g}" for number in pose)
    began = time.perf_counter()
    socket, trips = await _open_transport(opened.server_url, urlencode(query), tls, sockets=sockets)
    connection: SceneConnection | None = None
    try:
        fitting = CreditWindow() if window is None else None
        if fitting is not None:
            # SYN, perhaps TLS, upgrade: before the stream began, so nothing has queued in front of them.
            fitting.measure_round_trip((time.perf_counter() - began) / trips)
        connection = SceneConnection(socket, opened, fitting)
        if prefixes:
            await connection.send(Hello(PROTOCOL_VERSION, max_splats, first_window, prefixes))
        yield connection
    finally:
        if connection is not None:
            connection.let_go()
        await socket.close()


async def _open_transport(
    server_url: str, query: str, tls: ssl.SSLContext | None, *, sockets: bool
) -> tuple[ClientConnection | HttpStream, int]:
    """Return what messages go through, and how many round trips it took to open.

    A proxy that refuses the upgrade, or does not answer it, has not used the ticket: requests take it then.
    """
    parts = urlsplit(server_url)
    trips = 3 if parts.scheme == "https" else 2
    if sockets:
        scheme = "wss" if parts.scheme == "https" else "ws"
        try:
            socket = await open_socket(
                urlunsplit((scheme, parts.netloc, "/ws", query, "")),
                ssl=tls,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=MAX_FILE_BYTES,
                max_queue=None,
                proxy=None,
                open_timeout=_SOCKET_DEADLINE_S,
                ping_interval=_ALIVE_INTERVAL_S,
                ping_timeout=_ALIVE_DEADLINE_S,
            )
        except (InvalidHandshake, TimeoutError, OSError) as error:
            _log.info("no WebSocket to %s (%s); requests instead", parts.netloc, error)
        else:
            return socket, trips
    requests = HttpStream(server_url, tls)
    try:
        await requests.open(query)
    except BaseException:
        await requests.close()
        raise
    return requests, trips


class SceneConnection:
    """One open stream. Use `connect` to get one."""

    def __init__(
        self, socket: ClientConnection | HttpStream, opened: OpenedLink, window: CreditWindow | None
    ) -> None:
        self._socket = socket
        self._window = window  # None: it stays as it began
        self._pinged_at = 0.0
        self._holding: asyncio.Task[None] | None = None  # credit, for a moment
        self.opened = opened
        self.received = ReceivedScene()
        self.people: dict[int, Person] = {}  # who else is there, once `join` or `pose` was called

    async def send(self, message: ClientMessage) -> None:
        """Send one message."""
        await self._socket.send(encode(message))

    def let_go(self) -> None:
        """Leave nothing behind that would still send."""
        if self._holding is not None:
            self._holding.cancel()

    async def join(self, name: str = "", colour: int = 0) -> None:
        """Begin to see the others, by a name and a colour 0xRRGGBB; empty and 0: the server chooses."""
        await self.send(PeerJoin(colour, name))

    async def pose(self, pose: PersonPose) -> None:
        """Say where this person is, at most 20 times a second.

        Raises:
            ProtocolError: A number is not finite or too large, or a quaternion is zero.
        """
        await self.send(pose_message(pose))

    async def say(self, text: str) -> None:
        """Say something to those who are near, one line of 200 characters, one in two seconds."""
        await self.send(Say(text))

    def cut(self) -> None:
        """Lose the connection without a word, as when a lid is closed."""
        if isinstance(self._socket, HttpStream):
            self._socket.abort()
        else:
            self._socket.transport.abort()

    async def receive(self) -> ServerMessage:
        """Return the next message, having kept it in `received` and given its credit back.

        Raises:
            ConnectionRefusedByServerError: The server ended the stream; `status` is the close code.
            ProtocolError: The server sent something that breaks the protocol, or a damaged chunk.
        """
        while True:
            try:
                data = await self._socket.recv()
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else 1006
                reason = (error.rcvd.reason if error.rcvd else "") or "the connection was lost"
                raise ConnectionRefusedByServerError(reason, status=code) from error
            if isinstance(data, str):
                raise ProtocolError("messages must be binary, got text")
            message = decode_from_server(data)
            if message is None:
                continue
            if isinstance(message, Error):
                raise ConnectionRefusedByServerError(message.text, status=message.code)
            await self._keep(message)
            if not (isinstance(message, Pong) and self._window is not None):
                return message

    async def receive_all(self) -> ReceivedScene:
        """Receive until the server has nothing more for this pose and budget."""
        while not isinstance(await self.receive(), BatchDone):
            pass
        return self.received

    async def _keep(self, message: ServerMessage) -> None:
        kept = self.received
        match message:
            case Scene(json=text):
                kept.description = json.loads(text)
            case Tree():
                if not 0 < len(message.parent) <= MAX_CHUNKS:
                    raise ProtocolError(f"tree must have 1 to {MAX_CHUNKS} rows, got {len(message.parent)}")
                kept.tree = message
                for index in kept.chunks:  # the roots, which came before it
                    self._check(index)
            case Chunk(chunk=index, glb=glb):
                kept.chunks[index] = glb
                kept.order.append(index)
                kept.chunk_bytes += CHUNK_HEADER_BYTES + len(glb)
                if kept.tree is not None:
                    self._check(index)
                await self._give_back(CHUNK_HEADER_BYTES + len(glb))
            case Pong(time_ms=time_ms) if self._window is not None:
                self._window.measure_round_trip(time.perf_counter() - time_ms / 1000)
            case PeerNames(json=text):
                self.people.update({peer: Person(name, colour) for peer, colour, name in json.loads(text)})
            case Peers():
                for peer, pose in poses_in(message).items():
                    if peer in self.people:  # names come first, unless the server is a strange one
                        self.people[peer].pose = pose
            case PeerLeave(peer=gone):
                for peer in gone.tolist():
                    self.people.pop(peer, None)
            case BatchDone(left_out=left_out):
                kept.is_complete = left_out == 0

    async def _give_back(self, count: int) -> None:
        if self._window is not None:
            now = time.perf_counter()
            if now - self._pinged_at > _PING_INTERVAL_S:
                self._pinged_at = now
                await self.send(Ping(now * 1000))
            self._window.arrive(count, now)
            count = self._window.release(count)
            if count == 0 and self._holding is None:
                self._holding = asyncio.create_task(self._give_back_later(self._window))
        if count > 0:
            await self.send(Credit(count))

    async def _give_back_later(self, window: CreditWindow) -> None:
        await asyncio.sleep(HOLD_S)
        self._holding = None
        if (count := window.flush()) > 0:
            with suppress(ConnectionClosed, ConnectionRefusedByServerError):  # `receive` says so
                await self.send(Credit(count))

    def _check(self, index: int) -> None:
        tree = self.received.tree
        assert tree is not None
        found = hashlib.sha256(self.received.chunks[index]).digest()[:TREE_HASH_BYTES]
        if index >= len(tree.parent) or found != tree.hash[index].tobytes():
            raise ProtocolError(f"chunk {index} must have the hash that the tree names")
