"""The wire messages of subprotocol `splat.v1`: the dataclasses below are the layout.

One binary WebSocket message holds one message: a type byte, then the fields in the order written here,
little-endian (`wire` has the packing). `codegen` makes `viewer/src/protocol/generated.ts` from this module: a
change here is a change of the protocol. A message of unknown type is ignored, not an error, so that an
old server meets a new page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from .asset import SplatAsset
from .errors import ProtocolError
from .limits import (
    MAX_BUDGET_SPLATS,
    MAX_CREDIT_BYTES,
    MAX_POSE_METRES,
)
from .people_messages import PeerJoin, PeerLeave, PeerNames, PeerPose, Peers, PeerSay, Say
from .wire import HASH_PREFIX_BYTES, decode_message, encode_message, layout_of, wire, within

SUBPROTOCOL: Final = "splat.v1"
PROTOCOL_VERSION: Final = 1

# Chunk kinds as they travel; the index is the byte.
CHUNK_KINDS: Final = ("splats", "sh", "collider", "sound")

# Kinds of pictures as they travel; the index is the byte.
PICTURE_KINDS: Final = ("jpeg", "webp")

TREE_HASH_BYTES: Final = 16  # of sha256, in Tree: what a page checks arriving chunks against

# WebSocket close codes and Error.code share one closed set.
BAD_MESSAGE: Final = 4400
TICKET_EXPIRED: Final = 4401
LINK_REVOKED: Final = 4403
NOT_FOUND: Final = 4404
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429
CLOSE_CODES: Final = {
    "badMessage": BAD_MESSAGE,
    "ticketExpired": TICKET_EXPIRED,
    "linkRevoked": LINK_REVOKED,
    "notFound": NOT_FOUND,
    "tooSlow": TOO_SLOW,
    "tooMany": TOO_MANY,
}

NACK_HASH: Final = 1  # the bytes do not have the hash that Tree names
NACK_DECODE: Final = 2  # the hash is right but the chunk cannot be drawn
NACK_REASONS: Final = {"hash": NACK_HASH, "decode": NACK_DECODE}


@dataclass(frozen=True, slots=True)
class Hello:
    """C->S. What the viewer can hold and already has. Only needed when the upgrade query gave no credit."""

    TYPE: ClassVar[int] = 0x01
    version: int = field(metadata=wire("u8", "PROTOCOL_VERSION"))
    max_splats: int = field(metadata=wire("u32", "as Budget.max_splats"))
    credit: int = field(metadata=wire("u32", "first window in bytes, as Credit.bytes"))
    have: tuple[bytes, ...] = field(
        metadata=wire("prefixes", "first 8 bytes of the sha256 of each chunk held")
    )

    def __post_init__(self) -> None:
        within("credit", self.credit, 0, MAX_CREDIT_BYTES)
        within("max_splats", self.max_splats, 0, MAX_BUDGET_SPLATS)
        if any(len(prefix) != HASH_PREFIX_BYTES for prefix in self.have):
            raise ProtocolError(f"have must hold prefixes of {HASH_PREFIX_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Pose:
    """C->S. Where the viewer looks from now; chunks not yet sent are put in a new order."""

    TYPE: ClassVar[int] = 0x02
    epoch: int = field(metadata=wire("u32", "grows with every pose; older poses are ignored"))
    position: tuple[float, float, float] = field(
        metadata=wire("vec3", "eye (between the eyes), metres, world")
    )
    forward: tuple[float, float, float] = field(
        metadata=wire("vec3", "viewing direction, world, any length but 0")
    )
    fov_deg: float = field(metadata=wire("f32", "full angle of the cone that holds the picture, 1..180"))

    def __post_init__(self) -> None:
        numbers = (*self.position, *self.forward, self.fov_deg)
        if not all(-MAX_POSE_METRES <= number <= MAX_POSE_METRES for number in numbers):
            raise ProtocolError(f"pose must be finite and within {MAX_POSE_METRES:g} m, got {numbers}")
        if sum(axis * axis for axis in self.forward) < 1e-6:
            raise ProtocolError(f"forward must not be zero, got {self.forward}")
        within("fov_deg", self.fov_deg, 1.0, 180.0)


@dataclass(frozen=True, slots=True)
class Credit:
    """C->S. The viewer took in `bytes` more; the server may send as many more."""

    TYPE: ClassVar[int] = 0x03
    bytes: int = field(metadata=wire("u32", "whole chunk messages, headers included"))

    def __post_init__(self) -> None:
        within("bytes", self.bytes, 0, MAX_CREDIT_BYTES)


@dataclass(frozen=True, slots=True)
class Budget:
    """C->S. How many splats the viewer wants to hold at most."""

    TYPE: ClassVar[int] = 0x04
    max_splats: int = field(metadata=wire("u32", "splats alive at once, replaced ones not counted"))

    def __post_init__(self) -> None:
        within("max_splats", self.max_splats, 0, MAX_BUDGET_SPLATS)


@dataclass(frozen=True, slots=True)
class Evicted:
    """C->S. Chunks that the viewer dropped; the server may send them again."""

    TYPE: ClassVar[int] = 0x05
    chunks: tuple[int, ...] = field(metadata=wire("u32s", "chunk indices"))


@dataclass(frozen=True, slots=True)
class Nack:
    """C->S. A chunk that arrived broken; it is sent again once."""

    TYPE: ClassVar[int] = 0x06
    chunk: int = field(metadata=wire("u32", "chunk index"))
    reason: int = field(metadata=wire("u8", "NACK_REASONS"))

    def __post_init__(self) -> None:
        if self.reason not in NACK_REASONS.values():
            raise ProtocolError(f"reason must be one of {sorted(NACK_REASONS.values())}, got {self.reason}")


@dataclass(frozen=True, slots=True)
class Scene:
    """S->C. The manifest. Comes after the root chunks: the first picture does not wait for it."""

    TYPE: ClassVar[int] = 0x11
    json: str = field(metadata=wire("utf8", "{id, version, chunk_count, byte_length, manifest}"))


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """S->C. One row per chunk of the scene, in pack order. The collider and the roots have parent -1."""

    TYPE: ClassVar[int] = 0x12
    parent: NDArray[np.int32] = field(metadata=wire("column:i32:1", "chunk index of the parent, or -1"))
    range_start: NDArray[np.uint32] = field(
        metadata=wire("column:u32:1", "first splat of the parent that it replaces")
    )
    range_stop: NDArray[np.uint32] = field(metadata=wire("column:u32:1", "one past the last"))
    splat_count: NDArray[np.uint32] = field(metadata=wire("column:u32:1", "0 for colliders"))
    byte_length: NDArray[np.uint32] = field(
        metadata=wire("column:u32:1", "of the GLB; offsets are their running sum")
    )
    center: NDArray[np.float32] = field(metadata=wire("column:f32:3", "metres"))
    radius: NDArray[np.float32] = field(metadata=wire("column:f32:1", "metres"))
    error: NDArray[np.float32] = field(metadata=wire("column:f32:1", "left while its children are missing"))
    kind: NDArray[np.uint8] = field(metadata=wire("column:u8:1", "index into CHUNK_KINDS"))
    level: NDArray[np.uint8] = field(metadata=wire("column:u8:1", "0 = coarsest"))
    hash: NDArray[np.uint8] = field(metadata=wire("column:u8:16", "first 16 bytes of the GLB's sha256"))


@dataclass(frozen=True, slots=True)
class Chunk:
    """S->C. One GLB. A parent always comes before its children, unless the viewer said it has it."""

    TYPE: ClassVar[int] = 0x13
    kind: int = field(metadata=wire("u8", "index into CHUNK_KINDS"))
    level: int = field(metadata=wire("u8", "0 = coarsest"))
    chunk: int = field(metadata=wire("u32", "index, the row of Tree"))
    epoch: int = field(metadata=wire("u32", "of the pose that chose it"))
    seq: int = field(metadata=wire("u32", "0, 1, 2 ... in this connection"))
    glb: bytes = field(metadata=wire("bytes", "the GLB"))


CHUNK_HEADER_BYTES: Final = layout_of(Chunk).head.size  # before its GLB


@dataclass(frozen=True, slots=True)
class BatchDone:
    """S->C. Nothing more to send for this pose and budget."""

    TYPE: ClassVar[int] = 0x14
    epoch: int = field(metadata=wire("u32", "of the newest pose"))
    left_out: int = field(metadata=wire("u32", "chunks kept back by the budget; 0: the whole scene is there"))


@dataclass(frozen=True, slots=True)
class Redirect:
    """S->C. This server is going down or full: connect again, with Hello.have."""

    TYPE: ClassVar[int] = 0x15
    retry_ms: int = field(metadata=wire("u32", "wait this long first"))


@dataclass(frozen=True, slots=True)
class Error:
    """S->C. Why the socket closes now."""

    TYPE: ClassVar[int] = 0x16
    code: int = field(metadata=wire("u16", "CLOSE_CODES"))
    text: str = field(metadata=wire("utf8", "one sentence for a person"))


@dataclass(frozen=True, slots=True)
class Picture:
    """S->C. What a pose sees, for devices that cannot draw; answered with Credit once it is shown."""

    TYPE: ClassVar[int] = 0x17
    epoch: int = field(metadata=wire("u32", "of the pose that it answers"))
    position: tuple[float, float, float] = field(
        metadata=wire("vec3", "eye, metres, world: where walls and ground let the visitor come")
    )
    took_ms: float = field(metadata=wire("f32", "from the pose's arrival to this message"))
    kind: int = field(metadata=wire("u8", "index into PICTURE_KINDS"))
    picture: bytes = field(metadata=wire("bytes", "the file"))


@dataclass(frozen=True, slots=True)
class Ping:
    """Both. Browsers hide WebSocket pings from scripts, so the round trip is measured with these."""

    TYPE: ClassVar[int] = 0x30
    time_ms: float = field(metadata=wire("f64", "the sender's clock"))


@dataclass(frozen=True, slots=True)
class Pong:
    """Both. The answer to a Ping, with its time."""

    TYPE: ClassVar[int] = 0x31
    time_ms: float = field(metadata=wire("f64", "copied from the Ping"))


ClientMessage = Hello | Pose | Credit | Budget | Evicted | Nack | Ping | Pong | PeerPose | PeerJoin | Say
ServerMessage = (
    Scene
    | Tree
    | Chunk
    | BatchDone
    | Redirect
    | Error
    | Picture
    | Ping
    | Pong
    | Peers
    | PeerLeave
    | PeerNames
    | PeerSay
)
CLIENT_MESSAGES: Final = (Hello, Pose, Credit, Budget, Evicted, Nack, Ping, Pong, PeerPose, PeerJoin, Say)
SERVER_MESSAGES: Final = (
    Scene, Tree, Chunk, BatchDone, Redirect, Error, Picture, Ping, Pong,
    Peers, PeerLeave, PeerNames, PeerSay,
)  # fmt: skip
_FROM_CLIENT = {message.TYPE: message for message in CLIENT_MESSAGES}
_FROM_SERVER = {message.TYPE: message for message in SERVER_MESSAGES}


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """Return the bytes of one message.

    Raises:
        ProtocolError: A number does not fit its field, or columns differ in length.
    """
    return encode_message(message)


def decode_from_client(data: bytes) -> ClientMessage | None:
    """Return what a viewer sent, or None for a type that this version does not know.

    Raises:
        ProtocolError: The bytes do not follow the layout or a value is out of its range.
    """
    message: ClientMessage | None = decode_message(_FROM_CLIENT, data)
    return message


def decode_from_server(data: bytes) -> ServerMessage | None:
    """Return what a server sent, or None for a type that this version does not know.

    Raises:
        ProtocolError: The bytes do not follow the layout or a value is out of its range.
    """
    message: ServerMessage | None = decode_message(_FROM_SERVER, data)
    return message


def tree_of(asset: SplatAsset) -> Tree:
    """Return the chunk table of `asset` as the message that describes it."""
    chunks = asset.chunks
    hashes = b"".join(bytes.fromhex(chunk.sha256)[:TREE_HASH_BYTES] for chunk in chunks)
    return Tree(
        parent=np.array([chunk.parent for chunk in chunks], np.int32),
        range_start=np.array([chunk.range_start for chunk in chunks], np.uint32),
        range_stop=np.array([chunk.range_stop for chunk in chunks], np.uint32),
        splat_count=np.array([chunk.splat_count for chunk in chunks], np.uint32),
        byte_length=np.array([chunk.byte_length for chunk in chunks], np.uint32),
        center=np.array([chunk.center for chunk in chunks], np.float32).reshape(-1, 3),
        radius=np.array([chunk.radius for chunk in chunks], np.float32),
        error=np.array([chunk.error for chunk in chunks], np.float32),
        kind=np.array([CHUNK_KINDS.index(chunk.kind) for chunk in chunks], np.uint8),
        level=np.array([chunk.level for chunk in chunks], np.uint8),
        hash=np.frombuffer(hashes, np.uint8).reshape(-1, TREE_HASH_BYTES),
    )
