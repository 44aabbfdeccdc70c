"""Making scenes: from words, footage, files and stories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconstruction.errors import InvalidInputError

from .options import DEFAULT_PORT, AsJson, Backend, Credit, Extend, Lan, Licence, Moderation, Port, app


@app.command()
def create(
    prompt: Annotated[str | None, typer.Argument(help="One sentence, or a few.")] = None,
    video: Annotated[Path | None, typer.Option(help="A clip instead: mp4, mov or webm.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of photos instead, with or without poses.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="A picture that the prompt's place begins with; not for procedural.")
    ] = None,
    brief: Annotated[
        Path | None, typer.Option(help="A TOML file instead: a prompt, or a whole brief from --explain.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write here: a file as for `export`, or a folder for everything."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another number, another place.")] = None,
    size: Annotated[str | None, typer.Option(help="small, medium (if not given) or large.")] = None,
    quality: Annotated[str | None, typer.Option(help="draft (if not given), standard or high.")] = None,
    title: Annotated[
        str | None, typer.Option(help="Name of the scene; made from the prompt if not given.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="CPU time for fitting, such as 30s or 10m, instead of the quality's; "
            "or what is good enough, such as 28dB."
        ),
    ] = None,
    splats: Annotated[int | None, typer.Option(help="Most splats, instead of the quality's.")] = None,
    depth: Annotated[
        str | None,
        typer.Option(help="A depth model for footage: depth-anything or depth-pro, =FOLDER for own weights."),
    ] = None,
    camera_height: Annotated[
        float | None,
        typer.Option(help="Metres from the ground to the camera of footage; sets the scene's size."),
    ] = None,
    backend: Backend = "procedural",
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars that a hosted backend may cost; refused before beyond.")
    ] = None,
    extend: Extend = 0,
    moderation: Moderation = None,
    licence: Licence = None,
    credit: Credit = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Only show what is understood and what is not; --out FILE.toml writes it to be edited.",
        ),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only queue it; a running server makes it (see `jobs`).")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the scene when it is done.")] = False,
    lan: Lan = False,
    port: Port = DEFAULT_PORT,
    as_json: AsJson = False,
) -> None:
    """Make a scene from a prompt, a clip or photos."""
    from ..create_command import create_and_show, edited_brief, explain_and_stop
    from ..request import CreateRequest, budget_from

    given = None
    if brief is not None:
        if prompt is not None:
            raise InvalidInputError("a prompt and a brief were given", hint="Give one of them.")
        given, own_title = edited_brief(brief, seed=seed, size=size, quality=quality)
        title = title or own_title

    budget_s, enough_db = (None, None) if budget is None else budget_from(budget)
    request = CreateRequest(
        prompt=prompt,
        brief=given,
        video=video,
        images=images,
        image=image,
        seed=0 if seed is None else seed,
        size=size or "medium",  # type: ignore[arg-type]
        quality=quality or "draft",  # type: ignore[arg-type]
        title=title,
        budget_s=budget_s,
        enough_db=enough_db,
        splats=splats,
        depth=depth,
        camera_height_m=camera_height,
        backend=backend,
        most_cost_usd=max_cost,
        extend=extend,
        moderation=moderation,
        is_shared=lan,
        licence=licence,
        credit=credit,
    )
    if explain:
        explain_and_stop(request, out=out, as_json=as_json)
        return
    if detach:
        from ..jobs_command import submit_and_show

        if out is not None or serve:
            raise InvalidInputError(
                "a queued scene can be neither written nor served yet", hint="Leave --out and --serve away."
            )
        submit_and_show(request, as_json=as_json)
        return
    create_and_show(request, out=out, serve=serve, lan=lan, port=port, as_json=as_json)


@app.command()
def story(
    text: Annotated[list[str], typer.Argument(help="A paragraph, or one prompt for each place.")],
    title: Annotated[str | None, typer.Option(help="Name of the story; its beginning if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Another number, other places.")] = 0,
    size: Annotated[str, typer.Option(help="small, medium or large.")] = "medium",
    quality: Annotated[str, typer.Option(help="draft, standard or high.")] = "draft",
    budget: Annotated[str | None, typer.Option(help="CPU time for fitting each place, or dB.")] = None,
    splats: Annotated[int | None, typer.Option(help="Most splats of each place.")] = None,
    backend: Backend = "procedural",
    max_cost: Annotated[
        float | None,
        typer.Option(help="US dollars that all places together may cost; refused before beyond."),
    ] = None,
    extend: Extend = 0,
    moderation: Moderation = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the story when it is done.")] = False,
    lan: Lan = False,
    port: Port = DEFAULT_PORT,
    as_json: AsJson = False,
) -> None:
    """Make several places that are joined by doorways, from a paragraph or prompts."""
    from ..request import CreateRequest, budget_from
    from ..story_command import story_and_show

    budget_s, enough_db = (None, None) if budget is None else budget_from(budget)
    request = CreateRequest(
        prompt="a place",
        seed=seed,
        size=size,  # type: ignore[arg-type]
        quality=quality,  # type: ignore[arg-type]
        budget_s=budget_s,
        enough_db=enough_db,
        splats=splats,
        backend=backend,
        most_cost_usd=max_cost,
        extend=extend,
        moderation=moderation,
        is_shared=lan,
    )
    story_and_show(text, request, title=title, serve=serve, lan=lan, port=port, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="A .ply, .spz, .sog, .splat, .ksplat or .glb file, or meta.json of a SOG.")
    ],
    title: Annotated[
        str | None, typer.Option(help="Name of the scene; the file's name if not given.")
    ] = None,
    frame: Annotated[
        str, typer.Option(help="Axes of a file that does not say: auto, rub (y up) or rdf (y down).")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Make a scene from an existing splat file."""
    from ..create_command import import_and_show

    import_and_show(file, title=title, frame=frame, as_json=as_json)
