"""Messages about people: who else is in a scene, where, and what they say; part of `messages`.

`peer_pose` has the numbers, `presence` the rooms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from .errors import ProtocolError
from .limits import MAX_PERSON_NAME_BYTES, MAX_SAID_BYTES
from .wire import wire, within

PEER_LEFT_HAND: Final = 1
PEER_RIGHT_HAND: Final = 2
PEER_EXPONENT_SHIFT: Final = 4
PEER_LARGEST_EXPONENT: Final = 12  # 32767 * 2 ** 12 / 1024 m: 131 km, beyond MAX_POSE_METRES
PEER_HAND_BYTES: Final = 10  # three i16 in mm from the head, and its turn


@dataclass(frozen=True, slots=True)
class PeerPose:
    """C->S. Where this person's head is, and hands if they are tracked; sent when it changes, 20 a second."""

    TYPE: ClassVar[int] = 0x20
    flags: int = field(metadata=wire("u8", "1: left hand, 2: right hand, bits 4-7: exponent of the position"))
    position: tuple[int, int, int] = field(
        metadata=wire("i16vec3", "between the eyes, in 2 ** exponent / 1024 m, world")
    )
    turn: int = field(metadata=wire("u32", "world from head (looks along -Z), three smallest of 4 numbers"))
    hands: bytes = field(metadata=wire("bytes", "left, then right: 3 i16 in mm from the head, and u32 turn"))

    def __post_init__(self) -> None:
        hands = self.flags & (PEER_LEFT_HAND | PEER_RIGHT_HAND)
        wanted = hands.bit_count() * PEER_HAND_BYTES
        if len(self.hands) != wanted:
            raise ProtocolError(f"hands must hold {wanted} bytes by its flags, got {len(self.hands)}")
        within("exponent", self.flags >> PEER_EXPONENT_SHIFT, 0, PEER_LARGEST_EXPONENT)


@dataclass(frozen=True, slots=True)
class PeerJoin:
    """C->S. Begin to see the others, once, with a name. A first PeerPose alone does the same without one."""

    TYPE: ClassVar[int] = 0x24
    colour: int = field(metadata=wire("u32", "0xRRGGBB; 0: the server chooses"))
    name: str = field(metadata=wire("utf8", "shown to the others; empty: Guest and a number"))

    def __post_init__(self) -> None:
        within("colour", self.colour, 0, 0xFFFFFF)
        within("the name's length", len(self.name.encode()), 0, MAX_PERSON_NAME_BYTES)


@dataclass(frozen=True, slots=True)
class Peers:
    """S->C. Where others are now: the nearest 20 times a second, the rest twice, only those that moved."""

    TYPE: ClassVar[int] = 0x21
    tick: int = field(metadata=wire("u16", "20 a second, wraps"))
    records: bytes = field(metadata=wire("bytes", "u16 peer, then PeerPose without its type byte, and again"))


@dataclass(frozen=True, slots=True, eq=False)
class PeerLeave:
    """S->C. These are gone."""

    TYPE: ClassVar[int] = 0x22
    peer: NDArray[np.uint16] = field(metadata=wire("column:u16:1", "as in Peers"))


@dataclass(frozen=True, slots=True)
class PeerNames:
    """S->C. Who these are; comes once, before their first pose."""

    TYPE: ClassVar[int] = 0x25
    json: str = field(metadata=wire("utf8", "[[peer, colour 0xRRGGBB, name], ...]"))


@dataclass(frozen=True, slots=True)
class Say:
    """C->S. A short note to those who are near; kept nowhere."""

    TYPE: ClassVar[int] = 0x23
    text: str = field(metadata=wire("utf8", "one line"))

    def __post_init__(self) -> None:
        within("the text's length", len(self.text.encode()), 1, MAX_SAID_BYTES)


@dataclass(frozen=True, slots=True)
class PeerSay:
    """S->C. What one of the others said, just now."""

    TYPE: ClassVar[int] = 0x26
    peer: int = field(metadata=wire("u16", "as in Peers"))
    text: str = field(metadata=wire("utf8", "one line, 200 characters at most"))


PRESENCE_TYPES: Final = frozenset((PeerPose.TYPE, PeerJoin.TYPE, Say.TYPE))
