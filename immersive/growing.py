"""A scene that people look at while it is made: first its frames, then coarse splats, then the whole.

Its row is in the catalog from the start, so that it has links; what it shows so far is one version after
another, each immutable, and the link shows the newest. Its row in `growth` goes when the scene is finished.
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.asset import SplatAsset
from streaming.limits import MAX_TITLE_CHARACTERS
from streaming.pack import write_pack

from .catalog import Catalog, SceneRecord, checked_title, content_of, version_of
from .errors import DiskFullError, StoreError, UnknownSceneError
from .progress import Reporter

MOST_FRAMES = 8
_FRAME_WIDTH = 480
_FRAME_QUALITY = 60
_FRAME_S = 2.0
# Whoever looked this long ago still does: pages ask every second or two.
_WATCHED_S = 30.0
# Whoever works on it says so every ten seconds.
STOPPED_S = 60.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How far a scene is, for whoever has its link."""

    label: str  # of the stage: "Fitting splats"
    share: float  # 0..1 of the stage
    seconds_left: float | None  # of the stage, as far as anyone can tell
    is_stopped: bool  # nobody works on it at the moment
    has_splats: bool  # there is something to walk in already
    frames: tuple[str, ...]  # base64 of WebP pictures, in the order of the camera's way

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "frames": list(self.frames)
        }


def growth_of(catalog: Catalog, scene_id: str, *, is_watching: bool = False) -> Growth | None:
    """Return how far a scene is; None: it is finished, or not there.

    Args:
        catalog: Where scenes are.
        scene_id: The whole id.
        is_watching: Someone looks at it, so coarse splats are worth their time.
    """
    rows = catalog.database.read(
        "SELECT growth.*, scene.byte_length AS byte_length FROM growth JOIN scene"
        " ON scene.id = growth.scene_id WHERE scene_id = ?",
        (scene_id,),
    )
    if not rows:
        return None
    row, now = rows[0], catalog.now()
    if is_watching and now - row["watched_at"] > _WATCHED_S / 6:
        with catalog.database.transaction():
            catalog.database.write("UPDATE growth SET watched_at = ? WHERE scene_id = ?", (now, scene_id))
    return Growth(
        label=row["label"],
        share=row["share"],
        seconds_left=row["seconds_left"],
        is_stopped=now - row["updated_at"] > STOPPED_S,
        has_splats=row["byte_length"] > 0,
        frames=tuple(json.loads(row["frames"])),
    )


