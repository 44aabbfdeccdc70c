"""One GLB that holds a whole scene, for other programs and for us.

The default scene shows the splats. The collider lives in a second scene of its own, named "collider": it
travels with the file and no viewer draws it over the picture. `scene_extension` says where the rest is, and
`one_glb` reads all of it back.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reconstruction.splats import SplatCloud

from . import gltf, xmp
from .assemble import finest_cloud
from .asset import SplatAsset
from .khr_gaussian_splatting import DEFAULT_PRECISION, EXTENSION, Layout, Precision, add_primitive
from .scene_extension import add_scene


def export_glb(asset: SplatAsset, path: Path, *, layout: Layout = "float") -> None:
    """Write `encode_asset` to a file, by way of a temporary one.

    Raises:
        AssetFormatError: A chunk cannot be decoded.
        OSError: The file cannot be written; nothing half-written stays.
    """
    write_whole(path, encode_asset(asset, layout=layout))


def encode_asset(asset: SplatAsset, *, cloud: SplatCloud | None = None, layout: Layout = "float") -> bytes:
    """Return the GLB of the finest level of `asset` and of all that belongs to it; the same bytes each time.

    Args:
        asset: The scene.
        cloud: Splats to write instead of its finest level.
        layout: As of `khr_gaussian_splatting.encode`.

    Raises:
        AssetFormatError: A chunk cannot be decoded.
    """
    builder = gltf.BufferBuilder()
    # What travels is rounded already, and more coarsely.
    finest = finest_cloud(asset) if cloud is None else cloud
    document = _splats(builder, finest, asset.manifest.title, layout, None)
    add_scene(builder, document, asset)
    return builder.finish(document)


def encode_cloud(cloud: SplatCloud, *, layout: Layout = "float") -> bytes:
    """Return the GLB of splats of which nothing else is known."""
    builder = gltf.BufferBuilder()
    document = _splats(builder, cloud, "", layout, None if layout == "float" else DEFAULT_PRECISION)
    xmp.add_packet(document, xmp.Label(), {})
    return builder.finish(document)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name only ever stands for all of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _splats(
    builder: gltf.BufferBuilder, cloud: SplatCloud, title: str, layout: Layout, precision: Precision | None
) -> dict[str, Any]:
    """Return a document of one scene that shows `cloud`."""
    return {
        "asset": {"version": "2.0", "generator": "immersive"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"name": title or "scene", "nodes": [0]}],
        "nodes": [{"name": "splats", "mesh": 0}],
        "meshes": [{"name": "splats", "primitives": [add_primitive(builder, cloud, precision, layout)]}],
    }
