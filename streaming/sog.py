"""PlayCanvas' SOG: splats as lossless WebP pictures and a meta.json, in one zip (`.sog`) or in a folder.

Version 2 is read and written, version 1 read, `lod-meta.json` (many SOG folders, several levels) read.

Splat i is pixel (i % width, i // width) of every picture:
means_l, means_u   RGB, low and high byte of 16 bits between `mins` and `maxs` of sign(x) * ln(1 + |x|)
quats              A = 252 + index of the largest of w, x, y, z; RGB = the others in order, times sqrt(2)
scales             RGB, places in a codebook of logarithms (version 1: between `mins` and `maxs`)
sh0                RGB, places in a codebook of degree 0; A = opacity (version 1: all four between limits,
                   A a logit)
shN_labels         R + 256 * G, the row of a palette of all higher coefficients
shN_centroids      64 palette rows side by side, one pixel per coefficient, RGB places in a codebook

Numbers are in the frame of a PLY: right, down, forward.

Source: playcanvas/splat-transform, src/lib/readers/read-sog.ts and read-sog-v1.ts, writers/write-sog.ts and
write-lod.ts, 2026-07. The pictures go through Pillow, the zip through the standard library.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .limits import MAX_SOG_SPLATS_PER_BYTE, MAX_SPLATS_PER_FILE
from .morton import morton_order
from .palette import codebook, palette
from .sog_files import BundleFiles, SogFiles
from .sog_meta import LOD_META_NAME, META_NAME, LodMeta, SogMeta, read_lod_meta, read_meta
from .transform import RDF_SIGNS, flip_axes, join_clouds
from .unconstrained import MAX_LOG_SCALE, MAX_LOGIT, cloud_from_logs

Frame = Literal["auto", "rub", "rdf"]

_VERSION = 2
_MEANS_TOP = 65535
_QUAT_TAG = 252
_PALETTE_COLUMNS = 64
_MAX_PALETTE = 65536
_COEFFICIENTS = (0, 3, 8, 15)  # above degree 0, by degree
_SIDE_MULTIPLE = 4
_WEBP_EFFORT = 2  # angel.sog: 902.7 KB in 0.1 s; 0 gives 957.9, 1 904.1, 4 906.1, and 6 905.9 in 0.8 s
# A zip keeps no earlier date, and a file must not depend on when it was written.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def encode(cloud: SplatCloud) -> bytes:
    """Return `cloud` as a `.sog` bundle, splats along a Morton curve.

    Largest errors: position (1 + |x|) * r / 131070 per axis, where r is the extent of ln(1 + |x|); rotation
    1.2 degrees; opacity 1/510; logarithms of scales and colour of degree 0 half the widest gap of their
    codebooks of 256 places. Higher degrees share at most 65 536 vectors, found by k-means.

    Raises:
        AssetFormatError: The cloud is empty.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in encode_files(cloud).items():
            bundle.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data)
    return target.getvalue()


