"""A GLB whose splats are packed by `splat_codec` behind a compression extension of ours.

Its accessors say what comes out and hold no bytes, as those of other compression extensions; a reader without
the extension refuses the file, for it is required. What comes out are float32 values that a plain GLB
holds as they are, so any packed chunk can be written anew for every reader, without loss.
"""

from __future__ import annotations

from typing import Any

from . import gltf, splat_codec

EXTENSION = "KHR_gaussian_splatting"
PACKED_EXTENSION = "IMMERSIVE_gaussian_splatting_packed"
_FLOAT = 5126
_TYPES = {
    "POSITION": "VEC3",
    f"{EXTENSION}:ROTATION": "VEC4",
    f"{EXTENSION}:SCALE": "VEC3",
    f"{EXTENSION}:OPACITY": "SCALAR",
    f"{EXTENSION}:SH_DEGREE_0_COEF_0": "VEC3",
}


def encode_glb(packed: splat_codec.Packed) -> bytes:
    """Return the GLB of a payload."""
    types = dict(_TYPES)
    for degree in range(1, packed.cloud.sh_degree + 1):
        types |= {f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{m}": "VEC3" for m in range(2 * degree + 1)}
    accessors: list[dict[str, Any]] = [
        {"componentType": _FLOAT, "count": len(packed.cloud), "type": kind} for kind in types.values()
    ]
    means = packed.cloud.means
    accessors[0] |= {"min": means.min(axis=0).tolist(), "max": means.max(axis=0).tolist()}
    names = [EXTENSION, PACKED_EXTENSION]
    splats = {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
        "extensions": {PACKED_EXTENSION: {"bufferView": 0}},
    }
    primitive = {
        "mode": gltf.POINTS,
        "attributes": {name: index for index, name in enumerate(types)},
        "extensions": {EXTENSION: splats},
    }
    return gltf.encode_glb(
        {
            "asset": {"version": "2.0"},
            "extensionsUsed": names,
            "extensionsRequired": names,
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [primitive]}],
            "accessors": accessors,
            "bufferViews": [{"buffer": 0, "byteLength": len(packed.payload)}],
            "buffers": [{"byteLength": len(packed.payload)}],
        },
        packed.payload,
    )


def payload(glb: bytes) -> memoryview | None:
    """Return the payload of a GLB that holds one packed primitive on a plain node, else None.

    Raises:
        AssetFormatError: A rule of the container is broken.
    """
    document = gltf.decode(glb)
    nodes, meshes = document.items("nodes"), document.items("meshes")
    if len(nodes) != 1 or nodes[0] != {"mesh": 0} or len(meshes) != 1:
        return None
    primitives = document.item("meshes", 0).get("primitives")
    if not isinstance(primitives, list) or len(primitives) != 1:
        return None
    return primitive_payload(document, primitives[0])


def primitive_payload(document: gltf.Gltf, primitive: Any) -> memoryview | None:
    """Return the payload of a primitive, None if it is not packed.

    Raises:
        AssetFormatError: It names bytes that are not there.
    """
    entry: Any = primitive
    for name in ("extensions", EXTENSION, "extensions", PACKED_EXTENSION):
        entry = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(entry, dict):
        return None
    return gltf.read_view(document, entry.get("bufferView"))[0]
