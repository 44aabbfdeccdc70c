"""This package's branch of the error tree: stores, links and the server."""

from __future__ import annotations

import errno

from reconstruction.errors import ImmersiveError, InvalidInputError


class DiskFullError(ImmersiveError, OSError):
    """There is no room for a result; nothing was left half-written."""

    code = "disk_full"
    hint = (
        "Free some space, or set IMMERSIVE_HOME to a folder on another disk, and run the same command again."
    )


class StoreError(ImmersiveError, OSError):
    """The catalog or a pack cannot be read or written."""

    code = "store_failed"


class UnknownSceneError(ImmersiveError, KeyError):
    """No scene has this id."""

    code = "scene_unknown"
    hint = "See `immersive list` for the ids."

    def __init__(self, scene_id: str, why: str = "does not exist") -> None:
        super().__init__(f"scene {scene_id!r} {why}")

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote the sentence


class SceneGrowingError(StoreError):
    """A scene has nothing to show yet."""

    code = "scene_growing"
    hint = "Ask again in a moment."


class UnknownJobError(ImmersiveError, KeyError):
    """No job has this id."""

    code = "job_unknown"
    hint = "See `immersive jobs list` for the ids."

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id[:40]!r} does not exist")

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownReportError(ImmersiveError, KeyError):
    """No report has this id."""

    code = "report_unknown"
    hint = "See `immersive reports list` for the ids."

    def __init__(self, report_id: str) -> None:
        super().__init__(f"report {report_id[:40]!r} does not exist")

    def __str__(self) -> str:
        return str(self.args[0])


class QueueFullError(ImmersiveError):
    """As many jobs wait as may wait."""

    code = "queue_full"
    hint = "Wait until some are done, or cancel one."


class LinkError(ImmersiveError, PermissionError):
    """A share link does not open its scene. Each subclass has its own code."""

    hint = "Ask whoever sent it for a new link."


class UnknownLinkError(LinkError):
    """No such link, or its secret is wrong; which of the two is not told."""

    code = "link_unknown"


class ExpiredLinkError(LinkError):
    """The link's time is over."""

    code = "link_expired"


class RevokedLinkError(LinkError):
    """The owner took the link back."""

    code = "link_revoked"


class UsedUpLinkError(LinkError):
    """The link was opened as often as it may be."""

    code = "link_used_up"


class LinkPasswordError(LinkError):
    """The link's password is missing or wrong; which of the two is not told."""

    code = "link_password"
    hint = "Ask whoever sent the link for its password."


class RefusedError(ImmersiveError, PermissionError):
    """Moderation does not let this be made; nothing of it was kept."""

    code = "refused"


class ArchiveError(InvalidInputError):
    """A file is no archive, or a damaged one; nothing of it was taken."""

    code = "archive_refused"


class ServerError(ImmersiveError, OSError):
    """The server cannot listen where it was told to."""

    code = "cannot_serve"


class HostedError(ImmersiveError, OSError):
    """A hosted model refused, failed or did not answer."""

    code = "hosted_failed"


class TooDearError(InvalidInputError):
    """It would cost more than the user allows, or nobody knows what it costs."""


def is_disk_full(error: OSError) -> bool:
    """Whether `error` says that the disk or the user's share of it is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class ConnectionRefusedByServerError(ImmersiveError, ConnectionError):
    """The server does not show the scene, and says why. `status` is HTTP's or the socket's close code."""

    code = "refused"

    def __init__(self, message: str, *, status: int, code: str = "refused", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
