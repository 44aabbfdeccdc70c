"""A scene ready to stream: chunks in one pack, and the manifest that describes them.

A pack is the chunks' bytes, one after another, in the order of `SplatAsset.chunks`; each is a GLB of its
own. Level 0 is the coarsest. Chunk c replaces the splats [range_start, range_stop) of its parent chunk,
so a finer chunk can be shown without waiting for its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reconstruction.reports import QualityReport, WalkabilityReport

ChunkKind = Literal["splats", "sh", "collider", "sound"]


@dataclass(frozen=True, slots=True)
class ChunkInfo:
    """A GLB in the pack, or an Ogg file if it is sound. `index`: its place in `chunks`, and its name."""

    index: int
    kind: ChunkKind
    level: int  # 0 = coarsest; 0 for the collider
    parent: int  # chunk index, -1 for roots and for the collider; for "sh" the chunk whose splats it colours
    range_start: int  # first splat of the parent that this chunk replaces
    range_stop: int  # one past the last; 0 for roots
    splat_count: int  # 0 for the collider
    byte_offset: int  # in the pack
    byte_length: int
    sha256: str  # of the GLB, hex
    center: tuple[float, float, float]  # metres
    radius: float  # metres, of a sphere around the splats' means grown by 3 standard deviations
    error: float  # appearance error left while this chunk's children are missing; 0 for leaves
    # Error that it takes away: that of the range it replaces. None: an older pack, which did not say.
    gain: float | None = None
    probes: str = ""  # where that error is, see `probes.encode_probes`; empty: somewhere in the sphere


@dataclass(frozen=True, slots=True)
class Spawn:
    """Where a visitor begins."""

    position: tuple[float, float, float]  # feet, metres
    yaw_deg: float  # heading, turned about +Y; 0 looks along -Z


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that is heard: a loop, at a place or everywhere."""

    kind: str  # "wind", "fire", ...
    caption: str  # for who cannot hear it: "a fire crackles"
    chunk: int  # whose bytes are Ogg Opus
    position: tuple[float, float, float] | None  # metres; None: heard alike everywhere
    gain: float  # 0..1
    reference_m: float  # up to this far it is as loud as `gain` says, beyond it fades; 0 without a place


@dataclass(frozen=True, slots=True)
class SoundLoop:
    """A sound on its way into an asset."""

    kind: str
    caption: str
    opus: bytes  # an Ogg file whose end runs into its beginning
    position: tuple[float, float, float] | None = None
    gain: float = 0.5
    reference_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Portal:
    """A doorway to another place of the same story. Which scene that is, the catalog knows by its index."""

    position: tuple[float, float, float]  # on the ground in the middle of the doorway, metres
    yaw_deg: float  # where a visitor heads who walks into it, turned about +Y; 0 looks along -Z
    width_m: float
    height_m: float
    title: str  # of the place behind it
    arrive_position: tuple[float, float, float]  # feet, in that place
    arrive_yaw_deg: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a viewer must know before and beside the splats. Serialises to one JSON object."""

    title: str
    splat_count: int  # of the finest level, without the merged ones
    sh_degree: int
    level_count: int
    bounds_min: tuple[float, float, float]  # metres
    bounds_max: tuple[float, float, float]
    spawn: Spawn
    eye_height_m: float
    background: tuple[float, float, float]  # sRGB 0..1, behind everything
    is_generated: bool  # True: the page must say that it is AI-made
    recipe: dict[str, Any]  # prompt, seed, backend, versions, hashes
    quality: QualityReport | None  # None for imported files, where there is no truth to compare with
    walkability: WalkabilityReport | None
    camera_path: tuple[tuple[float, float, float, float], ...] = field(default=())  # x y z yaw_deg
    portals: tuple[Portal, ...] = ()
    sounds: tuple[Sound, ...] = ()
    licence: str = ""  # what its makers allow, one line, with an address or without; "": nothing is said
    credit: str = ""  # who is to be named, one line


@dataclass(frozen=True, slots=True)
class SplatAsset:
    """A manifest, the chunk table and the pack bytes they index."""

    manifest: Manifest
    chunks: tuple[ChunkInfo, ...]
    pack: bytes

    def chunk_bytes(self, index: int) -> bytes:
        """Return the GLB of one chunk."""
        info = self.chunks[index]
        return self.pack[info.byte_offset : info.byte_offset + info.byte_length]

    @property
    def byte_length(self) -> int:
        """Bytes of the whole pack."""
        return len(self.pack)
