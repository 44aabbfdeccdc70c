"""`immersive reports`: see what visitors reported, and decide."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .catalog import Catalog
from .home import home_folder
from .reports import Report, Reports

_OUT = Console(highlight=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def _reports() -> Iterator[Reports]:
    catalog = Catalog(home_folder())
    try:
        yield Reports(catalog)
    finally:
        catalog.close()


def list_reports(*, as_json: bool) -> None:
    """Print reports, those that are to be decided first."""
    with _reports() as reports:
        found = reports.list()
    if as_json:
        sys.stdout.write(json.dumps([report.as_dict() for report in found], ensure_ascii=False) + "\n")
        return
    if not found:
        _ERR.print("No reports.")
        return
    table = Table("id", "scene", "reason", "stands", box=None, pad_edge=False)
    for report in found:
        table.add_row(report.id, report.scene_id, report.reason, _stands(report))
    _OUT.print(table)


def show_report(report_id: str, *, as_json: bool) -> None:
    """Print one report and the scenes that it hides or would hide."""
    with _reports() as reports:
        report = reports.get(report_id)
        copies = [record.id for record in reports.copies(report)]
    if as_json:
        sys.stdout.write(json.dumps({**report.as_dict(), "copies": copies}, ensure_ascii=False) + "\n")
        return
    lines = (
        ("scene", report.scene_id),
        ("reason", report.reason),
        ("statement", report.statement),
        ("contact", report.contact),
        ("stands", _stands(report)),
        ("note", report.note),
        ("appeal", report.appeal),
        ("copies", ", ".join(copies) or "none is here any more"),
    )
    for name, value in lines:
        if value:
            _OUT.print(f"[dim]{name:<12}[/]{escape(value)}", soft_wrap=True)


def file_report(scene: str, *, reason: str, statement: str) -> None:
    """Report a scene."""
    with _reports() as reports:
        report = reports.file(scene, reason=reason, statement=statement)
    _OUT.print(report.id)
    _ERR.print("It is hidden from visitors in 48 hours unless it is decided before.")


def decide_report(report_id: str, decision: str, *, note: str | None) -> None:
    """Decide a report or an appeal."""
    with _reports() as reports:
        report = reports.decide(report_id, decision, note)
        copies = len(reports.copies(report))
    _ERR.print(f"report {report.id}: {_stands(report)}; {copies} scenes have these bytes", markup=False)


def appeal_report(report_id: str, statement: str) -> None:
    """Appeal against a decision."""
    with _reports() as reports:
        report = reports.appeal(report_id, statement)
    _ERR.print(f"report {report.id}: {_stands(report)}", markup=False)


def _stands(report: Report) -> str:
    if report.state == "open":
        left = (report.due_at - time.time()) / 3600
        return f"to be decided within {left:.0f} h" if left > 0 else "hidden: nobody decided within 48 h"
    if report.appeal is None:
        return report.state
    if report.appeal_granted is None:
        return f"{report.state}, appealed"
    return f"{report.state}, appeal {'granted' if report.appeal_granted else 'refused'}"
