"""Rays against triangles: Embree through embreex, or through Open3D where embreex has no wheel."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import F32

from .mesh import I32, Mesh


class RayScene(Protocol):
    """Answers ray queries from several threads at once; both calls release the GIL."""

    def closest(self, origins: F32, directions: F32) -> tuple[F32, I32, F32, F32]:
        """Return distance [R] (inf: nothing hit), triangle [R] (-1) and barycentric u, v [R]."""
        ...

    def is_free(self, origins: F32, directions: F32, reach: F32 | None = None) -> NDArray[np.bool_]:
        """Return for each ray [R] whether its way is free, to infinity or for `reach` [R] metres."""
        ...


class _EmbreeScene:
    def __init__(self, mesh: Mesh) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._scene = EmbreeScene()
        TriangleMesh(self._scene, mesh.vertices, mesh.faces)
        # The first query commits the scene, which two threads must not do at the same time.
        self._scene.run(np.zeros((1, 3), np.float32), np.array([[0, 1, 0]], np.float32))

    def closest(self, origins: F32, directions: F32) -> tuple[F32, I32, F32, F32]:
        hits = self._scene.run(origins, directions, output=True)
        faces = hits["primID"]
        distances = np.where(faces < 0, np.float32(np.inf), hits["tfar"])
        return distances, faces, hits["u"], hits["v"]

    def is_free(self, origins: F32, directions: F32, reach: F32 | None = None) -> NDArray[np.bool_]:
        # embreex answers 0 for an occluded ray and -1 for a free one.
        return self._scene.run(origins, directions, dists=reach, query="OCCLUDED") < 0


class _Open3dScene:
    def __init__(self, mesh: Mesh) -> None:
        from open3d.core import Tensor
        from open3d.t.geometry import RaycastingScene

        self._tensor = Tensor
        self._scene = RaycastingScene(nthreads=1)
        self._scene.add_triangles(Tensor(mesh.vertices), Tensor(mesh.faces.astype(np.uint32)))

    def closest(self, origins: F32, directions: F32) -> tuple[F32, I32, F32, F32]:
        hits = self._scene.cast_rays(self._tensor(np.concatenate([origins, directions], axis=1)))
        faces = hits["primitive_ids"].numpy().view(np.int32)
        uv = hits["primitive_uvs"].numpy()
        return hits["t_hit"].numpy(), faces, uv[:, 0].copy(), uv[:, 1].copy()

    def is_free(self, origins: F32, directions: F32, reach: F32 | None = None) -> NDArray[np.bool_]:
        if reach is not None:
            return self.closest(origins, directions)[0] > reach
        rays = self._tensor(np.concatenate([origins, directions], axis=1))
        return ~self._scene.test_occlusions(rays).numpy()


def ray_scene(mesh: Mesh) -> RayScene:
    """Build the acceleration structure of `mesh`."""
    try:
        return _EmbreeScene(mesh)
    except ImportError:
        # linux-aarch64 has no embreex wheel; Open3D carries the same Embree and is a dependency anyway.
        return _Open3dScene(mesh)
