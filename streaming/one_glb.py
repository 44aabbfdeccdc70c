"""A GLB becomes a scene again: all of it where we wrote it, and of other people's what can be used.

A scene object that cannot be read never costs the splats: they come, and a note says what was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reconstruction.frames import Provenance
from reconstruction.reports import WalkabilityReport
from reconstruction.splats import SplatCloud
from reconstruction.walkable_space import WalkableSpace

from . import audio_emitter, gltf, xmp
from .assemble import build_asset
from .asset import Manifest, SplatAsset
from .errors import AssetFormatError
from .khr_gaussian_splatting import decode_primitives, is_splat_primitive
from .mesh_file import is_called_collider, named_collider
from .scene_extension import CarriedScene, claims_generated, read_scene
from .transform import join_clouds

# What a collider without a report was found to be: nobody looked.
_UNKNOWN = WalkabilityReport(0.0, 0, 0.0, 0.0, "usable", ("it came without a report",))


@dataclass(frozen=True, slots=True, eq=False)
class GlbScene:
    """What a GLB holds."""

    cloud: SplatCloud
    carried: CarriedScene | None  # None: written by others, or its scene object is broken
    label: xmp.Label
    is_generated: bool
    # Of other people's files, a mesh that is called a collider: vertices [V, 3] world frame, faces [T, 3].
    collider: tuple[NDArray[np.float32], NDArray[np.int32]] | None
    notes: tuple[str, ...]  # what was left out, one sentence each


def read_glb(data: bytes, *, title: str) -> GlbScene:
    """Return what a GLB (or a self-contained glTF) holds.

    Args:
        data: The whole file.
        title: For a file that says none.

    Raises:
        AssetFormatError: No splats, or they cannot be read.
    """
    document = gltf.decode(data)
    cloud = join_clouds(decode_primitives(document))
    notes: list[str] = []
    carried = collider = None
    try:
        carried = read_scene(document, title=title)
    except AssetFormatError as error:
        notes.append(f"its start, doorways, sounds and reports are broken and left out: {error}")
    if carried is not None:
        notes += carried.notes
    else:
        collider, told = _others(document, is_ours=bool(notes))
        notes += told
    return GlbScene(
        cloud, carried, xmp.read_label(document), claims_generated(document), collider, tuple(notes)
    )


def asset_of(
    scene: GlbScene,
    *,
    file_name: str,
    title: str | None = None,
    walkable: WalkableSpace | None = None,
    camera_path: Sequence[tuple[float, float, float, float]] = (),
) -> SplatAsset:
    """Return the asset of a GLB: the very scene that was written, or a new one of other people's splats.

    Args:
        scene: From `read_glb`.
        file_name: Told in the recipe of other people's files.
        title: Instead of the file's own.
        walkable: Where people walk, for files that do not carry it.
        camera_path: Where they may stand, for the same; x, y, z in metres and yaw in degrees.

    Raises:
        AssetFormatError: No visible splats.
    """
    label, carried = scene.label, scene.carried
    if carried is None:
        recipe = {"source": "import", "file": file_name}
        if label.is_generated:
            recipe["digital_source_type"] = label.source_type
        made = build_asset(
            scene.cloud,
            title=title or label.title or file_name.rsplit(".", 1)[0].replace("_", " "),
            walkable=walkable,
            camera_path=camera_path,
            recipe=recipe,
            provenance=Provenance("import", is_generated=scene.is_generated, detail=file_name),
        )
        return replace(made, manifest=replace(made.manifest, licence=label.licence, credit=label.credit))
    manifest = carried.manifest
    made = build_asset(
        scene.cloud,
        title=title or manifest.title,
        walkable=walkable_of(carried),
        camera_path=manifest.camera_path,
        sounds=carried.loops,
        provenance=Provenance("import", is_generated=manifest.is_generated),
    )
    return replace(made, manifest=_restored(manifest, made.manifest))


def walkable_of(carried: CarriedScene) -> WalkableSpace | None:
    """Return the walkable space of a scene that carries its collider."""
    if carried.collider is None:
        return None
    manifest, (vertices, faces) = carried.manifest, carried.collider
    return WalkableSpace(
        vertices=vertices,
        faces=faces,
        boundary_start=len(faces),  # the file does not tell the wall from the rest, nor does an asset
        floor_y=manifest.spawn.position[1],
        spawn_position=np.array(manifest.spawn.position, np.float32),
        spawn_yaw_deg=manifest.spawn.yaw_deg,
        bounds_min=np.array(manifest.bounds_min, np.float32),
        bounds_max=np.array(manifest.bounds_max, np.float32),
        metres_per_unit=1.0,
        eye_height_m=manifest.eye_height_m,
        report=manifest.walkability or _UNKNOWN,
    )


def _restored(carried: Manifest, made: Manifest) -> Manifest:
    """Return the manifest that was written, with what only the new chunks know."""
    return replace(
        carried,
        title=made.title,
        splat_count=made.splat_count,
        sh_degree=made.sh_degree,
        level_count=made.level_count,
        sounds=made.sounds,
    )


def _others(
    document: gltf.Gltf, *, is_ours: bool
) -> tuple[tuple[NDArray[np.float32], NDArray[np.int32]] | None, list[str]]:
    """Return the collider of other people's file, and what of it cannot be used."""
    notes = []
    collider = None
    try:
        collider = named_collider(document)
    except AssetFormatError as error:
        notes.append(f"its collider is broken and left out: {error}")
    drawn = _drawn_meshes(document)
    if drawn:
        some = ", ".join(repr(name) for name in drawn[:3]) + (" and more" if len(drawn) > 3 else "")
        notes.append(f"{len(drawn)} meshes are no splats and left out: {some}")
    sounds = audio_emitter.sound_count(document)
    if sounds and not is_ours:
        notes.append(f"{sounds} sounds have no captions and are left out")
    return collider, notes


def _drawn_meshes(document: gltf.Gltf) -> list[str]:
    """Return the names of what the default scene shows and is neither splats nor called a collider."""
    found = []
    for node, _ in gltf.scene_nodes(document):
        if "mesh" not in node or is_called_collider(document, node):
            continue
        mesh = document.item("meshes", node["mesh"])
        primitives = mesh.get("primitives")
        if isinstance(primitives, list) and not any(map(is_splat_primitive, primitives)):
            name = node.get("name") or mesh.get("name")
            found.append(name[:40] if isinstance(name, str) and name.isprintable() else "unnamed")
    return found
