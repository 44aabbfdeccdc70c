"""Briefs as people write them: a small TOML file with a prompt and what else `create` can be told."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction.errors import InvalidInputError

from .brief import SceneBrief

_LARGEST_BYTES = 64 * 1024  # a prompt has at most 2,000 characters
_TYPES: dict[str, type] = {"title": str, "prompt": str, "seed": int, "size": str, "detail": str}


@dataclass(frozen=True, slots=True)
class BriefFile:
    """A read file: the brief, and the title its author gave it."""

    brief: SceneBrief
    title: str | None


def read_brief(path: Path) -> BriefFile:
    """Read a TOML brief with the keys `prompt` and, if wanted, `title`, `seed`, `size` and `detail`.

    Raises:
        InvalidInputError: The file cannot be read, is not TOML, or a key is unknown or of the wrong type.
    """
    values = _values(path)
    for name, value in values.items():
        wanted = _TYPES.get(name)
        if wanted is None:
            raise InvalidInputError(
                f"{path.name} must use the keys {', '.join(_TYPES)}, got {name!r}", hint="Remove that line."
            )
        # bool is an int to Python, not to people.
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidInputError(f"{name} in {path.name} must be {wanted.__name__}, got {value!r}")
    if "prompt" not in values:
        raise InvalidInputError(f"{path.name} must hold a prompt, got none", hint='Add: prompt = "…"')
    title = values.pop("title", None)
    from .generation.understanding import understand

    return BriefFile(understand(**values), title)


def _values(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InvalidInputError(f"a brief must be at most 64 KiB, got {path.stat().st_size:,} bytes")
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInputError(f"brief not found: {path}", hint="Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path.name} must be TOML in UTF-8, got {error}", hint='It holds lines like: prompt = "a cabin"'
        ) from error
