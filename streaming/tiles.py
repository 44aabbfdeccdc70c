"""Splats for 3D Tiles clients: SPZ inside glTF (KHR_gaussian_splatting_compression_spz_2) and a tileset.json.

CesiumJS 1.145 reads this and not plain accessors, and is particular: one mesh on a root node without a
transform; attributes whose accessors have no data; COLOR_0 present; no SH_DEGREE_0, which the base extension
demands and which makes it drop the higher degrees; both extensions listed again in the tileset. The payload
is SPZ 3: its loader takes 2 and 3, and 2 keeps rotations too coarsely.

Source: KhronosGroup/glTF pull request 2531 (draft, 2025-10); CesiumGS/cesium 1.145,
GaussianSplat3DTileContent.js and GltfSpzLoader.js; 3D Tiles 1.1.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from reconstruction.conventions import WORLD_FROM_Z_UP
from reconstruction.splats import SplatCloud

from . import gltf, spz
from .khr_gaussian_splatting import COLOR_SPACE, EXTENSION, KERNEL, SPZ_EXTENSIONS

TILESET_NAME = "tileset.json"
CONTENT_NAME = "splats.glb"
_CONTENT_EXTENSION = "3DTILES_content_gltf"
_SPZ_VERSION = 3
_REACH = 3.0  # standard deviations at which a splat is cut off
_FLOAT, _BYTE = 5126, 5121


def encode_glb(cloud: SplatCloud) -> bytes:
    """Return a GLB of `cloud` as SPZ in its primitive; errors and precision as for `spz.encode`."""
    payload = spz.encode(cloud, version=_SPZ_VERSION)
    stored = spz.decode(payload, frame="rub")
    accessors: list[dict[str, Any]] = []
    attributes: dict[str, int] = {}

    def announce(name: str, kind: str, component: int = _FLOAT, **more: Any) -> None:
        attributes[name] = len(accessors)
        accessors.append({"componentType": component, "count": len(cloud), "type": kind, **more})

    low, high = (side.tolist() for side in (stored.means.min(axis=0), stored.means.max(axis=0)))
    announce("POSITION", "VEC3", min=low, max=high)
    announce("COLOR_0", "VEC4", _BYTE, normalized=True)
    announce(f"{EXTENSION}:ROTATION", "VEC4")
    announce(f"{EXTENSION}:SCALE", "VEC3")
    announce(f"{EXTENSION}:OPACITY", "SCALAR")
    for degree in range(1, cloud.sh_degree + 1):
        for index in range(2 * degree + 1):
            announce(f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{index}", "VEC3")
    names = [EXTENSION, SPZ_EXTENSIONS[0]]
    splats = {
        "kernel": KERNEL,
        "colorSpace": COLOR_SPACE,
        "extensions": {SPZ_EXTENSIONS[0]: {"bufferView": 0}},
    }
    primitive = {"mode": gltf.POINTS, "attributes": attributes, "extensions": {EXTENSION: splats}}
    document = {
        "asset": {"version": "2.0", "generator": "immersive"},
        "extensionsUsed": names,
        "extensionsRequired": names,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        # Readers of SPZ 4 count bytes exactly, so padding stays outside of the view.
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": len(payload)}],
        "buffers": [{"byteLength": len(payload)}],
    }
    return gltf.encode_glb(document, payload)


def encode_files(cloud: SplatCloud) -> dict[str, bytes]:
    """Return a tileset of one tile by file name; it has no place on Earth, a client moves it there.

    Raises as `encode_glb`.
    """
    content = encode_glb(cloud)
    # Content is y-up like all glTF and turned by the client; the tile itself is z-up.
    turn = WORLD_FROM_Z_UP[:3, :3].T
    reach = _REACH * cloud.scales.max(axis=1, keepdims=True)
    low = (cloud.means - reach).min(axis=0).astype(np.float64)
    high = (cloud.means + reach).max(axis=0).astype(np.float64)
    half_axes = (turn * (high - low) / 2).T
    box = [*(turn @ (low + high) / 2), *half_axes.ravel()]
    tileset = {
        "asset": {"version": "1.1", "generator": "immersive"},
        "extensionsUsed": [_CONTENT_EXTENSION],
        "extensionsRequired": [_CONTENT_EXTENSION],
        "extensions": {
            _CONTENT_EXTENSION: {
                "extensionsUsed": [EXTENSION, SPZ_EXTENSIONS[0]],
                "extensionsRequired": [EXTENSION, SPZ_EXTENSIONS[0]],
            }
        },
        "geometricError": float(np.linalg.norm(high - low)),
        "root": {
            "boundingVolume": {"box": [round(float(value), 4) for value in box]},
            "geometricError": 0,
            "refine": "REPLACE",
            "content": {"uri": CONTENT_NAME},
        },
    }
    text = json.dumps(tileset, indent=1).encode() + b"\n"
    return {TILESET_NAME: text, CONTENT_NAME: content}
