"""Triangle meshes of other people's GLB files, such as the collider that comes with a generated world."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import gltf
from .errors import AssetFormatError
from .limits import MAX_COLLIDER_TRIANGLES, MAX_POSE_METRES

# A hosted collider has 200 000; ten million take half a gigabyte and minutes of rays.
_MOST_TRIANGLES = 10_000_000

_COLLIDER_WORDS = ("collider", "collision")

Nodes = Iterable[tuple[dict[str, Any], NDArray]]


def read_mesh(data: bytes) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return vertices [V, 3] and faces [T, 3] of all triangles in the default scene, in the world frame.

    Raises:
        AssetFormatError: The container is broken, holds no triangle, or packs them in an extension.
    """
    document = gltf.decode(data)
    found = triangles_of_nodes(document, gltf.scene_nodes(document), _MOST_TRIANGLES)
    if found is None:
        raise AssetFormatError("a mesh file must hold at least one triangle, got none")
    return found


def triangles_of_nodes(
    document: gltf.Gltf, nodes: Nodes, most: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    """Return vertices [V, 3] and faces [T, 3] of the triangles of nodes, None where they have none.

    Args:
        document: What the nodes are of.
        nodes: With their `world_from_node` [4, 4].
        most: Triangles that may be read.

    Raises:
        AssetFormatError: A mesh is broken, too large, or packed in an extension.
    """
    vertices: list[NDArray] = []
    faces: list[NDArray] = []
    start, count = 0, 0
    for node, world_from_node in nodes:
        if "mesh" not in node:
            continue
        mirrors = np.linalg.det(world_from_node[:3, :3]) < 0
        primitives = document.item("meshes", node["mesh"]).get("primitives")
        for primitive in primitives if isinstance(primitives, list) else ():
            # Before they are read: nodes share meshes, and these share accessors, for nothing.
            if start + _claimed_points(document, primitive) > 3 * most:
                raise AssetFormatError(f"a mesh must have at most {3 * most:,} vertices, got more")
            found = _triangles(document, primitive)
            if found is None:
                continue
            points, triangles = found
            count += len(triangles)
            if count > most:
                raise AssetFormatError(f"a mesh must have at most {most:,} triangles, got more")
            with np.errstate(over="ignore", invalid="ignore"):
                points = points @ world_from_node[:3, :3].T + world_from_node[:3, 3]
            if not (np.abs(points) <= MAX_POSE_METRES).all():
                raise AssetFormatError(f"a mesh must lie within {MAX_POSE_METRES:.0f} m")
            vertices.append(points)
            faces.append((triangles[:, ::-1] if mirrors else triangles) + start)
            start += len(points)
    if not count:
        return None
    return np.concatenate(vertices).astype(np.float32), np.concatenate(faces).astype(np.int32)


def named_collider(document: gltf.Gltf) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    """Return the triangles of all nodes that are called a collider, in whichever scene, or None.

    Raises:
        AssetFormatError: They are broken, or too many to walk on.
    """
    nodes = document.items("nodes")
    children: set[int] = set()
    for node in nodes:
        below = node.get("children") if isinstance(node, dict) else None
        children.update(
            child for child in (below if isinstance(below, list) else ()) if isinstance(child, int)
        )
    roots = [index for index in range(len(nodes)) if index not in children]
    found = (pair for pair in gltf.nodes_below(document, roots) if is_called_collider(document, pair[0]))
    return triangles_of_nodes(document, found, MAX_COLLIDER_TRIANGLES)


def is_called_collider(document: gltf.Gltf, node: dict[str, Any]) -> bool:
    """Tell whether a node or its mesh is called as tools call what one walks on and does not see."""
    if "mesh" not in node:
        return False
    names = (node.get("name"), document.item("meshes", node["mesh"]).get("name"))
    return any(word in name.lower() for name in names if isinstance(name, str) for word in _COLLIDER_WORDS)


def _claimed_points(document: gltf.Gltf, primitive: object) -> int:
    attributes = primitive.get("attributes") if isinstance(primitive, dict) else None
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        return 0
    count = document.item("accessors", attributes["POSITION"]).get("count")
    return count if isinstance(count, int) else 0


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
        indices = gltf.read_accessor(document, primitive["indices"]).reshape(-1)
        if indices.dtype.kind != "u":
            raise AssetFormatError("glTF indices must be unsigned integers")
        indices = indices.astype(np.int64)
        if indices.max() >= len(points):
            raise AssetFormatError(f"glTF indices must be below {len(points)}, got {indices.max()}")
    else:
        indices = np.arange(len(points))
    return points, indices[: len(indices) // 3 * 3].reshape(-1, 3)
