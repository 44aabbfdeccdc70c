"""What a job is, and what may be asked of one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import immersive
from reconstruction.errors import InvalidInputError

from ..request import CreateRequest
from ..stages import stage_digest

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: frozenset[str] = frozenset(("done", "failed", "cancelled"))

_PATHS = frozenset(("video", "images", "image"))
# An edited brief has no plain form yet that would come back the same.
_FIELDS = frozenset(field.name for field in fields(CreateRequest)) - {"brief"}


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands. Times are seconds since 1970."""

    id: str  # 12 hex digits
    spec: dict[str, Any]  # fields of `CreateRequest`; empty when moderation refused what was asked
    digest: str  # equal digests ask for the same scene
    state: State
    attempt: int  # how often it was begun
    created_at: float
    not_before: float
    started_at: float | None  # of the last attempt
    finished_at: float | None
    worker: str | None  # who holds the lease
    lease_until: float | None
    is_cancelled: bool  # asked for; the state follows when the worker is gone
    is_reused: bool  # answered by an equal job's scene, for nothing
    progress: dict[str, Any] | None  # stage, label, share 0..1, note, seconds_left of stage and of all
    scene_id: str | None  # of one that is still being made, while the job runs
    error: dict[str, Any] | None  # code, message, hint

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; who works on it is nobody's business."""
        names = ("id", "state", "attempt", "created_at", "started_at", "finished_at", "is_cancelled")
        names += ("is_reused", "progress", "scene_id", "error")
        return {name: getattr(self, name) for name in names} | {"request": self.spec}


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job. Ids grow over all jobs."""

    id: int
    job_id: str
    at: float
    kind: Literal["state", "stage", "progress"]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one attempt took, of the process and of all that it started."""

    outcome: str  # done, failed, cancelled, lost or released
    cpu_seconds: float
    gpu_seconds: float  # 0 where nobody measures it
    wall_seconds: float
    bytes_written: int  # to the disk, as the kernel counts
    peak_memory_bytes: int


def job_from_row(row: Any) -> Job:
    """Return the job of a row of the table."""
    values = dict(row)
    for name in ("spec", "progress", "error"):
        values[name] = None if values[name] is None else json.loads(values[name])
    for name in ("is_cancelled", "is_reused"):
        values[name] = bool(values[name])
    return Job(**values)


def spec_of(request: CreateRequest) -> dict[str, Any]:
    """Return a request as plain values, those that say something; `request_of` turns them back.

    Raises:
        InvalidInputError: It carries an edited brief, which only a run in the foreground takes.
    """
    if request.brief is not None:
        raise InvalidInputError("a brief cannot be made by a job", hint="Create it without --detach.")
    plain = CreateRequest(prompt="a place")
    spec = {}
    for name in sorted(_FIELDS):
        value = getattr(request, name)
        if name == "prompt" or value != getattr(plain, name):
            spec[name] = str(value.absolute()) if isinstance(value, Path) else value
    return spec


def request_of(spec: Mapping[str, Any]) -> CreateRequest:
    """Return the request of a spec, checked again.

    Raises:
        InvalidInputError: It cannot be used, or a file that it names is gone.
    """
    unknown = sorted(set(spec) - _FIELDS)
    if unknown:
        raise InvalidInputError(f"a job knows no {unknown[0]!r}", hint="A newer immersive asked for it.")
    values = {name: Path(value) if name in _PATHS else value for name, value in spec.items()}
    return CreateRequest(**values)


def digest_of(spec: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> str | None:
    """Return the name of what a spec asks for, by which a scene made before is found; None: it has none.

    Files may have changed since, so only what is made from words has a name. The settings that decide
    how words are read and who looks at pictures belong to it.
    """
    if any(spec.get(name) is not None for name in _PATHS):
        return None
    found = os.environ if environment is None else environment
    settings = sorted(
        (name, value)
        for name, value in found.items()
        if name.startswith("IMMERSIVE_") and name != "IMMERSIVE_HOME"
    )
    return stage_digest("job", dict(spec), settings, immersive.__version__)
