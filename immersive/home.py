"""Where scenes and keys live: `IMMERSIVE_HOME`, else `~/.immersive`."""

from __future__ import annotations

import os
from pathlib import Path

from reconstruction.errors import InvalidInputError


def home_folder() -> Path:
    """Return the data folder as an absolute path; makes nothing."""
    return Path(os.environ.get("IMMERSIVE_HOME") or Path.home() / ".immersive").expanduser().absolute()


def make_private(folder: Path) -> Path:
    """Make `folder`, readable by its owner alone, and return it.

    Raises:
        InvalidInputError: The path is taken by a file, or may not be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"data folder {str(folder)!r} cannot be made: {error.strerror}",
            hint="Set IMMERSIVE_HOME to a folder that you may write.",
        ) from error
    return folder


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)
