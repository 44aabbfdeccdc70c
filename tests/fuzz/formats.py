"""Damaged splat files through every reader: a precise error or a cloud of numbers, soon and in little memory.

Run from the repository root: python -m tests.fuzz.formats [--cases N] [--seed S] [--only NAME].
A case is one small file of one format with bytes changed, cut, repeated or exchanged with another file's.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import resource
import sys
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reconstruction.splats import SplatCloud
from streaming import (
    compressed_ply,
    gltf,
    gltf_rules,
    khr_gaussian_splatting,
    ksplat,
    one_glb,
    ply,
    scene_summary,
    sog,
    splat_file,
    spz,
    tiles,
)
from streaming.errors import AssetFormatError
from streaming.export import encode_asset
from streaming.pack import asset_json, parse_asset_json
from tests.streaming.scenes_to_carry import rich_asset
from tests.streaming.splat_clouds import lopsided_cloud
from tests.streaming.test_ksplat import by_hand

_MOST_SECONDS = 1.0
_MOST_RSS_KB = 512 * 1024
_INTERESTING = (0, 1, 127, 128, 254, 255)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, files that it takes, and how damage gets past a container's checksum."""

    decode: Callable[[bytes], SplatCloud]
    seeds: tuple[bytes, ...]
    wrap: Callable[[bytes], bytes] = bytes


def targets() -> dict[str, Target]:
    """Return every reader by name."""
    clouds = [lopsided_cloud(3, degree=degree) for degree in (0, 1, 2)]
    inflated = [zlib.decompress(spz.encode(c, version=v), 31) for c in clouds for v in (2, 3)]
    files = [sog.encode_files(cloud) for cloud in clouds]
    return {
        "ply": Target(ply.decode, tuple(map(ply.encode, clouds))),
        "compressed_ply": Target(ply.decode, tuple(map(compressed_ply.encode, clouds))),
        "spz_gzip": Target(spz.decode, tuple(inflated), lambda data: zlib.compress(data, 1, 31)),
        "spz_zstd": Target(spz.decode, tuple(spz.encode(cloud, version=4) for cloud in clouds)),
        "splat": Target(splat_file.decode, tuple(map(splat_file.encode, clouds))),
        "ksplat": Target(ksplat.decode, tuple(map(by_hand, (0, 1, 2)))),
        "glb": Target(_judge_and_read, tuple(map(khr_gaussian_splatting.encode, clouds))),
        "spz_glb": Target(_judge_and_read, tuple(map(tiles.encode_glb, clouds))),
        "whole_scene": Target(_whole_scene, (encode_asset(rich_asset(3)),)),
        "sog_zip": Target(sog.decode, tuple(map(sog.encode, clouds))),
        "sog_meta": Target(
            sog.decode,
            tuple(f["meta.json"] for f in files),
            lambda data: _bundle(files[1], "meta.json", data),
        ),
        "sog_webp": Target(
            sog.decode,
            tuple(f["quats.webp"] for f in files),
            lambda data: _bundle(files[1], "quats.webp", data),
        ),
    }


def _judge_and_read(data: bytes) -> SplatCloud:
    document = gltf.decode(data)
    gltf_rules.problems(document)
    gltf_rules.dialects(document)
    return khr_gaussian_splatting.decode(data)


def _whole_scene(data: bytes) -> SplatCloud:
    scene = one_glb.read_glb(data, title="x")
    scene_summary.summarize(gltf.decode(data))
    asset = one_glb.asset_of(scene, file_name="x.glb")
    # Whatever was read can be kept and read again.
    parse_asset_json(asset_json(asset).encode())
    return scene.cloud


def _bundle(files: dict[str, bytes], name: str, data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        for key, value in {**files, name: data}.items():
            bundle.writestr(zipfile.ZipInfo(key), value)
    return target.getvalue()


def damage(rng: np.random.Generator, seeds: tuple[bytes, ...]) -> bytes:
    """Return one of `seeds`, changed."""
    data = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(data))) if data else 0
        match rng.integers(8):
            case 0 | 1 | 2 if data:
                data[at] = int(rng.integers(256))
            case 3 if data:
                data[at] = int(rng.choice(_INTERESTING))
            case 4:
                data[at : at + 4] = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])).to_bytes(4, "little")
            case 5:
                del data[at:]
            case 6:
                del data[at : at + int(rng.integers(1, 9))]
            case _:
                other = seeds[rng.integers(len(seeds))]
                begin = int(rng.integers(len(other)))
                data[at:at] = other[begin : begin + int(rng.integers(1, 33))]
    return bytes(data)


def run(name: str, target: Target, cases: int, seed: int) -> dict[str, float]:
    """Send damaged files through one reader; the figures of the run.

    Raises:
        AssertionError: A cloud that holds something else than numbers, or a case that took too long.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    slowest, read = 0.0, 0
    for _ in range(cases):
        data = target.wrap(damage(rng, target.seeds))
        start = time.perf_counter()
        try:
            cloud = target.decode(data)
        except AssetFormatError as error:
            assert "\n" not in str(error), error
        except Exception:
            sys.stderr.write(f"{name}: {data.hex()}\n")
            raise
        else:
            read += 1
            for values in (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh):
                assert np.isfinite(values).all(), f"{name}: {data.hex()}"
        slowest = max(slowest, time.perf_counter() - start)
        assert slowest <= _MOST_SECONDS, f"{name} took {slowest:.2f} s: {data.hex()[:2000]}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak <= _MOST_RSS_KB, f"{name}: {peak} KB"
    return {"cases": cases, "read": read, "slowest_s": round(slowest, 3), "peak_rss_mb": peak // 1024}


def main() -> None:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one reader")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("error")  # a silent overflow is a wrong number
    for name, target in targets().items():
        if options.only in (None, name):
            print(name, json.dumps(run(name, target, options.cases, options.seed)), flush=True)


if __name__ == "__main__":
    main()
