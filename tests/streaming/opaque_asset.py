"""A small scene whose chunks are opaque bytes, for tests of delivery: three levels, lopsided on purpose."""

from __future__ import annotations

import hashlib
import random

from reconstruction.reports import QualityReport, WalkabilityReport
from streaming.asset import ChunkInfo, ChunkKind, Manifest, Spawn, SplatAsset

# index: (kind, level, parent, range_start, range_stop, splats, bytes, centre, error)
_ROWS: tuple[tuple[ChunkKind, int, int, int, int, int, int, tuple[float, float, float], float], ...] = (
    ("splats", 0, -1, 0, 0, 90, 1500, (0.0, 1.0, 0.0), 40.0),
    ("splats", 0, -1, 0, 0, 60, 1100, (0.5, 1.0, 9.0), 25.0),
    ("splats", 1, 0, 0, 50, 400, 6000, (-4.0, 1.0, -6.0), 8.0),
    ("splats", 1, 0, 50, 90, 320, 5200, (5.0, 1.0, -6.0), 6.0),
    ("splats", 1, 1, 0, 60, 470, 7000, (0.5, 1.0, 9.0), 9.0),
    ("splats", 2, 2, 0, 400, 2900, 42000, (-4.0, 1.0, -6.0), 0.0),
    ("splats", 2, 3, 0, 150, 1100, 17000, (4.0, 1.0, -5.0), 0.0),
    ("splats", 2, 3, 150, 320, 1300, 19000, (6.0, 1.0, -7.0), 0.0),
    ("collider", 0, -1, 0, 0, 0, 3300, (0.0, 0.0, 0.0), 0.0),
)


def opaque_asset(title: str = "Cabin by a lake", seed: int = 5, is_generated: bool = True) -> SplatAsset:
    """Return the scene; its bytes depend on `seed`."""
    noise = random.Random(seed)
    chunks, parts, offset = [], [], 0
    for index, (kind, level, parent, start, stop, splats, size, center, error) in enumerate(_ROWS):
        glb = noise.randbytes(size)
        parts.append(glb)
        digest = hashlib.sha256(glb).hexdigest()
        chunks.append(
            ChunkInfo(
                index, kind, level, parent, start, stop, splats, offset, size, digest, center, 2.0, error
            )
        )
        offset += size
    manifest = Manifest(
        title=title,
        splat_count=5770,
        sh_degree=0,
        level_count=3,
        bounds_min=(-8.0, -1.0, -9.0),
        bounds_max=(8.0, 5.0, 12.0),
        spawn=Spawn((0.0, 0.0, 2.0), 0.0),
        eye_height_m=1.6,
        background=(0.5, 0.6, 0.8),
        is_generated=is_generated,
        recipe={"prompt": "a cabin by a lake", "seed": seed},
        quality=QualityReport(22.5, 0.71, 9, 25.0, 0.97, 5770, "usable", ("held-out PSNR is 22.5 dB",)),
        walkability=WalkabilityReport(61.0, 0, 0.0, 0.004, "good", ("61 m2 can be reached",)),
    )
    return SplatAsset(manifest, tuple(chunks), b"".join(parts))
