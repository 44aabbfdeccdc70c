"""Triangle meshes with everything a surface needs to be shaded, and the solids that worlds are built of.

A mesh is immutable: builders return new meshes, and `concatenate` joins them. Flat solids do not share
vertices between faces, so that normals and baked light may change across an edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reconstruction.checks import check_array
from reconstruction.conventions import F32

from .vocabulary import VOCABULARY

I32 = NDArray[np.int32]
_LABELS = {kind: index for index, kind in enumerate(VOCABULARY)}


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in the world frame: metres, +Y up, counter-clockwise seen from outside."""

    vertices: F32  # [V, 3] metres
    faces: I32  # [T, 3] vertex indices
    materials: NDArray[np.int16]  # [T] indices into `World.materials`
    normals: F32  # [V, 3] unit, outwards; what is shaded, so foliage may bend them
    tints: F32  # [V, 3] linear colour that multiplies the material's
    coords: F32  # [V, 3] metres in the part's own frame, where its texture is evaluated
    labels: NDArray[np.int16] | None = (
        None  # [T] what each triangle is part of, see `label_of`; None: nothing
    )

    def __post_init__(self) -> None:
        count = check_array("vertices", self.vertices, shape=("V", 3), dtype=np.float32)["V"]
        faces = check_array("faces", self.faces, shape=("T", 3), dtype=np.int32)["T"]
        check_array("materials", self.materials, shape=(faces,), dtype=np.int16)
        for name in ("normals", "tints", "coords"):
            check_array(name, getattr(self, name), shape=(count, 3), dtype=np.float32)
        if self.labels is not None:
            check_array("labels", self.labels, shape=(faces,), dtype=np.int16)

    @property
    def face_labels(self) -> NDArray[np.int16]:
        """What each triangle is part of [T], 0 for nothing that a prompt names."""
        return np.zeros(len(self.faces), np.int16) if self.labels is None else self.labels

    def labelled(self, kind: str) -> Mesh:
        """Return the mesh as part of a kind of element; triangles that have a label keep theirs."""
        labels = self.face_labels
        return replace(self, labels=np.where(labels == 0, label_of(kind), labels).astype(np.int16))

    def tinted(self, tint: ArrayLike) -> Mesh:
        """Return the mesh with its tint multiplied by a linear colour [3] or [V, 3]."""
        return replace(self, tints=np.asarray(self.tints * np.asarray(tint, np.float32), np.float32))

    def with_normals(self, normals: NDArray) -> Mesh:
        """Return the mesh shaded by other normals [V, 3]; they need not be unit length."""
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return replace(self, normals=(normals / np.maximum(lengths, 1e-9)).astype(np.float32))

    def moved(self, turn: ArrayLike, shift: ArrayLike) -> Mesh:
        """Return the mesh after `x -> turn @ x + shift`; `coords` stay, so textures move along.

        `turn` [3, 3] may scale; normals follow by its inverse transpose.
        """
        turn = np.asarray(turn, np.float64)
        vertices = (self.vertices @ turn.T + np.asarray(shift, np.float64)).astype(np.float32)
        moved = replace(self, vertices=vertices)
        return moved.with_normals(self.normals @ np.linalg.inv(turn))

    def placed(self, position: ArrayLike, yaw_deg: float = 0.0, scale: float = 1.0) -> Mesh:
        """Return the mesh scaled, turned about +Y and moved to `position` [3]."""
        return self.moved(yaw_matrix(yaw_deg) * scale, position)


def label_of(kind: str) -> int:
    """Return the number, from 1, that stands for a kind of the vocabulary in `Mesh.labels`."""
    return 1 + _LABELS[kind]


