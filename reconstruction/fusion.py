"""Depth pictures become one triangle mesh, and meshes answer rays: the only module that imports open3d.

Import it late: open3d costs seconds. Everything at this boundary is NumPy, in metres, +Y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from .cameras import Cameras
from .conventions import F32

I32 = NDArray[np.int32]

_BLOCK = 16  # voxels along an edge of a block; open3d's default, 8 doubles the hash traffic
_TRUNCATION = 4.0  # voxels; two would tear surfaces whose depths disagree by a voxel between views
_FAR = 1 << 19  # blocks; no coordinate is farther out
_FREE_M = 1e4  # stands for sky: everything in front of it is carved away, nothing is put there
# Weight of open edges in simplification, against 1 for faces.
_HOLD_EDGES = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles; front faces are counter-clockwise and look into free space."""

    vertices: F32  # [V, 3] metres
    faces: I32  # [T, 3]

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def corners(self) -> F32:
        """Corner positions [T, 3, 3]: triangle, corner, axis."""
        return self.vertices[self.faces]

    @property
    def normals(self) -> F32:
        """Unit normals [T, 3]; zero for triangles without area."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        normals = np.cross(b - a, c - a)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def subset(self, keep: NDArray) -> Mesh:
        """Return the triangles chosen by a mask or index array, without unused vertices."""
        used, faces = np.unique(self.faces[keep], return_inverse=True)
        return Mesh(self.vertices[used], faces.reshape(-1, 3).astype(np.int32))


_EMPTY = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


def join(meshes: list[Mesh]) -> Mesh:
    """Put meshes side by side in one; triangles keep their order."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=False)]).astype(np.int32),
    )


def fuse(
    depths: F32, cameras: Cameras, *, voxel_m: float, max_depth_m: float, min_views: float = 2.0
) -> Mesh:
    """Fuse depth pictures into a truncated signed distance field and return its zero surface.

    Surfaces come from depths up to `max_depth_m`; every known depth carves what stands before it, so a
    stray surface that one view invents is removed by the views that look through it.

    Args:
        depths: [F, H, W] metres along +Z; 0 is unknown, +inf is sky.
        cameras: F views at the size of `depths`.
        voxel_m: Edge of a voxel.
        max_depth_m: Depths beyond make no surface.
        min_views: Least weight of a vertex, in views.
    """
    grid = o3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight"),
        attr_dtypes=(o3d.core.float32, o3d.core.float32),
        attr_channels=((1), (1)),
        voxel_size=voxel_m,
        block_resolution=_BLOCK,
        block_count=4096,
    )
    Ks = [o3d.core.Tensor(K.astype(np.float64)) for K in cameras.Ks]
    poses = [o3d.core.Tensor(viewmat.astype(np.float64)) for viewmat in cameras.viewmats]
    touched = [
        _blocks_touched(np.where(depth <= max_depth_m, depth, 0), viewmat, K, voxel_m)
        for depth, viewmat, K in zip(depths, cameras.viewmats, cameras.Ks, strict=True)
    ]
    coords = np.unique(np.concatenate(touched), axis=0).astype(np.int32)
    if not len(coords):
        return _EMPTY
    grid.hashmap().activate(o3d.core.Tensor(coords))
    for depth, K, viewmat, pose in zip(depths, Ks, cameras.viewmats, poses, strict=True):
        seen = _blocks_in_view(coords, _BLOCK * voxel_m, viewmat, K.numpy(), cameras.width, cameras.height)
        if len(seen):
            known = np.minimum(depth, _FREE_M).astype(np.float32)
            grid.integrate(o3d.core.Tensor(seen), _picture(known), K, pose, 1.0, 2 * _FREE_M, _TRUNCATION)
    try:
        mesh = grid.extract_triangle_mesh(weight_threshold=min_views - 0.5)  # open3d wants more than this
    except RuntimeError as error:
        if "shape {0}" not in str(error):
            raise
        return _EMPTY  # open3d 0.20 cannot return a mesh without vertices and says so this way
    return Mesh(mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy().astype(np.int32))


def _picture(depth: F32) -> Any:
    return o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(depth[..., None])))


