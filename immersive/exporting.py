"""A scene leaves as one file, or as a folder with everything that is known about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconstruction.errors import InvalidInputError
from streaming.asset import SplatAsset

from .progress import Reporter
from .request import bytes_from

if TYPE_CHECKING:
    from streaming.fit_limits import Limits, Loss

# Endings that `streaming.validate` writes, the longer before the shorter that ends it.
SINGLE_FILES = (".compact.glb", ".spz.glb", ".glb", ".sog", ".spz", ".compressed.ply", ".ply", ".splat")
# Names of files that bring others into their folder: unbundled SOG, 3D Tiles.
FOLDER_FILES = ("meta.json", "tileset.json")
_KNOWN = ", ".join((*SINGLE_FILES, *FOLDER_FILES))


def is_file_to_write(path: Path) -> bool:
    """Return whether a path names a file that a scene can be written as, by itself or with others."""
    return path.name.lower().endswith(SINGLE_FILES) or path.name in FOLDER_FILES


def keeps_terms(path: Path) -> bool:
    """Return whether the file of this name has room for a whole scene, its licence and credit among it."""
    name = path.name.lower()
    return name.endswith(".glb") and not name.endswith(".spz.glb")


def check_target(path: Path) -> Path:
    """Return `path` if a scene can be written there; a path without an ending is a folder.

    Raises:
        InvalidInputError: An unknown kind of file, a folder where a file should be, or no parent folder.
    """
    if is_file_to_write(path):
        if path.is_dir():
            raise InvalidInputError(f"{path} is a folder", hint="Give the path of a file.")
        if not path.absolute().parent.is_dir():
            raise InvalidInputError(f"folder {path.absolute().parent} does not exist", hint="Make it first.")
    elif path.suffix or path.is_file():
        raise InvalidInputError(
            f"a scene is written as {_KNOWN} or into a folder, got {path.name!r}",
            hint="For example: scene.glb, which every glTF viewer opens.",
        )
    return path


def export_asset(asset: SplatAsset, path: Path) -> Path:
    """Write a scene as the file that its name asks for; .glb and .compact.glb hold all that belongs to it.

    Raises:
        InvalidInputError: The path names no file that can be written.
    """
    _check_file(path)
    name = path.name.lower()
    if keeps_terms(path):
        from streaming.export import export_glb

        export_glb(asset, path, layout="compact" if name.endswith(".compact.glb") else "float")
    else:
        from streaming.assemble import finest_cloud
        from streaming.validate import write_splats

        write_splats(finest_cloud(asset), path)
    return path


def _check_file(path: Path) -> None:
    if not is_file_to_write(check_target(path)):
        raise InvalidInputError(
            f"a scene is exported as {_KNOWN}, got {path.name!r}",
            hint="For example: --to scene.glb, which every glTF viewer opens.",
        )


def limits_from(max_bytes: str | None, min_psnr: float | None, device: str | None) -> Limits | None:
    """Return what an export must keep to, or None where nothing is asked for.

    Raises:
        InvalidInputError: One of them is not what it should be.
    """
    from streaming.devices import FILE_DEVICES
    from streaming.fit_limits import Limits

    if max_bytes is None and min_psnr is None and device is None:
        return None
    size = None if max_bytes is None else bytes_from("max-bytes", max_bytes)
    if min_psnr is not None and not 1 <= min_psnr <= 90:
        raise InvalidInputError(
            f"min-psnr must be 1 to 90 dB, got {min_psnr:g}", hint="35 is hard to tell from the original."
        )
    if device is None:
        return Limits(size, min_psnr)
    if device not in FILE_DEVICES:
        known = ", ".join(FILE_DEVICES)
        raise InvalidInputError(
            f"device must be one of {known}, got {device!r}", hint="For example: --device quest3"
        )
    budget = FILE_DEVICES[device]
    size = budget.max_file_bytes if size is None else min(size, budget.max_file_bytes)
    return Limits(size, min_psnr, budget.max_splats, budget.max_sh_degree)


def export_fitted(asset: SplatAsset, path: Path, limits: Limits, progress: Reporter) -> tuple[int, Loss]:
    """Write a scene as `export_asset` does, made to keep to limits; returns bytes and loss.

    Raises:
        InvalidInputError: The path names no file that can be written, or the limits cannot be kept.
    """
    from .fitted_export import export_to_size

    _check_file(path)
    return export_to_size(asset, path, limits, progress)


def write_out(asset: SplatAsset, report: dict[str, Any], pictures: Path, out: Path) -> Path:
    """Write what `create --out` asks for: one file, or a folder with scene.glb, report.json and pictures."""
    if is_file_to_write(check_target(out)):
        return export_asset(asset, out)
    out.mkdir(parents=True, exist_ok=True)
    export_asset(asset, out / "scene.glb")
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if pictures.is_dir():
        shutil.copytree(pictures, out / "held_out", dirs_exist_ok=True)
    return out
