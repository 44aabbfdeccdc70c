"""`immersive jobs`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import AsJson, app

jobs = typer.Typer(help="Scenes that are made beside the terminal.", rich_markup_mode=None)
app.add_typer(jobs, name="jobs")
JobId = Annotated[str, typer.Argument(help="A job's id (see `immersive jobs list`).")]


@jobs.command("list")
def jobs_list(as_json: AsJson = False) -> None:
    """List the newest jobs."""
    from ..jobs_command import list_jobs

    list_jobs(as_json=as_json)


@jobs.command("show")
def jobs_show(job: JobId, as_json: AsJson = False) -> None:
    """Say how a job stands and what it took."""
    from ..jobs_command import show_job

    show_job(job, as_json=as_json)


@jobs.command("cancel")
def jobs_cancel(job: JobId) -> None:
    """Stop a job."""
    from ..jobs_command import cancel_job

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
    from ..jobs_command import run_jobs

    run_jobs(at_once=at_once, until_empty=until_empty, ray=ray)
