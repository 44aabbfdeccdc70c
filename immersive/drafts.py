"""What people see of a scene while it is fitted: a few versions, each made only if somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from reconstruction.splats import SplatCloud
from streaming.errors import AssetFormatError

from .camera_path import camera_path
from .growing import Growing

if TYPE_CHECKING:
    from .sources import Source

# The share of a fit after which the next draft is due. A draft takes seconds, a fit minutes; late ones
# would be replaced by the finished scene before they were looked at.
_DUE = (0.0, 0.1, 0.3, 0.6)


class Drafts:
    """The drafts of one scene. Without `growing` there are none."""

    def __init__(self, growing: Growing | None, source: Source) -> None:
        self._growing, self._source = growing, source
        self._shown = 0

    def show(self, cloud: Callable[[], SplatCloud], share: float) -> None:
        """Show the splats as they are if a draft is due and anyone looks."""
        from streaming.assemble import build_asset

        growing, due = self._growing, sum(share >= at for at in _DUE)
        if growing is None or due <= self._shown or not growing.is_watched:
            return
        self._shown = due
        source = self._source
        with suppress(AssetFormatError):  # nothing of it is visible yet
            growing.show_splats(
                build_asset(
                    cloud(),
                    title=source.title,
                    recipe={"draft_of": growing.scene_id, "share": round(share, 3)},
                    provenance=source.frames.provenance,
                    camera_path=camera_path(source.frames),
                    is_draft=True,
                )
            )
