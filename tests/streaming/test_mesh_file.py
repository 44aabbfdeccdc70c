"""Meshes of other people's files: where their triangles are in the world, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from streaming import gltf
from streaming.assemble import encode_collider
from streaming.errors import AssetFormatError
from streaming.mesh_file import read_mesh
from tests.data import shared

VERTICES = np.array([[0, 0, 1], [2, 0.5, 0], [0, 3, -1], [4, 1, 2]], np.float32)
FACES = np.array([[0, 1, 2], [2, 1, 3]], np.int32)


def document(nodes: list, roots: list[int], *, index_type: type = np.uint16, **primitive: object) -> bytes:
    builder = gltf.BufferBuilder()
    made: dict = {"attributes": {"POSITION": builder.add(VERTICES)}}
    made["indices"] = builder.add(FACES.reshape(-1).astype(index_type), target=gltf.ELEMENT_ARRAY_BUFFER)
    meshes = [{"primitives": [made | primitive]}]
    scenes = [{"nodes": roots}]
    return builder.finish({"asset": {"version": "2.0"}, "scenes": scenes, "nodes": nodes, "meshes": meshes})


def test_our_own_collider_is_read_as_it_was_written() -> None:
    vertices, faces = read_mesh(encode_collider(VERTICES, FACES))

    np.testing.assert_array_equal(vertices, VERTICES)
    np.testing.assert_array_equal(faces, FACES)


@pytest.mark.parametrize("index_type", [np.uint8, np.uint16, np.uint32])
def test_nodes_move_their_meshes_and_parents_move_nodes(index_type: type) -> None:
    nodes = [
        {"translation": [1, 2, 3], "children": [1]},
        {"mesh": 0, "scale": [2, 2, 2]},
        {"mesh": 0, "translation": [0, 0, -5]},
        {"mesh": 0},  # in no scene
    ]

    vertices, faces = read_mesh(document(nodes, [0, 2], index_type=index_type))

    np.testing.assert_allclose(vertices[:4], VERTICES + [0, 0, -5])
    np.testing.assert_allclose(vertices[4:], 2 * VERTICES + [1, 2, 3])
    np.testing.assert_array_equal(faces, np.concatenate([FACES, FACES + 4]))


def test_a_mirrored_node_keeps_its_fronts_outside() -> None:
    vertices, faces = read_mesh(document([{"mesh": 0, "scale": [-1, 1, 1]}], [0]))

    normal, before = (
        np.cross(v[f[0, 1]] - v[f[0, 0]], v[f[0, 2]] - v[f[0, 0]])
        for v, f in ((vertices, faces), (VERTICES, FACES))
    )
    np.testing.assert_allclose(normal, before * [-1, 1, 1], rtol=1e-6)


def test_somebody_elses_file_without_triangles_is_refused() -> None:
    data = shared("gltf/khr_conformance_matrix.glb").read_bytes()
    with pytest.raises(AssetFormatError, match="at least one triangle, got none"):
        read_mesh(data)


def test_what_is_no_mesh_is_told() -> None:
    with pytest.raises(AssetFormatError, match="at least one triangle, got none"):
        read_mesh(document([{"mesh": 0}], [0], mode=gltf.POINTS))
    whole = document([{"mesh": 0}], [0])
    for cut in (10, 60, len(whole) - 9):
        with pytest.raises(AssetFormatError):
            read_mesh(whole[:cut])
    with pytest.raises(AssetFormatError, match="must be stored plainly"):
        read_mesh(whole.replace(b'"bufferView":0,', b'"bufferVieX":0,'))
    builder = gltf.BufferBuilder()
    primitive = {"attributes": {"POSITION": builder.add(VERTICES)}}
    primitive["indices"] = builder.add(np.array([0, 1, 9], np.uint8), target=gltf.ELEMENT_ARRAY_BUFFER)  # type: ignore[assignment]
    far = builder.finish(
        {"asset": {"version": "2.0"}, "nodes": [{"mesh": 0}], "meshes": [{"primitives": [primitive]}]}
    )
    with pytest.raises(AssetFormatError, match="indices must be below 4, got 9"):
        read_mesh(far)
