"""Scenes as files for other programs, and what files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streaming.devices import FILE_DEVICES

from .options import AsJson, Credit, Licence, SceneId, app


@app.command()
def export(
    scene: SceneId,
    to: Annotated[
        Path, typer.Option(help="The file to write: .glb, .sog, .spz, .ply, tileset.json and more.")
    ],
    licence: Licence = None,
    credit: Credit = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign it with this machine's key: C2PA, in FILE.c2pa beside it.")
    ] = False,
    max_bytes: Annotated[
        str | None, typer.Option(help="The best picture in so many bytes: 8MB, 800KB, 1.5MiB.")
    ] = None,
    min_psnr: Annotated[
        float | None, typer.Option(help="The smallest file that looks so much like the scene, in dB: 35.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help=f"What a device draws and loads: {', '.join(FILE_DEVICES)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a scene as a file that other tools open; the ending decides what.

    .glb and .compact.glb (eight-bit turns and opacities) hold everything; splats alone go into .sog,
    meta.json (SOG in a folder), .spz, .ply, .compressed.ply, .splat, and for 3D Tiles .spz.glb and
    tileset.json. Made to fit bytes, decibels or a device, a scene loses the splats that are seen least;
    what is lost is measured on views that had no part in the choice, and printed.
    """
    from ..scene_commands import export_scene

    export_scene(
        scene,
        to,
        licence=licence,
        credit=credit,
        sign=sign,
        max_bytes=max_bytes,
        min_psnr=min_psnr,
        device=device,
        as_json=as_json,
    )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file with its .c2pa beside it.")], as_json: AsJson = False
) -> None:
    """Say whether a file is as it was signed, by whom, and whether it is AI-made.

    Exit status: 0 verified, 3 unsigned, 1 broken or not to be checked.
    """
    from ..verify_command import verify_and_show

    verify_and_show(file, as_json=as_json)


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="A splat file.")], as_json: AsJson = False) -> None:
    """Say what a splat file is and every rule that it breaks."""
    from ..scene_commands import inspect_file

    inspect_file(file, as_json=as_json)