def yaw_matrix(degrees: float) -> NDArray[np.float64]:
    """Return the rotation [3, 3] about +Y, counter-clockwise seen from above (+Z turns to +X)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def concatenate(meshes: Sequence[Mesh]) -> Mesh:
    """Join meshes into one, in order."""
    if not meshes:
        empty = np.zeros((0, 3), np.float32)
        return Mesh(empty, np.zeros((0, 3), np.int32), np.zeros(0, np.int16), empty, empty, empty)
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    faces = [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(faces),
        np.concatenate([mesh.materials for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.tints for mesh in meshes]),
        np.concatenate([mesh.coords for mesh in meshes]),
        np.concatenate([mesh.face_labels for mesh in meshes]),
    )


def smooth_mesh(vertices: NDArray, faces: NDArray, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Mesh:
    """Return a mesh whose vertices are shared; normals are the area-weighted mean of their faces."""
    points = np.ascontiguousarray(vertices, np.float32)
    corners = points[faces].astype(np.float64)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(points), 3))
    for axis in range(3):
        normals[:, axis] = np.bincount(
            faces.ravel(), weights=np.repeat(areas[:, axis], 3), minlength=len(points)
        )
    return _mesh(points, faces, material, tint, normals)


def flat_mesh(vertices: NDArray, faces: NDArray, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Mesh:
    """Return a mesh in which every triangle has its own three vertices and one normal."""
    corners = np.asarray(vertices, np.float64)[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    points = corners.reshape(-1, 3).astype(np.float32)
    colours = np.asarray(tint, np.float32)
    if colours.ndim == 2:
        colours = colours[np.asarray(faces).ravel()]
    own_faces = np.arange(len(points)).reshape(-1, 3)
    return _mesh(points, own_faces, material, colours, np.repeat(areas, 3, axis=0))


def _mesh(points: F32, faces: NDArray, material: int, tint: ArrayLike, normals: NDArray) -> Mesh:
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(lengths > 1e-12, normals / np.maximum(lengths, 1e-12), [0.0, 1.0, 0.0])
    tints = np.ascontiguousarray(np.broadcast_to(np.asarray(tint, np.float32), points.shape))
    materials = np.full(len(faces), material, np.int16)
    return Mesh(points, faces.astype(np.int32), materials, normals.astype(np.float32), tints, points.copy())


_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    + [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)


def box(centre: ArrayLike, size: ArrayLike, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Mesh:
    """Return an axis-aligned box with edges `size` [3] around `centre` [3]."""
    vertices = _BOX_CORNERS * np.asarray(size, np.float64) + np.asarray(centre, np.float64)
    return flat_mesh(vertices, _BOX_FACES, material, tint)


def rounded_box(
    centre: ArrayLike,
    size: ArrayLike,
    radius: float,
    material: int,
    tint: ArrayLike = (1.0, 1.0, 1.0),
    steps: int = 3,
) -> Mesh:
    """Return a box whose edges and corners are rounded by `radius`: cushions, stones, soft furniture.

    `steps` is how many facets each rounded edge has.
    """
    half = np.asarray(size, np.float64) / 2
    radius = min(radius, float(half.min()) * 0.98)
    angles = np.linspace(0, np.pi / 2, steps + 1)[1:-1] / (np.pi / 2)
    line = np.concatenate([[-1.0], -1.0 + angles, [0.0, 0.0], angles, [1.0]])
    count = len(line)
    side = np.concatenate([np.full(count // 2, -1.0), np.full(count - count // 2, 1.0)])
    u, v = np.meshgrid(line, line, indexing="ij")
    side_u, side_v = np.meshgrid(side, side, indexing="ij")
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    quads = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    points, faces, normals = [], [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            others = [(axis + 1) % 3, (axis + 2) % 3]
            direction = np.empty((count, count, 3))
            core = np.empty((count, count, 3))
            direction[..., axis] = sign
            direction[..., others[0]] = np.tan(u * np.pi / 4)
            direction[..., others[1]] = np.tan(v * np.pi / 4)
            direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
            core[..., axis] = sign * (half[axis] - radius)
            core[..., others[0]] = side_u * (half[others[0]] - radius)
            core[..., others[1]] = side_v * (half[others[1]] - radius)
            faces.append((quads if sign > 0 else quads[:, ::-1]) + len(points) * count * count)
            points.append((core + radius * direction).reshape(-1, 3))
            normals.append(direction.reshape(-1, 3))
    vertices = (np.concatenate(points) + np.asarray(centre, np.float64)).astype(np.float32)
    return _mesh(vertices, np.concatenate(faces), material, tint, np.concatenate(normals))


def cylinder(
    start: ArrayLike,
    end: ArrayLike,
    start_radius: float,
    end_radius: float,
    sides: int,
    material: int,
    tint: ArrayLike = (1.0, 1.0, 1.0),
    caps: bool = True,
) -> Mesh:
    """Return a cone frustum from `start` [3] to `end` [3]; its mantle is shaded smooth."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * np.cross(along, across)
    vertices = np.concatenate([start + start_radius * ring, end + end_radius * ring])
    near = np.arange(sides)
    after = (near + 1) % sides
    mantle = np.concatenate(
        [np.stack([near, after, sides + after], -1), np.stack([near, sides + after, sides + near], -1)]
    )
    parts = [_mesh(vertices.astype(np.float32), mantle, material, tint, np.concatenate([ring, ring]))]
    if caps:
        fan = np.stack([np.zeros(sides - 2, int), near[1:-1], near[2:]], -1)
        parts.append(flat_mesh(vertices[:sides], fan[:, ::-1], material, tint))
        parts.append(flat_mesh(vertices[sides:], fan, material, tint))
    return concatenate(parts)


