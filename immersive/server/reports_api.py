"""Routes for reports: a form for whoever has a link, decisions for the owner."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ..reports import MOST_CHARACTERS, MOST_CONTACT_CHARACTERS, Reports
from ..share import Links
from .failures import TooManyRequestsError
from .guard import Guard
from .limits import MAX_ADDRESSES
from .owner import require_owner
from .rates import BucketPerAddress
from .services import Services, address_of

_PER_HOUR = 10  # reports and appeals of one address


class NewReport(BaseModel):
    """A report by somebody who has a link that opens."""

    model_config = ConfigDict(extra="forbid")

    link: str = Field(max_length=64)
    secret: str = Field(max_length=200)
    scene: str | None = Field(default=None, max_length=64, description="A scene that portals lead to.")
    reason: str = Field(max_length=40, description="intimate, privacy, copyright, illegal or other.")
    statement: str = Field(max_length=MOST_CHARACTERS)
    contact: str | None = Field(default=None, max_length=MOST_CONTACT_CHARACTERS)


class Statement(BaseModel):
    """Why a decision is wrong."""

    statement: str = Field(max_length=MOST_CHARACTERS)


class Decision(BaseModel):
    """uphold or dismiss; of an appeal, grant or refuse."""

    decision: str = Field(max_length=40)
    note: str | None = Field(default=None, max_length=MOST_CHARACTERS)


class ReportResponse(BaseModel):
    """A report as whoever asks may see it."""

    report: dict[str, Any]


class ReportList(BaseModel):
    """All reports, those that are to be decided first."""

    reports: list[dict[str, Any]]


def report_routes(services: Services) -> APIRouter:
    """Return the routes below `/api/reports`."""
    router = APIRouter()
    guard = Guard(services)
    home, reports = services.catalog.home, Reports(services.catalog)
    links = Links(services.catalog)
    rates = BucketPerAddress(_PER_HOUR / 3600, _PER_HOUR, MAX_ADDRESSES)

    def count(request: Request) -> None:
        if not rates.take(address_of(request), services.now()):
            raise TooManyRequestsError("too much was reported from here", hint="Wait an hour.")

    @router.post("/api/reports", status_code=201)
    async def file(body: NewReport, request: Request) -> ReportResponse:
        """Report a scene; unless the owner decides before, it is hidden in 48 hours.

        Who sends the bearer of an earlier open needs no password and uses up no open.
        """
        count(request)
        if guard.returning(request, body.link):
            link = links.get(body.link)
        else:
            link = links.open(body.link, body.secret)
        scene_id = link.scene_id if body.scene is None else body.scene
        links.check_way(link, scene_id)
        report = reports.file(scene_id, reason=body.reason, statement=body.statement, contact=body.contact)
        return ReportResponse(report=report.for_reporter())

    @router.get("/api/reports/{report_id}")
    async def get(report_id: str) -> ReportResponse:
        """Say how a report stands, to whoever knows its id."""
        return ReportResponse(report=reports.get(report_id).for_reporter())

    @router.post("/api/reports/{report_id}/appeal")
    async def appeal(report_id: str, body: Statement, request: Request) -> ReportResponse:
        """Ask for a decision to be looked at again, once."""
        count(request)
        return ReportResponse(report=reports.appeal(report_id, body.statement).for_reporter())

    @router.get("/api/reports")
    async def list_reports(request: Request) -> ReportList:
        """List all reports for the owner, with the scenes that have the same bytes."""
        require_owner(home, request)
        found = [
            {**report.as_dict(), "copies": [record.id for record in reports.copies(report)]}
            for report in reports.list()
        ]
        return ReportList(reports=found)

    @router.post("/api/reports/{report_id}/decide")
    async def decide(report_id: str, body: Decision, request: Request) -> ReportResponse:
        """Decide a report or an appeal; who is looking at what is hidden is sent away within a second."""
        require_owner(home, request)
        report = reports.decide(report_id, body.decision, body.note)
        services.viewers.links_changed()
        return ReportResponse(report=report.as_dict())

    return router
