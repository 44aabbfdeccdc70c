"""From a finished cloud to an asset: tree, chunks, collider, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reconstruction.frames import Provenance
from reconstruction.placement import EYE_HEIGHT_M
from reconstruction.reports import QualityReport
from reconstruction.splats import SplatCloud

from . import gltf
from .asset import ChunkInfo, ChunkKind, Manifest, Sound, SoundLoop, Spawn, SplatAsset
from .chunk_bytes import GZIP_MAGIC as GZIP_MAGIC  # validate sniffs with it
from .chunk_bytes import (
    decode_chunks,
    decode_harmonics_chunk,
    encode_chunks,
    encode_harmonics_chunks,
    pack_glb,
    unpack_glb,
)
from .chunks import Piece, cut
from .errors import AssetFormatError
from .lod import ROOT_SPLATS, build_tree
from .probes import encode_probes
from .transform import join_clouds

if TYPE_CHECKING:
    from reconstruction.walkable import WalkableSpace

_REACH_M = 100_000.0
# Three standard deviations: where the extension cuts a splat off.
_CUT_OFF = 3.0


def build_asset(
    cloud: SplatCloud,
    *,
    title: str,
    walkable: WalkableSpace | None = None,
    quality: QualityReport | None = None,
    recipe: Mapping[str, Any] | None = None,
    provenance: Provenance,
    camera_path: Sequence[tuple[float, float, float, float]] = (),
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    sounds: Sequence[SoundLoop] = (),
    is_draft: bool = False,
) -> SplatAsset:
    """Return the asset of a scene; equal input gives equal bytes.

    Args:
        cloud: At least one splat, world frame. Fully transparent splats are left out, and those further
            than 100 km away or larger: trainers leave such strays, and nobody can see them.
        title: What people call the scene.
        walkable: Collider, spawn and bounds. None: the visitor floats where the camera began, or before the
                splats.
        quality: None for imported files, where there is no truth to compare with.
        recipe: What the scene was made from: prompt, seed, backend, versions, hashes. Plain JSON values.
        provenance: Decides the AI label; kept in the recipe under "provenance".
        camera_path: x, y, z in metres and yaw in degrees, in the order walked.
        background: sRGB 0..1 behind everything.
        sounds: What is heard.
        is_draft: Coarse levels are merged and not fitted, in a fifth of the time: for what is soon replaced.

    Raises:
        AssetFormatError: No visible splats.
    """
    is_near = (np.abs(cloud.means).max(axis=1) < _REACH_M) & (cloud.scales.max(axis=1) < _REACH_M)
    cloud = cloud.subset(np.flatnonzero((cloud.opacities > 0) & is_near))
    if len(cloud) == 0:
        raise AssetFormatError("a scene must hold at least one visible splat, got 0")
    sh_errors = None
    if is_draft or len(cloud) <= ROOT_SPLATS:
        levels = build_tree(cloud)
    else:
        # Late: a scene of one chunk needs no rasteriser.
        from .refine import harmonics_errors, observe, refine, viewpoints

        observed = observe(cloud, viewpoints(cloud.means, _stops(camera_path, walkable)))
        levels = refine(build_tree(cloud, observed.attention), observed)
        if cloud.sh_degree > 0:
            sh_errors = harmonics_errors(cloud, observed)
    pack = _PackBuilder()
    pieces = cut(levels, sh_errors)
    orders = pack.add_splats(pieces)
    pack.add_harmonics(pieces, orders)
    if walkable is not None:
        pack.add_collider(walkable.vertices, walkable.faces)
    heard = tuple(
        Sound(loop.kind, loop.caption, pack.add_sound(loop), loop.position, loop.gain, loop.reference_m)
        for loop in sounds
    )
    low, high = _bounds(cloud, walkable)
    manifest = Manifest(
        title=title,
        splat_count=len(cloud),
        sh_degree=cloud.sh_degree,
        level_count=len(levels),
        bounds_min=low,
        bounds_max=high,
        spawn=_spawn(cloud, walkable, camera_path),
        eye_height_m=EYE_HEIGHT_M if walkable is None else float(walkable.eye_height_m),
        background=background,
        is_generated=provenance.is_generated,
        recipe={**(recipe or {}), "provenance": asdict(provenance)},
        quality=quality,
        walkability=None if walkable is None else walkable.report,
        camera_path=tuple(camera_path),
        sounds=heard,
    )
    return SplatAsset(manifest, tuple(pack.chunks), bytes(pack.data))


def chunk_glb(asset: SplatAsset, index: int) -> bytes:
    """Return the GLB of one chunk, unpacked.

    Raises:
        AssetFormatError: The bytes are neither a GLB nor a gzip member, or expand beyond reason.
    """
    return unpack_glb(asset.chunk_bytes(index))


def finest_cloud(asset: SplatAsset) -> SplatCloud:
    """Return the splats of the finest level, in pack order: nothing that an export needs is lost."""
    last = asset.manifest.level_count - 1
    found = [c.index for c in asset.chunks if c.kind == "splats" and c.level == last]
    layers = {c.parent: c.index for c in asset.chunks if c.kind == "sh"}
    clouds = decode_chunks([asset.chunk_bytes(index) for index in found])
    return join_clouds(
        _whole_chunk(asset, index, cloud, layers.get(index))
        for index, cloud in zip(found, clouds, strict=True)
    )


def _whole_chunk(asset: SplatAsset, index: int, cloud: SplatCloud, layer: int | None) -> SplatCloud:
    """Return a chunk's splats at the scene's degree; older packs hold all of their colour in the chunk."""
    bases = max(cloud.sh.shape[1], (min(max(asset.manifest.sh_degree, 0), 3) + 1) ** 2)
    sh = np.zeros((len(cloud), bases, 3), np.float32)
    sh[:, : cloud.sh.shape[1]] = cloud.sh
    if layer is not None:
        rest = decode_harmonics_chunk(asset.chunk_bytes(layer))
        if len(rest) != len(cloud) or rest.shape[1] >= bases:
            raise AssetFormatError(f"chunk {layer} must colour the {len(cloud)} splats of chunk {index}")
        sh[:, 1 : 1 + rest.shape[1]] = rest
    return replace(cloud, sh=sh)


def collider_mesh(asset: SplatAsset) -> tuple[NDArray[np.float32], NDArray[np.uint32]] | None:
    """Return vertices [V, 3] and faces [T, 3] of the collider, or None if the asset has none."""
    for chunk in asset.chunks:
        if chunk.kind == "collider":
            document = gltf.decode(chunk_glb(asset, chunk.index))
            primitive = document.item("meshes", 0)["primitives"][0]
            vertices = gltf.read_accessor(document, primitive["attributes"]["POSITION"])
            return vertices, gltf.read_accessor(document, primitive["indices"]).reshape(-1, 3)
    return None


def encode_collider(vertices: NDArray, faces: NDArray) -> bytes:
    """Return a GLB of one triangle mesh, in the world frame."""
    builder = gltf.BufferBuilder()
    primitive = add_collider(builder, vertices, faces)
    return builder.finish(
        {
            "asset": {"version": "2.0", "generator": "immersive"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "name": "collider"}],
            "meshes": [{"primitives": [primitive]}],
        }
    )


def add_collider(builder: gltf.BufferBuilder, vertices: NDArray, faces: NDArray) -> dict[str, Any]:
    """Append a triangle mesh to `builder` and return its primitive."""
    # A 1/1024 m grid is finer than a foot can feel and leaves round numbers, which compress.
    rounded = (np.rint(np.asarray(vertices, np.float64) * 1024) / 1024 + 0.0).astype(np.float32)
    indices = np.ascontiguousarray(faces, np.uint32).reshape(-1)
    return {
        "mode": gltf.TRIANGLES,
        "attributes": {"POSITION": builder.add(rounded)},
        "indices": builder.add(indices, target=gltf.ELEMENT_ARRAY_BUFFER, bounds=False),
    }


class _PackBuilder:
    def __init__(self) -> None:
        self.chunks: list[ChunkInfo] = []
        self.data = bytearray()

    def add_splats(self, pieces: Sequence[Piece]) -> list[NDArray[np.int64]]:
        """Add all pieces without view-dependent colour; returns the order that the splats of each got."""
        flat = [replace(piece.cloud, sh=piece.cloud.sh[:, :1].copy()) for piece in pieces]
        encoded = encode_chunks(flat, [piece.runs for piece in pieces])
        for piece, (data, packed) in zip(pieces, encoded, strict=True):
            self._add("splats", data, packed.cloud.means, packed.cloud.scales.max(axis=1) * _CUT_OFF, piece)
        return [packed.order for _, packed in encoded]

    def add_harmonics(self, pieces: Sequence[Piece], orders: Sequence[NDArray[np.int64]]) -> None:
        """Add view-dependent colour over the pieces that have any; their chunks are the first of the pack."""
        colored = [index for index, piece in enumerate(pieces) if piece.cloud.sh[:, 1:].any()]
        clouds = [pieces[index].cloud.subset(orders[index]) for index in colored]
        for index, cloud, (data, layer) in zip(colored, clouds, encode_harmonics_chunks(clouds), strict=True):
            if not layer.rest.any():
                continue  # rounded to nothing
            piece = pieces[index]
            over = replace(
                piece,
                parent=index,
                range_start=0,
                range_stop=len(cloud),
                error=0.0,
                gain=piece.sh_gain,
                probes=piece.sh_probes,
            )
            self._add("sh", data, cloud.means, cloud.scales.max(axis=1) * _CUT_OFF, over)

    def add_collider(self, vertices: NDArray, faces: NDArray) -> None:
        data = pack_glb(encode_collider(vertices, faces))
        self._add("collider", data, vertices, np.zeros(len(vertices)), None)

    def add_sound(self, loop: SoundLoop) -> int:
        """Add an Ogg file as it is, and return its chunk."""
        place = np.array([loop.position or (0.0, 0.0, 0.0)])
        self._add("sound", loop.opus, place, np.zeros(1), None)
        return len(self.chunks) - 1

    def _add(
        self, kind: ChunkKind, data: bytes, points: NDArray, reach: NDArray, piece: Piece | None
    ) -> None:
        low = (points - reach[:, None]).min(axis=0).astype(np.float64)
        high = (points + reach[:, None]).max(axis=0).astype(np.float64)
        center = (low + high) / 2
        radius = float((np.linalg.norm(points - center, axis=1) + reach).max())
        self.chunks.append(
            ChunkInfo(
                index=len(self.chunks),
                kind=kind,
                level=piece.level if piece else 0,
                parent=piece.parent if piece else -1,
                range_start=piece.range_start if piece else 0,
                range_stop=piece.range_stop if piece else 0,
                splat_count=len(piece.cloud) if piece else 0,
                byte_offset=len(self.data),
                byte_length=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                center=_triple(center),
                radius=radius,
                error=piece.error if piece else 0.0,
                gain=piece.gain if piece else None,
                probes=encode_probes(piece.probes, center, radius) if piece else "",
            )
        )
        self.data.extend(data)


def _triple(values: NDArray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _bounds(
    cloud: SplatCloud, walkable: WalkableSpace | None
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    if walkable is not None:
        return _triple(walkable.bounds_min), _triple(walkable.bounds_max)
    # A few stray splats would make the scene look kilometres wide.
    low, high = np.percentile(cloud.means, [1, 99], axis=0)
    return _triple(low), _triple(high)


def _stops(
    camera_path: Sequence[tuple[float, float, float, float]], walkable: WalkableSpace | None
) -> list[tuple[float, float, float, float]]:
    """Return where eyes will be: the start first, for every visit begins there."""
    if walkable is None:
        return list(camera_path)
    x, y, z = _triple(walkable.spawn_position)
    return [(x, y + float(walkable.eye_height_m), z, float(walkable.spawn_yaw_deg)), *camera_path]


def _spawn(
    cloud: SplatCloud,
    walkable: WalkableSpace | None,
    camera_path: Sequence[tuple[float, float, float, float]],
) -> Spawn:
    if walkable is not None:
        return Spawn(_triple(walkable.spawn_position), float(walkable.spawn_yaw_deg))
    if camera_path:  # where the first picture was taken is a place to look from
        x, y, z, yaw_deg = camera_path[0]
        return Spawn((x, y - EYE_HEIGHT_M, z), yaw_deg)
    # In front of the scene, eyes at the height of its middle, looking along -Z.
    low, high = np.percentile(cloud.means, [1, 99], axis=0)
    middle = (low + high) / 2
    depth = max(high[2] - low[2], high[0] - low[0], high[1] - low[1])
    return Spawn((float(middle[0]), float(middle[1] - EYE_HEIGHT_M), float(middle[2] + depth)), 0.0)
