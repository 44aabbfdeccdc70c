"""The owner's routes for jobs: ask for a scene, watch it being made, stop it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from ..jobs.job import JobEvent, spec_of
from ..jobs.queue import Jobs
from ..request import CreateRequest, budget_from
from .failures import TooManyRequestsError
from .owner import require_owner
from .services import Services

MOST_WATCHERS = 50  # event streams that are open at once
_POLL_S = 0.25
_KEEP_ALIVE_S = 15.0  # proxies drop a connection on which nothing is sent for a minute


class NewJob(BaseModel):
    """A scene to be made from words; fields as the options of `immersive create`."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(max_length=20_000)
    seed: int = 0
    size: str = "medium"
    quality: str = "draft"
    title: str | None = Field(default=None, max_length=1_000)
    budget: str | None = Field(default=None, max_length=20, description="Such as 30s, 10m or 28dB.")
    splats: int | None = None
    backend: str = Field(default="procedural", max_length=200)
    max_cost: float | None = None
    extend: int = 0
    moderation: str | None = Field(default=None, max_length=20)
    licence: str | None = Field(default=None, max_length=1_000)
    credit: str | None = Field(default=None, max_length=1_000)

    def request(self) -> CreateRequest:
        """Return what `create` would make of it.

        Raises:
            InvalidInputError: It cannot be used.
        """
        budget_s, enough_db = (None, None) if self.budget is None else budget_from(self.budget)
        same = self.model_dump(exclude={"budget", "max_cost"})
        return CreateRequest(
            **same, budget_s=budget_s, enough_db=enough_db, most_cost_usd=self.max_cost, is_shared=True
        )


class JobResponse(BaseModel):
    """One job, and where it is watched."""

    job: dict[str, Any]
    events: str


class JobList(BaseModel):
    """The newest jobs first."""

    jobs: list[dict[str, Any]]


def job_routes(services: Services) -> APIRouter:
    """Return the routes below `/api/jobs`."""
    router = APIRouter()
    home, jobs = services.catalog.home, Jobs(services.catalog)
    watchers = asyncio.Semaphore(MOST_WATCHERS)

    def told(job_id: str) -> JobResponse:
        return JobResponse(job=jobs.get(job_id).as_dict(), events=f"/api/jobs/{job_id}/events")

    @router.post("/api/jobs", status_code=202)
    async def submit(body: NewJob, request: Request) -> JobResponse:
        """Ask for a scene; what was made before, or is being made, is not made again."""
        require_owner(home, request)
        return told(jobs.submit(spec_of(body.request())).id)

    @router.get("/api/jobs")
    async def list_jobs(request: Request) -> JobList:
        """List the newest hundred jobs."""
        require_owner(home, request)
        return JobList(jobs=[job.as_dict() for job in jobs.list()])

    @router.get("/api/jobs/{job_id}")
    async def get_job(job_id: str, request: Request) -> JSONResponse:
        """Describe a job and what its attempts took."""
        require_owner(home, request)
        return JSONResponse({**told(job_id).model_dump(), "ledger": jobs.ledger(job_id)})

    @router.post("/api/jobs/{job_id}/cancel")
    async def cancel(job_id: str, request: Request) -> JobResponse:
        """Stop a job; its process is killed within a second."""
        require_owner(home, request)
        return told(jobs.cancel(job_id).id)

    @router.get("/api/jobs/{job_id}/events", response_class=StreamingResponse)
    async def events(job_id: str, request: Request) -> StreamingResponse:
        """Send what happens to a job as server-sent events, from the one after `Last-Event-ID` on."""
        require_owner(home, request)
        jobs.get(job_id)
        given = request.headers.get("last-event-id", "0")
        after = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
        if watchers.locked():
            raise TooManyRequestsError(f"{MOST_WATCHERS} jobs are watched already", hint="Close a page.")
        return StreamingResponse(
            stream(job_id, after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def stream(job_id: str, after: int) -> AsyncIterator[str]:
        clock = asyncio.get_running_loop().time
        async with watchers:
            said_at = clock()
            yield "retry: 1500\n\n"
            while not services.viewers.is_draining:
                is_final = jobs.get(job_id).is_final  # before the events: the last one is not missed
                found = jobs.events(job_id, after)
                for event in found:
                    after, said_at = event.id, clock()
                    yield _framed(event)
                if is_final and not found:
                    return
                if clock() - said_at > _KEEP_ALIVE_S:
                    said_at = clock()
                    yield ": still here\n\n"
                await asyncio.sleep(0 if is_final else _POLL_S)

    return router


def _framed(event: JobEvent) -> str:
    facts = json.dumps({"at": event.at, **event.facts}, ensure_ascii=False)
    return f"id: {event.id}\nevent: {event.kind}\ndata: {facts}\n\n"
