"""What a glTF file holds besides splats, for people and programs that ask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from . import gltf, xmp
from .errors import AssetFormatError
from .mesh_file import named_collider
from .scene_extension import claims_generated, read_scene


@dataclass(frozen=True, slots=True)
class SceneSummary:
    """What a glTF file holds besides splats."""

    title: str = ""
    licence: str = ""
    credit: str = ""
    source_type: str = ""
    is_generated: bool = False
    is_whole: bool = False  # carries a scene of ours
    collider_triangles: int = 0
    start: tuple[float, float, float] | None = None  # feet, metres
    heading_deg: float = 0.0
    eye_height_m: float = 0.0
    sounds: tuple[str, ...] = ()  # captions
    doorways: tuple[str, ...] = ()  # titles of what is behind them
    recipe: dict[str, Any] | None = None
    quality: str = ""  # verdicts; "" where nobody looked
    walkability: str = ""
    problems: tuple[str, ...] = ()


def summarize(document: gltf.Gltf) -> SceneSummary:
    """Return what a document holds besides splats, for people; a broken part is a problem in words."""
    label = xmp.read_label(document)
    plain = SceneSummary(
        title=label.title,
        licence=label.licence,
        credit=label.credit,
        source_type=label.source_type,
        is_generated=claims_generated(document),
    )
    try:
        carried = read_scene(document, title="scene")
    except AssetFormatError as error:
        return replace(plain, problems=(str(error),))
    if carried is None:
        try:
            mesh = named_collider(document)
        except AssetFormatError:
            return plain
        return replace(plain, collider_triangles=0 if mesh is None else len(mesh[1]))
    manifest = carried.manifest
    return replace(
        plain,
        is_whole=True,
        collider_triangles=0 if carried.collider is None else len(carried.collider[1]),
        start=manifest.spawn.position,
        heading_deg=manifest.spawn.yaw_deg,
        eye_height_m=manifest.eye_height_m,
        sounds=tuple(loop.caption for loop in carried.loops),
        doorways=tuple(portal.title for portal in manifest.portals),
        recipe=manifest.recipe,
        quality=manifest.quality.verdict if manifest.quality else "",
        walkability=manifest.walkability.verdict if manifest.walkability else "",
        problems=carried.notes,
    )
