"""Every writer: what comes back lies within the bound that follows from how the format stores it.

The two writers that sort splats have theirs in `test_compressed_ply` and `test_sog`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from reconstruction.spherical_harmonics import dc_from_rgb
from reconstruction.splats import SplatCloud
from streaming import khr_gaussian_splatting, ply, splat_file, spz
from streaming.khr_gaussian_splatting import Precision
from streaming.validate import ENCODERS, FOLDER_ENCODERS
from tests.streaming.splat_clouds import angles_deg, clouds, lopsided_cloud

ROOT = Path(__file__).resolve().parents[2]
_EPS = float(np.finfo(np.float32).eps)
_DEGREES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Bounds:
    """Largest errors of what a format can hold at all; each may depend on what was stored."""

    means: Callable[[SplatCloud], np.ndarray | float]
    log_scales: float
    opacities: float
    dc: float
    rest: Callable[[int], float]  # by degree
    turn_deg: float
    holds_dc: tuple[float, float] = (-np.inf, np.inf)
    holds_rest: tuple[float, float] = (-np.inf, np.inf)


def _smallest_three_deg(step: float) -> float:
    """Return the largest turn where three components are each off by `step` and the largest is derived.

    The derived one, at least 1/2, is off by |q . d| / w <= sqrt(3) * sqrt(3) * step, so the whole by
    sqrt(3 + 9) * step, and a turn is twice the angle between quaternions.
    """
    return float(np.degrees(2 * np.arcsin(np.sqrt(12) * step))) + 0.01


# Logarithms up to 9 and logits up to 16 in float32: half a unit in the last place of each.
_PLY = Bounds(
    means=lambda _: 0.0,
    log_scales=9 * _EPS,
    opacities=16 * _EPS / 2 * 0.25 + 1e-7 + _EPS,  # the slope of a sigmoid is 1/4 at most; 1e-7 is cut off
    dc=0.0,
    rest=lambda _: 0.0,
    turn_deg=0.001,
)
_SPZ = Bounds(
    means=lambda _: 0.5 / 4096,
    log_scales=0.5 / 16 + 1e-6,
    opacities=0.5 / 255 + 1e-7,
    dc=0.5 / (0.15 * 255) + 1e-6,
    # Rounded to a 128th, then to a bucket of 8 or 16 of them.
    rest=lambda degree: (0.5 + (4 if degree == 1 else 8)) / 128 + 1e-6,
    turn_deg=_smallest_three_deg(0.5 * np.sqrt(0.5) / 511),
    holds_dc=(-0.5 / 0.15, 0.5 / 0.15),
    holds_rest=(-1, 127 / 128),
)
_P = Precision()
_GLB = Bounds(
    # Steps are a share of the splat's size, rounded down to a power of two.
    means=lambda found: (
        2.0 ** np.floor(np.log2(found.scales.max(axis=1, keepdims=True))) * _P.mean_step / 2
        + np.abs(found.means) * _EPS
    ),
    log_scales=float(np.log1p(2.0 ** -(_P.scale_bits + 1))) * 1.04,  # downwards a little more than upwards
    opacities=1 / 255 + 1e-7,  # half a step, and a whole one at both ends, which stay free
    dc=_P.dc_step / 2 + 1e-6,
    rest=lambda _: _P.rest_step / 2 + 1e-6,
    turn_deg=0.001,
)
_FORMATS: dict[str, tuple[Callable, Callable, Bounds]] = {
    "ply": (ply.encode, ply.decode, _PLY),
    "spz 3": (spz.encode, spz.decode, _SPZ),
    "spz 4": (partial(spz.encode, version=4), spz.decode, _SPZ),
    # w comes from x, y, z in steps of 1/127.5: an error e of |xyz|^2 becomes sqrt(e) where w is 0.
    "spz 2": (
        partial(spz.encode, version=2),
        spz.decode,
        Bounds(**{**_SPZ.__dict__, "turn_deg": float(np.degrees(2 * np.sqrt(2 * np.sqrt(3) / 255)))}),
    ),
    "spz.glb": (ENCODERS[".spz.glb"], khr_gaussian_splatting.decode, _SPZ),
    "glb": (ENCODERS[".glb"], khr_gaussian_splatting.decode, _GLB),
    "compact.glb": (
        ENCODERS[".compact.glb"],
        khr_gaussian_splatting.decode,
        # Four components off by 1/254 each.
        Bounds(**{**_GLB.__dict__, "turn_deg": float(np.degrees(2 * np.arcsin(2 / 254)))}),
    ),
    "splat": (
        splat_file.encode,
        splat_file.decode,
        Bounds(
            means=lambda _: 0.0,
            log_scales=_EPS,
            opacities=0.5 / 255 + 1e-7,
            dc=float(dc_from_rgb(np.float64(0.5 + 0.5 / 255))) + 1e-5,
            rest=lambda _: 0.0,
            # Four components off by 1/256; a 1 is off by 1/128, nearly all of it along the quaternion.
            turn_deg=float(np.degrees(2 * np.arcsin(2 / 256))) + 0.15,
            holds_dc=(float(dc_from_rgb(np.float64(0))), float(dc_from_rgb(np.float64(1)))),
        ),
    ),
}


@pytest.mark.parametrize("name", list(_FORMATS))
@settings(max_examples=40, deadline=None)
@given(cloud=clouds(degrees=_DEGREES))
def test_any_cloud_comes_back_within_the_derived_bounds(name: str, cloud: SplatCloud) -> None:
    encode, decode, bounds = _FORMATS[name]

    found = decode(encode(cloud))

    assert len(found) == len(cloud)
    off = np.abs(found.means.astype(np.float64) - cloud.means)
    assert (off <= bounds.means(found) + 1e-12).all(), off.max()
    assert np.abs(np.log(found.scales.astype(np.float64) / cloud.scales)).max() <= bounds.log_scales
    assert np.abs(found.opacities.astype(np.float64) - cloud.opacities).max() <= bounds.opacities
    assert np.abs(found.sh[:, 0] - cloud.sh[:, 0].clip(*bounds.holds_dc)).max() <= bounds.dc
    assert angles_deg(found.quats, cloud.quats).max() <= bounds.turn_deg
    if name == "splat":  # has no room for them
        assert found.sh_degree == 0
        return
    assert found.sh_degree == cloud.sh_degree
    for degree in range(1, cloud.sh_degree + 1):
        part = slice(degree**2, (degree + 1) ** 2)
        wanted = cloud.sh[:, part].clip(*bounds.holds_rest)
        assert np.abs(found.sh[:, part] - wanted).max() <= bounds.rest(degree), degree


_HASHES = """
import hashlib, json
from tests.streaming.test_round_trip import written
print(json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in written().items()}))
"""


def written() -> dict[str, bytes]:
    """Return every file that any writer makes of one scene, by name."""
    cloud = lopsided_cloud(900, degree=2)
    files = {ending: encode(cloud) for ending, encode in ENCODERS.items()}
    files |= {f"{version}.spz": spz.encode(cloud, version=version) for version in (2, 4)}
    for name, encode in FOLDER_ENCODERS.items():
        files |= {f"{name}/{key}": data for key, data in encode(cloud).items()}
    return files


@pytest.mark.parametrize(("hash_seed", "threads"), [("0", "1"), ("4711", "3")])
def test_bytes_do_not_depend_on_the_process(hash_seed: str, threads: str) -> None:
    variables = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    variables |= {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}

    done = subprocess.run(
        [sys.executable, "-c", _HASHES], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )

    here = {name: hashlib.sha256(data).hexdigest() for name, data in written().items()}
    assert json.loads(done.stdout) == here
