"""A scene leaves as one file, or as a folder with everything that is known about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from reconstruction.errors import InvalidInputError
from streaming.asset import SplatAsset

SINGLE_FILES = (".glb", ".spz", ".ply")


def check_target(path: Path) -> Path:
    """Return `path` if a scene can be written there; a path without one of `SINGLE_FILES` is a folder.

    Raises:
        InvalidInputError: An unknown kind of file, a folder where a file should be, or no parent folder.
    """
    if path.suffix in SINGLE_FILES:
        if path.is_dir():
            raise InvalidInputError(f"{path} is a folder", hint="Give the path of a file.")
        if not path.absolute().parent.is_dir():
            raise InvalidInputError(f"folder {path.absolute().parent} does not exist", hint="Make it first.")
    elif path.suffix or path.is_file():
        raise InvalidInputError(
            f"a scene is written as {', '.join(SINGLE_FILES)} or into a folder, got {path.name!r}",
            hint="For example: scene.glb, which every glTF viewer opens.",
        )
    return path


def export_asset(asset: SplatAsset, path: Path) -> Path:
    """Write a scene as one file; .glb also holds the collider, the AI label and the recipe.

    Raises:
        InvalidInputError: The path is not one of a single file.
    """
    if check_target(path).suffix not in SINGLE_FILES:
        raise InvalidInputError(
            f"a scene is exported as {', '.join(SINGLE_FILES)}, got {path.name!r}",
            hint="For example: --to scene.glb, which every glTF viewer opens.",
        )
    if path.suffix == ".glb":
        from streaming.export import export_glb

        export_glb(asset, path)
    else:
        from streaming.assemble import finest_cloud
        from streaming.validate import write_splats

        write_splats(finest_cloud(asset), path)
    return path


def write_out(asset: SplatAsset, report: dict[str, Any], pictures: Path, out: Path) -> Path:
    """Write what `create --out` asks for: one file, or a folder with scene.glb, report.json and pictures."""
    if check_target(out).suffix in SINGLE_FILES:
        return export_asset(asset, out)
    out.mkdir(parents=True, exist_ok=True)
    export_asset(asset, out / "scene.glb")
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if pictures.is_dir():
        shutil.copytree(pictures, out / "held_out", dirs_exist_ok=True)
    return out
