"""Solids are closed, face outwards and keep their size; tessellation keeps everything but the edges."""

from __future__ import annotations

import numpy as np
import pytest

from immersive.generation.procedural.mesh import (
    Mesh,
    box,
    concatenate,
    cylinder,
    flat_mesh,
    label_of,
    prism,
    rounded_box,
    sphere,
    tessellated,
    yaw_matrix,
)
from reconstruction.errors import InvalidArrayError


def volume(mesh: Mesh) -> float:
    """By the divergence theorem: right only if the surface is closed and faces outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def area(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def polygon_share(sides: int) -> float:
    """Area of a regular polygon as a share of its circle's."""
    return sides / (2 * np.pi) * np.sin(2 * np.pi / sides)


L_SHAPE = [[0.2, 0.1], [2.2, 0.4], [1.7, 1.9], [0.4, 1.5]]
SOLIDS = {
    "box": (box([1.0, 2.0, -3.0], [0.5, 1.5, 4.0], 0), 3.0),
    "cylinder": (cylinder([1, 0.5, 2], [1, 3.5, 2], 0.4, 0.4, 11, 0), 3 * np.pi * 0.16 * polygon_share(11)),
    "cone": (
        cylinder([0, 1, 0], [2, 1, 0], 0.6, 0.3, 9, 0),
        2 * np.pi / 3 * (0.36 + 0.18 + 0.09) * polygon_share(9),
    ),
    "prism": (prism(L_SHAPE, -0.5, 1.0, 0), 1.5 * 2.445),
    "prism the other way round": (prism(L_SHAPE[::-1], -0.5, 1.0, 0), 1.5 * 2.445),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_enclose_the_volume_that_geometry_gives_them(name: str) -> None:
    mesh, expected = SOLIDS[name]

    assert volume(mesh) == pytest.approx(expected, rel=1e-4)


def test_a_rounded_box_lies_between_its_core_and_its_box() -> None:
    mesh = rounded_box([0.3, -1.0, 2.0], [1.0, 2.0, 3.0], 0.2, 0, steps=6)
    # Box without its edges, plus quarter cylinders and the eighths of a sphere.
    core = 0.6 * 1.6 * 2.6
    slabs = 0.4 * (0.6 * 1.6 + 1.6 * 2.6 + 0.6 * 2.6)
    edges = np.pi * 0.04 * (0.6 + 1.6 + 2.6)
    exact = core + slabs + edges + 4 / 3 * np.pi * 0.008

    assert volume(mesh) == pytest.approx(exact, rel=0.01)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([1.0, 2.0, 3.0], abs=1e-5)


def test_a_sphere_has_normals_along_its_radii() -> None:
    mesh = sphere([3.0, -1.0, 0.5], 2.0, 3, 0)
    outward = (mesh.vertices - [3.0, -1.0, 0.5]) / 2.0

    assert (mesh.normals * outward).sum(axis=1).min() > 0.999
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 8, rel=0.02)


def test_moving_turns_normals_like_surfaces_and_leaves_coords() -> None:
    mesh = prism(L_SHAPE, 0.2, 1.0, 0)  # its walls face no axis, or a wrong turn would go unseen
    stretch = yaw_matrix(30) @ np.diag([4.0, 1.0, 0.5])

    moved = mesh.moved(stretch, [5.0, 6.0, 7.0])

    a, b, c = (moved.vertices[moved.faces[:, corner]] for corner in range(3))
    real = np.cross(b - a, c - a)
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    assert np.allclose(moved.normals[moved.faces[:, 0]], real, atol=1e-5)
    assert np.array_equal(moved.coords, mesh.coords)


def test_yaw_turns_plus_z_to_plus_x() -> None:
    assert np.allclose(yaw_matrix(90) @ [0, 0, 1], [1, 0, 0])


def test_tessellation_keeps_area_and_materials_and_bounds_edges() -> None:
    mesh = concatenate(
        [box([0, 1, 0], [3.0, 0.2, 1.0], 4), flat_mesh(np.eye(3) * 2, np.array([[0, 1, 2]]), 7)]
    )

    fine = tessellated(mesh, 0.21)

    corners = fine.vertices[fine.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    assert edges.max() <= 0.21
    assert area(fine) == pytest.approx(area(mesh), rel=1e-5)
    for material in (4, 7):
        share = [area(_only(part, material)) for part in (mesh, fine)]
        assert share[1] == pytest.approx(share[0], rel=1e-5)


def test_a_mesh_refuses_attributes_of_another_length() -> None:
    mesh = box([0, 0, 0], [1, 2, 3], 0)

    with pytest.raises(InvalidArrayError, match=r"tints must have shape \[36, 3\]"):
        Mesh(mesh.vertices, mesh.faces, mesh.materials, mesh.normals, mesh.tints[:-1], mesh.coords)


def _only(mesh: Mesh, material: int) -> Mesh:
    keep = mesh.materials == material
    return Mesh(mesh.vertices, mesh.faces[keep], mesh.materials[keep], mesh.normals, mesh.tints, mesh.coords)


def test_labels_stay_with_their_triangles() -> None:
    bench = box([0, 0, 0], [1.0, 1.0, 1.0], 0).labelled("bench")
    floor = box([5, 0, 0], [1.0, 1.0, 1.0], 1)
    lamp = box([0, 3, 0], [0.2, 0.2, 0.2], 2).labelled("lantern").labelled("bench")

    whole = tessellated(concatenate([bench, floor, lamp]).placed([1, 2, 3], 30.0), 0.4)

    for material, label in ((0, label_of("bench")), (1, 0), (2, label_of("lantern"))):
        own = whole.face_labels[whole.materials == material]
        assert len(own) >= 12 and (own == label).all()
    assert label_of("bench") != label_of("lantern")
