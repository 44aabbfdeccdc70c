"""`immersive reports`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import AsJson, SceneId, app

reports = typer.Typer(help="What visitors say must not be shown.", rich_markup_mode=None)
app.add_typer(reports, name="reports")
ReportId = Annotated[str, typer.Argument(help="A report's id (see `immersive reports list`).")]


@reports.command("list")
def reports_list(as_json: AsJson = False) -> None:
    """List reports, those that are to be decided first."""
    from ..reports_command import list_reports

    list_reports(as_json=as_json)


@reports.command("show")
def reports_show(report: ReportId, as_json: AsJson = False) -> None:
    """Show a report, and every scene here with the same bytes."""
    from ..reports_command import show_report

    show_report(report, as_json=as_json)


@reports.command("file")
def reports_file(
    scene: SceneId,
    reason: Annotated[str, typer.Option(help="intimate, privacy, copyright, illegal or other.")],
    statement: Annotated[str, typer.Option(help="What is wrong, in your words.")],
) -> None:
    """Report a scene; it is hidden in 48 hours unless you decide before."""
    from ..reports_command import file_report

    file_report(scene, reason=reason, statement=statement)


@reports.command("decide")
def reports_decide(
    report: ReportId,
    decision: Annotated[str, typer.Argument(help="uphold or dismiss; of an appeal, grant or refuse.")],
    note: Annotated[str | None, typer.Option(help="Why, for the reporter to read.")] = None,
) -> None:
    """Decide a report or the appeal against it; an upheld one hides every identical copy."""
    from ..reports_command import decide_report

    decide_report(report, decision, note=note)


@reports.command("appeal")
def reports_appeal(
    report: ReportId, statement: Annotated[str, typer.Argument(help="Why the decision is wrong.")]
) -> None:
    """Ask for a decision to be looked at again, once."""
    from ..reports_command import appeal_report

    appeal_report(report, statement)
