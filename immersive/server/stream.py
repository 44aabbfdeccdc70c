"""The WebSocket: a ticket, an upgrade, and a ViewerSession between two directions of traffic."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Mapping
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
    PRESENCE_TYPES,
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
from streaming.session import DEFAULT_FOV_DEG, DEFAULT_MAX_SPLATS, StreamedScene, ViewerSession

from ..errors import LinkError
from .access import Pass
from .limits import CLOSE_DEADLINE_S, CREDIT_DEADLINE_S, HELLO_DEADLINE_S, RETRY_MS
from .presence import Visitor
from .rates import TokenBucket
from .services import Services, address_of
from .viewers import GOING_AWAY, Goodbye, Viewer

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
        await _say(socket, goodbye)


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
    wake = asyncio.Event()
    now = asyncio.get_running_loop().time()
    bucket = TokenBucket(CLIENT_MESSAGES_PER_SECOND, CLIENT_MESSAGE_BURST, now)
    directions = (
        asyncio.create_task(_listen(socket, session, wake, bucket, visitor)),
        asyncio.create_task(_talk(socket, session, wake, bucket)),
    )
    endings: list[asyncio.Future[Any]] = [*directions, viewer.goodbye]
    done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    for task in directions:
        task.cancel()
    results = await asyncio.gather(*directions, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | Refused):
            # One viewer's failure is ours to explain, and nobody else's to suffer.
            _log.error("a viewer's connection failed", exc_info=result)
    if viewer.goodbye in done:
        return viewer.goodbye.result()
    for result in results:
        if isinstance(result, Refused):
            return result.goodbye
    return None


async def _listen(
    socket: WebSocket,
    session: ViewerSession,
    wake: asyncio.Event,
    bucket: TokenBucket,
    visitor: Visitor | None,
) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1006))
        data = message.get("bytes")
        if visitor is not None and data and data[0] in PRESENCE_TYPES:
            visitor.receive(data)  # it came before they were diverted
            continue
        if not bucket.take(clock()):
            raise Refused(TOO_MANY, f"at most {CLIENT_MESSAGES_PER_SECOND} messages a second")
        if data is None:
            raise Refused(BAD_MESSAGE, "messages must be binary, got text")
        try:
            session.receive(data)
        except ProtocolError as error:
            raise Refused(BAD_MESSAGE, str(error)) from error
        wake.set()


async def _talk(socket: WebSocket, session: ViewerSession, wake: asyncio.Event, bucket: TokenBucket) -> None:
    clock = asyncio.get_running_loop().time
    hello_by = clock() + HELLO_DEADLINE_S
    credit_by = math.inf
    while True:
        wake.clear()
        bytes_before = session.sent_chunk_bytes
        data = session.next_to_send()
        if session.sent_chunk_bytes > bytes_before:
            bucket.give()  # for the CREDIT that answers a chunk: a fast line brings hundreds a second
        if data is not None:
            credit_by = math.inf
            try:
                async with asyncio.timeout(CREDIT_DEADLINE_S):
                    await socket.send_bytes(data)
            except TimeoutError as error:
                raise Refused(TOO_SLOW, "nothing was read for too long") from error
            # `send_bytes` does not pause while the buffer has room, and others have viewers too.
            await asyncio.sleep(0)
            continue
        if session.is_starved:
            credit_by = min(credit_by, clock() + CREDIT_DEADLINE_S)
        deadline = hello_by if not session.has_begun else credit_by
        try:
            async with asyncio.timeout_at(deadline if deadline < math.inf else None):
                await wake.wait()
        except TimeoutError as error:
            what = "no HELLO came" if not session.has_begun else "no credit came"
            raise Refused(TOO_SLOW, what) from error


def farewell(goodbye: Goodbye) -> bytes:
    """Return the message that says why a stream ends."""
    is_going_away = goodbye.code == GOING_AWAY
    return encode(Redirect(RETRY_MS) if is_going_away else Error(goodbye.code, goodbye.text))


async def _say(socket: WebSocket, goodbye: Goodbye) -> None:
    """Tell why, then close; whoever does not listen is cut off by the protocol class."""
    try:
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await socket.send_bytes(farewell(goodbye))
            await socket.close(goodbye.code, goodbye.text[:100])
    except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
        _log.debug("goodbye was not taken: %r", error)