def encode_files(cloud: SplatCloud) -> dict[str, bytes]:
    """Return the files of an unbundled SOG by name; errors as for `encode`."""
    if len(cloud) == 0:
        raise AssetFormatError("a SOG file must hold at least one splat")
    source = flip_axes(cloud.subset(morton_order(cloud.means)), RDF_SIGNS)
    count = len(source)
    width = -(-int(np.ceil(np.sqrt(count))) // _SIDE_MULTIPLE) * _SIDE_MULTIPLE
    height = -(-count // (width * _SIDE_MULTIPLE)) * _SIDE_MULTIPLE

    def picture(*columns: NDArray) -> bytes:
        pixels = np.zeros((height * width, 4), np.uint8)
        pixels[:, 3] = 255
        values = np.concatenate([c.reshape(count, -1) for c in columns], axis=1)
        pixels[:count, : values.shape[1]] = values
        return _write_webp(pixels.reshape(height, width, 4))

    means = source.means.astype(np.float64)
    means = np.sign(means) * np.log1p(np.abs(means))
    low, high = means.min(axis=0), means.max(axis=0)
    codes = np.rint((means - low) / np.where(high > low, high - low, 1) * _MEANS_TOP).astype(np.uint16)
    log_scales = np.log(np.maximum(source.scales.astype(np.float64), np.exp(-MAX_LOG_SCALE)))
    scale_entries, scale_codes = codebook(log_scales)
    dc_entries, dc_codes = codebook(source.sh[:, 0])
    opacities = np.rint(source.opacities * 255).clip(0, 255)
    files = {
        "means_l.webp": picture(codes & 255),
        "means_u.webp": picture(codes >> 8),
        "quats.webp": picture(_pack_quats(source.quats)),
        "scales.webp": picture(scale_codes),
        "sh0.webp": picture(dc_codes, opacities),
    }
    meta = {
        "version": _VERSION,
        "asset": {"generator": "immersive"},
        "count": count,
        "means": {
            "mins": low.tolist(),
            "maxs": high.tolist(),
            "files": ["means_l.webp", "means_u.webp"],
        },
        "scales": {"codebook": scale_entries.tolist(), "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": dc_entries.tolist(), "files": ["sh0.webp"]},
    }
    if source.sh_degree:
        vectors = source.sh[:, 1:].reshape(count, -1)
        centroids, labels = palette(vectors, min(_MAX_PALETTE, 2 ** int(np.log2(count))))
        entries, places = codebook(centroids)
        coefficients = source.sh.shape[1] - 1
        rows = -(-len(centroids) // _PALETTE_COLUMNS)
        grid = np.zeros((rows * _PALETTE_COLUMNS, coefficients, 4), np.uint8)
        grid[:, :, 3] = 255
        grid[: len(centroids), :, :3] = places.reshape(-1, coefficients, 3)
        files["shN_centroids.webp"] = _write_webp(grid.reshape(rows, -1, 4))
        files["shN_labels.webp"] = picture(labels & 255, labels >> 8)
        meta["shN"] = {
            "count": len(centroids),
            "bands": source.sh_degree,
            "codebook": entries.tolist(),
            "files": ["shN_centroids.webp", "shN_labels.webp"],
        }
    text = json.dumps(meta, separators=(",", ":"), allow_nan=False).encode()
    return {META_NAME: text, **files}


def decode(data: bytes, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of a `.sog` bundle in our world frame.

    Args:
        data: The zip.
        frame: What the stored axes mean: "rdf" (the same as "auto") as the format's owner says, or "rub".

    Raises:
        AssetFormatError: A rule of zip, WebP or SOG is broken; sizes are checked first.
    """
    return decode_files(BundleFiles(data), frame=frame)


def decode_files(files: SogFiles, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of an unbundled SOG; arguments and errors as for `decode`."""
    cloud = _decode_stored(files, META_NAME)
    return cloud if frame == "rub" else flip_axes(cloud, RDF_SIGNS)


def decode_lod(files: SogFiles, *, level: int = 0, frame: Frame = "auto") -> SplatCloud:
    """Return one level of a `lod-meta.json` as one cloud; the environment (sky) belongs to every level.

    Args:
        files: Where the SOG folders are, named from the folder of `lod-meta.json`.
        level: 0 is the finest here, as the format counts.
        frame: As for `decode`.

    Raises:
        AssetFormatError: As for `decode`, or the tree lacks the level or names splats that are not there.
    """
    meta = read_lod_meta(files)
    if not 0 <= level < meta.level_count:
        raise AssetFormatError(f"level of {LOD_META_NAME} must be 0 to {meta.level_count - 1}, got {level}")
    parts = []
    for name, ranges in meta.parts(level).items():
        whole = _decode_stored(files, name)
        for start, count in ranges:
            if start + count > len(whole):
                raise AssetFormatError(
                    f"{LOD_META_NAME} must name splats below {len(whole)} of {name!r:.80}, "
                    f"got {start + count}"
                )
            parts.append(whole.subset(slice(start, start + count)))
    if meta.environment:
        parts.append(_decode_stored(files, meta.environment))
    if sum(map(len, parts)) > MAX_SPLATS_PER_FILE:
        raise AssetFormatError(f"{LOD_META_NAME} must name at most {MAX_SPLATS_PER_FILE} splats")
    cloud = join_clouds(parts)
    return cloud if frame == "rub" else flip_axes(cloud, RDF_SIGNS)


def describe(files: SogFiles) -> SogMeta:
    """Return what the meta.json says."""
    return read_meta(files, META_NAME)


def describe_lod(files: SogFiles) -> LodMeta:
    """Return what the lod-meta.json says."""
    return read_lod_meta(files)


def _decode_stored(files: SogFiles, meta_name: str) -> SplatCloud:
    """Return the cloud of one meta file, in the frame it is stored in."""
    meta = read_meta(files, meta_name)
    count = meta.count
    present = sum(files.byte_length(name) for name in meta.pictures)
    if count > present * MAX_SOG_SPLATS_PER_BYTE:
        raise AssetFormatError(f"SOG count must fit pictures of {present} bytes, got {count}")
    images: dict[str, NDArray[np.uint8]] = {}
    for name in meta.pictures:
        if name != meta.palette_picture:
            images[name] = files.pixels(name, at_least=count).reshape(-1, 4)[:count]

    def lerp(values: NDArray, bounds: tuple[NDArray, NDArray], top: int) -> NDArray:
        low, high = bounds
        return low + (high - low) * (values / top)

    low_bytes, high_bytes = (images[name][:, :3].astype(np.uint16) for name in meta.means)
    logs = lerp(low_bytes | high_bytes << 8, meta.means_bounds, _MEANS_TOP)
    means = np.sign(logs) * np.expm1(np.abs(logs))
    scales, color = images[meta.scales], images[meta.sh0]
    if meta.version == 1:
        log_scales = lerp(scales[:, :3], meta.scales_bounds, 255)
        rgba = lerp(color, meta.sh0_bounds, 255)
        dc = rgba[:, :3]
        opacities = 1 / (1 + np.exp(-rgba[:, 3].clip(-MAX_LOGIT, MAX_LOGIT)))
    else:
        log_scales = _look_up(meta.scales_codebook, scales[:, :3], "scales")
        dc = _look_up(meta.sh0_codebook, color[:, :3], "sh0")
        opacities = color[:, 3] / 255
    sh = dc[:, None, :].astype(np.float32)
    if meta.palette_picture:
        sh = np.concatenate([sh, _read_palette(files, meta, images[meta.labels])], axis=1)
    quats = _unpack_quats(images[meta.quats])
    return cloud_from_logs(means, quats, log_scales, opacities, sh)


def _read_palette(files: SogFiles, meta: SogMeta, label_pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the coefficients [N, K - 1, 3] above degree 0."""
    most = _MAX_PALETTE * max(_COEFFICIENTS)
    image = files.pixels(meta.palette_picture, at_least=1, at_most=most)
    degrees = {_PALETTE_COLUMNS * k: k for k in _COEFFICIENTS[1:]}
    coefficients = degrees.get(image.shape[1])
    wanted = _COEFFICIENTS[meta.bands] if meta.version != 1 else coefficients
    if coefficients is None or coefficients != wanted:
        widths = [_PALETTE_COLUMNS * wanted] if wanted else sorted(degrees)
        raise AssetFormatError(
            f"SOG palette width must be {' or '.join(map(str, widths))} pixels, got {image.shape[1]}"
        )
    rows = image[:, :, :3].reshape(-1, coefficients, 3)
    entry_count = len(rows) if meta.version == 1 else meta.palette_count
    if entry_count > len(rows):
        raise AssetFormatError(f"SOG palette must have {entry_count} places, got {len(rows)}")
    labels = label_pixels[:, 0].astype(np.int64) | label_pixels[:, 1].astype(np.int64) << 8
    if labels.max() >= entry_count:
        raise AssetFormatError(f"SOG labels must be below {entry_count}, got {labels.max()}")
    if meta.version == 1:
        low, high = meta.shN_bounds
        values = (low + (high - low) * (rows[:entry_count] / 255)).astype(np.float32)
    else:
        values = _look_up(meta.shN_codebook, rows[:entry_count], "shN")
    return values[labels]


def _look_up(entries: NDArray[np.float32], places: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    needed = int(places.max()) + 1
    if needed > len(entries):
        raise AssetFormatError(f"SOG {name} codebook must have {needed} entries, got {len(entries)}")
    return entries[places]


def _pack_quats(quats: NDArray) -> NDArray[np.uint8]:
    """Return RGBA [N, 4] of unit quaternions [N, 4] w first; each of three is off by 1 / (255 * sqrt(2))."""
    rows = np.arange(len(quats))
    largest = np.abs(quats).argmax(axis=1)
    turned = quats * np.where(quats[rows, largest] < 0, -1.0, 1.0)[:, None]
    others = turned[np.arange(4)[None, :] != largest[:, None]].reshape(-1, 3)
    packed = np.empty((len(quats), 4), np.uint8)
    packed[:, :3] = np.rint((others * np.sqrt(0.5) + 0.5) * 255).clip(0, 255)
    packed[:, 3] = _QUAT_TAG + largest
    return packed


def _unpack_quats(pixels: NDArray[np.uint8]) -> NDArray:
    others = (pixels[:, :3] / 255 * 2 - 1) * np.sqrt(0.5)
    largest = pixels[:, 3].astype(np.int64) - _QUAT_TAG
    quats = np.zeros((len(pixels), 4))
    known = largest >= 0
    mask = np.arange(4)[None, :] != largest[:, None]
    mask[~known] = False
    quats[mask] = others[known].ravel()
    quats[known, largest[known]] = np.sqrt(np.maximum(0, 1 - (others[known] ** 2).sum(axis=1)))
    quats[~known, 0] = 1  # the format's owner reads a pixel without a tag as no turn
    return quats


def _write_webp(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    # `exact` keeps colours under an opacity of zero, which the codec would otherwise change.
    Image.fromarray(pixels, "RGBA").save(target, "WEBP", lossless=True, exact=True, method=_WEBP_EFFORT)
    return target.getvalue()
