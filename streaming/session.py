"""What to send to one viewer next, without any input or output: bytes in, bytes out, no clock.

Order: root chunks, SCENE and TREE, the collider, then whatever removes most appearance error per byte
where the viewer looks (`priority`). A parent is always sent before its children, and harmonics, to those who
ask, after every shape in view. A chunk may begin while credit is above zero, so a viewer never has more than
its window and one chunk on the way.
"""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .asset import SplatAsset
from .errors import AssetFormatError, ProtocolError
from .limits import MAX_CHUNKS, MAX_CREDIT_BYTES, MAX_MANIFEST_BYTES
from .messages import (
    CHUNK_KINDS,
    PROTOCOL_VERSION,
    BatchDone,
    Budget,
    Chunk,
    Credit,
    Evicted,
    Hello,
    Nack,
    Ping,
    Pong,
    Pose,
    Scene,
    decode_from_client,
    encode,
    tree_of,
)
from .priority import ChunkPriority
from .wire import HASH_PREFIX_BYTES, layout_of

DEFAULT_MAX_SPLATS = 500_000  # what a stand-alone headset draws; a desktop asks for more
DEFAULT_FOV_DEG = 90.0
_CHUNK_HEAD = layout_of(Chunk).head
# First pictures and floors are not weighed against detail.
_ROOT_SCORE = np.float32(3e38)
_COLLIDER_SCORE = np.float32(1e38)
# After everything that is seen: a visitor who hears a place before it is there is puzzled.
_SOUND_SCORE = np.float32(1e-30)
_NOT_NOW = np.float32(-1.0)  # sent, without its parent, or without room


