"""The WebSocket: a ticket, an upgrade, and a ViewerSession between two directions of traffic."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from reconstruction.errors import ImmersiveError
from streaming.errors import ProtocolError
from streaming.limits import CLIENT_MESSAGE_BURST, CLIENT_MESSAGES_PER_SECOND
from streaming.messages import (
    BAD_MESSAGE,
    LINK_REVOKED,
    NOT_FOUND,
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TICKET_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
    Budget,
    Credit,
    Error,
    Pose,
    Redirect,
    encode,
)
from streaming.people_messages import PRESENCE_TYPES
from streaming.session import DEFAULT_FOV_DEG, DEFAULT_MAX_SPLATS, StreamedScene, ViewerSession

from ..errors import LinkError
from .access import Pass
from .deadline import Deadline
from .http_protocol import DIRECT, Pieces
from .limits import AT_ONCE_BYTES, CLOSE_DEADLINE_S, CREDIT_DEADLINE_S, HELLO_DEADLINE_S
from .pose_pace import PosePace
from .presence import Visitor
from .rates import TokenBucket
from .services import Services, address_of
from .viewers import FAILED, GOING_AWAY, Goodbye, Viewer

_log = logging.getLogger(__name__)


async def stream_scene(socket: WebSocket, services: Services) -> None:
    """Serve one viewer from its upgrade to its close."""
    if not services.is_own_origin(socket.headers.get("origin"), socket.headers.get("host")):
        await socket.close()  # before `accept` this is HTTP 403
        return
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    viewer = Viewer(Pass("", ""), address=address_of(socket))
    name = secrets.token_hex(4)
    try:
        session = await admit(socket, services, viewer)
        services.viewers.add(viewer)
        visitor = services.presence.visitor(viewer, socket)
        try:
            goodbye = await _converse(socket, session, viewer, visitor)
        finally:
            services.viewers.remove(viewer)
            if visitor is not None:
                visitor.leave()
        sent = session.sent_chunk_bytes
    except Refused as refusal:
        goodbye, sent = refusal.goodbye, 0
    _log.info("viewer %s leaves: %s, %d chunk bytes", name, goodbye, sent)
    if goodbye is not None:
        await say_goodbye(socket, goodbye)


class Refused(Exception):
    """A viewer is not let in, or not any longer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.goodbye = Goodbye(code, text)


async def admit(connection: HTTPConnection, services: Services, viewer: Viewer) -> ViewerSession:
    """Use up the ticket of `connection`'s query; return the session that the query asks for.

    Raises:
        Refused: The ticket, the link, the scene, the query or the number of viewers is in the way.
    """
    if services.viewers.is_draining:
        raise Refused(GOING_AWAY, "the server is going down")
    if not services.viewers.has_room(viewer.address):
        raise Refused(TOO_MANY, "too many viewers at once; close another tab or try later")
    admitted = services.grants.redeem(connection.query_params.get("ticket", ""))
    if admitted is None:
        raise Refused(TICKET_EXPIRED, "the ticket is unknown, used or expired; open the link again")
    try:
        services.links.check_way(services.links.get(admitted.link_id), admitted.scene_id)
        viewer.version = services.catalog.get(admitted.scene_id).version
        scene = await services.scenes.get(admitted.scene_id)
    except LinkError as error:
        raise Refused(LINK_REVOKED, str(error)) from error
    except ImmersiveError as error:
        _log.warning("a scene of link %s cannot be streamed: %s", admitted.link_id, error)
        raise Refused(NOT_FOUND, "the scene is gone or damaged") from error
    viewer.admitted = admitted
    try:
        return _session(scene, connection.query_params)
    except ProtocolError as error:
        raise Refused(BAD_MESSAGE, str(error)) from error


def _session(scene: StreamedScene, query: Mapping[str, str]) -> ViewerSession:
    """Return the session that the upgrade's query asks for; it may begin without a message.

    Raises:
        ProtocolError: A parameter is not what the contract says.
    """
    if query.get("v", str(PROTOCOL_VERSION)) != str(PROTOCOL_VERSION):
        raise ProtocolError(f"v must be {PROTOCOL_VERSION}, got {query['v'][:20]!r}")
    fov_deg = _numbers(query, "fov", 1, (DEFAULT_FOV_DEG,))[0]
    spawn = scene.start_pose
    pose = _numbers(query, "pose", 6, (*spawn.position, *spawn.forward))
    credit = int(_numbers(query, "credit", 1, (0.0,))[0])
    budget = int(_numbers(query, "budget", 1, (float(DEFAULT_MAX_SPLATS),))[0])
    sh_degree = _numbers(query, "sh", 1, (0.0,))[0]
    # Built as messages, so that both ways of saying it obey the same limits.
    return ViewerSession(
        scene,
        pose=Pose(0, (pose[0], pose[1], pose[2]), (pose[3], pose[4], pose[5]), fov_deg),
        credit=Credit(credit).bytes,
        max_splats=Budget(budget).max_splats,
        wants_harmonics=sh_degree >= 1,
    )


def _numbers(
    query: Mapping[str, str], name: str, count: int, default: tuple[float, ...]
) -> tuple[float, ...]:
    text = query.get(name)
    if text is None:
        return default
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ProtocolError(f"{name} must be {count} numbers, got {text[:80]!r}")
    return numbers


