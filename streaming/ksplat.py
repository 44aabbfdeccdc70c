"""mkkellogg's `.ksplat`, read: sections of splats, at levels 1 and 2 as steps around the centres of buckets.

A 4096-byte header, a 1024-byte header for each section, then for each section the sizes of its partly
filled buckets (u32), the centres of its buckets (3 x float32) and its splats. A splat is position, linear
scale, quaternion w first, RGBA in bytes, and SH degree by degree, each channel by channel. Level 0 is
float32, level 1 float16 with positions in 16-bit steps, level 2 as 1 with SH in bytes. The frame is that of
the PLY it came from.

Source: mkkellogg/GaussianSplats3D, src/loaders/SplatBuffer.js; playcanvas/splat-transform,
src/lib/readers/read-ksplat.ts, 2026-07.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.spherical_harmonics import dc_from_rgb
from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .limits import MAX_SPLATS_PER_FILE
from .transform import RDF_SIGNS, flip_axes, join_clouds
from .unconstrained import cloud_from_logs

Frame = Literal["auto", "rub", "rdf"]

# Version, sections (room, used), splats (room, used), level, least and greatest SH coefficient.
_HEADER = struct.Struct("<BBxxIIIIH14xff")
_HEADER_BYTES = 4096
_SECTION = struct.Struct("<IIIIfHxxIIIIH")
_SECTION_BYTES = 1024
_REST_COUNTS = (0, 9, 24, 45)  # numbers above degree 0, by degree
_DEFAULT_SH_REACH = 1.5
_DEFAULT_STEPS = 32767  # of half a bucket's side
_MAX_SECTIONS = 1024


@dataclass(frozen=True, slots=True)
class _Section:
    splat_count: int
    room: int  # splats that its storage could hold
    bucket_capacity: int
    bucket_count: int
    bucket_side: float
    bucket_bytes: int
    steps: int
    full_buckets: int
    partial_buckets: int
    degree: int


def decode(data: bytes, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of a `.ksplat` file in our world frame; sections of lower SH degree are padded.

    Args:
        data: The file.
        frame: What the stored axes mean: "rdf" (the same as "auto") as converters of PLYs write, or "rub".

    Raises:
        AssetFormatError: A rule of the format is broken; sizes are checked before anything is allocated.
    """
    level, sh_range, sections = _headers(data)
    offset = _HEADER_BYTES + _SECTION_BYTES * len(sections)
    clouds = []
    for index, section in enumerate(sections):
        row = _row(level, _REST_COUNTS[section.degree])
        buckets = offset + 4 * section.partial_buckets
        splats = buckets + section.bucket_bytes * section.bucket_count
        end = splats + row.itemsize * section.room
        last = splats + row.itemsize * section.splat_count
        if last > len(data):
            raise AssetFormatError(
                f"ksplat section {index} must end inside the file of {len(data)} bytes, got {last}"
            )
        if section.splat_count:
            partial = np.frombuffer(data, "<u4", section.partial_buckets, offset)
            width = section.bucket_bytes // 4
            centers = np.frombuffer(data, "<f4", section.bucket_count * width, buckets)
            centers = centers.reshape(section.bucket_count, width)
            rows = np.frombuffer(data, row, section.splat_count, splats)
            with np.errstate(invalid="ignore"):  # of signalling NaNs, which are named as not finite
                clouds.append(_read(rows, section, level, sh_range, partial, centers, index))
        offset = end
    cloud = join_clouds(clouds)
    return cloud if frame == "rub" else flip_axes(cloud, RDF_SIGNS)


def describe(data: bytes) -> tuple[str, int]:
    """Return version and compression level; errors as for `decode`."""
    level, _, _ = _headers(data)
    return f"{data[0]}.{data[1]}", level