def _blocks_touched(depth: F32, viewmat: F32, K: F32, voxel_m: float) -> I32:
    """Return the blocks [B, 3] that hold a picture's surface and its truncation band.

    open3d's own search looks at one pixel of sixteen and fails on sparse depth.
    """
    row, column = np.nonzero(depth > 0)
    ray = np.stack([column + 0.5, row + 0.5, np.ones(len(row))], axis=1) @ np.linalg.inv(K).T
    near = depth[row, column] - _TRUNCATION * voxel_m
    found = []
    for share in range(3):
        x_cam = ray * (near + share * _TRUNCATION * voxel_m)[:, None]
        x_world = (x_cam - viewmat[:3, 3]) @ viewmat[:3, :3]
        found.append(np.floor(x_world / (_BLOCK * voxel_m)).astype(np.int64))
    block = np.concatenate(found)
    # Three coordinates in one number sort fifty times faster than rows.
    code = np.unique(((block[:, 0] + _FAR) * 2 * _FAR + block[:, 1] + _FAR) * 2 * _FAR + block[:, 2] + _FAR)
    return (
        np.stack([code // (4 * _FAR**2), code // (2 * _FAR) % (2 * _FAR), code % (2 * _FAR)], axis=1) - _FAR
    )


def _blocks_in_view(coords: I32, block_m: float, viewmat: F32, K: NDArray, width: int, height: int) -> I32:
    """Return the blocks whose bounding sphere touches the view's frustum."""
    centres = (coords + 0.5) * block_m
    x, y, z = (centres @ viewmat[:3, :3].T + viewmat[:3, 3]).T
    radius = block_m * 0.87  # half of the diagonal
    seen = z > -radius
    for across, focal, centre, size in ((x, K[0, 0], K[0, 2], width), (y, K[1, 1], K[1, 2], height)):
        for edge, sign in ((-centre, -1.0), (size - centre, 1.0)):
            slope = edge / focal
            seen &= sign * (across - slope * z) / np.hypot(1.0, slope) < radius
    return np.ascontiguousarray(coords[seen])


def simplify(mesh: Mesh, target: int, *, max_error_m: float) -> Mesh:
    """Return a mesh with as few triangles as `max_error_m` allows, and about `target` at most.

    99 of 100 vertices of the input lie within about `max_error_m` of the result (measured on rooms and
    terrain: a third of it on ground, 1.5 times on foliage), unless `target` forces more. Open edges are
    held in place: they are seams, and a seam that moves is a hole.
    """
    if not len(mesh):
        return mesh
    a, b, c = np.moveaxis(mesh.corners.astype(np.float64), 1, 0)
    # open3d weighs squared distances by area; six triangles of usual size meet at a vertex.
    area_m2 = 6 * float(np.median(np.linalg.norm(np.cross(b - a, c - a), axis=1))) / 2
    legacy = _legacy(mesh).simplify_quadric_decimation(1, max_error_m**2 * area_m2, _HOLD_EDGES)
    if len(legacy.triangles) > target:
        legacy = legacy.simplify_quadric_decimation(target, np.inf, _HOLD_EDGES)
    legacy.remove_degenerate_triangles()
    legacy.remove_unreferenced_vertices()
    return Mesh(np.asarray(legacy.vertices, np.float32), np.asarray(legacy.triangles, np.int32))


def parts(mesh: Mesh) -> tuple[NDArray[np.int64], F32]:
    """Return the connected part of each triangle [T] and the area of each part [P] in m2."""
    labels, _, areas = _legacy(mesh).cluster_connected_triangles()
    return np.asarray(labels, np.int64), np.asarray(areas, np.float32)


def _legacy(mesh: Mesh) -> Any:
    return o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.astype(np.float64)), o3d.utility.Vector3iVector(mesh.faces)
    )


class Collider:
    """Answers rays and distances against a fixed mesh, many at a time."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._normals = mesh.normals
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.faces.astype(np.uint32))
        )

    def cast(self, origins: NDArray, directions: NDArray) -> tuple[F32, NDArray[np.int64]]:
        """Return distance (+inf: nothing) and triangle index (-1: nothing), each [R], of the first hits.

        Args:
            origins: [R, 3] metres.
            directions: [R, 3] unit vectors, or [3] for all rays.
        """
        rays = np.empty((len(origins), 6), np.float32)
        rays[:, :3], rays[:, 3:] = origins, directions
        found = self._scene.cast_rays(o3d.core.Tensor(rays))
        triangles = found["primitive_ids"].numpy().astype(np.int64)
        triangles[triangles == self._scene.INVALID_ID] = -1
        return found["t_hit"].numpy(), triangles

    def ground_below(self, points: NDArray) -> tuple[F32, F32]:
        """Return height (-inf: nothing) and steepness (|y| of the unit normal), each [R], under `points`."""
        distances, triangles = self.cast(points, np.array([0.0, -1.0, 0.0]))
        steepness = np.where(triangles >= 0, np.abs(self._normals[triangles, 1]), 0.0)
        return (points[:, 1] - distances).astype(np.float32), steepness.astype(np.float32)

    def distance(self, points: NDArray) -> F32:
        """Return the distance [R] from `points` [R, 3] to the nearest triangle."""
        return self._scene.compute_distance(o3d.core.Tensor(np.ascontiguousarray(points, np.float32))).numpy()
