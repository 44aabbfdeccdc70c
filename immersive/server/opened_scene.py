"""What a visitor is told about a scene before the first splat."""

from __future__ import annotations

from dataclasses import asdict

from streaming.asset import Manifest

from ..catalog import Catalog
from ..link_terms import Scope
from .schemas import OpenedScene


def describe_scene(catalog: Catalog, manifest: Manifest, scene_id: str, scope: Scope) -> OpenedScene:
    """Return a scene as it is now. `manifest` is the edited one (`Catalog.asset`).

    Raises:
        UnknownSceneError: No such scene.
    """
    record, edit, origin = catalog.get(scene_id), catalog.edits(scene_id), catalog.remixed(scene_id)
    return OpenedScene(
        id=record.id,
        version=record.version,
        title=record.title,
        splat_count=record.splat_count,
        byte_length=record.byte_length,
        is_generated=record.is_generated,
        quality=record.as_dict()["quality"],
        walkability=record.as_dict()["walkability"],
        spawn=asdict(manifest.spawn),
        eye_height_m=manifest.eye_height_m,
        bounds_min=manifest.bounds_min,
        bounds_max=manifest.bounds_max,
        background=manifest.background,
        portals=catalog.portals(scene_id),
        scope=scope,
        notes=edit.notes,
        visibility=edit.visibility,
        remix_of=None if origin is None else origin.origin_title,
        is_growing=catalog.is_growing(scene_id),
    )
