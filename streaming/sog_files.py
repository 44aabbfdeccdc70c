"""Files that come together, in a zip or in a folder. Sizes are checked before anything is unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from .errors import AssetFormatError
from .limits import MAX_DEFLATE_RATIO, MAX_SOG_ENTRIES

ZIP_MAGIC = b"PK\x03\x04"
_PIXEL_SLACK = 2**16  # pictures are rounded up to whole rows, and some writers round further
_BYTES_PER_PIXEL = 8  # lossless WebP does not reach twice the raw size
_HEADER_BYTES = 64 * 1024
_MAX_NAME = 200


class SogFiles(ABC):
    """Files by name; names with slashes lead into folders below, never out."""

    @abstractmethod
    def byte_length(self, name: str) -> int:
        """Return the size of a file once unpacked, without unpacking it.

        Raises:
            AssetFormatError: No such file, or its name leads elsewhere.
        """

    @abstractmethod
    def _load(self, name: str, byte_length: int) -> bytes:
        """Return the first bytes of a file that exists."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a file of at most `limit` bytes.

        Raises:
            AssetFormatError: It is absent, larger, or cannot be unpacked.
        """
        size = self.byte_length(name)
        if size > limit:
            raise AssetFormatError(f"file {name!r:.80} must be at most {limit} bytes, got {size}")
        data = self._load(name, size)
        if len(data) != size:
            raise AssetFormatError(f"file {name!r:.80} must hold {size} bytes, got {len(data)}")
        return data

    def pixels(self, name: str, *, at_least: int, at_most: int | None = None) -> NDArray[np.uint8]:
        """Return a lossless WebP as RGBA [H, W, 4].

        Args:
            name: Of the file.
            at_least: Pixels that must be there.
            at_most: Pixels that may be there; not given, twice the least and some.

        Raises:
            AssetFormatError: Not such a picture; its size is checked before it is decoded.
        """
        from PIL import Image

        most = 2 * at_least + _PIXEL_SLACK if at_most is None else at_most
        data = self.read(name, _BYTES_PER_PIXEL * most + _HEADER_BYTES)
        width, height = _webp_size(data, name)
        if not at_least <= width * height <= most:
            raise AssetFormatError(
                f"SOG picture {name!r:.80} must have {at_least} to {most} pixels, got {width} x {height}"
            )
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                if image.size != (width, height):
                    raise OSError(f"a picture of {image.size[0]} x {image.size[1]}")
                return np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, SyntaxError) as error:
            raise AssetFormatError(f"SOG picture {name!r:.80} must decode, got {error!s:.80}") from error


class BundleFiles(SogFiles):
    """The entries of a zip held in memory."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_ERRORS as error:
            raise AssetFormatError(f"a SOG bundle must be a zip file, got {error!s:.80}") from error
        if len(self._zip.filelist) > MAX_SOG_ENTRIES:
            raise AssetFormatError(
                f"a SOG bundle must hold at most {MAX_SOG_ENTRIES} files, got {len(self._zip.filelist)}"
            )

    def byte_length(self, name: str) -> int:
        return self._entry(name).file_size

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            entry = self._zip.getinfo(_plain(name))
        except KeyError as error:
            raise AssetFormatError(f"a SOG bundle must hold {name!r:.80}, found none") from error
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise AssetFormatError(
                f"file {name!r:.80} must be stored or deflated, got method {entry.compress_type}"
            )
        if entry.flag_bits & 1:
            raise AssetFormatError(f"file {name!r:.80} must not be encrypted")
        if entry.file_size > entry.compress_size * MAX_DEFLATE_RATIO + 64:
            raise AssetFormatError(
                f"file {name!r:.80} must fit its {entry.compress_size} packed bytes, got {entry.file_size}"
            )
        return entry

    def _load(self, name: str, byte_length: int) -> bytes:
        try:
            with self._zip.open(self._entry(name)) as file:
                return file.read(byte_length)
        except _ZIP_ERRORS as error:
            raise AssetFormatError(f"file {name!r:.80} must unpack, got {error!s:.80}") from error


class FolderFiles(SogFiles):
    """The files of a folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def byte_length(self, name: str) -> int:
        path = self._folder / _plain(name)
        # A link could lead out where the name does not.
        if not path.is_file() or not path.resolve().is_relative_to(self._folder.resolve()):
            raise AssetFormatError(f"its folder must hold {name!r:.80}, found none")
        return path.stat().st_size

    def _load(self, name: str, byte_length: int) -> bytes:
        with (self._folder / _plain(name)).open("rb") as file:
            return file.read(byte_length)


# What the standard library raises on damaged archives, depending on where the damage is.
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(OSError, EOFError, ValueError, NotImplementedError, OverflowError),
)


def _plain(name: str) -> str:
    """Check that a name stays inside its folder: an uploaded file must not read this machine or another."""
    parts = PurePosixPath(name).parts
    strange = not name or len(name) > _MAX_NAME or any(c in name for c in ":\\?#") or not name.isprintable()
    if strange or name.startswith("/") or ".." in parts:
        raise AssetFormatError(f"names of files must stay inside their folder, got {name!r:.80}")
    return name


def _webp_size(data: bytes, name: str) -> tuple[int, int]:
    """Return width and height of a lossless still picture, from its chunks alone."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise AssetFormatError(f"SOG picture {name!r:.80} must be WebP, got {data[:4]!r} first")
    offset = 12
    while offset + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, offset)
        body = offset + 8
        if kind == b"VP8L" and body + 5 <= len(data) and data[body] == 0x2F:
            bits = int.from_bytes(data[body + 1 : body + 5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind in (b"VP8 ", b"ANIM", b"ANMF", b"ALPH"):
            raise AssetFormatError(
                f"SOG picture {name!r:.80} must be a lossless still WebP, got a chunk {kind!r}"
            )
        offset = body + size + size % 2
    raise AssetFormatError(f"SOG picture {name!r:.80} must hold lossless WebP data, found none")
