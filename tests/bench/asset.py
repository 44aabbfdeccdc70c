"""What a small asset costs: bytes per splat, the look of coarse levels, CPU-seconds.

`python -m tests.bench asset`. On the robot scene of the shared data (31 000 splats, degree 0), which is
small; `asset_bytes` and `asset_tree` measure larger ones.
"""

from __future__ import annotations

import time

import numpy as np

from reconstruction.frames import Provenance
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming import spz
from streaming.assemble import build_asset
from streaming.chunk_bytes import decode_chunks
from streaming.export import encode_cloud
from streaming.lod import build_tree
from streaming.refine import viewpoints
from streaming.transform import join_clouds
from streaming.validate import read_splats
from tests.bench.rows import Row, at_most
from tests.data import shared


def rows() -> list[Row]:
    """Measure one scene."""
    whole = read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply"))
    cloud = SplatCloud(whole.means, whole.quats, whole.scales, whole.opacities, whole.sh[:, :1].copy())
    count = len(cloud)
    started = time.process_time()
    asset = build_asset(cloud, title="robot", provenance=Provenance("bench", is_generated=False))
    build_s = time.process_time() - started
    # Other places than those that the levels were fitted to.
    unseen = viewpoints(cloud.means, [], seed=99)
    truth = draw(cloud, unseen).images.clip(0, 1)

    def psnr_db(shown: SplatCloud) -> float:
        errors = ((draw(shown, unseen).images.clip(0, 1) - truth) ** 2).mean(axis=(1, 2, 3))
        # The median view: some of these places are inside the robot, where nobody stands.
        return float(-10 * np.log10(np.median(errors)))

    last = asset.manifest.level_count - 1
    leaves = sum(c.byte_length for c in asset.chunks if c.level == last)
    found = [
        Row("asset, robot: building it", build_s, "CPU-s"),
        Row("asset, robot: finest level", leaves / count, "B/splat"),
        at_most("asset, robot: all levels", asset.byte_length / count, "B/splat", 13),
        Row("asset, robot: root chunk", asset.chunks[0].byte_length / 1000, "KB"),
        Row("export, robot: GLB", len(encode_cloud(cloud)) / count, "B/splat"),
        Row("export, robot: SPZ v3", len(spz.encode(cloud)) / count, "B/splat"),
    ]
    plain = build_tree(cloud)
    for level in range(last):
        own = [c.index for c in asset.chunks if c.kind == "splats" and c.level == level]
        shown = join_clouds(decode_chunks([asset.chunk_bytes(index) for index in own]))
        name = f"level {level}, robot: {len(shown)} splats against all"
        found.append(Row(f"{name}, merged only", psnr_db(plain[level].cloud), "dB"))
        found.append(Row(f"{name}, as streamed", psnr_db(shown), "dB"))
    return found
