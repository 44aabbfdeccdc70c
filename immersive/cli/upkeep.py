"""The data folder and the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, app


@app.command()
def archive(
    file: Annotated[Path, typer.Argument(help="The file to write, a plain zip.")], as_json: AsJson = False
) -> None:
    """Take everything along: scenes, recipes, links, jobs and ledgers in one file.

    Of links it holds hashes, so they go on working; the owner's token and private keys stay here.
    """
    from ..archive_command import archive_and_show

    archive_and_show(file, as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `immersive archive` wrote.")], as_json: AsJson = False
) -> None:
    """Add an archive to what is here; everything is checked first, nothing is overwritten."""
    from ..archive_command import restore_and_show

    restore_and_show(file, as_json=as_json)


@app.command()
def gc() -> None:
    """Remove what interrupted runs left on the disk; never a scene."""
    from ..garbage import collect_and_show

    collect_and_show()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at this machine and say what is missing or would make scenes better."""
    from ..scene_commands import show_findings

    show_findings(as_json=as_json)
