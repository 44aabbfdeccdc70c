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
_MOST_PRIMITIVES = 4096  # as often as each is shown; reading one takes a quarter of a millisecond

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
    of_mesh: dict[Any, tuple[list[dict[str, Any]], int]] = {}
    shown: list[tuple[dict[str, Any], NDArray]] = []
    total = 0
    for node, world_from_node in nodes:
        if "mesh" not in node:
            continue
        mesh = document.item("meshes", node["mesh"])
        if node["mesh"] not in of_mesh:
            primitives = _triangle_primitives(mesh)
            of_mesh[node["mesh"]] = primitives, sum(_corner_count(document, p) for p in primitives)
        primitives, count = of_mesh[node["mesh"]]
        shown += [(primitive, world_from_node) for primitive in primitives]
        total += count
        if total > 3 * most or len(shown) > _MOST_PRIMITIVES:
            raise AssetFormatError(
                f"a mesh must have at most {most:,} triangles in {_MOST_PRIMITIVES:,} parts, got more"
            )
    vertices: list[NDArray] = []
    faces: list[NDArray] = []
    start, count = 0, 0
    for primitive, world_from_node in shown:
        points, triangles = _triangles(document, primitive)
        count += len(triangles)
        mirrors = np.linalg.det(world_from_node[:3, :3]) < 0
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is named below
            moved = (points @ world_from_node[:3, :3].T + world_from_node[:3, 3]).astype(np.float32)
        if not (np.abs(moved) <= MAX_POSE_METRES).all():
            raise AssetFormatError(f"a mesh must lie within {MAX_POSE_METRES:.0f} m")
        vertices.append(moved)
        faces.append((triangles[:, ::-1] if mirrors else triangles) + start)
        start += len(points)
    if not count:
        return None
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32)


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


def _triangle_primitives(mesh: dict[str, Any]) -> list[dict[str, Any]]:
    primitives = mesh.get("primitives")
    return [
        primitive
        for primitive in (primitives if isinstance(primitives, list) else ())
        if isinstance(primitive, dict)
        and primitive.get("mode", gltf.TRIANGLES) == gltf.TRIANGLES
        and isinstance(primitive.get("attributes"), dict)
        and "POSITION" in primitive["attributes"]
    ]


def _corner_count(document: gltf.Gltf, primitive: dict[str, Any]) -> int:
    """Return the larger of the counts of points and of indices that a primitive claims."""
    indices = [
        primitive["attributes"]["POSITION"],
        *([primitive["indices"]] if "indices" in primitive else []),
    ]
    counts = [document.item("accessors", index).get("count") for index in indices]
    return max((count for count in counts if isinstance(count, int)), default=0)


def _triangles(document: gltf.Gltf, primitive: dict[str, Any]) -> tuple[NDArray, NDArray]:
    """Return points [P, 3] and triangles [T, 3] of a primitive."""
    with np.errstate(invalid="ignore"):  # of signalling NaNs, which are named as not finite
        points = gltf.read_accessor(document, primitive["attributes"]["POSITION"]).astype(np.float64)
    if points.shape[1] != 3 or not np.isfinite(points).all():
        raise AssetFormatError("glTF POSITION must be finite and have three components")
    if "indices" in primitive:
        values = gltf.read_accessor(document, primitive["indices"]).reshape(-1)
        if values.dtype.kind != "u":
            raise AssetFormatError(f"glTF indices must be unsigned integers, got {values.dtype.name}")
        indices = values.astype(np.int64)
        if indices.max() >= len(points):
            raise AssetFormatError(f"glTF indices must be below {len(points)}, got {indices.max()}")
    else:
        indices = np.arange(len(points))
    return points, indices[: len(indices) // 3 * 3].reshape(-1, 3)
