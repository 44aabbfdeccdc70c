"""What makers of a scene allow and who is to be named: two lines that stay with it."""

from __future__ import annotations

from dataclasses import replace

from reconstruction.errors import InvalidInputError
from streaming.asset import SplatAsset
from streaming.limits import MAX_CREDIT_CHARACTERS


def check_line(name: str, line: str | None) -> None:
    """Raise InvalidInputError unless `line` is None or one printable line of a length that files carry."""
    if line is None:
        return
    if line != line.strip() or not line.isprintable() or len(line) > MAX_CREDIT_CHARACTERS:
        raise InvalidInputError(
            f"{name} must be one line of at most {MAX_CREDIT_CHARACTERS} characters, got {line[:40]!r}",
            hint='For example: "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/".',
        )


def with_terms(asset: SplatAsset, *, licence: str | None, credit: str | None) -> SplatAsset:
    """Return a scene with other terms; None leaves what it says, "" takes it away.

    Raises:
        InvalidInputError: Not a line.
    """
    check_line("licence", licence)
    check_line("credit", credit)
    manifest = asset.manifest
    said = {
        "licence": manifest.licence if licence is None else licence,
        "credit": manifest.credit if credit is None else credit,
    }
    return replace(asset, manifest=replace(manifest, **said))
