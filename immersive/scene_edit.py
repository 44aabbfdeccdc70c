"""What holders of an edit link changed about a scene, kept beside its pack, which never changes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from reconstruction.errors import InvalidInputError
from streaming.asset import Manifest, Spawn

from .database import Database
from .link_terms import VISIBILITIES, Visibility

MAX_NOTES_CHARACTERS = 4_000
_SPAWN_MARGIN_M = 2.0  # beyond the outermost splats; further out there is nothing to see


@dataclass(frozen=True, slots=True)
class SceneEdit:
    """What stands instead of what the pack says."""

    notes: str = ""  # plain text of several lines, for visitors
    spawn: Spawn | None = None  # None: the pack's
    has_sound: bool = True  # False: what the scene has to be heard is not played
    visibility: Visibility = "public"  # the most that links of the scene may tell

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Remixed:
    """Where a scene was forked from; the origin may be gone by now."""

    origin_id: str
    origin_title: str
    made_at: float  # seconds since 1970


def read_edit(database: Database, scene_id: str) -> SceneEdit:
    """Return what was changed about a scene; one that nobody changed has the defaults."""
    rows = database.read("SELECT * FROM scene_edit WHERE scene_id = ?", (scene_id,))
    if not rows:
        return SceneEdit()
    row = rows[0]
    spawn = None
    if row["spawn"] is not None:
        x, y, z, yaw_deg = json.loads(row["spawn"])
        spawn = Spawn((x, y, z), yaw_deg)
    return SceneEdit(row["notes"], spawn, bool(row["has_sound"]), row["visibility"])


def write_edit(database: Database, scene_id: str, edit: SceneEdit) -> None:
    """Store an edit that was checked. Call within a transaction."""
    spawn = None if edit.spawn is None else json.dumps([*edit.spawn.position, edit.spawn.yaw_deg])
    database.write(
        "INSERT OR REPLACE INTO scene_edit (scene_id, notes, spawn, has_sound, visibility)"
        " VALUES (?, ?, ?, ?, ?)",
        (scene_id, edit.notes, spawn, edit.has_sound, edit.visibility),
    )


def check_edit(edit: SceneEdit, manifest: Manifest) -> None:
    """Raise InvalidInputError unless a scene with this manifest can be changed so."""
    if len(edit.notes) > MAX_NOTES_CHARACTERS or not edit.notes.replace("\n", " ").isprintable():
        raise InvalidInputError(
            f"notes must be at most {MAX_NOTES_CHARACTERS} printable characters, got {len(edit.notes)}"
        )
    if edit.visibility not in VISIBILITIES:
        raise InvalidInputError(
            f"visibility must be one of {', '.join(VISIBILITIES)}, got {edit.visibility!r}"
        )
    if edit.spawn is None:
        return
    low, high = manifest.bounds_min, manifest.bounds_max
    is_inside = all(
        math.isfinite(v) and a - _SPAWN_MARGIN_M <= v <= b + _SPAWN_MARGIN_M
        for v, a, b in zip(edit.spawn.position, low, high, strict=True)
    )
    if not is_inside or not abs(edit.spawn.yaw_deg) <= 360:
        corners = [", ".join(f"{v:.1f}" for v in corner) for corner in (low, high)]
        raise InvalidInputError(
            f"spawn must lie in the scene, ({corners[0]}) to ({corners[1]}) m, with a yaw of -360 to 360",
            hint="It is where the feet of visitors begin.",
        )


def edited(manifest: Manifest, title: str, edit: SceneEdit) -> Manifest:
    """Return the manifest as visitors are told it."""
    return replace(
        manifest,
        title=title,
        spawn=edit.spawn or manifest.spawn,
        sounds=manifest.sounds if edit.has_sound else (),
    )
