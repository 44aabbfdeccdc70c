"""Forking a scene: a copy under its own id that names where it comes from and can be changed freely."""

from __future__ import annotations

import secrets
from dataclasses import replace

from streaming.limits import MAX_CREDIT_CHARACTERS

from .catalog import Catalog, SceneRecord
from .poster import ensure_poster

_MOST_ANCESTORS = 16  # named in a manifest; fork upon fork must not fill it


def remix_scene(catalog: Catalog, scene_id: str, *, title: str | None = None) -> SceneRecord:
    """Copy a scene and return the copy's record.

    Its manifest says what it was forked from (`recipe["remix_of"]`, the nearest first) and credits the
    origin; the licence stays. Doorways are left out: they would open scenes that nobody gave away.

    Raises:
        UnknownSceneError: No such scene.
        InvalidInputError: `title` is empty, too long, or not one line.
        DiskFullError: No room; nothing of the copy is left.
    """
    origin = catalog.get(scene_id)
    asset = catalog.asset(origin.id)
    manifest = asset.manifest
    parent = {
        "scene": origin.id,
        "version": origin.version,
        "title": origin.title,
        "credit": manifest.credit,
        "licence": manifest.licence,
    }
    before = manifest.recipe.get("remix_of")
    lineage = [parent, *(before if isinstance(before, list) else [])][:_MOST_ANCESTORS]
    by = f" ({manifest.credit})" if manifest.credit else ""
    # Equal assets are one scene, and two forks must not be: each belongs to whoever made it.
    recipe = manifest.recipe | {"remix_of": lineage, "fork": secrets.token_hex(8)}
    manifest = replace(
        manifest,
        title=title or origin.title,
        recipe=recipe,
        credit=f"Remix of “{origin.title}”{by}"[:MAX_CREDIT_CHARACTERS],
        portals=(),
    )
    record = catalog.publish(replace(asset, manifest=manifest), prompt=origin.prompt, backend=origin.backend)
    catalog.note_remix(record.id, origin)
    ensure_poster(catalog, record)
    return record
