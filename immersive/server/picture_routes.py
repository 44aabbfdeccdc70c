"""Pictures for devices that cannot draw: a WebSocket of poses and pictures, and one picture by GET.

`/ws/pictures?ticket=…` takes tickets, `pose` and `fov` as `/ws` does and obeys the same limits; `size`,
`kind`, `stereo` and `additive` are those of `thin.asked`. Where sockets are blocked, the bearer of the opened
link gets one picture for each `GET /api/scenes/{id}/picture`. Server-sent events would push the same pictures
as base64, a third larger, and would not wait for a slow line as whoever asks for the next picture does.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from reconstruction.errors import ImmersiveError, InvalidInputError
from streaming.errors import ProtocolError
from streaming.limits import CLIENT_MESSAGE_BURST, CLIENT_MESSAGES_PER_SECOND
from streaming.messages import BAD_MESSAGE, NOT_FOUND, SUBPROTOCOL, TOO_MANY, TOO_SLOW, Pose
from streaming.session import StreamedScene

from ..errors import UnknownSceneError
from ..thin.asked import DEFAULT_FOV_DEG, MEDIA_TYPES, Asked, asked_in
from ..thin.visitor import Visitor, Wanted, Wish
from .access import Pass
from .failures import TooManyRequestsError
from .guard import Guard, bearer_of
from .limits import CREDIT_DEADLINE_S
from .rates import TokenBucket
from .services import Services, address_of
from .stream import Refused, admit, say_goodbye
from .viewers import Goodbye, Viewer

if TYPE_CHECKING:
    from ..thin.scene import DrawnScene

_log = logging.getLogger(__name__)

# More than a screen of glasses shows anew; without a limit one visitor alone keeps a core busy.
_PICTURES_PER_SECOND = 30.0
# Who stands still for so long leaves a seat to others; without a socket nobody knows who is still there.
_SEAT_S = 60.0
_SEAT_BY_REQUESTS_S = 10.0
_NO_SEAT = "too many visitors are drawn for here already; try again later, or open the link on another device"
_NOT_KEPT = "private, no-store"


def picture_routes(services: Services) -> APIRouter:
    """Return the socket and the route."""
    router = APIRouter()
    guard, studio = Guard(services), services.studio
    busy: set[str] = set()

    @router.websocket("/ws/pictures")
    async def pictures(socket: WebSocket) -> None:
        await _show(socket, services)

    @router.get(
        "/api/scenes/{scene_id}/picture",
        response_class=Response,
        responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}},
    )
    async def picture(
        scene_id: str,
        request: Request,
        pose: str | None = None,
        fov: float = DEFAULT_FOV_DEG,
        at: str | None = None,
    ) -> Response:
        """Draw a scene once: `pose` is eye x,y,z and direction x,y,z; None: from the start.

        `at` is where the eye was told to be before: the answer's `X-Position` says how far one comes from
        there. `size`, `kind`, `stereo` and `additive` are those of `/ws/pictures`.
        """
        still_readable = guard.reader(request, scene_id)
        try:
            asked = asked_in(request.query_params)
            scene = await services.scenes.get(scene_id)
            start = _start(scene, fov)
            wished = start if pose is None else _posed(pose, fov)
            before = start if at is None else replace(start, position=_numbers("at", at, 3))
        except ProtocolError as error:
            raise InvalidInputError(str(error)) from error
        name, now = bearer_of(request), services.now()
        if name in busy:
            raise TooManyRequestsError("one picture at a time", hint="Ask for the next when it is there.")
        if not studio.take_seat(name, now, now + _SEAT_BY_REQUESTS_S):
            raise TooManyRequestsError(_NO_SEAT)
        busy.add(name)
        try:
            data, position = await _one_picture(services, scene, asked, before, wished)
        except ImmersiveError as error:
            _log.warning("scene %s cannot be drawn: %s", scene_id, error)
            raise UnknownSceneError(scene_id, "is damaged and cannot be drawn") from error
        finally:
            busy.discard(name)
        still_readable()
        headers = {"Cache-Control": _NOT_KEPT, "X-Position": ",".join(f"{axis:.4f}" for axis in position)}
        return Response(data, media_type=MEDIA_TYPES[asked.kind], headers=headers)

    return router


async def _one_picture(
    services: Services, scene: StreamedScene, asked: Asked, before: Pose, wished: Pose
) -> tuple[bytes, tuple[float, float, float]]:
    from ..thin.drawing import Drawing

    studio = services.studio
    drawn_scene = await studio.scene(scene)
    before = drawn_scene.entered(before)
    visitor = Visitor(before, asked, drawn_scene.footing, scene.asset.manifest.eye_height_m, 0.0)

    def draw() -> tuple[bytes, tuple[float, float, float]]:
        told = visitor.follow(Wish(wished, math.inf)).told  # no speed: nobody knows when `before` was
        return Drawing(drawn_scene, asked).picture(told), told.position

    async with studio.turn():
        return await studio.work(draw)


async def _show(socket: WebSocket, services: Services) -> None:
    """Serve one device from its upgrade to its close."""
    if not services.is_own_origin(socket.headers.get("origin"), socket.headers.get("host")):
        await socket.close()  # before `accept` this is HTTP 403
        return
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    viewer, seat = Viewer(Pass("", ""), address=address_of(socket)), secrets.token_hex(8)
    count = 0
    goodbye: Goodbye | None
    try:
        scene = (await admit(socket, services, viewer)).scene
        _sit(services, seat)
        services.viewers.add(viewer)
        try:
            goodbye, count = await _converse(socket, services, viewer, scene, seat)
        finally:
            services.viewers.remove(viewer)
    except Refused as refusal:
        goodbye = refusal.goodbye
    finally:
        services.studio.leave_seat(seat)
    _log.info("a device that was drawn for leaves: %s, %d pictures", goodbye, count)
    if goodbye is not None:
        await say_goodbye(socket, goodbye)


async def _converse(
    socket: WebSocket, services: Services, viewer: Viewer, scene: StreamedScene, seat: str
) -> tuple[Goodbye | None, int]:
    """Run both directions until one ends; return what to say, or None if the other side left, and a count."""
    clock = asyncio.get_running_loop().time
    try:
        asked = asked_in(socket.query_params)
    except ProtocolError as error:
        raise Refused(BAD_MESSAGE, str(error)) from error
    try:
        drawn_scene = await services.studio.scene(scene)
    except ImmersiveError as error:
        _log.warning("scene %s cannot be drawn: %s", scene.scene_id, error)
        raise Refused(NOT_FOUND, "the scene is gone or damaged") from error
    fov_deg = float(socket.query_params.get("fov", DEFAULT_FOV_DEG))  # `admit` has read it already
    pose = socket.query_params.get("pose")
    start = _start(scene, fov_deg)
    if pose is not None:
        # Epoch 0 is of the picture that nobody had to ask for.
        start = drawn_scene.entered(replace(_posed(pose, fov_deg), epoch=0))
    visitor = Visitor(start, asked, drawn_scene.footing, scene.asset.manifest.eye_height_m, clock())
    wake, shown = asyncio.Event(), [0]
    directions = (
        asyncio.create_task(_listen(socket, visitor, wake)),
        asyncio.create_task(_talk(socket, services, drawn_scene, visitor, wake, shown, seat)),
    )
    endings: list[asyncio.Future[Any]] = [*directions, viewer.goodbye]
    done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    for task in directions:
        task.cancel()
    results = await asyncio.gather(*directions, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | Refused):
            _log.error("drawing for a device failed", exc_info=result)
    if viewer.goodbye in done:
        return viewer.goodbye.result(), shown[0]
    for result in results:
        if isinstance(result, Refused):
            return result.goodbye, shown[0]
    return None, shown[0]


async def _listen(socket: WebSocket, visitor: Visitor, wake: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    bucket = TokenBucket(CLIENT_MESSAGES_PER_SECOND, CLIENT_MESSAGE_BURST, clock())
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1006))
        if not bucket.take(clock()):
            raise Refused(TOO_MANY, f"at most {CLIENT_MESSAGES_PER_SECOND} messages a second")
        data = message.get("bytes")
        if data is None:
            raise Refused(BAD_MESSAGE, "messages must be binary, got text")
        try:
            visitor.receive(data, clock())
        except ProtocolError as error:
            raise Refused(BAD_MESSAGE, str(error)) from error
        wake.set()


async def _talk(
    socket: WebSocket,
    services: Services,
    drawn_scene: DrawnScene,
    visitor: Visitor,
    wake: asyncio.Event,
    shown: list[int],
    seat: str,
) -> None:
    from ..thin.drawing import Drawing

    clock, studio = asyncio.get_running_loop().time, services.studio
    drawing = Drawing(drawn_scene, visitor.asked)

    def draw(wish: Wish) -> tuple[Wanted, bytes]:
        wanted = visitor.follow(wish)
        return wanted, drawing.picture(wanted.drawn)

    next_s, taken_by = clock(), math.inf
    while True:
        wake.clear()
        while (reply := visitor.reply()) is not None:
            await _send(socket, reply)
        if visitor.wish() is None:
            # However often it says where it looks: what counts is whether it takes what it is shown.
            taken_by = min(taken_by, clock() + CREDIT_DEADLINE_S) if visitor.is_waiting else math.inf
            try:
                async with asyncio.timeout_at(taken_by if taken_by < math.inf else None):
                    await wake.wait()
            except TimeoutError as error:
                raise Refused(TOO_SLOW, "no picture was taken for too long") from error
            continue
        taken_by = math.inf
        await asyncio.sleep(max(0.0, next_s - clock()))
        async with studio.turn():
            wish = visitor.wish()  # the newest, after the wait for a turn
            if wish is None:
                continue
            _sit(services, seat)
            next_s = clock() + 1 / _PICTURES_PER_SECOND
            wanted, picture = await studio.work(lambda wish=wish: draw(wish))  # type: ignore[misc]
        await _send(socket, visitor.shown(wanted, picture, clock()))
        shown[0] += 1


def _sit(services: Services, seat: str) -> None:
    now = services.now()
    if not services.studio.take_seat(seat, now, now + _SEAT_S):
        raise Refused(TOO_MANY, _NO_SEAT)


async def _send(socket: WebSocket, data: bytes) -> None:
    try:
        async with asyncio.timeout(CREDIT_DEADLINE_S):
            await socket.send_bytes(data)
    except TimeoutError as error:
        raise Refused(TOO_SLOW, "nothing was read for too long") from error


def _start(scene: StreamedScene, fov_deg: float) -> Pose:
    return Pose(0, scene.start_pose.position, scene.start_pose.forward, fov_deg)


def _posed(text: str, fov_deg: float) -> Pose:
    numbers = _numbers("pose", text, 6)
    return Pose(1, numbers[:3], numbers[3:], fov_deg)  # type: ignore[arg-type]


def _numbers(name: str, text: str, count: int) -> tuple[Any, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ProtocolError(f"{name} must be {count} numbers, got {text[:80]!r}")
    return numbers