def _headers(data: bytes) -> tuple[int, tuple[float, float], list[_Section]]:
    if len(data) < _HEADER_BYTES:
        raise AssetFormatError(f"a ksplat file must begin with {_HEADER_BYTES} bytes, got {len(data)}")
    major, minor, section_count, _, _, splat_count, level, low, high = _HEADER.unpack_from(data)
    if major != 0 or minor < 1:
        raise AssetFormatError(f"ksplat version must be 0.1 or later below 1, got {major}.{minor}")
    if level > 2:
        raise AssetFormatError(f"ksplat compression level must be 0, 1 or 2, got {level}")
    if not 0 < section_count <= _MAX_SECTIONS:
        raise AssetFormatError(f"ksplat section count must be 1 to {_MAX_SECTIONS}, got {section_count}")
    if not 0 < splat_count <= MAX_SPLATS_PER_FILE:
        raise AssetFormatError(f"ksplat splat count must be 1 to {MAX_SPLATS_PER_FILE}, got {splat_count}")
    needed = _HEADER_BYTES + _SECTION_BYTES * section_count
    if needed > len(data):
        raise AssetFormatError(f"ksplat headers must hold {needed} bytes, got {len(data)}")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AssetFormatError("ksplat SH range must be finite")
    sections = []
    for index in range(section_count):
        values = list(_SECTION.unpack_from(data, _HEADER_BYTES + _SECTION_BYTES * index))
        del values[7]  # the size of its storage, which follows from the others
        section = _Section(*values)
        where = f"ksplat section {index}"
        if section.degree > 3:
            raise AssetFormatError(f"{where} SH degree must be 0 to 3, got {section.degree}")
        if section.splat_count > section.room:
            raise AssetFormatError(
                f"{where} must have at most its room for {section.room} splats, got {section.splat_count}"
            )
        if section.bucket_count and (section.bucket_bytes < 12 or section.bucket_bytes % 4):
            raise AssetFormatError(f"{where} buckets must hold a centre, got {section.bucket_bytes} bytes")
        if not 0 <= section.bucket_side < np.inf:
            raise AssetFormatError(f"{where} bucket side must be finite, got {section.bucket_side}")
        sections.append(section)
    total = sum(section.splat_count for section in sections)
    if total != splat_count:
        raise AssetFormatError(f"ksplat sections must hold {splat_count} splats, got {total}")
    return level, (low or -_DEFAULT_SH_REACH, high or _DEFAULT_SH_REACH), sections


def _row(level: int, rest: int) -> np.dtype:
    if level == 0:
        fields = [("mean", "<f4", 3), ("scale", "<f4", 3), ("quat", "<f4", 4), ("rgba", "u1", 4)]
    else:
        fields = [("mean", "<u2", 3), ("scale", "<f2", 3), ("quat", "<f2", 4), ("rgba", "u1", 4)]
    return np.dtype([*fields, ("rest", ("<f4", "<f2", "u1")[level], rest)])


def _read(
    rows: NDArray,
    section: _Section,
    level: int,
    sh_range: tuple[float, float],
    partial: NDArray,
    centers: NDArray,
    index: int,
) -> SplatCloud:
    count = len(rows)
    means = rows["mean"].astype(np.float64)
    if level:
        full = min(section.full_buckets * section.bucket_capacity, count)
        ends = np.cumsum(np.concatenate([[full], partial]).astype(np.int64))
        places = np.arange(count)
        bucket = np.where(
            places < full,
            places // max(section.bucket_capacity, 1),
            section.full_buckets + np.searchsorted(ends[1:], places, side="right"),
        )
        if ends[-1] < count or bucket[-1] >= section.bucket_count:
            raise AssetFormatError(f"ksplat section {index} must have buckets for its {count} splats")
        steps = section.steps or _DEFAULT_STEPS
        means = (means - steps) * (section.bucket_side / 2 / steps) + centers[bucket, :3]
    rest = rows["rest"].astype(np.float64)
    if level == 2:
        rest = sh_range[0] + rest / 255 * (sh_range[1] - sh_range[0])
    # Channel by channel inside each degree, as trainers have it over all degrees.
    edges = [n for n in _REST_COUNTS if n <= rest.shape[1]]
    parts = [rest[:, low:high].reshape(count, 3, -1).swapaxes(1, 2) for low, high in pairwise(edges)]
    rgba = rows["rgba"] / 255
    sh = np.concatenate([dc_from_rgb(rgba[:, None, :3]), *parts], axis=1)
    scales = rows["scale"].astype(np.float64)
    if not (scales >= 0).all():
        raise AssetFormatError(f"ksplat section {index} scales must not be negative")
    # float16 has no numbers below 6e-8: thinner splats come as zero.
    logs = np.log(np.maximum(scales, 1e-9))
    return cloud_from_logs(means, rows["quat"].astype(np.float64), logs, rgba[:, 3], sh)
