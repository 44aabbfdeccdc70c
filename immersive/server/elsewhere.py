"""People of a room who are connected to other servers: what these say of them, taken in and forgotten.

A server says what changes as it happens, and all of it once a second; so nothing needs to be asked for, and
the people of a server that is silent for a while are gone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence

from streaming.errors import ProtocolError
from streaming.messages import decode_from_server
from streaming.peer_pose import records_in
from streaming.people_messages import PeerNames, PeerPose, Peers, PeerSay
from streaming.presence import Room

from .limits import SERVER_SILENCE_S

_LENGTH = struct.Struct("<I")


def wrap(messages: Sequence[bytes], *, everything: bool) -> bytes:
    """Return messages of a room in one; `everything`: whoever is not in it is gone."""
    return bytes([everything]) + b"".join(_LENGTH.pack(len(part)) + part for part in messages)


class Elsewhere:
    """Those of `room` whom other servers have told of."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._people: dict[bytes, dict[int, int]] = {}  # number here by number there, by server
        self._heard_at: dict[bytes, float] = {}

    def take_in(self, server: bytes, said: bytes, now_s: float) -> None:
        """Take in what `wrap` made on another server.

        Raises:
            ProtocolError: It did not make that.
        """
        known = self._people.setdefault(server, {})
        self._heard_at[server] = now_s
        present: set[int] = set()
        for message in _unwrapped(said[1:]):
            match message:
                case PeerNames(json=text):
                    for peer, colour, name in json.loads(text):
                        if peer not in known and (person := self._room.join(name, colour)) is not None:
                            known[peer] = person
                case PeerSay(peer=peer, text=text) if peer in known:
                    self._room.say(known[peer], text)
                case Peers(records=records):
                    for peer, record in records_in(records):
                        present.add(peer)
                        if peer in known:
                            self._room.move(known[peer], bytes([PeerPose.TYPE]) + record)
        if said[:1] == b"\x01":
            for peer in known.keys() - present:
                self._room.leave(known.pop(peer))

    def forget_silent(self, now_s: float) -> None:
        """Let the people of servers leave that have said nothing for a while."""
        silent = [server for server, heard in self._heard_at.items() if now_s - heard > SERVER_SILENCE_S]
        for server in silent:
            known = self._people.pop(server)
            del self._heard_at[server]
            for person in known.values():
                self._room.leave(person)


def _unwrapped(parts: bytes) -> Iterator[object]:
    at = 0
    while at < len(parts):
        if at + _LENGTH.size > len(parts):
            raise ProtocolError("a part must have a length of 4 bytes")
        (length,) = _LENGTH.unpack_from(parts, at)
        at += _LENGTH.size
        yield decode_from_server(parts[at : at + length])
        at += length
