"""What a SOG says about itself: meta.json of versions 1 and 2, and lod-meta.json, checked.

Source: as for `sog`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AssetFormatError
from .limits import MAX_SOG_FOLDERS, MAX_SOG_LEAVES, MAX_SOG_META_BYTES, MAX_SPLATS_PER_FILE
from .sog_files import SogFiles

META_NAME = "meta.json"
LOD_META_NAME = "lod-meta.json"
_MAX_LOG_POSITION = 20.0  # of ln(1 + |x|): 485 000 km
_MAX_LEVELS = 32
_ANTIALIASED = "antialiased"

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
_NONE: NDArray[np.float32] = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SogMeta:
    """A meta.json. Names of pictures are as `SogFiles` takes them; what a version lacks is empty."""

    version: int
    count: int
    model: str  # "", "antialiased" or "2dgs"
    means: tuple[str, str]  # low and high bytes
    means_bounds: Bounds
    quats: str
    scales: str
    scales_codebook: NDArray[np.float32]
    scales_bounds: Bounds  # version 1
    sh0: str
    sh0_codebook: NDArray[np.float32]
    sh0_bounds: Bounds  # version 1; the fourth is of opacity's logit
    palette_picture: str  # "" at degree 0
    labels: str
    bands: int  # 0 in version 1, which leaves it to the palette's width
    palette_count: int
    shN_codebook: NDArray[np.float32]
    shN_bounds: tuple[float, float]  # version 1

    @property
    def pictures(self) -> tuple[str, ...]:
        """Every picture that the splats need."""
        names = (*self.means, self.quats, self.scales, self.sh0, self.palette_picture, self.labels)
        return tuple(name for name in names if name)

    @property
    def is_antialiased(self) -> bool:
        """Whether it was trained with anti-aliasing."""
        return self.model == _ANTIALIASED


@dataclass(frozen=True, slots=True)
class LodMeta:
    """A lod-meta.json, its tree as a list of leaves."""

    level_count: int
    environment: str  # a meta.json, or "" for none
    names: tuple[str, ...]  # of the meta.json files
    leaves: tuple[tuple[int, int, int, int], ...]  # level, index into names, first splat, count

    def parts(self, level: int) -> dict[str, list[tuple[int, int]]]:
        """Return by meta file the first splat and the count of every part of a level, in order."""
        found: dict[str, list[tuple[int, int]]] = {}
        for own, name, start, count in sorted(self.leaves):
            if own == level:
                found.setdefault(self.names[name], []).append((start, count))
        return found

    def splat_count(self, level: int) -> int:
        """Return the splats of a level, without the environment's."""
        return sum(leaf[3] for leaf in self.leaves if leaf[0] == level)


def read_meta(files: SogFiles, name: str) -> SogMeta:
    """Parse a meta file.

    Raises:
        AssetFormatError: The first rule that is broken.
    """
    meta = _Entry(_parse(files.read(name, MAX_SOG_META_BYTES), name), "SOG meta")
    folder = name.rpartition("/")[0]

    def picture(entry: _Entry, index: int, count: int) -> str:
        found = entry.strings("files", count)[index]
        return f"{folder}/{found}" if folder else found

    version = 1 if "version" not in meta.values else meta.integer("version", 1, 2**31)
    if version not in (1, 2) or (version == 1 and "version" in meta.values):
        raise AssetFormatError(f"SOG version must be 2, or absent for 1, got {version}")
    means, quats, scales, sh0 = (meta.entry(key) for key in ("means", "quats", "scales", "sh0"))
    is_old = version == 1
    if is_old:
        shape = means.values.get("shape")
        if not isinstance(shape, list) or not shape:
            raise AssetFormatError(f"SOG means.shape must be a list, got {shape!r:.80}")
        count = _integer(shape[0], "SOG means.shape[0]", 1, MAX_SPLATS_PER_FILE)
    else:
        count = meta.integer("count", 1, MAX_SPLATS_PER_FILE)
    bounds = means.bounds(3)
    if max(np.abs(side).max() for side in bounds) > _MAX_LOG_POSITION:
        raise AssetFormatError(f"SOG means must be logarithms up to {_MAX_LOG_POSITION}")
    nothing = np.empty(0), np.empty(0)
    palette = meta.entry("shN") if meta.values.get("shN") is not None else None
    bands = palette.integer("bands", 0, 3) if palette and not is_old else 0
    if palette and not is_old and bands == 0:
        palette = None
    low_high = (0.0, 0.0)
    if palette and is_old:
        low_high = palette.number("mins"), palette.number("maxs")
    model = meta.values.get("model", "")
    found = SogMeta(
        version=version,
        count=count,
        model=model if isinstance(model, str) else "",
        means=(picture(means, 0, 2), picture(means, 1, 2)),
        means_bounds=bounds,
        quats=picture(quats, 0, 1),
        scales=picture(scales, 0, 1),
        scales_codebook=_NONE if is_old else scales.codebook(),
        scales_bounds=scales.bounds(3) if is_old else nothing,
        sh0=picture(sh0, 0, 1),
        sh0_codebook=_NONE if is_old else sh0.codebook(),
        sh0_bounds=sh0.bounds(4) if is_old else nothing,
        palette_picture=picture(palette, 0, 2) if palette else "",
        labels=picture(palette, 1, 2) if palette else "",
        bands=bands,
        palette_count=palette.integer("count", 1, 65536) if palette and not is_old else 0,
        shN_codebook=palette.codebook() if palette and not is_old else _NONE,
        shN_bounds=low_high,
    )
    if len(set(found.pictures)) < len(found.pictures):
        raise AssetFormatError(f"SOG pictures must be files of their own, got {list(found.pictures)!r:.80}")
    return found


