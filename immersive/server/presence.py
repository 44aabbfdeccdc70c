"""People in the same scene by the same link see each other: visitors, their rooms, the clock that tells them.

What is said here goes around the stream (`http_protocol.Aside`): a pose is worth nothing a moment later, so
it is written at once or not at all, before the next chunk and never behind a queue of them. Nothing is kept.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.websockets import WebSocket

from streaming.errors import ProtocolError
from streaming.limits import PRESENCE_TICKS_PER_SECOND
from streaming.messages import BAD_MESSAGE, TOO_MANY, decode_from_client
from streaming.people_messages import PRESENCE_TYPES, PeerJoin, Say
from streaming.presence import Room

from .access import Pass
from .bus import Bus
from .elsewhere import Elsewhere, wrap
from .http_protocol import ASIDE, Aside
from .limits import NOTE_BURST, NOTES_PER_SECOND, PRESENCE_MESSAGE_BURST, PRESENCE_MESSAGES_PER_SECOND
from .rates import TokenBucket
from .viewers import Viewer

_log = logging.getLogger(__name__)

_TICK_S = 1 / PRESENCE_TICKS_PER_SECOND


class Visitor:
    """One viewer as a person. Joins with the first PEER_JOIN or PEER_POSE, and until then costs nothing."""

    def __init__(self, presence: Presence, viewer: Viewer, aside: Aside) -> None:
        self._presence, self._viewer, self._aside = presence, viewer, aside
        now = asyncio.get_running_loop().time()
        self._bucket = TokenBucket(PRESENCE_MESSAGES_PER_SECOND, PRESENCE_MESSAGE_BURST, now)
        self._notes = TokenBucket(NOTES_PER_SECOND, NOTE_BURST, now)
        self._gathering: Gathering | None = None
        self._person: int | None = None
        self._is_behind = False

    def receive(self, data: bytes) -> None:
        """Take in a message of presence; one that breaks a rule ends the viewer."""
        if self._viewer.goodbye.done():
            return
        if not self._bucket.take(asyncio.get_running_loop().time()):
            self._viewer.end(TOO_MANY, f"at most {PRESENCE_TICKS_PER_SECOND} poses a second")
            return
        try:
            if data[0] == PeerJoin.TYPE:
                self._greet(data)
            elif data[0] == Say.TYPE:
                self._say(data)
            elif self._person is not None or self._join("", 0):
                assert self._gathering is not None and self._person is not None
                self._gathering.room.move(self._person, data)
        except ProtocolError as error:
            self._viewer.end(BAD_MESSAGE, str(error))

    def _greet(self, data: bytes) -> None:
        message = decode_from_client(data)
        assert isinstance(message, PeerJoin)
        if self._person is not None:
            raise ProtocolError("PEER_JOIN must come once and first")
        self._join(message.name, message.colour)

    def _say(self, data: bytes) -> None:
        message = decode_from_client(data)
        assert isinstance(message, Say)
        # Too many are lost and not punished: who types fast has done nothing wrong.
        may_speak = self._notes.take(asyncio.get_running_loop().time())
        if may_speak and self._gathering is not None and self._person is not None:
            self._gathering.room.say(self._person, message.text)

    def _join(self, name: str, colour: int) -> bool:
        gathering = self._presence.gathering(self._viewer.admitted)
        self._person = gathering.room.join(name, colour)
        if self._person is None:  # full; the next pose tries again
            return False
        self._gathering = gathering
        gathering.visitors[self._person] = self
        self._presence.stir()
        return True

    def leave(self) -> None:
        """The socket is gone."""
        self._aside.stop()
        if self._gathering is not None and self._person is not None:
            self._gathering.leave(self._person)
            self._presence.left(self._viewer.admitted)

    @property
    def is_ready(self) -> bool:
        """Whether a message can be written now; if not, the newest will be when there is room."""
        self._is_behind = not self._aside.has_room
        return not self._is_behind

    def send(self, messages: list[bytes]) -> None:
        """Write at once what a tick found."""
        for message in messages:
            self._aside.send(message)

    def catch_up(self) -> None:
        """There is room again, and the next chunk is not written yet."""
        if not (self._is_behind and self._aside.has_room):  # a socket that closes has none
            return
        if self._gathering is not None and self._person is not None:
            self._is_behind = False
            self.send(self._gathering.room.take(self._person))


class Gathering:
    """The people of one link in one scene, those of other servers with them."""

    def __init__(self) -> None:
        self.room = Room()
        self.visitors: dict[int, Visitor] = {}
        self.elsewhere = Elsewhere(self.room)

    def leave(self, person: int) -> None:
        """One of our visitors is gone."""
        del self.visitors[person]
        self.room.leave(person)

    def tick(self) -> None:
        """Tell everybody who can listen what is new."""
        ready = [person for person, visitor in self.visitors.items() if visitor.is_ready]
        for person, messages in self.room.tick(ready):
            self.visitors[person].send(messages)

    def report(self, *, everything: bool) -> bytes | None:
        """Return what other servers should know of our visitors, None if there is nothing new."""
        messages = self.room.report(self.visitors, everything=everything)
        return wrap(messages, everything=everything) if messages or everything else None


class Presence:
    """All gatherings of a server; `bus` leads to those of others."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._gatherings: dict[Pass, Gathering] = {}
        self._stirred = asyncio.Event()
        self._bus = bus
        if bus is not None:
            bus.on_people = self._hear

    def visitor(self, viewer: Viewer, socket: WebSocket) -> Visitor | None:
        """Return the person that a viewer may become; None where messages cannot go around the stream."""
        aside = socket.scope["extensions"].get(ASIDE)
        if aside is None:
            return None
        visitor = Visitor(self, viewer, aside)
        aside.start(PRESENCE_TYPES, visitor.receive, visitor.catch_up)
        return visitor

    def gathering(self, place: Pass) -> Gathering:
        """Return who is at a place, or an empty gathering that is theirs from now on."""
        if place not in self._gatherings:
            self._gatherings[place] = Gathering()
            if self._bus is not None:
                self._bus.watch(place)
        return self._gatherings[place]

    def stir(self) -> None:
        """Somebody came."""
        self._stirred.set()

    def left(self, place: Pass) -> None:
        """One of our visitors is gone; if it was the last at a place, forget that."""
        gathering = self._gatherings[place]
        self._tell(place, gathering, everything=True)
        if not gathering.visitors:
            del self._gatherings[place]
            if self._bus is not None:
                self._bus.unwatch(place)

    def _tell(self, place: Pass, gathering: Gathering, *, everything: bool) -> None:
        if self._bus is not None and self._bus.is_free(place):
            said = gathering.report(everything=everything)
            if said is not None:
                self._bus.say(place, said)

    def _hear(self, place: Pass, server: bytes, said: bytes) -> None:
        gathering = self._gatherings.get(place)
        if gathering is None:
            return
        try:
            gathering.elsewhere.take_in(server, said, asyncio.get_running_loop().time())
        except (ProtocolError, ValueError) as error:
            _log.warning("another server said something strange of people: %s", error)
        self._stirred.set()

    async def run(self) -> None:
        """Tick, for as long as anybody has company, here or perhaps on another server."""
        clock = asyncio.get_running_loop().time
        due, ticks = clock(), 0
        while True:
            may_sleep = True
            ticks += 1
            for number, (place, gathering) in enumerate(list(self._gatherings.items())):
                # All is said again once a second, not for all rooms at the same moment.
                has_beat = self._bus is not None and (ticks + number) % PRESENCE_TICKS_PER_SECOND == 0
                if has_beat:
                    gathering.elsewhere.forget_silent(clock())
                may_sleep &= gathering.room.is_idle and self._bus is None
                if gathering.room.is_idle and not has_beat:
                    continue
                try:
                    gathering.tick()
                    self._tell(place, gathering, everything=has_beat)
                except Exception:  # noqa: BLE001 - one room's failure is ours to explain, and nobody else's to suffer
                    _log.exception("a room of presence failed")
                await asyncio.sleep(0)
            if may_sleep:
                self._stirred.clear()
                await self._stirred.wait()
            due = max(due + _TICK_S, clock())  # a late tick is not made up for
            await asyncio.sleep(due - clock())
