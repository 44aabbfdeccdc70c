"""Triangle meshes of other people's GLB files, such as the collider that comes with a generated world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import gltf
from .errors import AssetFormatError

# A hosted collider has 200 000; ten million take half a gigabyte and minutes of rays.
_MOST_TRIANGLES = 10_000_000


def read_mesh(data: bytes) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return vertices [V, 3] and faces [T, 3] of all triangles in the default scene, in the world frame.

    Raises:
        AssetFormatError: The container is broken, holds no triangle, or packs them in an extension.
    """
    document = gltf.decode(data)
    vertices: list[NDArray] = []
    faces: list[NDArray] = []
    start, count = 0, 0
    for node, world_from_node in gltf.scene_nodes(document):
        if "mesh" not in node:
            continue
        mirrors = np.linalg.det(world_from_node[:3, :3]) < 0
        primitives = document.item("meshes", node["mesh"]).get("primitives")
        for primitive in primitives if isinstance(primitives, list) else ():
            found = _triangles(document, primitive)
            if found is None:
                continue
            points, triangles = found
            count += len(triangles)
            if count > _MOST_TRIANGLES:
                raise AssetFormatError(f"a mesh must have at most {_MOST_TRIANGLES:,} triangles, got more")
            vertices.append(points @ world_from_node[:3, :3].T + world_from_node[:3, 3])
            faces.append((triangles[:, ::-1] if mirrors else triangles) + start)
            start += len(points)
    if not count:
        raise AssetFormatError("a mesh file must hold at least one triangle, got none")
    return np.concatenate(vertices).astype(np.float32), np.concatenate(faces).astype(np.int32)


def _triangles(document: gltf.Gltf, primitive: object) -> tuple[NDArray, NDArray] | None:
    """Return points [P, 3] and triangles [T, 3] of a primitive, or None if it is of another kind."""
    if not isinstance(primitive, dict) or primitive.get("mode", gltf.TRIANGLES) != gltf.TRIANGLES:
        return None
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        return None
    points = gltf.read_accessor(document, attributes["POSITION"]).astype(np.float64)
    if points.shape[1] != 3 or not np.isfinite(points).all():
        raise AssetFormatError("glTF POSITION must be finite and have three components")
    if "indices" in primitive:
        indices = gltf.read_accessor(document, primitive["indices"]).reshape(-1).astype(np.int64)
        if indices.max() >= len(points):
            raise AssetFormatError(f"glTF indices must be below {len(points)}, got {indices.max()}")
    else:
        indices = np.arange(len(points))
    return points, indices[: len(indices) // 3 * 3].reshape(-1, 3)
