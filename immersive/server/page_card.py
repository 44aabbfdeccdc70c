"""What other people's pages and messengers are told of a link: a card with title and picture, a frame."""

from __future__ import annotations

from html import escape

# Without `allow` a frame may not start a headset: by default xr-spatial-tracking is for the top page alone.
FRAME_ALLOW = "xr-spatial-tracking; fullscreen; gyroscope; accelerometer; gamepad; autoplay"
FRAME_WIDTH, FRAME_HEIGHT = 960, 540


def iframe_html(url: str, title: str = "Immersive") -> str:
    """Return the element that shows a link in another page; headsets work in it."""
    return (
        f'<iframe src="{escape(url)}" title="{escape(title)}" width="{FRAME_WIDTH}" height="{FRAME_HEIGHT}" '
        f'allow="{FRAME_ALLOW}" allowfullscreen style="border:0"></iframe>'
    )
