"""`immersive jobs` and `create --detach`: make scenes beside the terminal, and see what became of them."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .catalog import Catalog
from .home import home_folder
from .jobs.job import Job, spec_of
from .jobs.queue import Jobs
from .request import CreateRequest

_OUT = Console(highlight=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def _jobs() -> Iterator[Jobs]:
    catalog = Catalog(home_folder())
    try:
        yield Jobs(catalog)
    finally:
        catalog.close()


def submit_and_show(request: CreateRequest, *, as_json: bool) -> None:
    """Store a job; it runs while a server or `immersive jobs run` does."""
    with _jobs() as jobs:
        job = jobs.submit(spec_of(request))
    if as_json:
        sys.stdout.write(json.dumps(job.as_dict(), ensure_ascii=False) + "\n")
        return
    _OUT.print(job.id)
    if job.is_final:
        _ERR.print(f"made before: scene {job.scene_id}; immersive share {job.scene_id}")
    else:
        _ERR.print("It is made while `immersive serve` or `immersive jobs run` runs.")


def list_jobs(*, as_json: bool) -> None:
    """Print the newest jobs first."""
    with _jobs() as jobs:
        found = jobs.list()
    if as_json:
        sys.stdout.write(json.dumps([job.as_dict() for job in found], ensure_ascii=False) + "\n")
        return
    if not found:
        _ERR.print('No jobs yet. Ask for a scene: immersive create "a cabin by a lake" --detach')
        return
    table = Table("id", "state", "scene", "asked", "what", box=None, pad_edge=False)
    for job in found:
        asked = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_at))
        table.add_row(job.id, _state(job), job.scene_id or "-", asked, escape(_what(job)[:60]))
    _OUT.print(table)


def show_job(job_id: str, *, as_json: bool) -> None:
    """Print one job and what it took."""
    with _jobs() as jobs:
        job, ledger = jobs.get(job_id), jobs.ledger(job_id)
    if as_json:
        sys.stdout.write(json.dumps({**job.as_dict(), "ledger": ledger}, ensure_ascii=False) + "\n")
        return
    lines = [("state", _state(job)), ("what", _what(job)), ("scene", job.scene_id or "")]
    if job.error is not None:
        lines += [("why", job.error["message"]), ("hint", job.error["hint"] or "")]
    for row in ledger:
        took = f"{row['cpu_seconds']:.1f} CPU-s, {row['gpu_seconds']:.1f} GPU-s, {row['wall_seconds']:.0f} s"
        took += f", {row['bytes_written'] / 1e6:.1f} MB written, {row['peak_memory_bytes'] / 1e9:.1f} GB"
        lines.append((f"attempt {row['attempt']}", f"{row['outcome']}: {took}"))
    for name, value in lines:
        if value:
            _OUT.print(f"[dim]{name:<12}[/]{escape(value)}", soft_wrap=True)


def cancel_job(job_id: str) -> None:
    """Stop a job."""
    with _jobs() as jobs:
        job = jobs.cancel(job_id)
    state = job.state if job.is_final else "being cancelled"
    _ERR.print(f"job {job.id} is {state}", markup=False)


def run_jobs(*, at_once: int, until_empty: bool, ray: str | None) -> None:
    """Make what waits until interrupted; a job that runs then goes back into the queue."""
    from .jobs.supervisor import Supervisor

    home, executor = home_folder(), None
    if ray is not None:
        from .jobs.ray_tasks import RayTasks

        executor = RayTasks(home, ray)
    supervisor = Supervisor(home, at_once=at_once, executor=executor)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    if not until_empty:
        _ERR.print("Making what is asked for. Stop with Ctrl-C.")
    supervisor.run(until_empty=until_empty)


def _state(job: Job) -> str:
    if job.state != "running" or job.progress is None:
        return job.state
    left = job.progress["seconds_left"] or job.progress["stage_seconds_left"]
    tail = f", {left:.0f} s left" if left else ""
    return f"{job.progress['label']} {job.progress['share'] * 100:.0f} %{tail}"


def _what(job: Job) -> str:
    return str(
        next((job.spec[name] for name in ("prompt", "video", "images") if name in job.spec), "refused")
    )
