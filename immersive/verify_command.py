"""`immersive verify`: whether a file is as it was signed, in words or for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from .home import home_folder
from .provenance import Verdict, verify_file

# 1 is also the status of what cannot be checked: whatever is not 0 or 3 is not to be relied on.
STATUS = {"verified": 0, "broken": 1, "unsigned": 3}
_COLOURS = {"verified": "green", "broken": "red bold", "unsigned": "yellow"}
_OUT = Console(highlight=False, emoji=False)


def verify_and_show(file: Path, *, as_json: bool) -> None:
    """Print what is known of where a file comes from; the exit status says it too."""
    found = verify_file(file, home_folder())
    if as_json:
        sys.stdout.write(json.dumps({"file": file.name, **asdict(found)}, ensure_ascii=False) + "\n")
    else:
        word = found.state.upper() if found.state == "broken" else found.state
        _OUT.print(f"[{_COLOURS[found.state]}]{word}[/]: {escape(found.reason)}", soft_wrap=True)
        for name, value in _facts(found):
            _OUT.print(f"[dim]{name:<12}[/]{escape(value)}", soft_wrap=True)
    if STATUS[found.state]:
        raise typer.Exit(STATUS[found.state])


def _facts(found: Verdict) -> list[tuple[str, str]]:
    if found.state != "verified":
        return []
    if found.is_by_this_machine:
        by = f"the key of this machine ({found.fingerprint})"
    else:
        key = found.fingerprint or "inside the file"
        by = f"a key that nobody here vouches for ({key}), which calls itself {found.signer!r}"
    made = {True: "yes", False: "no", None: "it does not say"}[found.is_generated]
    kind = f" ({found.source_type.rsplit('/', 1)[-1]})" if found.source_type else ""
    return [
        ("signed by", by),
        ("signed at", f"{found.signed_at or 'unknown'}, by the signer's clock"),
        ("AI-made", made + kind),
        ("made with", found.tool or "unknown"),
    ]
