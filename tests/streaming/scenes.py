"""Small finished assets for tests."""

from __future__ import annotations

import numpy as np

from reconstruction.frames import Provenance
from reconstruction.reports import QualityReport, WalkabilityReport
from reconstruction.walkable_space import WalkableSpace
from streaming.assemble import build_asset
from streaming.asset import SplatAsset
from tests.streaming.splat_clouds import lopsided_cloud

PROVENANCE = Provenance("procedural", is_generated=True, detail="a lopsided place")
QUALITY = QualityReport(23.4, 0.75, 6, 26.0, 0.98, 6_000, "usable", ("held-out PSNR is 23.4 dB",))


def walkable() -> WalkableSpace:
    """Return a tilted floor of two triangles and one wall."""
    vertices = np.array([[-2, 0, 3.3], [5, 0.1, 3.3], [5, 0.2, -4], [-2, 0.1, -4], [5, 2.5, -4]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4]], np.int32)
    return WalkableSpace(
        vertices=vertices,
        faces=faces,
        boundary_start=2,
        floor_y=0.1,
        spawn_position=np.array([0.5, 0.12, 1.0], np.float32),
        spawn_yaw_deg=30.0,
        bounds_min=vertices.min(axis=0),
        bounds_max=vertices.max(axis=0),
        metres_per_unit=1.0,
        eye_height_m=1.6,
        report=WalkabilityReport(51.0, 0, 0.0, 0.002, "good", ("51 m2 can be reached",)),
    )


def small_asset(splat_count: int) -> SplatAsset:
    """Return a walkable scene with everything that a manifest can say."""
    return build_asset(
        lopsided_cloud(splat_count),
        title="Lopsided",
        walkable=walkable(),
        quality=QUALITY,
        recipe={"prompt": "a lopsided place", "seed": 4, "versions": {"immersive": "0.1.0"}},
        provenance=PROVENANCE,
        camera_path=[(0.5, 1.7, 1.0, 30.0), (2.0, 1.7, 0.0, 80.0)],
        background=(0.5, 0.6, 0.8),
    )
