"""What a file is and what is wrong with it; and the one door through which splat files come in and go out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from reconstruction.errors import InvalidInputError
from reconstruction.splats import SplatCloud

from . import (
    compressed_ply,
    gltf,
    gltf_rules,
    khr_gaussian_splatting,
    ksplat,
    ply,
    sog,
    splat_file,
    spz,
    tiles,
    tileset,
)
from .assemble import GZIP_MAGIC, finest_cloud
from .errors import AssetFormatError
from .export import encode_cloud, write_whole
from .gltf_rules import Dialect
from .limits import MAX_FILE_BYTES
from .pack import MANIFEST_NAME, read_asset
from .scene_summary import SceneSummary, summarize
from .sog_files import ZIP_MAGIC, BundleFiles, FolderFiles
from .up_guess import Up, guess_up

FileFormat = Literal[
    "PLY",
    "compressed PLY",
    "SPZ",
    "SOG",
    "SOG folder",
    "streamed SOG",
    ".splat",
    ".ksplat",
    "glTF",
    "3D Tiles",
    "asset",
]
Frame = Literal["auto", "rub", "rdf"]

_HINT = (
    "Splat files end in .ply, .spz, .sog, .splat, .ksplat, .glb or .gltf, or are called meta.json, "
    "lod-meta.json or tileset.json."
)
_ANTIALIASED = "it was trained with anti-aliasing; viewers without it show thin things too thick"
_NO_FRAME = "it does not say which way is up; right, up, back is assumed (see `import --frame`)"
_NEEDLE = 1000.0  # longest over middle axis
_STRAY = 20.0  # times the extent of the inner 98 %


@dataclass(frozen=True, slots=True)
class FileReport:
    """What `inspect` found. Counts and bounds are 0 when the splats cannot be read; problems say why."""

    name: str
    format: FileFormat
    version: str  # of the format; "" where it has none
    byte_length: int
    splat_count: int
    sh_degree: int
    bounds_min: tuple[float, float, float]  # of the means, metres, world frame
    bounds_max: tuple[float, float, float]
    has_collider: bool
    is_labelled_generated: bool  # carries a machine-readable statement that it is AI-made
    up: Up  # a guess from the splats, in the frame that was assumed; ours is +Y
    dialects: tuple[Dialect, ...]  # wrong ones that it speaks; `problems` say what is wrong with them
    problems: tuple[str, ...]  # one sentence each; empty is good
    scene: SceneSummary | None = None  # of glTF: what it holds besides splats
    notes: tuple[str, ...] = ()  # what no rule forbids and a reader may yet want to know, one sentence each

    @property
    def is_readable(self) -> bool:
        """Whether the splats could be read."""
        return self.splat_count > 0


def read_splats(path: Path, *, frame: Frame = "auto") -> SplatCloud:
    """Return the splats of a file or of an asset folder, in the world frame.

    Args:
        path: Its first bytes decide the format; `.splat` and `.ksplat` have none, so there the name does. Of
            a SOG that is not bundled, its meta.json or its folder; of a streamed one, its finest level; of
            3D Tiles likewise, its tileset.json or its folder.
        frame: What the stored axes mean, for formats that do not say: "rub" (right, up, back) or "rdf"
            (right, down, forward). "auto" follows each format's owner. glTF and 3D Tiles always say.

    Raises:
        InvalidInputError: No such file.
        AssetFormatError: Not a splat file, or a damaged one.
    """
    kind, data = _open(path)
    return _read(kind, data, path, frame)


def read_gltf(path: Path) -> bytes | None:
    """Return the bytes of a file that is glTF by its first bytes, None for other formats.

    Raises as `read_splats`.
    """
    kind, data = _open(path)
    return data if kind == "glTF" else None


# Endings of files that can be written, the longer before the shorter that ends it.
ENCODERS: dict[str, Callable[[SplatCloud], bytes]] = {
    ".compressed.ply": compressed_ply.encode,
    ".ply": ply.encode,
    ".spz": spz.encode,
    ".sog": sog.encode,
    ".splat": splat_file.encode,
    ".compact.glb": partial(encode_cloud, layout="compact"),
    ".spz.glb": tiles.encode_glb,
    ".glb": encode_cloud,
}
# Names of files that come with others in their folder.
FOLDER_ENCODERS: dict[str, Callable[[SplatCloud], dict[str, bytes]]] = {
    sog.META_NAME: sog.encode_files,
    tiles.TILESET_NAME: tiles.encode_files,
}


def encode_files(cloud: SplatCloud, file_name: str) -> dict[str, bytes]:
    """Return the files, by name, of the format that a name ends in (`ENCODERS`), or that fill a folder.

    The named one is last: once it is written, so is all that it names.

    Raises:
        AssetFormatError: Another ending, or values that the format cannot hold.
    """
    name = file_name.lower()
    if name in FOLDER_ENCODERS:
        files = FOLDER_ENCODERS[name](cloud)
        return {other: files[other] for other in [*(key for key in files if key != name), name]}
    ending = next((ending for ending in ENCODERS if name.endswith(ending)), None)
    if ending is None:
        known = ", ".join([*ENCODERS, *FOLDER_ENCODERS])
        raise AssetFormatError(f"a file to write must end in {known}, got {file_name!r:.80}")
    return {file_name: ENCODERS[ending](cloud)}


def write_splats(cloud: SplatCloud, path: Path) -> None:
    """Write splats in the format that the name ends in, or as the files of a folder; as `encode_files`."""
    for name, data in encode_files(cloud, path.name).items():
        write_whole(path.with_name(name), data)


def inspect(path: Path) -> FileReport:
    """Say what a file is; a damaged file gets a report with its problem, not an exception.

    Raises:
        InvalidInputError: No such file.
        AssetFormatError: Nothing in it points to a known format.
    """
    kind, data = _open(path)
    size = len(data) if data else _folder_size(path if path.is_dir() else path.parent)
    zero = (0.0, 0.0, 0.0)
    report = FileReport(path.name, kind, "", size, 0, 0, zero, zero, False, False, "unclear", (), ())
    try:
        report, problems = _describe(report, data, path)
        cloud = _read(kind, data, path, "auto")
    except AssetFormatError as error:
        return replace(report, problems=(*report.problems, str(error)))
    low, high = cloud.means.min(axis=0), cloud.means.max(axis=0)
    up = guess_up(cloud)
    if up == "-Y" and _NO_FRAME in report.notes:
        report = replace(report, dialects=(*report.dialects, "PLY axes in SPZ"))
    return replace(
        report,
        splat_count=len(cloud),
        sh_degree=cloud.sh_degree,
        bounds_min=(float(low[0]), float(low[1]), float(low[2])),
        bounds_max=(float(high[0]), float(high[1]), float(high[2])),
        up=up,
        problems=(*problems, *_up_problems(kind, up), *_cloud_problems(cloud)),
    )


_FOLDERS: dict[str, FileFormat] = {
    sog.LOD_META_NAME: "streamed SOG",
    sog.META_NAME: "SOG folder",
    tiles.TILESET_NAME: "3D Tiles",
}
_NAMED: dict[str, FileFormat] = {".splat": ".splat", ".ksplat": ".ksplat"}  # without a magic number


def _files(path: Path) -> FolderFiles:
    return FolderFiles(path if path.is_dir() else path.parent)


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _open(path: Path) -> tuple[FileFormat, bytes]:
    if path.is_dir() and (path / MANIFEST_NAME).is_file():
        return "asset", b""
    for name, kind in _FOLDERS.items():
        if (path.is_dir() and (path / name).is_file()) or (path.is_file() and path.name == name):
            return kind, b""
    if not path.is_file():
        raise InvalidInputError(f"{path.name!r:.80} must be a file, found none", hint=_HINT)
    size = path.stat().st_size
    if not 0 < size <= MAX_FILE_BYTES:
        raise AssetFormatError(f"a splat file must be 1 to {MAX_FILE_BYTES} bytes, got {size}", hint=_HINT)
    data = path.read_bytes()
    if data[:4] == gltf.MAGIC or data.lstrip()[:1] == b"{":
        return "glTF", data
    if data[:2] == GZIP_MAGIC or data[:4] == spz.MAGIC.to_bytes(4, "little"):
        return "SPZ", data
    if data[:3] == ply.MAGIC:
        return "compressed PLY" if b"packed_position" in data[:4096] else "PLY", data
    if data[:4] == ZIP_MAGIC:
        return "SOG", data
    if path.suffix.lower() in _NAMED:
        return _NAMED[path.suffix.lower()], data
    raise AssetFormatError(
        f"{path.name!r:.80} must be a known splat format, got {data[:4]!r} first", hint=_HINT
    )


def _read(kind: FileFormat, data: bytes, path: Path, frame: Frame) -> SplatCloud:
    match kind:
        case "asset":
            return finest_cloud(read_asset(path))
        case "glTF":
            return khr_gaussian_splatting.decode(data)
        case "SPZ":
            return spz.decode(data, frame=frame)
        case "PLY" | "compressed PLY":
            return ply.decode(data, frame=frame)
        case "SOG":
            return sog.decode(data, frame=frame)
        case "SOG folder":
            return sog.decode_files(_files(path), frame=frame)
        case "streamed SOG":
            return sog.decode_lod(_files(path), frame=frame)
        case "3D Tiles":
            return tileset.decode_files(_files(path))
        case ".splat":
            return splat_file.decode(data, frame=frame)
        case ".ksplat":
            return ksplat.decode(data, frame=frame)


def _describe(report: FileReport, data: bytes, path: Path) -> tuple[FileReport, list[str]]:
    problems: list[str] = []
    notes: list[str] = []
    match report.format:
        case "asset":
            manifest = read_asset(path).manifest
            report = replace(
                report,
                version="1",
                has_collider=manifest.walkability is not None,
                is_labelled_generated=manifest.is_generated,
            )
        case "glTF":
            document = gltf.decode(data)
            scene = summarize(document)
            problems = [*gltf_rules.problems(document), *scene.problems]
            notes = gltf_rules.notes(document)
            report = replace(
                report,
                version=str(document.document["asset"]["version"]),
                dialects=tuple(gltf_rules.dialects(document)),
                has_collider=scene.collider_triangles > 0,
                is_labelled_generated=scene.is_generated,
                scene=scene,
            )
        case "SPZ":
            version, is_antialiased, states_frame = spz.describe(data)
            report = replace(report, version=str(version))
            if is_antialiased:
                notes.append(_ANTIALIASED)
            if not states_frame:
                notes.append(_NO_FRAME)
        case "SOG" | "SOG folder":
            meta = sog.describe(BundleFiles(data) if data else _files(path))
            report = replace(report, version=str(meta.version))
            if meta.is_antialiased:
                notes.append(_ANTIALIASED)
        case "streamed SOG":
            levels = sog.describe_lod(_files(path)).level_count
            report = replace(report, version=f"1, {levels} levels")
        case "3D Tiles":
            count = len(tileset.contents(_files(path)))
            notes.append(f"its finest level is read, of {count} {'tile' if count == 1 else 'tiles'}")
        case ".ksplat":
            version, level = ksplat.describe(data)
            report = replace(report, version=f"{version}, level {level}")
        case "PLY" | "compressed PLY":
            report = replace(report, version=f"1.0 {ply.read_header(data).format}")
    return replace(report, notes=tuple(notes)), problems


def _up_problems(kind: FileFormat, up: Up) -> list[str]:
    if up in ("+Y", "unclear"):
        return []
    found = f"its ground lies as if {up} were up"
    if kind == "SPZ" and up == "-Y":
        return [f"{found}: it holds the axes of a PLY, as splat-transform, GaussForge and gsply write"]
    if kind in ("glTF", "3D Tiles", "asset") or up != "-Y":
        return [f"{found}; +Y is"]
    return [f"{found}: an editor has saved it upright (see `import --frame rub`)"]


def _cloud_problems(cloud: SplatCloud) -> list[str]:
    found = []
    clear = int((cloud.opacities < 1 / 255).sum())
    if clear:
        found.append(f"{clear} of {len(cloud)} splats are invisible (opacity below 1/255)")
    axes = np.sort(cloud.scales, axis=1)
    needles = int((axes[:, 2] > _NEEDLE * axes[:, 1]).sum())
    if needles:
        found.append(f"{needles} splats are needles, more than {_NEEDLE:.0f} times as long as wide")
    low, high = np.percentile(cloud.means, [1, 99], axis=0)
    reach = np.abs(cloud.means - (low + high) / 2).max(axis=1)
    strays = int((reach > _STRAY * max(float((high - low).max()) / 2, 1e-9)).sum())
    if strays:
        found.append(f"{strays} splats are strays, over {_STRAY:.0f} times further out than the inner 98 %")
    return found
