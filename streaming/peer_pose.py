"""The numbers of a person's pose: metres and quaternions to the few bytes of PEER_POSE, and back.

A position has one exponent for its three axes, so that a room has steps of a millimetre and a landscape still
fits. A turn is the three smallest numbers of its quaternion, ten bits each: at most 0.17 degrees off.
`viewer/src/people/peerPose.ts` reads and writes the same.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ProtocolError
from .messages import decode_from_client
from .people_messages import (
    PEER_EXPONENT_SHIFT,
    PEER_HAND_BYTES,
    PEER_LARGEST_EXPONENT,
    PEER_LEFT_HAND,
    PEER_RIGHT_HAND,
    PeerPose,
    Peers,
)

POSE_HEAD_BYTES = 12  # of a PeerPose message before its hands
_STEPS_PER_M = 1024
_LARGEST = 32_767
_TURN_STEPS = 1022  # even, so that zero is one of them and a level head stays level
_HALF_SQRT2 = math.sqrt(0.5)
_HAND = struct.Struct("<3hI")
_PEER = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class Hand:
    """A tracked hand."""

    offset: tuple[float, float, float]  # metres from the head, world axes
    quat: tuple[float, float, float, float]  # wxyz, world from hand


@dataclass(frozen=True, slots=True)
class PersonPose:
    """Where a person is."""

    position: tuple[float, float, float]  # between the eyes, metres, world
    quat: tuple[float, float, float, float]  # wxyz, world from head; the head looks along -Z
    left: Hand | None = None
    right: Hand | None = None


def pose_message(pose: PersonPose) -> PeerPose:
    """Return what says that a person is there. The position is off by at most half a step, 2^-11 of its size.

    Raises:
        ProtocolError: A number is not finite or too large, or a quaternion is zero.
    """
    flags, hands = 0, b""
    for bit, hand in ((PEER_LEFT_HAND, pose.left), (PEER_RIGHT_HAND, pose.right)):
        if hand is not None:
            flags |= bit
            x, y, z = _whole(hand.offset, 1000)
            hands += _HAND.pack(x, y, z, _pack_quat(hand.quat))
    largest = max(abs(axis) for axis in pose.position)
    exponent = 0
    while largest * _STEPS_PER_M > _LARGEST << exponent and exponent < PEER_LARGEST_EXPONENT:
        exponent += 1
    position = _whole(pose.position, _STEPS_PER_M / 2**exponent)
    return PeerPose(flags | exponent << PEER_EXPONENT_SHIFT, position, _pack_quat(pose.quat), hands)


def read_pose(message: PeerPose) -> PersonPose:
    """Return the pose that a message holds."""
    step_m = 2 ** (message.flags >> PEER_EXPONENT_SHIFT) / _STEPS_PER_M
    x, y, z = message.position
    found: dict[int, Hand] = {}
    at = 0
    for bit in (PEER_LEFT_HAND, PEER_RIGHT_HAND):
        if message.flags & bit:
            *mm, turn = _HAND.unpack_from(message.hands, at)
            found[bit] = Hand((mm[0] / 1000, mm[1] / 1000, mm[2] / 1000), _unpack_quat(turn))
            at += PEER_HAND_BYTES
    return PersonPose(
        (x * step_m, y * step_m, z * step_m),
        _unpack_quat(message.turn),
        found.get(PEER_LEFT_HAND),
        found.get(PEER_RIGHT_HAND),
    )


def poses_in(message: Peers) -> dict[int, PersonPose]:
    """Return the poses in PEERS, by peer.

    Raises:
        ProtocolError: The records are cut short or break a rule.
    """
    return {peer: read_pose(_checked(b"\x20" + record)) for peer, record in records_in(message.records)}


def records_in(records: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each peer of PEERS with its pose, a PeerPose message without its type byte.

    Raises:
        ProtocolError: The records are cut short.
    """
    at = 0
    while at < len(records):
        start = at + _PEER.size
        flags = records[start] if start < len(records) else 0
        end = start + pose_bytes(flags) - 1
        if end > len(records):
            raise ProtocolError(f"records must be whole, got {len(records) - at} bytes for the last")
        yield _PEER.unpack_from(records, at)[0], records[start:end]
        at = end


def pose_bytes(flags: int) -> int:
    """Return how long a PeerPose message with these flags is, type byte included."""
    return POSE_HEAD_BYTES + (flags & (PEER_LEFT_HAND | PEER_RIGHT_HAND)).bit_count() * PEER_HAND_BYTES


def check_pose(data: bytes) -> None:
    """Raise unless `data` is a PeerPose message; quicker than decoding it.

    Raises:
        ProtocolError: It is not.
    """
    is_whole = len(data) >= POSE_HEAD_BYTES and len(data) == pose_bytes(data[1])
    if not is_whole or data[1] >> PEER_EXPONENT_SHIFT > PEER_LARGEST_EXPONENT:
        _checked(data)  # says what is wrong


def positions_of(records: Sequence[bytes]) -> NDArray[np.float32]:
    """Return [N, 3] metres of poses as `records_in` yields them."""
    heads = np.frombuffer(b"".join([record[:7] for record in records]), np.uint8).reshape(-1, 7)
    steps = np.ascontiguousarray(heads[:, 1:]).view("<i2").astype(np.float32)
    exponents = (heads[:, 0] >> PEER_EXPONENT_SHIFT).astype(np.float32)
    positions: NDArray[np.float32] = steps * (np.exp2(exponents) / np.float32(_STEPS_PER_M))[:, None]
    return positions


def _checked(data: bytes) -> PeerPose:
    message = decode_from_client(data)
    assert isinstance(message, PeerPose)
    return message


def _whole(numbers: Sequence[float], steps: float) -> tuple[int, int, int]:
    scaled = [number * steps for number in numbers]
    if not all(-_LARGEST - 1 < number < _LARGEST + 1 for number in scaled):  # so is a NaN refused
        raise ProtocolError(f"a person's place must be finite and near, got {tuple(numbers)}")
    x, y, z = (max(-_LARGEST, min(_LARGEST, round(number))) for number in scaled)
    return x, y, z


def _pack_quat(quat: Sequence[float]) -> int:
    length = math.sqrt(sum(number * number for number in quat))
    if not 1e-6 < length < math.inf:
        raise ProtocolError(f"a turn must be a finite quaternion other than zero, got {tuple(quat)}")
    unit = [number / length for number in quat]
    largest = max(range(4), key=lambda index: abs(unit[index]))
    sign = 1.0 if unit[largest] > 0 else -1.0
    packed = largest
    for index in range(4):
        if index != largest:
            share = (unit[index] * sign / _HALF_SQRT2 + 1) / 2
            packed = packed << 10 | min(_TURN_STEPS, max(0, round(share * _TURN_STEPS)))
    return packed


def _unpack_quat(packed: int) -> tuple[float, float, float, float]:
    largest = packed >> 30
    smaller = [((packed >> shift & 1023) / _TURN_STEPS * 2 - 1) * _HALF_SQRT2 for shift in (20, 10, 0)]
    # Foreign bytes may hold three numbers that leave nothing for the fourth.
    smaller.insert(largest, math.sqrt(max(0.0, 1 - sum(number * number for number in smaller))))
    length = math.sqrt(sum(number * number for number in smaller))
    w, x, y, z = (number / length for number in smaller)
    return w, x, y, z
