"""`immersive create` and `immersive import`: make a scene, show what became of it, hand out its link."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from reconstruction.errors import InvalidInputError

from .brief import SceneBrief
from .catalog import Catalog
from .exporting import check_target, write_out
from .home import home_folder
from .progress import Reporter, Silent, Terminal
from .request import CreateRequest
from .share import Links, ShareLink
from .stages import StageStore

_ERR = Console(stderr=True, highlight=False, emoji=False)


def create_and_show(
    request: CreateRequest, *, out: Path | None, serve: bool, lan: bool, port: int, as_json: bool
) -> None:
    """Create a scene; with `serve`, keep serving until interrupted.

    The server starts before the work, so that a port that is taken is known at once and not after minutes.
    """
    home = home_folder()
    if out is not None:
        check_target(out)
    if request.prompt is not None:
        from .moderating import moderate_prompt
        from .summary import show_brief

        moderate_prompt(request)  # before a language model is asked
        # What is shown is what is built: the request carries this very brief from here on.
        request = replace(request, brief=_brief_of(request))
        assert request.brief is not None
        if not as_json:
            show_brief(_ERR, request.brief)
    with ExitStack() as stack:
        base = f"http://127.0.0.1:{port}"
        info = None
        if serve or lan:
            from .server.run import start_in_thread

            info = stack.enter_context(start_in_thread(home, port=port, lan=lan))
            base = info.url
        with Terminal() if not as_json else ExitStack() as bars:
            from .pipeline import create_scene  # heavy: torch comes with it

            reporter: Reporter = bars if isinstance(bars, Terminal) else Silent()

            def tell_link(link: ShareLink) -> None:
                if info is not None and isinstance(bars, Terminal):
                    bars.say(f"Watch it grow: {base}{link.path}")

            scene = create_scene(request, home=home, reporter=reporter, on_link=tell_link)
        from .summary import as_json_object, show_report

        url = base + scene.link.path
        report = as_json_object(scene, url)
        if out is not None:
            write_out(Catalog(home).asset(scene.record.id), report, scene.pictures, out)
        if as_json:
            sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            show_report(_ERR, scene)
        from .serve_command import show_link, tell_owner_token, wait_for_interrupt

        if not as_json:
            show_link(url, info)
        if info is not None:
            tell_owner_token(info)
            wait_for_interrupt()


def explain_and_stop(request: CreateRequest, *, out: Path | None, as_json: bool) -> None:
    """Show what a prompt is understood as, on standard output, and write it where `out` says.

    Raises:
        InvalidInputError: The source is no prompt, or `out` is no TOML file that can be written.
    """
    from .summary import show_brief, show_elements

    if request.prompt is None:
        raise InvalidInputError("only a prompt or a brief can be explained", hint="Give a prompt.")
    if out is not None:
        _check_brief_target(out)
    brief = _brief_of(request)
    if as_json:
        sys.stdout.write(brief.to_json() + "\n")
    else:
        console = Console(highlight=False, emoji=False)
        show_brief(console, brief)
        show_elements(console, brief)
    if out is not None:
        from .brief_file import write_brief

        out.write_text(write_brief(brief, request.title), "utf-8")
        if not as_json:
            _ERR.print(f"Edit {out}, then: immersive create --brief {out}", markup=False)


def edited_brief(
    path: Path, *, seed: int | None, size: str | None, quality: str | None
) -> tuple[SceneBrief, str | None]:
    """Return the brief and the title of a TOML file; options that are given outweigh it.

    Raises:
        InvalidInputError: The file or an option cannot be used.
    """
    from .brief_file import read_brief
    from .generation.brief_checks import check_choice

    found = read_brief(path, environment=os.environ, store=StageStore(home_folder() / "stages"))
    changed: dict[str, Any] = {} if seed is None else {"seed": seed}
    for name, value in (("size", size), ("detail", quality)):
        if value is not None:
            changed[name] = check_choice(name, value, "of a brief")
    return replace(found.brief, **changed), found.title


def _brief_of(request: CreateRequest) -> SceneBrief:
    if request.brief is not None:
        return request.brief
    from .prompt_brief import brief_of

    assert request.prompt is not None
    return brief_of(
        request.prompt,
        seed=request.seed,
        size=request.size,
        detail=request.quality,
        environment=os.environ,
        store=StageStore(home_folder() / "stages"),
    )


def _check_brief_target(path: Path) -> None:
    if path.suffix != ".toml" or path.is_dir():
        raise InvalidInputError(
            f"a brief is written as one .toml file, got {path.name!r}", hint="For example: --out brief.toml"
        )
    if not path.absolute().parent.is_dir():
        raise InvalidInputError(f"folder {path.absolute().parent} does not exist", hint="Make it first.")


def import_and_show(file: Path, *, title: str | None, frame: str, as_json: bool) -> None:
    """Make a scene of an existing splat file; it has no truth to be measured against."""
    from .importing import import_asset
    from .poster import ensure_poster
    from .serve_command import DEFAULT_BASE, show_link

    asset, notes = import_asset(file, title=title, frame=frame, tell=_ERR.print)
    for note in notes:
        _ERR.print(f"note: {note}", markup=False, soft_wrap=True)
    catalog = Catalog(home_folder())
    prompt = asset.manifest.recipe.get("prompt")
    record = catalog.publish(asset, backend="import", prompt=prompt if isinstance(prompt, str) else None)
    ensure_poster(catalog, record)
    url = DEFAULT_BASE + Links(catalog).create(record.id).path
    if as_json:
        facts = {"id": record.id, "link": url, "title": record.title}
        sizes = {"splat_count": record.splat_count, "byte_length": record.byte_length}
        told = {"notes": list(notes)}
        sys.stdout.write(json.dumps({**facts, **sizes, **told}, ensure_ascii=False) + "\n")
        return
    _ERR.print(
        f"{record.title}: {record.splat_count:,} splats, {record.byte_length / 1e6:.1f} MB", markup=False
    )
    show_link(url, None)