def prism(
    outline: ArrayLike, low: float, high: float, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)
) -> Mesh:
    """Return a convex `outline` [P, 2] of (x, z) points pulled up from y = `low` to y = `high`."""
    flat = np.asarray(outline, np.float64)
    x, z = flat[:, 0], flat[:, 1]
    # Seen from above +Z points down the page, so a negative shoelace sum is counter-clockwise.
    if np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z) > 0:
        flat = flat[::-1]
    count = len(flat)
    bottom = np.stack([flat[:, 0], np.full(count, low), flat[:, 1]], -1)
    top = np.stack([flat[:, 0], np.full(count, high), flat[:, 1]], -1)
    near = np.arange(count)
    after = (near + 1) % count
    fan = np.stack([np.zeros(count - 2, int), near[1:-1], near[2:]], -1)
    walls = np.concatenate(
        [np.stack([near, after, count + after], -1), np.stack([near, count + after, count + near], -1)]
    )
    faces = np.concatenate([walls, count + fan, fan[:, ::-1]])
    return flat_mesh(np.concatenate([bottom, top]), faces, material, tint)


def quad(corners: ArrayLike, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Mesh:
    """Return one flat quadrilateral from four `corners` [4, 3], counter-clockwise from its front."""
    return flat_mesh(np.asarray(corners, np.float64), np.array([[0, 1, 2], [0, 2, 3]]), material, tint)


def sphere(
    centre: ArrayLike, radii: ArrayLike, level: int, material: int, tint: ArrayLike = (1.0, 1.0, 1.0)
) -> Mesh:
    """Return an ellipsoid with 20 * 4**`level` smooth triangles and semi-axes `radii` ([3] or one number)."""
    vertices, faces = icosphere(level)
    stretched = vertices * np.asarray(radii, np.float64)
    return smooth_mesh(stretched + np.asarray(centre, np.float64), faces, material, tint)


def icosphere(level: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return unit-sphere vertices [V, 3] and faces [20 * 4**level, 3] of a subdivided icosahedron."""
    g = (1 + 5**0.5) / 2
    vertices = np.array(
        [[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g]]
        + [[0, -1, -g], [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]]
    )
    faces = np.array(
        [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2]]
        + [[10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5]]
        + [[2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]]
    )
    for _ in range(level):
        vertices, faces = _split_in_four(vertices, faces)
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces


def _split_in_four(vertices: NDArray, faces: NDArray) -> tuple[NDArray, NDArray]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, which = np.unique(edges, axis=0, return_inverse=True)
    middle = vertices[unique].mean(axis=1)
    middle *= np.linalg.norm(vertices[0]) / np.linalg.norm(middle, axis=1, keepdims=True)
    ab, bc, ca = which.reshape(3, -1) + len(vertices)
    a, b, c = faces.T
    split = [np.stack(t, -1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate([vertices, middle]), np.concatenate(split)


def tessellated(mesh: Mesh, edge_m: float) -> Mesh:
    """Return the mesh with every edge longer than `edge_m` halved until none is: baked light needs vertices.

    Triangles are split at the middle of their longest edge, so flat parts stay flat. Vertices are not
    shared between the new triangles.
    """
    columns = np.concatenate([mesh.vertices, mesh.normals, mesh.tints, mesh.coords], axis=1)
    # A triangle's material and label travel as one pair of numbers.
    corners, materials = columns[mesh.faces], np.stack([mesh.materials, mesh.face_labels], -1)
    done_corners, done_materials = [], []
    while len(corners):
        edges = np.linalg.norm(corners[:, [1, 2, 0], :3] - corners[:, :, :3], axis=2)
        longest = edges.argmax(axis=1)
        is_long = edges.max(axis=1) > edge_m
        done_corners.append(corners[~is_long])
        done_materials.append(materials[~is_long])
        corners, materials, longest = corners[is_long], materials[is_long], longest[is_long]
        row = np.arange(len(corners))
        a, b, c = (corners[row, (longest + shift) % 3] for shift in range(3))
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        materials = np.concatenate([materials, materials])
    flat = np.concatenate(done_corners).reshape(-1, 12).astype(np.float32)
    vertices, normals, tints, coords = (np.ascontiguousarray(flat[:, i : i + 3]) for i in (0, 3, 6, 9))
    faces = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    kept = np.ascontiguousarray(np.concatenate(done_materials).T)
    whole = Mesh(vertices, faces, kept[0], normals, tints, coords, kept[1])
    return whole.with_normals(normals)
