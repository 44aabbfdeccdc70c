"""Packs in a bucket, for several servers, with a folder of those that this machine has read.

A pack is there when its manifest is: it is uploaded last and deleted first. The bucket acknowledges what is
durable; the folder is a copy that may vanish at any time.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from streaming.pack import MANIFEST_NAME, PACK_NAME

from .blobs import Blobs, bytes_below
from .errors import DiskFullError, StoreError, is_disk_full
from .home import make_private

CACHE_BYTES = 8 << 30  # the packs of some hundred scenes
_NAME = re.compile(r"scenes/([0-9a-f]{64})/(?:pack\.bin|manifest\.json)$")


class S3Blobs:
    """The packs of a bucket. `lock` keeps other machines out, as `Blobs.exclusive` does other processes."""

    def __init__(self, store: Any, cache: Path, lock: Callable[[], AbstractContextManager[None]]) -> None:
        self._store, self._lock = store, lock
        # What is cached need not survive a power loss.
        self._cache = Blobs(cache, flush=lambda descriptor: None)
        self._incoming = make_private(cache / "incoming")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock under which packs appear and disappear, over all machines."""
        with self._lock(), self._cache.exclusive():
            yield

    def has(self, version: str) -> bool:
        """Return whether the pack of `version` is there, whole."""
        with _explained():
            try:
                self._store.head(_key(version, MANIFEST_NAME))
            except FileNotFoundError:
                return False
        return True

    def fetch(self, version: str) -> Path | None:
        """Return a folder that holds the pack, read from the bucket if need be; None: there is none.

        Raises:
            StoreError: The bucket does not answer, or the disk refuses.
        """
        found = self._cache.fetch(version)
        if found is not None:
            os.utime(found)  # the eldest by use leave first
            return found
        if not self.has(version):
            return None

        draft = self._incoming / secrets.token_hex(8)
        try:
            draft.mkdir()
            with _explained():
                for name in (PACK_NAME, MANIFEST_NAME):
                    with (draft / name).open("wb") as file:
                        for block in self._store.get(_key(version, name)).stream():
                            file.write(block)
            self._make_room()
            folder = self._cache.folder(version)
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            draft.rename(folder)
        except FileNotFoundError:
            return None  # deleted meanwhile
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # another reader was faster, same bytes
                return self._cache.folder(version)
            if is_disk_full(error):
                raise DiskFullError("the disk has no room for a copy of the scene") from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder

    def put(self, version: str, write: Callable[[Path], object]) -> Path:
        """As `Blobs.put`."""
        folder = self._cache.put(version, write)
        if not self.has(version):
            with _explained():
                for name in (PACK_NAME, MANIFEST_NAME):
                    self._store.put(_key(version, name), folder / name)
        return folder

    def delete(self, version: str) -> None:
        """As `Blobs.delete`."""
        with _explained():
            for name in (MANIFEST_NAME, PACK_NAME):
                self._store.delete(_key(version, name))
        self._cache.delete(version)

    def sweep(self, referenced: set[str]) -> int:
        """As `Blobs.sweep`; what others cached of deleted scenes leaves their folders by use."""
        freed = self._cache.sweep(referenced)
        orphans: dict[str, int] = {}
        with _explained():
            for batch in self._store.list("scenes"):
                for entry in batch:
                    match = _NAME.match(entry["path"])
                    if match is not None and match[1] not in referenced:
                        orphans[match[1]] = orphans.get(match[1], 0) + int(entry["size"])
        for version in orphans:
            self.delete(version)
        return freed + sum(orphans.values())

    def _make_room(self) -> None:
        packs = sorted(self._cache.root.glob("??/*"), key=lambda folder: folder.stat().st_mtime)
        sizes = [bytes_below(folder) for folder in packs]
        for folder, size in zip(packs, sizes, strict=True):
            if sum(sizes) <= CACHE_BYTES:
                return
            sizes[sizes.index(size)] = 0
            shutil.rmtree(folder, ignore_errors=True)


def open_bucket(url: str, environment: Mapping[str, str]) -> Any:
    """Return the bucket of an address such as s3://scenes/prefix; keys come from the usual AWS_ variables.

    Raises:
        StoreError: It is no such address.
    """
    from obstore.store import S3Store

    if not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/[\w./-]*)?", url):
        raise StoreError(f"IMMERSIVE_BUCKET must be s3://NAME or s3://NAME/PREFIX, got {url[:80]!r}")
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    options = {"allow_http": True} if endpoint.startswith("http://127.0.0.1:") else {}
    config = {"endpoint": endpoint} if endpoint else {}
    return S3Store.from_url(url, config=config, client_options=options)


def _key(version: str, name: str) -> str:
    return f"scenes/{version}/{name}"


@contextmanager
def _explained() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        first = str(error).strip().split("\n")[0][:300]
        raise StoreError(f"the bucket cannot be used: {first}", hint="Check IMMERSIVE_BUCKET.") from error
