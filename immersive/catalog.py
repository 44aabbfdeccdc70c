"""The scenes of one data folder: what they are, and where their packs lie.

`publish` returns only when pack and row are on the disk: pack first, row second, so that a crash leaves
at most a pack that nothing mentions, which the next start removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reconstruction.errors import InvalidInputError
from reconstruction.reports import QualityReport, WalkabilityReport
from streaming.asset import Spawn, SplatAsset
from streaming.limits import MAX_TITLE_CHARACTERS
from streaming.pack import MANIFEST_NAME, PACK_NAME, parse_asset_json, read_asset, write_pack

from .errors import SceneGrowingError, StoreError, UnknownSceneError
from .home import make_private
from .link_terms import Visibility
from .scene_edit import Remixed, SceneEdit, check_edit, edited, read_edit, write_edit
from .stores import open_stores


@dataclass(frozen=True, slots=True)
class SceneRecord:
    """One published scene."""

    id: str  # 12 hex digits
    title: str
    created_at: float  # seconds since 1970
    version: str  # 64 hex digits; sha256 of manifest and chunks
    splat_count: int
    byte_length: int  # of the pack
    is_generated: bool
    prompt: str | None  # None: made from footage or a file
    backend: str  # what made it: "procedural", "clip", "import", ...
    recipe_digest: str | None
    quality: QualityReport | None
    walkability: WalkabilityReport | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


class Catalog:
    """The scenes below `home`. `now` is the clock, in seconds since 1970."""

    def __init__(self, home: Path, *, now: Callable[[], float] = time.time) -> None:
        self.home = make_private(home)
        self.now = now
        self.database, self.blobs = open_stores(home, os.environ)

    def publish(
        self,
        asset: SplatAsset,
        *,
        prompt: str | None = None,
        backend: str = "import",
        recipe_digest: str | None = None,
    ) -> SceneRecord:
        """Store a scene and return its record; an equal asset gives the record that is already there.

        Raises:
            DiskFullError: No room. Nothing of the scene is left.
            StoreError: The disk refuses for another reason.
        """
        version = version_of(asset)
        title = checked_title(asset.manifest.title)
        with self.blobs.exclusive():
            self.blobs.put(version, lambda folder: write_pack(asset, folder))
            known = self.database.read("SELECT * FROM scene WHERE version = ?", (version,))
            if known:
                return _record(known[0])
            record = SceneRecord(
                id=secrets.token_hex(6),
                title=title,
                created_at=self.now(),
                version=version,
                splat_count=asset.manifest.splat_count,
                byte_length=asset.byte_length,
                is_generated=asset.manifest.is_generated,
                prompt=prompt,
                backend=backend,
                recipe_digest=recipe_digest,
                quality=asset.manifest.quality,
                walkability=asset.manifest.walkability,
            )
            try:
                with self.database.transaction():
                    self._insert(record, content_of(asset))
            except BaseException:
                self.blobs.delete(version)
                raise
        return record

    def is_growing(self, scene_id: str) -> bool:
        """Return whether a scene is still being made."""
        return bool(self.database.read("SELECT 1 FROM growth WHERE scene_id = ?", (scene_id,)))

    def _insert(self, record: SceneRecord, content_sha256: str) -> None:
        values = asdict(record) | {"content_sha256": content_sha256}
        for name in ("quality", "walkability"):
            values[name] = None if values[name] is None else json.dumps(values[name])
        marks = ", ".join("?" * len(values))
        self.database.write(
            f"INSERT INTO scene ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )

    def list(self) -> list[SceneRecord]:
        """Return all scenes, newest first; those that are still being made are none yet."""
        rows = self.database.read(
            "SELECT * FROM scene WHERE id NOT IN (SELECT scene_id FROM growth) ORDER BY created_at DESC, id"
        )
        return [_record(row) for row in rows]

    def get(self, scene_id: str) -> SceneRecord:
        """Return the scene with this id, or the only one whose id begins with it.

        Raises:
            UnknownSceneError: There is none, or more than one.
        """
        exact = self.database.read("SELECT * FROM scene WHERE id = ?", (scene_id,))
        if exact:
            return _record(exact[0])
        # No LIKE: its wildcards would make "%" the beginning of everything.
        rows = self.database.read(
            "SELECT * FROM scene WHERE substr(id, 1, ?) = ? LIMIT 2", (len(scene_id), scene_id)
        )
        if not scene_id or not rows:
            raise UnknownSceneError(scene_id)
        if len(rows) > 1:
            raise UnknownSceneError(scene_id, "is the beginning of more than one id")
        return _record(rows[0])

    def asset(self, scene_id: str) -> SplatAsset:
        """Read a scene's pack; title, spawn and sounds are as they were last edited.

        Raises:
            UnknownSceneError: No such scene.
            StoreError: Its pack is missing.
            AssetFormatError: Its pack is damaged.
        """
        record = self.get(scene_id)
        asset = read_asset(self.pack_folder(record))
        return replace(asset, manifest=edited(asset.manifest, record.title, self.edits(record.id)))

    def pack_folder(self, record: SceneRecord) -> Path:
        """Return the folder of a scene's pack.

        Raises:
            SceneGrowingError: There is nothing of the scene yet.
            StoreError: It is missing.
        """
        if record.byte_length == 0:
            raise SceneGrowingError(f"scene {record.id!r} is still being made")
        folder = self.blobs.fetch(record.version)
        if folder is None:
            raise StoreError(
                f"scene {record.id!r} has lost its pack", hint="Create it again; that restores the pack."
            )
        return folder

    def rename(self, scene_id: str, title: str) -> SceneRecord:
        """Give a scene another title and return its new record.

        Raises:
            UnknownSceneError: No such scene.
            InvalidInputError: The title is empty, too long, or not one line.
        """
        return self.edit(scene_id, title=title)

    def edits(self, scene_id: str) -> SceneEdit:
        """Return what was changed about a scene beside its title; nothing for one that is not there."""
        return read_edit(self.database, scene_id)

    def edit(
        self,
        scene_id: str,
        *,
        title: str | None = None,
        notes: str | None = None,
        spawn: Spawn | None = None,
        has_sound: bool | None = None,
        visibility: Visibility | None = None,
    ) -> SceneRecord:
        """Change what is given, all of it or nothing, and return the new record.

        Raises:
            UnknownSceneError: No such scene.
            InvalidInputError: A title that is empty, too long or not one line, or a spawn outside the scene.
        """
        record = self.get(scene_id)
        title = record.title if title is None else checked_title(title)
        given = {"notes": notes, "spawn": spawn, "has_sound": has_sound, "visibility": visibility}
        changed = {name: value for name, value in given.items() if value is not None}
        if changed:
            manifest, _ = parse_asset_json((self.pack_folder(record) / MANIFEST_NAME).read_bytes())
            check_edit(replace(SceneEdit(), **changed), manifest)  # type: ignore[arg-type]
        with self.database.transaction():
            self.database.write("UPDATE scene SET title = ? WHERE id = ?", (title, record.id))
            if changed:
                # Read inside: two editors who change different things both keep what they did.
                edit = replace(read_edit(self.database, record.id), **changed)  # type: ignore[arg-type]
                write_edit(self.database, record.id, edit)
        return self.get(record.id)

    def note_remix(self, scene_id: str, origin: SceneRecord) -> None:
        """Write down which scene another was forked from."""
        with self.database.transaction():
            self.database.write(
                "INSERT OR REPLACE INTO remix (scene_id, origin_id, origin_title, made_at)"
                " VALUES (?, ?, ?, ?)",
                (scene_id, origin.id, origin.title, self.now()),
            )

    def remixed(self, scene_id: str) -> Remixed | None:
        """Return what a scene was forked from; None for one that was not."""
        rows = self.database.read(
            "SELECT origin_id, origin_title, made_at FROM remix WHERE scene_id = ?", (scene_id,)
        )
        return Remixed(**dict(rows[0])) if rows else None

    def delete(self, scene_id: str) -> SceneRecord:
        """Remove a scene, its links and its pack; return what it was.

        Raises:
            UnknownSceneError: No such scene.
        """
        record = self.get(scene_id)
        with self.blobs.exclusive():
            with self.database.transaction():
                self.database.write("DELETE FROM scene WHERE id = ?", (record.id,))
            self.blobs.delete(record.version)
        return record

    def connect(self, scene_id: str, targets: Sequence[str]) -> None:
        """Say which scenes a scene's portals lead to, one for each portal of its asset, in their order.

        Raises:
            UnknownSceneError: A scene is not there.
        """
        source = self.get(scene_id).id
        found = [self.get(target).id for target in targets]
        with self.database.transaction():
            self.database.write("DELETE FROM portal WHERE scene_id = ?", (source,))
            for place, target in enumerate(found):
                self.database.write(
                    "INSERT INTO portal (scene_id, place, target_id) VALUES (?, ?, ?)",
                    (source, place, target),
                )

    def portals(self, scene_id: str) -> dict[int, str]:
        """Return the ids of the scenes behind a scene's portals, by portal; those of deleted scenes lack."""
        rows = self.database.read(
            "SELECT place, target_id FROM portal WHERE scene_id = ? ORDER BY place", (scene_id,)
        )
        return {row["place"]: row["target_id"] for row in rows}

    def leads_to(self, scene_id: str, target_id: str) -> bool:
        """Return whether portals lead from a scene to another, through however many in between.

        No way leads to what was taken down, or was reported and not looked at in time.
        """
        rows = self.database.read(
            "WITH RECURSIVE seen (id) AS (SELECT ? UNION SELECT target_id FROM portal, seen"
            " WHERE portal.scene_id = seen.id) SELECT 1 FROM seen WHERE id = ?",
            (scene_id, target_id),
        )
        return bool(rows) and not self.is_taken_down(target_id)

    def is_taken_down(self, scene_id: str) -> bool:
        """Return whether a scene, or one with the same bytes, may not be shown to visitors."""
        rows = self.database.read(
            "SELECT 1 FROM scene JOIN report ON report.content_sha256 = scene.content_sha256"
            " WHERE scene.id = ? AND ((report.state = 'open' AND report.due_at <= ?)"
            " OR (report.state = 'upheld' AND coalesce(report.appeal_granted, 0) = 0)"
            " OR (report.state = 'dismissed' AND report.appeal_granted = 1)) LIMIT 1",
            (scene_id, self.now()),
        )
        return bool(rows)

    def content_sha256(self, scene_id: str) -> str:
        """Return the hex sha256 of a scene's pack; catalogs of older versions learn it for all scenes here.

        Raises:
            UnknownSceneError: No such scene.
        """
        for row in self.database.read("SELECT id, version FROM scene WHERE content_sha256 IS NULL"):
            folder = self.blobs.fetch(row["version"])
            if folder is not None:
                with (folder / PACK_NAME).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                with self.database.transaction():
                    self.database.write(
                        "UPDATE scene SET content_sha256 = ? WHERE id = ?", (digest, row["id"])
                    )
        rows = self.database.read("SELECT content_sha256 FROM scene WHERE id = ?", (self.get(scene_id).id,))
        return str(rows[0]["content_sha256"])

    def copies(self, content_sha256: str) -> list[SceneRecord]:
        """Return the scenes whose packs are these bytes, whatever they are called."""
        rows = self.database.read(
            "SELECT * FROM scene WHERE content_sha256 = ? ORDER BY created_at, id", (content_sha256,)
        )
        return [_record(row) for row in rows]

    def sweep(self) -> int:
        """Remove what interrupted processes left of packs, and return how many bytes that freed."""
        with self.blobs.exclusive():
            rows = self.database.read("SELECT version FROM scene")
            return self.blobs.sweep({row["version"] for row in rows})

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self.database.close()