async def _converse(
    socket: WebSocket, session: ViewerSession, viewer: Viewer, visitor: Visitor | None
) -> Goodbye | None:
    """Run both directions until one ends; return what to say, or None if the other side left."""
    talk = _Talk(socket, session, viewer, visitor)
    directions = (asyncio.create_task(_listen(socket, talk.hear)), asyncio.create_task(talk.run()))
    endings: list[asyncio.Future[Any]] = [*directions, viewer.goodbye]
    done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    for task in directions:
        task.cancel()
    talk.close()
    results = await asyncio.gather(*directions, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            # One viewer's failure is ours to explain, and nobody else's to suffer.
            _log.error("a viewer's connection failed", exc_info=result)
    return viewer.goodbye.result() if viewer.goodbye in done else None


async def _listen(socket: WebSocket, hear: Callable[[bytes | None], None]) -> None:
    direct = _direct(socket)
    if direct is not None:
        direct.listen(hear)
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1006))
        hear(message.get("bytes"))


class _Talk:
    """What one viewer says and is told, and when it is given up."""

    def __init__(
        self, socket: WebSocket, session: ViewerSession, viewer: Viewer, visitor: Visitor | None
    ) -> None:
        self._socket, self._session, self._viewer, self._visitor = socket, session, viewer, visitor
        self._direct = _direct(socket)
        self._clock = asyncio.get_running_loop().time
        self._bucket = TokenBucket(CLIENT_MESSAGES_PER_SECOND, CLIENT_MESSAGE_BURST, self._clock())
        self._deadline = Deadline(lambda reason: viewer.end(TOO_SLOW, reason))
        self._pace = PosePace(session.receive, self._obeyed)
        self._hello_by = self._clock() + HELLO_DEADLINE_S
        self._is_starved = False
        self._is_idle = False  # nothing is being sent, and there was nothing left to send
        self._wake = asyncio.Event()

    def close(self) -> None:
        """Leave no timers behind."""
        self._deadline.close()
        self._pace.close()

    def hear(self, data: bytes | None) -> None:
        """Take in one message (None: one of text); what breaks a rule ends the stream."""
        viewer = self._viewer
        if viewer.goodbye.done():
            return
        if self._visitor is not None and data and data[0] in PRESENCE_TYPES:
            self._visitor.receive(data)  # it came before they were diverted
            return
        if not self._bucket.take(self._clock()):
            viewer.end(TOO_MANY, f"at most {CLIENT_MESSAGES_PER_SECOND} messages a second")
            return
        try:
            if data is None:
                raise ProtocolError("messages must be binary, got text")
            self._pace.take(data)
            self._answer()
        except ProtocolError as error:
            self._obeyed(error)
        except WebSocketDisconnect:
            pass  # which `receive` tells as well
        except Exception:  # noqa: BLE001, as in `_converse`: it is called by the connection, not by a task
            _log.exception("a viewer's message failed")
            viewer.end(FAILED, "the server failed at a message")

    def _obeyed(self, error: ProtocolError | None) -> None:
        if error is not None:
            self._viewer.end(BAD_MESSAGE, str(error))
        self._wake.set()

    def _answer(self) -> None:
        """Send what a message made possible: at once where the line takes it, which spares waking a task."""
        if not self._is_idle or self._direct is None or not self._direct.can_send:
            self._wake.set()
            return
        messages = _next_messages(self._session, self._bucket)
        if messages:
            self._is_starved = False
            self._direct.send_now(messages)
            if self._session.credit > 0:
                self._wake.set()  # others have viewers too
                return
        self._wait_how_long()

    async def run(self) -> None:
        """Send for as long as there is something, then wait for more to be."""
        while True:
            self._wake.clear()
            messages = _next_messages(self._session, self._bucket)
            if not messages:
                self._wait_how_long()
                self._is_idle = True
                await self._wake.wait()
                self._is_idle = False
                continue
            self._is_starved = False
            self._deadline.set(self._clock() + CREDIT_DEADLINE_S, "nothing was read for too long")
            await self._send(messages)
            self._deadline.clear()
            if self._session.credit > 0:
                # Sending does not pause while the buffer has room.
                await asyncio.sleep(0)

    async def _send(self, messages: list[Pieces]) -> None:
        if self._direct is not None:
            await self._direct.send_messages(messages)
            return
        for pieces in messages:
            await self._socket.send_bytes(b"".join(pieces))

    def _wait_how_long(self) -> None:
        if not self._session.has_begun:
            self._deadline.set(self._hello_by, "no HELLO came")
        elif not self._session.is_starved:
            self._is_starved = False
            self._deadline.clear()
        elif not self._is_starved:
            self._is_starved = True
            self._deadline.set(self._clock() + CREDIT_DEADLINE_S, "no credit came")


def _next_messages(session: ViewerSession, bucket: TokenBucket) -> list[Pieces]:
    """Return what to send in one go: little enough that a newer pose is not late for it."""
    messages: list[Pieces] = []
    gathered = 0
    while gathered < AT_ONCE_BYTES and (pieces := session.next_parts()) is not None:
        messages.append(pieces)
        gathered += sum(map(len, pieces))
        if len(pieces) > 1:
            bucket.give()  # for the CREDIT that answers a chunk: a fast line brings hundreds a second
    return messages


def _direct(socket: WebSocket) -> Any:
    """Return the connection itself where the server is ours, else None."""
    return (socket.scope.get("extensions") or {}).get(DIRECT)


def farewell(goodbye: Goodbye) -> bytes:
    """Return the message that says why a stream ends."""
    is_going_away = goodbye.code == GOING_AWAY
    return encode(Redirect(goodbye.retry_ms) if is_going_away else Error(goodbye.code, goodbye.text))


async def say_goodbye(socket: WebSocket, goodbye: Goodbye) -> None:
    """Tell why, then close; whoever does not listen is cut off by the protocol class."""
    try:
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await socket.send_bytes(farewell(goodbye))
            await socket.close(goodbye.code, goodbye.text[:100])
    except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
        _log.debug("goodbye was not taken: %r", error)
