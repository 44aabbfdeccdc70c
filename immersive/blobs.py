"""Packs on disk: one folder per scene version, named after what it holds.

A pack is there whole or not at all: written beside its place, flushed to the disk, renamed into place,
and the rename flushed too, before the catalog mentions it. `exclusive` keeps other processes from
removing what one has written and not yet mentioned.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import DiskFullError, StoreError, is_disk_full
from .home import make_private

_VERSION = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The packs below `root`. `flush` makes durable what a descriptor wrote; tests fail it on purpose."""

    def __init__(self, root: Path, *, flush: Callable[[int], None] = os.fsync) -> None:
        self.root = make_private(root)
        self._temporary = make_private(root / "tmp")
        self._flush = flush

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock under which packs appear and disappear, over all processes."""
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def folder(self, version: str) -> Path:
        """Return where the pack of `version` is, or would be."""
        if not _VERSION.fullmatch(version):
            raise StoreError(f"version must be 64 hex digits, got {version[:80]!r}")
        return self.root / version[:2] / version

    def has(self, version: str) -> bool:
        """Return whether the pack of `version` is there."""
        return self.folder(version).is_dir()

    def fetch(self, version: str) -> Path | None:
        """Return the folder that holds the pack of `version`; None: there is none."""
        return self.folder(version) if self.has(version) else None

    def put(self, version: str, write: Callable[[Path], object]) -> Path:
        """Store what `write` puts into the empty folder it is given, and return where it is now.

        A version that is already there is not written again. Call within `exclusive`.

        Raises:
            DiskFullError: No room. Nothing of the pack is left.
            StoreError: The disk refuses for another reason. Nothing of the pack is left.
        """
        final = self.folder(version)
        if final.is_dir():
            # Whoever wrote it may have been killed between the rename and its flush.
            self._flush_path(final.parent)
            self._flush_path(self.root)
            return final
        draft = self._temporary / secrets.token_hex(8)
        try:
            draft.mkdir(mode=0o700)
            write(draft)
            for path in sorted(draft.rglob("*")):
                self._flush_path(path)
            self._flush_path(draft)
            is_new_shelf = not final.parent.is_dir()
            final.parent.mkdir(mode=0o700, exist_ok=True)
            draft.rename(final)
            self._flush_path(final.parent)
            if is_new_shelf:
                self._flush_path(self.root)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.rmtree(final, ignore_errors=True)
            if is_disk_full(error):
                raise DiskFullError("the disk has no room for the scene, nothing was stored") from error
            raise StoreError(f"the scene could not be stored: {error}") from error
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return final

    def delete(self, version: str) -> None:
        """Remove the pack; one that is not there is no error. Call within `exclusive`."""
        folder = self.folder(version)
        if not folder.is_dir():
            return
        # Renamed first: a reader or a crash meets a whole pack or none.
        grave = self._temporary / secrets.token_hex(8)
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    def sweep(self, referenced: set[str]) -> int:
        """Remove what crashes left, drafts and packs that no scene has; return how many bytes they held.

        Call within `exclusive`, and read there what is referenced: a pack that another process is about
        to mention must not look forgotten.
        """
        drafts = list(self._temporary.iterdir())
        orphans = [
            folder
            for folder in self.root.glob("[0-9a-f][0-9a-f]/*")
            if folder.name not in referenced and _VERSION.fullmatch(folder.name)
        ]
        freed = sum(bytes_below(folder) for folder in drafts + orphans)
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
        for folder in orphans:
            self.delete(folder.name)
        return freed

    def _flush_path(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._flush(descriptor)
        finally:
            os.close(descriptor)


def bytes_below(folder: Path) -> int:
    """Return how many bytes the files in and below a folder hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