class Growing:
    """The side that makes the scene. Showing it never fails the making: a full disk shows nothing new."""

    def __init__(self, catalog: Catalog, scene_id: str, prompt: str | None) -> None:
        self.catalog, self.scene_id, self._prompt = catalog, scene_id, prompt
        self._early: list[str] = []
        self._shown_at = -_FRAME_S

    @classmethod
    def begin(cls, catalog: Catalog, *, recipe_digest: str, title: str, prompt: str | None) -> Growing:
        """Put a scene into the catalog before there is anything of it, or go on with one that was cut off."""
        now = catalog.now()
        with catalog.database.transaction():
            rows = catalog.database.read(
                "SELECT scene_id FROM growth WHERE recipe_digest = ?", (recipe_digest,)
            )
            scene_id = rows[0]["scene_id"] if rows else secrets.token_hex(6)
            if not rows:
                values = {
                    "id": scene_id,
                    "title": _one_line(title),
                    "created_at": now,
                    "version": secrets.token_hex(32),  # of no pack
                    "splat_count": 0,
                    "byte_length": 0,
                    "is_generated": prompt is not None,
                    "prompt": prompt,
                    "backend": "",
                }
                marks = ", ".join("?" * len(values))
                catalog.database.write(
                    f"INSERT INTO scene ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
                )
                catalog.database.write(
                    "INSERT INTO growth"
                    " (scene_id, recipe_digest, label, share, frames, updated_at, watched_at)"
                    " VALUES (?, ?, '', 0, '[]', ?, 0)",
                    (scene_id, recipe_digest, now),
                )
        return cls(catalog, scene_id, prompt)

    @contextmanager
    def worked_on(self) -> Iterator[None]:
        """Say now and then that somebody works on it: some steps tell nothing for minutes."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(STOPPED_S / 6):
                self._note("label = label", ())

        thread = threading.Thread(target=beat, name="growing", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @property
    def is_watched(self) -> bool:
        """Whether anyone looks at it."""
        rows = self.catalog.database.read(
            "SELECT watched_at FROM growth WHERE scene_id = ?", (self.scene_id,)
        )
        return bool(rows) and self.catalog.now() - rows[0]["watched_at"] < _WATCHED_S

    def tell(self, label: str, share: float, seconds_left: float | None) -> None:
        """Say what is being done."""
        self._note("label = ?, share = ?, seconds_left = ?", (label, share, seconds_left))

    def show_frame(self, image: NDArray[np.uint8]) -> None:
        """Show one frame [H, W, 3] sRGB more, now and then, if anyone looks."""
        now = time.monotonic()
        if now - self._shown_at < _FRAME_S or not self.is_watched:
            return
        self._shown_at = now
        if len(self._early) == MOST_FRAMES:
            del self._early[1::2]
        self._early.append(_webp(image))
        self._note("frames = ?", (json.dumps(self._early),))

    def show_frames(self, images: NDArray[np.uint8]) -> None:
        """Show a few of the frames [F, H, W, 3] sRGB, evenly spaced."""
        count = min(MOST_FRAMES, len(images))
        chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
        self._note("frames = ?", (json.dumps([_webp(images[index]) for index in chosen]),))

    def show_splats(self, asset: SplatAsset) -> None:
        """Show what there is as a version of its own, which takes the place of the one before."""
        try:
            _replace(self.catalog, self.scene_id, asset, {}, is_finished=False)
        except (StoreError, DiskFullError, UnknownSceneError):
            return

    def finish(self, asset: SplatAsset, *, backend: str, recipe_digest: str) -> SceneRecord:
        """Publish the finished scene under the id that its links have, and return its record.

        An equal scene that is there already takes over the links.

        Raises:
            InvalidInputError: The title of `asset` is none.
            DiskFullError, StoreError: It cannot be stored; the scene is as it was.
        """
        facts = {
            "title": checked_title(asset.manifest.title),
            "is_generated": asset.manifest.is_generated,
            "backend": backend,
            "recipe_digest": recipe_digest,
        }
        try:
            return _replace(self.catalog, self.scene_id, asset, facts, is_finished=True)
        except UnknownSceneError:  # an equal call was faster, or somebody deleted it
            return self.catalog.publish(
                asset, prompt=self._prompt, backend=backend, recipe_digest=recipe_digest
            )

    def abandon(self) -> None:
        """Remove what there is of it, with its links."""
        abandon(self.catalog, self.scene_id)

    def _note(self, what: str, values: Sequence[Any]) -> None:
        try:
            with self.catalog.database.transaction():
                self.catalog.database.write(
                    f"UPDATE growth SET {what}, updated_at = ? WHERE scene_id = ?",
                    (*values, self.catalog.now(), self.scene_id),
                )
        except (StoreError, DiskFullError):
            return


def _replace(
    catalog: Catalog, scene_id: str, asset: SplatAsset, facts: dict[str, Any], *, is_finished: bool
) -> SceneRecord:
    """Let an unfinished scene be `asset` from now on.

    Pack first, row second, as in `Catalog.publish`; the pack of the version before goes last.
    """
    version, blobs, database = version_of(asset), catalog.blobs, catalog.database
    with blobs.exclusive():
        before = catalog.get(scene_id)
        if not catalog.is_growing(before.id):
            raise UnknownSceneError(scene_id, "is finished")
        equal = database.read("SELECT id FROM scene WHERE version = ? AND id <> ?", (version, before.id))
        if not equal:
            blobs.put(version, lambda folder: write_pack(asset, folder))
        reports = {"quality": asset.manifest.quality, "walkability": asset.manifest.walkability}
        values = {
            **facts,
            **{name: None if found is None else json.dumps(asdict(found)) for name, found in reports.items()},
            "version": version,
            "splat_count": asset.manifest.splat_count,
            "byte_length": asset.byte_length,
            "content_sha256": content_of(asset),
        }
        try:
            with database.transaction():
                if equal:
                    database.write(
                        "UPDATE link SET scene_id = ? WHERE scene_id = ?", (equal[0]["id"], before.id)
                    )
                    database.write("DELETE FROM scene WHERE id = ?", (before.id,))
                else:
                    names = ", ".join(f"{name} = ?" for name in values)
                    database.write(f"UPDATE scene SET {names} WHERE id = ?", (*values.values(), before.id))
                    if is_finished:
                        database.write("DELETE FROM growth WHERE scene_id = ?", (before.id,))
        except BaseException:
            if not equal and version != before.version:
                blobs.delete(version)
            raise
        if version != before.version:
            # Who streams it has it in memory; who reads it by ranges asks again and gets the new one.
            blobs.delete(before.version)
    return catalog.get(equal[0]["id"] if equal else before.id)


def abandon(catalog: Catalog, scene_id: str) -> None:
    """Remove an unfinished scene and its links; a finished one stays."""
    if catalog.database.read("SELECT 1 FROM growth WHERE scene_id = ?", (scene_id,)):
        catalog.delete(scene_id)


def abandon_older(catalog: Catalog, seconds: float) -> int:
    """Remove unfinished scenes on which nobody has worked for so long; return how many."""
    rows = catalog.database.read(
        "SELECT scene_id FROM growth WHERE updated_at < ?", (catalog.now() - seconds,)
    )
    for row in rows:
        abandon(catalog, row["scene_id"])
    return len(rows)


class GrowthReporter:
    """Passes progress on, and tells whoever looks at the scene, at most once a second."""

    def __init__(
        self, inner: Reporter, growing: Growing, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inner, self._growing, self._clock = inner, growing, clock
        self._label = ""
        self._began = self._told = 0.0

    def begin(self, stage: str, label: str) -> None:
        self._label, self._began, self._told = label, self._clock(), -1.0
        self._inner.begin(stage, label)

    def update(self, share: float, note: str = "") -> None:
        now = self._clock()
        if self._told < 0 or now - self._told >= 1.0:
            self._told = now
            share = min(max(share, 0.0), 1.0)
            left = (now - self._began) * (1.0 - share) / share if share > 0.05 else None
            self._growing.tell(self._label, share, left)
        self._inner.update(share, note)

    def end(self, cpu_seconds: float, note: str = "") -> None:
        self._inner.end(cpu_seconds, note)


def _one_line(title: str) -> str:
    words = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    return words[:MAX_TITLE_CHARACTERS] or "A scene"


def _webp(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((_FRAME_WIDTH, _FRAME_WIDTH))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_FRAME_QUALITY)
    return base64.b64encode(file.getvalue()).decode()