def version_of(asset: SplatAsset) -> str:
    """Return the hex sha256 of the manifest and of every chunk: equal versions are equal scenes."""
    digest = hashlib.sha256(json.dumps(asdict(asset.manifest), sort_keys=True).encode())
    for chunk in asset.chunks:
        digest.update(json.dumps(asdict(chunk), sort_keys=True).encode())
    return digest.hexdigest()


def content_of(asset: SplatAsset) -> str:
    """Return the hex sha256 of the pack alone, without title and recipe."""
    return hashlib.sha256(asset.pack).hexdigest()


def checked_title(title: str) -> str:
    """Return a title as it is kept; raise InvalidInputError unless it is one line."""
    title = title.strip()
    if not 0 < len(title) <= MAX_TITLE_CHARACTERS or not title.isprintable():
        raise InvalidInputError(
            f"title must be one line of 1 to {MAX_TITLE_CHARACTERS} characters, got {title[:40]!r}"
        )
    return title


def _record(row: Any) -> SceneRecord:
    values = dict(row)
    del values["content_sha256"]  # for finding copies; nobody asks a record for it
    values["is_generated"] = bool(values["is_generated"])
    for name, report in (("quality", QualityReport), ("walkability", WalkabilityReport)):
        if values[name] is not None:
            plain = json.loads(values[name])
            values[name] = report(**{**plain, "reasons": tuple(plain["reasons"])})
    return SceneRecord(**values)
