"""An existing splat file becomes a scene: our own GLB whole, others with what they have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from reconstruction.errors import InvalidInputError
from reconstruction.frames import Provenance
from streaming.asset import SplatAsset


def import_asset(
    file: Path, *, title: str | None, frame: str, tell: Callable[[str], None] = lambda line: None
) -> tuple[SplatAsset, tuple[str, ...]]:
    """Return the scene of a file, and what is to be told of it, one sentence each.

    A GLB that `export` wrote is the same scene again. In other people's GLB a mesh that is called a collider
    is what visitors walk on; without one they float, as with all other formats.

    Args:
        file: Splats in any format that is read.
        title: Instead of the file's own.
        frame: What the axes mean of a file that does not say.
        tell: Called before what takes long.

    Raises:
        InvalidInputError: No such file or frame.
        AssetFormatError: It is no splat file, or its splats cannot be read.
    """
    from streaming.assemble import build_asset
    from streaming.up_guess import guess_up
    from streaming.validate import Frame, read_gltf, read_splats

    if frame not in get_args(Frame):
        raise InvalidInputError(f"frame must be one of {', '.join(get_args(Frame))}, got {frame!r}")
    data = read_gltf(file)
    if data is not None:
        return _import_glb(data, file, title, tell)
    cloud = read_splats(file, frame=frame)  # type: ignore[arg-type]
    notes = ()
    if frame == "auto" and guess_up(cloud) == "-Y":
        other = "rdf" if file.suffix.lower() == ".spz" else "rub"
        notes = (f"its ground lies above: if it looks upside down, import with --frame {other}",)
    asset = build_asset(
        cloud,
        title=title or _title_of(file),
        recipe={"source": "import", "file": file.name},
        provenance=Provenance("import", is_generated=False, detail=file.name),
    )
    return asset, notes


def _import_glb(
    data: bytes, file: Path, title: str | None, tell: Callable[[str], None]
) -> tuple[SplatAsset, tuple[str, ...]]:
    from streaming.one_glb import asset_of, read_glb

    scene = read_glb(data, title=_title_of(file))
    if scene.collider is None:
        asset = asset_of(scene, file_name=file.name, title=title)
        doors = len(asset.manifest.portals)
        # A file that could name scenes of this home would open them to whoever has a link to it.
        note = f"{doors} doorways lead nowhere here and are not shown: a file is one place alone"
        return asset, (*scene.notes, note) if doors else scene.notes
    tell("looking where people can walk on its collider (half a minute)")
    from .world_source import walk_on

    found = walk_on(*scene.collider)
    if found is None:
        note = "nobody gets far on its collider, so visitors float"
        return asset_of(scene, file_name=file.name, title=title), (*scene.notes, note)
    space, path = found
    note = "people walk on the collider that came with it; where they start was looked for"
    asset = asset_of(scene, file_name=file.name, title=title, walkable=space, camera_path=path)
    return asset, (*scene.notes, note)


def _title_of(file: Path) -> str:
    # Every unbundled SOG has the same file name; its folder has the scene's.
    name = file.resolve().parent.name if file.name.endswith("meta.json") else file.stem
    return name.replace("_", " ")