@dataclass(frozen=True, slots=True, eq=False)
class StreamedScene:
    """One scene version, prepared once and shared by all its viewers. Arrays are [C], one row per chunk."""

    scene_id: str
    asset: SplatAsset
    scene_message: bytes
    tree_message: bytes
    parent: NDArray[np.int32]
    is_root: NDArray[np.bool_]
    is_collider: NDArray[np.bool_]
    is_sound: NDArray[np.bool_]
    is_harmonics: NDArray[np.bool_]
    splat_growth: NDArray[np.int64]  # splats that showing the chunk adds to what is alive
    children: tuple[NDArray[np.intp], ...]  # of each chunk, the chunks that need it first
    priority: ChunkPriority
    by_hash_prefix: dict[bytes, tuple[int, ...]]
    start_pose: Pose

    @classmethod
    def prepare(cls, asset: SplatAsset, scene_id: str, version: str) -> StreamedScene:
        """Build the shared tables and the two messages that open every stream.

        Raises:
            AssetFormatError: Too many chunks, a parent that does not come before its child, numbers that
                are not finite, or a manifest that is not JSON or too long.
        """
        chunks = asset.chunks
        if not 0 < len(chunks) <= MAX_CHUNKS:
            raise AssetFormatError(f"a scene must have 1 to {MAX_CHUNKS} chunks, got {len(chunks)}")
        tree = tree_of(asset)
        own_index = np.arange(len(chunks))
        if (tree.parent < -1).any() or (tree.parent >= own_index).any():
            raise AssetFormatError("every chunk must come after its parent in the pack")
        if not (np.isfinite(tree.center).all() and np.isfinite(tree.radius).all()):
            raise AssetFormatError("center and radius of every chunk must be finite")
        if not (np.isfinite(tree.error).all() and (tree.error >= 0).all()):
            raise AssetFormatError("error of every chunk must be finite and not negative")
        if not all(chunk.gain is None or 0 <= chunk.gain < math.inf for chunk in chunks):
            raise AssetFormatError("gain of every chunk must be finite and not negative")
        has_parent = tree.parent >= 0
        is_collider = tree.kind == CHUNK_KINDS.index("collider")
        is_splats = tree.kind == CHUNK_KINDS.index("splats")
        replaced = tree.range_stop.astype(np.int64) - tree.range_start
        by_prefix: dict[bytes, tuple[int, ...]] = {}
        for chunk in chunks:
            prefix = bytes.fromhex(chunk.sha256)[:HASH_PREFIX_BYTES]
            by_prefix[prefix] = (*by_prefix.get(prefix, ()), chunk.index)
        return cls(
            scene_id=scene_id,
            asset=asset,
            scene_message=encode(Scene(_scene_json(asset, scene_id, version))),
            tree_message=encode(tree),
            parent=tree.parent,
            is_root=~has_parent & is_splats,
            is_collider=is_collider,
            is_sound=tree.kind == CHUNK_KINDS.index("sound"),
            is_harmonics=tree.kind == CHUNK_KINDS.index("sh"),
            splat_growth=np.where(is_splats, tree.splat_count.astype(np.int64) - replaced, 0),
            children=_children_of(tree.parent),
            priority=ChunkPriority.prepare(asset),
            by_hash_prefix=by_prefix,
            start_pose=_pose_at_spawn(asset),
        )

    def scores(self, pose: Pose) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return [C] how urgently `pose` wants each chunk (>= 0, higher is sooner), and [C] what it sees."""
        score, in_view = self.priority.scores(pose)
        score[self.is_collider] = _COLLIDER_SCORE
        score[self.is_sound] = _SOUND_SCORE
        score[self.is_root] = _ROOT_SCORE
        return score, in_view


class ViewerSession:
    """One viewer of one scene: `receive` what it says, send what `next_to_send` returns.

    Nothing leaves before there is credit, from the upgrade query (`credit`) or from HELLO.
    """

    def __init__(
        self,
        scene: StreamedScene,
        *,
        pose: Pose | None = None,
        credit: int = 0,
        max_splats: int = DEFAULT_MAX_SPLATS,
        wants_harmonics: bool = False,
    ) -> None:
        self.scene = scene
        self._unwanted = np.zeros_like(scene.is_harmonics) if wants_harmonics else scene.is_harmonics
        self.credit = min(credit, MAX_CREDIT_BYTES)
        self.has_begun = credit > 0
        self.max_splats = max_splats
        self.sent_chunk_bytes = 0
        self._pose = pose or scene.start_pose
        self._has_hello = False
        self._has_described = False
        self._replies: deque[bytes] = deque()
        self._next_seq = 0
        self._sent = np.zeros(len(scene.parent), bool)
        self._dropped = np.zeros_like(self._sent)  # by the viewer; wanted again only where it looks
        self._resent: set[int] = set()
        self._alive = 0  # splats that the viewer shows
        self._is_done_told = False
        self._choice: int | None = None
        self._is_chosen = False  # whether `_choice` still holds
        self._look(self._pose)

    @property
    def epoch(self) -> int:
        """The newest pose's."""
        return self._pose.epoch

    @property
    def is_starved(self) -> bool:
        """Whether chunks wait for credit that does not come."""
        return self.has_begun and self.credit <= 0 and self._best() is not None

    def receive(self, data: bytes) -> None:
        """Take in one message; those of unknown type change nothing.

        Raises:
            ProtocolError: It breaks the protocol; close the connection with BAD_MESSAGE.
        """
        match decode_from_client(data):
            case Pose() as pose if pose.epoch > self._pose.epoch:
                self._look(pose)
            case Credit(bytes=granted):
                self.credit = min(self.credit + granted, MAX_CREDIT_BYTES)
                self.has_begun = True
            case Ping(time_ms=time_ms):
                self._replies.append(encode(Pong(time_ms)))
            case Hello() as hello:
                self._greet(hello)
            case Budget(max_splats=max_splats):
                self.max_splats = max_splats
                self._rank()
            case Evicted(chunks=chunks):
                self._evict(chunks)
            case Nack(chunk=chunk):
                self._send_again(chunk)

    def next_to_send(self) -> bytes | None:
        """Return the next message, or None until `receive` changes something."""
        parts = self.next_parts()
        return None if parts is None else b"".join(parts)

    def next_parts(self) -> tuple[bytes | memoryview, ...] | None:
        """Return the next message as pieces that lie one after another; a chunk's bytes are not copied."""
        if self._replies:
            return (self._replies.popleft(),)
        if not self.has_begun:
            return None
        best = self._best()
        if not self._has_described and (best is None or not self.scene.is_root[best]):
            self._has_described = True
            self._replies.append(self.scene.tree_message)
            return (self.scene.scene_message,)
        if best is None:
            return self._batch_done()
        if self.credit <= 0:
            return None
        return self._chunk_parts(best)

    def _look(self, pose: Pose) -> None:
        self._pose = pose
        self._wanted, self._in_view = self.scene.scores(pose)
        self._rank()

    def _rank(self) -> None:
        """Start over: every chunk not sent whose parent is, in the order of the newest pose."""
        parent = self.scene.parent
        is_ready = ~self._sent & ~self._unwanted & ((parent < 0) | self._sent[parent])
        # Sending back at once what the viewer dropped for want of room would never end.
        is_ready &= ~self._dropped | self._in_view
        self._score = np.where(is_ready, self._wanted, _NOT_NOW)
        self._is_done_told = False
        self._is_chosen = False

    def _best(self) -> int | None:
        """Return the chunk to send now; credit and pings do not change which."""
        if not self._is_chosen:
            self._choice, self._is_chosen = self._choose(), True
        return self._choice

    def _choose(self) -> int | None:
        """Find the best that is ready; lays aside those that the budget has no room for."""
        while True:
            best = int(self._score.argmax())
            if self.scene.is_harmonics[best]:
                # Shapes first, wherever one looks: harmonics only shade colours that are there already.
                shapes = np.where(self.scene.is_harmonics | ~self._in_view, _NOT_NOW, self._score)
                if shapes.max() >= 0:
                    best = int(shapes.argmax())
            if self._score[best] < 0:
                return None
            # The first picture is shown whatever the budget: without it there is nothing to see.
            room = self.max_splats - self._alive
            if self.scene.is_root[best] or self.scene.splat_growth[best] <= max(room, 0):
                return best
            self._score[best] = _NOT_NOW

    def _hold(self, index: int, *, is_held: bool) -> None:
        if self._sent[index] != is_held:
            growth = int(self.scene.splat_growth[index])
            self._alive += growth if is_held else -growth
            self._sent[index] = is_held

    def _chunk_parts(self, index: int) -> tuple[bytes | memoryview, ...]:
        info = self.scene.asset.chunks[index]
        self._hold(index, is_held=True)
        self._dropped[index] = False
        self._score[index] = _NOT_NOW
        self._is_chosen = False
        children = self.scene.children[index]
        if len(children):
            is_wanted = ~self._sent[children] & ~self._unwanted[children]
            is_wanted &= ~self._dropped[children] | self._in_view[children]
            ready = children[is_wanted]
            self._score[ready] = self._wanted[ready]
        kind = CHUNK_KINDS.index(info.kind)
        # What `encode` makes of a Chunk without bytes, at a tenth of the time.
        header = _CHUNK_HEAD.pack(Chunk.TYPE, kind, info.level, index, self._pose.epoch, self._next_seq)
        length = len(header) + info.byte_length
        self._next_seq += 1
        self.credit -= length
        self.sent_chunk_bytes += length
        self._is_done_told = False
        return header, memoryview(self.scene.asset.pack)[
            info.byte_offset : info.byte_offset + info.byte_length
        ]

    def _batch_done(self) -> tuple[bytes] | None:
        if self._is_done_told:
            return None
        self._is_done_told = True
        left_out = int(np.count_nonzero(~self._sent & ~self._unwanted))
        return (encode(BatchDone(self._pose.epoch, left_out)),)

    def _greet(self, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            raise ProtocolError(f"version must be {PROTOCOL_VERSION}, got {hello.version}")
        if self._has_hello:
            raise ProtocolError("HELLO must come once, got a second one")
        self._has_hello = True
        self.has_begun = True
        self.max_splats = hello.max_splats
        self.credit = min(self.credit + hello.credit, MAX_CREDIT_BYTES)
        for prefix in hello.have:
            for index in self.scene.by_hash_prefix.get(prefix, ()):
                self._hold(index, is_held=True)
        self._rank()

    def _check_indices(self, indices: tuple[int, ...]) -> None:
        count = len(self._sent)
        if indices and max(indices) >= count:
            raise ProtocolError(f"chunk must be below {count}, got {max(indices)}")

    def _evict(self, indices: tuple[int, ...]) -> None:
        self._check_indices(indices)
        gone = np.zeros_like(self._sent)
        gone[list(indices)] = True
        # What replaced a part of a dropped chunk is of no use without it: down the tree, level by level.
        grown = gone | (gone[self.scene.parent] & (self.scene.parent >= 0))
        while (grown != gone).any():
            gone = grown
            grown = gone | (gone[self.scene.parent] & (self.scene.parent >= 0))
        gone &= self._sent
        self._alive -= int(self.scene.splat_growth[gone].sum())
        self._sent[gone] = False
        self._dropped[gone] = True
        self._rank()

    def _send_again(self, index: int) -> None:
        self._check_indices((index,))
        # Once: a chunk that breaks twice is broken at the source, and would be sent for ever.
        if self._sent[index] and index not in self._resent:
            self._resent.add(index)
            self._hold(index, is_held=False)
            self._rank()


def _scene_json(asset: SplatAsset, scene_id: str, version: str) -> str:
    scene = {
        "id": scene_id,
        "version": version,
        "chunk_count": len(asset.chunks),
        "byte_length": asset.byte_length,
        "manifest": asdict(asset.manifest),
    }
    try:
        text = json.dumps(scene, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise AssetFormatError(f"manifest must be JSON: {error}") from error
    if len(text.encode()) > MAX_MANIFEST_BYTES:
        raise AssetFormatError(f"manifest must be at most {MAX_MANIFEST_BYTES} bytes, got {len(text)}")
    return text


def _children_of(parent: NDArray[np.int32]) -> tuple[NDArray[np.intp], ...]:
    by_parent = np.argsort(parent, kind="stable")
    starts = np.searchsorted(parent[by_parent], np.arange(len(parent) + 1))
    return tuple(by_parent[first:last] for first, last in pairwise(starts))


def _pose_at_spawn(asset: SplatAsset) -> Pose:
    spawn = asset.manifest.spawn
    x, y, z = spawn.position
    yaw = math.radians(spawn.yaw_deg)
    return Pose(
        epoch=0,
        position=(x, y + asset.manifest.eye_height_m, z),
        forward=(-math.sin(yaw), 0.0, -math.cos(yaw)),  # yaw 0 looks along -Z, and turns about +Y
        fov_deg=DEFAULT_FOV_DEG,
    )
