"""Showing scenes, and keeping them in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DEFAULT_PORT, AsJson, Lan, Port, SceneId, app


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    lan: Lan = False,
    cert: Annotated[Path | None, typer.Option(help="Your own certificate (PEM), with --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    insecure: Annotated[bool, typer.Option(help="Allow plain HTTP beyond this machine.")] = False,
    public_url: Annotated[
        str | None, typer.Option(help="The address by which a proxy or tunnel shows this server.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Serve the scene that comes with immersive.")
    ] = False,
) -> None:
    """Serve your scenes; links work while this runs."""
    from ..serve_command import serve_scenes

    serve_scenes(
        host=host,
        port=port,
        lan=lan,
        cert=cert,
        key=key,
        insecure=insecure,
        public_url=public_url,
        sample=sample,
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List your scenes."""
    from ..scene_commands import list_scenes

    list_scenes(as_json=as_json)


@app.command()
def rename(scene: SceneId, title: Annotated[str, typer.Argument(help="The new title.")]) -> None:
    """Give a scene another title."""
    from ..scene_commands import rename_scene

    rename_scene(scene, title)


@app.command()
def delete(
    scene: SceneId, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete a scene, its data and its links."""
    from ..scene_commands import delete_scene

    delete_scene(scene, ask=not yes)
