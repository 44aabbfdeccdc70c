"""Links: who may open a scene, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconstruction.errors import InvalidInputError

from .options import DEFAULT_PORT, AsJson, Port, SceneId, app


@app.command()
def share(
    scene: SceneId,
    scope: Annotated[
        str, typer.Option(help="What its holder may do: view, remix (and fork it), edit (and change it).")
    ] = "view",
    expires: Annotated[
        str | None, typer.Option(help="How long the link works: 30m, 12h, 7d. Not given: for good.")
    ] = None,
    max_opens: Annotated[int | None, typer.Option(help="How often it opens; not given: any number.")] = None,
    password: Annotated[
        str | None, typer.Option(help="Asked of whoever opens it; - reads it from standard input.")
    ] = None,
    embed_origin: Annotated[
        list[str] | None,
        typer.Option(help="A site that may show it in a frame, as https://example.org. Repeatable."),
    ] = None,
    unlisted: Annotated[
        bool, typer.Option("--unlisted", help="Messengers may show title and picture of the scene.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="The same, and it opens without a secret.")
    ] = False,
    port: Port = DEFAULT_PORT,
    as_json: AsJson = False,
) -> None:
    """Make a link to a scene: private, unless asked otherwise."""
    from ..link_commands import share_scene

    if unlisted and public:
        raise InvalidInputError("a link is unlisted or public, both were given", hint="Give one of them.")
    share_scene(
        scene,
        scope=scope,  # type: ignore[arg-type]
        visibility="public" if public else "unlisted" if unlisted else "private",
        expires=expires,
        max_opens=max_opens,
        password=password,
        embed_origins=embed_origin or [],
        port=port,
        as_json=as_json,
    )


@app.command()
def links(scene: SceneId, as_json: AsJson = False) -> None:
    """List a scene's links, and who opened them."""
    from ..link_commands import list_links

    list_links(scene, as_json=as_json)


@app.command()
def revoke(link: Annotated[str, typer.Argument(help="The link, or its id (the part after /v/).")]) -> None:
    """Make a link stop working, also for those who have it open."""
    from ..link_commands import revoke_link

    revoke_link(link)


@app.command()
def pair(
    link: Annotated[str, typer.Argument(help="The whole link, with its # part, of a server that runs.")],
    as_json: AsJson = False,
) -> None:
    """Get six characters that open a link on a headset, where nobody types a whole one."""
    from ..link_commands import pair_link

    pair_link(link, as_json=as_json)


@app.command()
def publish(
    scene: SceneId,
    static: Annotated[Path, typer.Option(help="Folder to write: page, pack and table, for any web host.")],
    url: Annotated[
        str | None, typer.Option(help="Where it will be found, so that messengers show its picture.")
    ] = None,
) -> None:
    """Write a scene as a folder that any web host serves, without a server of yours."""
    from ..link_commands import publish_scene

    publish_scene(scene, static, url=url)
