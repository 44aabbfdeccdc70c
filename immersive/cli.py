"""The command line. Bodies import late, so `immersive --help` loads no heavy package.

Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a failure we
explain, 2 wrong usage, 3 unsigned (of `verify`), 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from reconstruction.errors import ImmersiveError, InvalidInputError
from streaming.devices import FILE_DEVICES

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

jobs = typer.Typer(help="Scenes that are made beside the terminal.", rich_markup_mode=None)
app.add_typer(jobs, name="jobs")
JobId = Annotated[str, typer.Argument(help="A job's id (see `immersive jobs list`).")]

reports = typer.Typer(help="What visitors say must not be shown.", rich_markup_mode=None)
app.add_typer(reports, name="reports")
ReportId = Annotated[str, typer.Argument(help="A report's id (see `immersive reports list`).")]

# Typer carries its own copy of click and exports few of its errors; this is the base of those about usage.
_UsageError: Any = typer.BadParameter.__base__


@app.callback()
def _top() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


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
    from .create_command import create_and_show, edited_brief, explain_and_stop
    from .request import CreateRequest, budget_from

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
        from .jobs_command import submit_and_show

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
    from .request import CreateRequest, budget_from
    from .story_command import story_and_show

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
    from .create_command import import_and_show

    import_and_show(file, title=title, frame=frame, as_json=as_json)


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
    from .serve_command import serve_scenes

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
    from .scene_commands import list_scenes

    list_scenes(as_json=as_json)


@app.command()
def rename(scene: SceneId, title: Annotated[str, typer.Argument(help="The new title.")]) -> None:
    """Give a scene another title."""
    from .scene_commands import rename_scene

    rename_scene(scene, title)


@app.command()
def delete(
    scene: SceneId, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete a scene, its data and its links."""
    from .scene_commands import delete_scene

    delete_scene(scene, ask=not yes)


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
    from .link_commands import share_scene

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
    from .link_commands import list_links

    list_links(scene, as_json=as_json)


@app.command()
def revoke(link: Annotated[str, typer.Argument(help="The link, or its id (the part after /v/).")]) -> None:
    """Make a link stop working, also for those who have it open."""
    from .link_commands import revoke_link

    revoke_link(link)


@app.command()
def publish(
    scene: SceneId,
    static: Annotated[Path, typer.Option(help="Folder to write: page, pack and table, for any web host.")],
    url: Annotated[
        str | None, typer.Option(help="Where it will be found, so that messengers show its picture.")
    ] = None,
) -> None:
    """Write a scene as a folder that any web host serves, without a server of yours."""
    from .link_commands import publish_scene

    publish_scene(scene, static, url=url)


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
    from .scene_commands import export_scene

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
    from .verify_command import verify_and_show

    verify_and_show(file, as_json=as_json)


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="A splat file.")], as_json: AsJson = False) -> None:
    """Say what a splat file is and every rule that it breaks."""
    from .scene_commands import inspect_file

    inspect_file(file, as_json=as_json)


@app.command()
def archive(
    file: Annotated[Path, typer.Argument(help="The file to write, a plain zip.")], as_json: AsJson = False
) -> None:
    """Take everything along: scenes, recipes, links, jobs and ledgers in one file.

    Of links it holds hashes, so they go on working; the owner's token and private keys stay here.
    """
    from .archive_command import archive_and_show

    archive_and_show(file, as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `immersive archive` wrote.")], as_json: AsJson = False
) -> None:
    """Add an archive to what is here; everything is checked first, nothing is overwritten."""
    from .archive_command import restore_and_show

    restore_and_show(file, as_json=as_json)


@app.command()
def gc() -> None:
    """Remove what interrupted runs left on the disk; never a scene."""
    from .garbage import collect_and_show

    collect_and_show()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at this machine and say what is missing or would make scenes better."""
    from .scene_commands import show_findings

    show_findings(as_json=as_json)


@jobs.command("list")
def jobs_list(as_json: AsJson = False) -> None:
    """List the newest jobs."""
    from .jobs_command import list_jobs

    list_jobs(as_json=as_json)


@jobs.command("show")
def jobs_show(job: JobId, as_json: AsJson = False) -> None:
    """Say how a job stands and what it took."""
    from .jobs_command import show_job

    show_job(job, as_json=as_json)


@jobs.command("cancel")
def jobs_cancel(job: JobId) -> None:
    """Stop a job."""
    from .jobs_command import cancel_job

    cancel_job(job)


@jobs.command("run")
def jobs_run(
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Most jobs at the same time.")] = 1,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing waits.")] = False,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="On a Ray cluster: HOST:PORT, or auto for this machine's."),
    ] = None,
) -> None:
    """Make what waits; `serve` does so, too."""
    from .jobs_command import run_jobs

    run_jobs(at_once=at_once, until_empty=until_empty, ray=ray)


@reports.command("list")
def reports_list(as_json: AsJson = False) -> None:
    """List reports, those that are to be decided first."""
    from .reports_command import list_reports

    list_reports(as_json=as_json)


@reports.command("show")
def reports_show(report: ReportId, as_json: AsJson = False) -> None:
    """Show a report, and every scene here with the same bytes."""
    from .reports_command import show_report

    show_report(report, as_json=as_json)


@reports.command("file")
def reports_file(
    scene: SceneId,
    reason: Annotated[str, typer.Option(help="intimate, privacy, copyright, illegal or other.")],
    statement: Annotated[str, typer.Option(help="What is wrong, in your words.")],
) -> None:
    """Report a scene; it is hidden in 48 hours unless you decide before."""
    from .reports_command import file_report

    file_report(scene, reason=reason, statement=statement)


@reports.command("decide")
def reports_decide(
    report: ReportId,
    decision: Annotated[str, typer.Argument(help="uphold or dismiss; of an appeal, grant or refuse.")],
    note: Annotated[str | None, typer.Option(help="Why, for the reporter to read.")] = None,
) -> None:
    """Decide a report or the appeal against it; an upheld one hides every identical copy."""
    from .reports_command import decide_report

    decide_report(report, decision, note=note)


@reports.command("appeal")
def reports_appeal(
    report: ReportId, statement: Annotated[str, typer.Argument(help="Why the decision is wrong.")]
) -> None:
    """Ask for a decision to be looked at again, once."""
    from .reports_command import appeal_report

    appeal_report(report, statement)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; no traceback reaches a user for a failure we explain."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in arguments
    try:
        status = app(arguments, prog_name="immersive", standalone_mode=False)
    except _UsageError as error:
        hint = f"See `{error.ctx.command_path} --help`." if error.ctx else "See `immersive --help`."
        return _fail("usage", _one_line(error.format_message()), hint, as_json, status=2)
    except ImmersiveError as error:
        return _fail(error.code, _one_line(str(error)), error.hint, as_json, status=1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", "stopped", "Run the same command again to go on.", as_json, status=130)
    except BrokenPipeError:  # the reader of our output left, as in `immersive list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(
            "os_error", _one_line(str(error)), "Check the path and its permissions.", as_json, status=1
        )
    return status if isinstance(status, int) else 0


def _fail(code: str, message: str, hint: str | None, as_json: bool, *, status: int) -> int:
    if as_json:
        problem: dict[str, Any] = {"code": code, "message": message, "hint": hint}
        print(json.dumps({"error": problem}, ensure_ascii=False))
    else:
        print(f"immersive: {message}", file=sys.stderr)
        if hint:
            print(f"  {hint}", file=sys.stderr)
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