def read_lod_meta(files: SogFiles) -> LodMeta:
    """Parse lod-meta.json.

    Raises:
        AssetFormatError: The first rule that is broken.
    """
    meta = _Entry(_parse(files.read(LOD_META_NAME, MAX_SOG_META_BYTES), LOD_META_NAME), LOD_META_NAME)
    level_count = meta.integer("lodLevels", 1, _MAX_LEVELS)
    names = meta.strings("filenames", None)
    if not 0 < len(names) <= MAX_SOG_FOLDERS:
        raise AssetFormatError(f"{LOD_META_NAME} must name 1 to {MAX_SOG_FOLDERS} files, got {len(names)}")
    environment = meta.values.get("environment")
    if environment is not None and not isinstance(environment, str):
        raise AssetFormatError(f"{LOD_META_NAME} environment must be a file name, got {environment!r:.80}")
    leaves = []
    for entry in _leaves(meta.entry("tree")):
        for key, part in entry.values["lods"].items():
            lod = _Entry(part, f"{LOD_META_NAME} lods")
            level = int(key) if key.isascii() and key.isdigit() and len(key) < 4 else level_count
            if level >= level_count:
                raise AssetFormatError(f"{LOD_META_NAME} level must be below {level_count}, got {key!r:.20}")
            leaves.append(
                (
                    level,
                    lod.integer("file", 0, len(names) - 1),
                    lod.integer("offset", 0, MAX_SPLATS_PER_FILE),
                    lod.integer("count", 1, MAX_SPLATS_PER_FILE),
                )
            )
    found = LodMeta(level_count, environment or "", tuple(names), tuple(leaves))
    for level in range(level_count):
        if not 0 < found.splat_count(level) <= MAX_SPLATS_PER_FILE:
            raise AssetFormatError(
                f"{LOD_META_NAME} level {level} must have 1 to {MAX_SPLATS_PER_FILE} splats, "
                f"got {found.splat_count(level)}"
            )
    return found


def _leaves(tree: _Entry) -> Iterator[_Entry]:
    pending, seen = [tree], 0
    while pending:
        entry = pending.pop()
        seen += 1
        if seen > MAX_SOG_LEAVES:
            raise AssetFormatError(f"{LOD_META_NAME} tree must have at most {MAX_SOG_LEAVES} nodes")
        if isinstance(entry.values.get("lods"), dict):
            yield entry
        children = entry.values.get("children") or []
        if not isinstance(children, list):
            raise AssetFormatError(f"{LOD_META_NAME} children must be a list")
        pending += [_Entry(child, f"{LOD_META_NAME} tree") for child in reversed(children)]


class _Entry:
    """An object of a meta file whose members are taken out checked."""

    __slots__ = ("values", "where")

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, dict):
            raise AssetFormatError(f"{where} must be an object, got {type(values).__name__}")
        self.values: dict[str, Any] = values
        self.where = where

    def entry(self, key: str) -> _Entry:
        return _Entry(self.values.get(key), f"{self.where} {key}")

    def integer(self, key: str, low: int, high: int) -> int:
        return _integer(self.values.get(key), f"{self.where} {key}", low, high)

    def number(self, key: str) -> float:
        return float(_numbers([self.values.get(key)], f"{self.where} {key}", 1, 1)[0])

    def strings(self, key: str, count: int | None) -> list[str]:
        found = self.values.get(key)
        ok = isinstance(found, list) and (count is None or len(found) == count)
        if not ok or not all(isinstance(name, str) and name for name in found):
            raise AssetFormatError(f"{self.where} {key} must be {count or 'some'} names, got {found!r:.80}")
        return found

    def bounds(self, count: int) -> Bounds:
        low, high = (
            _numbers(self.values.get(k), f"{self.where} {k}", count, count) for k in ("mins", "maxs")
        )
        return low, high

    def codebook(self) -> NDArray[np.float32]:
        return _numbers(self.values.get("codebook"), f"{self.where} codebook", 1, 256).astype(np.float32)


def _parse(text: bytes, name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise AssetFormatError(f"{name.rpartition('/')[2]} must parse, got {error!s:.80}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the non-JSON number {name}")


def _integer(value: Any, what: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise AssetFormatError(f"{what} must be an integer from {low} to {high}, got {value!r:.80}")
    return value


def _numbers(values: Any, what: str, least: int, most: int) -> NDArray[np.float64]:
    wanted = str(least) if least == most else f"{least} to {most}"
    ok = isinstance(values, list) and least <= len(values) <= most
    if not ok or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise AssetFormatError(f"{what} must be {wanted} numbers, got {values!r:.80}")
    # Beyond float32 a value is of no use, and an integer of JSON may be beyond float64.
    if not all(abs(v) < 1e30 and math.isfinite(v) for v in values):
        raise AssetFormatError(f"{what} must be finite")
    return np.array(values, np.float64)
