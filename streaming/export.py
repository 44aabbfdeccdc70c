"""One GLB that holds a whole scene for other programs: splats, collider, and a label of how it was made.

The default scene shows the splats. The collider lives in a second scene of its own, named "collider": it
travels with the file and no viewer draws it over the picture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import gltf
from .assemble import add_collider, collider_mesh, finest_cloud
from .asset import SplatAsset
from .khr_gaussian_splatting import EXTENSION, Layout, add_primitive

XMP_EXTENSION = "KHR_xmp_json_ld"
# IPTC's vocabulary of digital source types; footage keeps its own, unknown to us, and gets none.
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_MODEL_MADE = "trainedAlgorithmicMedia"
_PROGRAM_MADE = "algorithmicMedia"
_CONTEXT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "immersive": "urn:immersive:recipe:1",
}


def export_glb(asset: SplatAsset, path: Path, *, layout: Layout = "float") -> None:
    """Write the finest level and the collider of `asset` as one GLB, by way of a temporary file.

    `layout` is that of `khr_gaussian_splatting.encode`.

    Raises:
        AssetFormatError: A chunk cannot be decoded.
        OSError: The file cannot be written; nothing half-written stays.
    """
    manifest = asset.manifest
    data = encode_scene(
        finest_cloud(asset),
        collider=collider_mesh(asset),
        title=manifest.title,
        recipe=manifest.recipe,
        is_generated=manifest.is_generated,
        layout=layout,
    )
    write_whole(path, data)


def encode_scene(
    cloud: SplatCloud,
    *,
    collider: tuple[NDArray, NDArray] | None = None,
    title: str = "",
    recipe: Mapping[str, Any] | None = None,
    is_generated: bool = False,
    layout: Layout = "float",
) -> bytes:
    """Return the GLB of a cloud with an optional collider (vertices [V, 3], faces [T, 3])."""
    builder = gltf.BufferBuilder()
    meshes = [{"name": "splats", "primitives": [add_primitive(builder, cloud, None, layout)]}]
    nodes: list[dict[str, Any]] = [{"name": "splats", "mesh": 0}]
    scenes: list[dict[str, Any]] = [{"name": title or "scene", "nodes": [0]}]
    if collider is not None:
        meshes.append({"name": "collider", "primitives": [add_collider(builder, *collider)]})
        nodes.append({"name": "collider", "mesh": 1})
        scenes.append({"name": "collider", "nodes": [1]})
    return builder.finish(
        {
            "asset": {
                "version": "2.0",
                "generator": "immersive",
                "extensions": {XMP_EXTENSION: {"packet": 0}},
            },
            "extensionsUsed": [EXTENSION, XMP_EXTENSION],
            "extensions": {XMP_EXTENSION: {"packets": [_packet(title, recipe or {}, is_generated)]}},
            "scene": 0,
            "scenes": scenes,
            "nodes": nodes,
            "meshes": meshes,
        }
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name only ever stands for all of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _packet(title: str, recipe: Mapping[str, Any], is_generated: bool) -> dict[str, Any]:
    packet: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": "",
        "dc:title": {"@type": "rdf:Alt", "rdf:_1": {"@language": "x-default", "@value": title or "scene"}},
        "xmp:CreatorTool": "immersive",
    }
    if is_generated:
        provenance = recipe.get("provenance")
        source = provenance.get("source") if isinstance(provenance, Mapping) else None
        kind = _PROGRAM_MADE if source == "procedural" else _MODEL_MADE
        packet["Iptc4xmpExt:DigitalSourceType"] = _SOURCE_TYPES + kind
        packet["dc:description"] = "AI-generated scene"
    for key, value in recipe.items():
        # JSON-LD knows strings; whatever has an inner structure stays JSON inside one.
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        packet[f"immersive:{key}"] = text
    return packet
