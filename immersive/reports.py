"""What visitors say must not be shown: reports with a clock, decisions that reach every copy, appeals.

A report that nobody decides within 48 hours counts as upheld. Whether a scene may be shown follows from
the reports alone (`Catalog.is_taken_down`), by the bytes of its pack: a copy under another title, made
before or after, is hidden with it. The owner keeps it, for the appeal.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Any

from reconstruction.errors import InvalidInputError

from .catalog import Catalog, SceneRecord
from .errors import QueueFullError, UnknownReportError

REASONS = ("intimate", "privacy", "copyright", "illegal", "other")
CLOCK_S = 48 * 3600.0
MOST_CHARACTERS = 5_000
MOST_CONTACT_CHARACTERS = 200
MOST_OPEN = 1_000  # more are a flood, which the owner cannot read either
MOST_OPEN_PER_SCENE = 20


@dataclass(frozen=True, slots=True)
class Report:
    """One report. Times are seconds since 1970."""

    id: str  # 24 hex digits; who knows it may see how it stands and appeal
    scene_id: str
    content_sha256: str
    reason: str
    statement: str
    contact: str | None
    state: str  # open, upheld or dismissed
    created_at: float
    due_at: float
    decided_at: float | None
    note: str | None
    appeal: str | None
    appealed_at: float | None
    appeal_granted: bool | None
    appeal_decided_at: float | None

    @property
    def is_waiting(self) -> bool:
        """Whether the owner has to decide something."""
        return self.state == "open" or (self.appeal is not None and self.appeal_granted is None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, all of them: for the owner."""
        return asdict(self)

    def for_reporter(self) -> dict[str, Any]:
        """Return what the reporter may know later."""
        names = ("id", "state", "created_at", "due_at", "decided_at", "note", "appealed_at", "appeal_granted")
        return {name: getattr(self, name) for name in names}


class Reports:
    """The reports of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._database = catalog.database

    def file(self, scene_id: str, *, reason: str, statement: str, contact: str | None = None) -> Report:
        """Store a report and return it; its clock runs from now.

        Raises:
            UnknownSceneError: No such scene.
            InvalidInputError: The reason is none of ours, or a text is empty or too long.
            QueueFullError: Too many wait.
        """
        if reason not in REASONS:
            raise InvalidInputError(f"reason must be one of {', '.join(REASONS)}, got {reason[:40]!r}")
        statement = _checked("statement", statement, MOST_CHARACTERS)
        contact = None if contact is None else _checked("contact", contact, MOST_CONTACT_CHARACTERS)
        scene = self._catalog.get(scene_id)
        content, now = self._catalog.content_sha256(scene.id), self._catalog.now()
        report_id = secrets.token_hex(12)
        with self._database.transaction():
            waiting = self._database.read("SELECT content_sha256 FROM report WHERE state = 'open'")
            same = sum(row["content_sha256"] == content for row in waiting)
            if len(waiting) >= MOST_OPEN or same >= MOST_OPEN_PER_SCENE:
                raise QueueFullError("as many reports wait as may", hint="This one is known; try later.")
            self._database.write(
                "INSERT INTO report (id, scene_id, content_sha256, reason, statement, contact, state,"
                " created_at, due_at) VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?)",
                (report_id, scene.id, content, reason, statement, contact, now, now + CLOCK_S),
            )
        return self.get(report_id)

    def get(self, report_id: str) -> Report:
        """Return a report.

        Raises:
            UnknownReportError: There is none.
        """
        rows = self._database.read("SELECT * FROM report WHERE id = ?", (report_id,))
        if not rows:
            raise UnknownReportError(report_id)
        return _report(rows[0])

    def list(self) -> list[Report]:
        """Return all reports: what is to be decided first, by when it is due, then the newest."""
        found = [_report(row) for row in self._database.read("SELECT * FROM report")]
        return sorted(
            found, key=lambda r: (not r.is_waiting, r.due_at if r.is_waiting else -r.created_at, r.id)
        )

    def copies(self, report: Report) -> list[SceneRecord]:
        """Return the scenes that are byte for byte what was reported."""
        return self._catalog.copies(report.content_sha256)

    def decide(self, report_id: str, decision: str, note: str | None = None) -> Report:
        """Decide a report (uphold, dismiss) or the appeal against it (grant, refuse), and return it.

        Raises:
            UnknownReportError: There is none.
            InvalidInputError: This is not to be decided now.
        """
        report = self.get(report_id)
        note = None if note is None else _checked("note", note, MOST_CHARACTERS)
        states = {"uphold": "upheld", "dismiss": "dismissed"}
        if report.state == "open" and decision in states:
            what, values = "state = ?, decided_at = ?, note = ?", (states[decision], note)
        elif report.state != "open" and report.is_waiting and decision in ("grant", "refuse"):
            what = "appeal_granted = ?, appeal_decided_at = ?, note = coalesce(?, note)"
            values = (int(decision == "grant"), note)
        else:
            choices = "uphold or dismiss" if report.state == "open" else "grant or refuse, of an open appeal"
            raise InvalidInputError(f"a decision on this report must be {choices}, got {decision[:40]!r}")
        with self._database.transaction():
            self._database.write(
                f"UPDATE report SET {what} WHERE id = ?",
                (values[0], self._catalog.now(), values[1], report.id),
            )
        return self.get(report.id)

    def appeal(self, report_id: str, statement: str) -> Report:
        """Ask for a decision to be looked at again, once, and return the report.

        Raises:
            UnknownReportError: There is none.
            InvalidInputError: It is not decided yet, or was appealed before.
        """
        report = self.get(report_id)
        statement = _checked("appeal", statement, MOST_CHARACTERS)
        if report.state == "open" or report.appeal is not None:
            why = "is not decided yet" if report.state == "open" else "was appealed before"
            raise InvalidInputError(f"report {report.id!r} {why}", hint="An appeal is against a decision.")
        with self._database.transaction():
            self._database.write(
                "UPDATE report SET appeal = ?, appealed_at = ? WHERE id = ? AND appeal IS NULL",
                (statement, self._catalog.now(), report.id),
            )
        return self.get(report.id)


def _checked(name: str, text: str, most: int) -> str:
    text = text.strip()
    if not 0 < len(text) <= most or not all(c.isprintable() or c in "\n\t" for c in text):
        raise InvalidInputError(f"{name} must be 1 to {most} characters of text")
    return text


def _report(row: Any) -> Report:
    values = dict(row)
    if values["appeal_granted"] is not None:
        values["appeal_granted"] = bool(values["appeal_granted"])
    return Report(**values)
