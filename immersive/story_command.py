"""`immersive story`: make the places of a story, show what became of each, hand out the link."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from .home import home_folder
from .progress import Reporter, Silent, Terminal
from .request import CreateRequest
from .stages import StageStore

_ERR = Console(stderr=True, highlight=False, emoji=False)


def story_and_show(
    text: Sequence[str],
    request: CreateRequest,
    *,
    title: str | None,
    serve: bool,
    lan: bool,
    port: int,
    as_json: bool,
) -> None:
    """Create a story; with `serve`, keep serving until interrupted. One text is a paragraph to be cut."""
    from .generation.storyboard import plan_story
    from .moderating import moderate_text
    from .serve_command import show_link, tell_owner_token, wait_for_interrupt
    from .summary import show_brief

    home = home_folder()
    # As a whole: what is refused may be spread over several places.
    moderate_text("\n".join([*text, title or ""]), request)
    given = text[0] if len(text) == 1 else text
    story = plan_story(
        given,
        title=title,
        seed=request.seed,
        size=request.size,
        detail=request.quality,
        environment=os.environ,
        store=StageStore(home / "stages"),
    )
    if not as_json:
        for note in story.notes:
            _ERR.print(f"[dim]{note}[/]")
        for place, brief in enumerate(story.briefs, 1):
            _ERR.print(f"[bold]{place}[/] {brief.prompt}")
            show_brief(_ERR, brief)
    with ExitStack() as stack:
        base, info = f"http://127.0.0.1:{port}", None
        if serve or lan:
            from .server.run import start_in_thread

            info = stack.enter_context(start_in_thread(home, port=port, lan=lan))
            base = info.url
        with Terminal() if not as_json else ExitStack() as bars:
            from .story import make_story  # heavy: torch comes with it

            reporter: Reporter = bars if isinstance(bars, Terminal) else Silent()
            made = make_story(story, request, home=home, reporter=reporter)
        url = base + made.link.path
        if as_json:
            places = [
                {
                    "id": record.id,
                    "title": record.title,
                    "quality": record.as_dict()["quality"],
                    "walkability": record.as_dict()["walkability"],
                    "brief": asdict(brief),
                }
                for record, brief in zip(made.records, made.briefs, strict=True)
            ]
            told = {"title": made.title, "link": url, "places": places, "notes": list(made.notes)}
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            table = Table("", "place", "quality", "walkable", "splats", box=None, pad_edge=False)
            for place, record in enumerate(made.records, 1):
                reports = (record.quality, record.walkability)
                verdicts = [report.verdict if report else "-" for report in reports]
                table.add_row(str(place), record.title, *verdicts, f"{record.splat_count:,}")
            _ERR.print(table)
            for note in made.notes[len(story.notes) :]:
                _ERR.print(f"[dim]{note}[/]")
            show_link(url, info)
        if info is not None:
            tell_owner_token(info)
            wait_for_interrupt()
