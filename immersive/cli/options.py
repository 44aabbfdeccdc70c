"""The application, and the options that several commands share."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

app = typer.Typer(
    name="immersive",
    help="A prompt becomes a walkable 3D scene that anyone opens by link.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
Licence = Annotated[
    str | None, typer.Option(help="What others may do with it, one line, best with an address.")
]
Credit = Annotated[str | None, typer.Option(help="Who is to be named, one line.")]
Moderation = Annotated[
    str | None,
    typer.Option(
        help="Who looks at prompt and pictures: off, words or http. Not given: words with --lan, else off."
    ),
]
Backend = Annotated[
    str,
    typer.Option(help="What makes a prompt's place: procedural, or a video or world model's NAME[=MODEL]."),
]
Extend = Annotated[
    int,
    typer.Option(
        min=0,
        help="Film up to so many clips on where little can be walked; each takes and costs as the first.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")]
Lan = Annotated[bool, typer.Option("--lan", help="Serve phones and headsets on this network, with TLS.")]
SceneId = Annotated[str, typer.Argument(help="A scene's id, or the beginning of it (see `immersive list`).")]

DEFAULT_PORT = 8765


@app.callback()
def _top() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
