"""What other people's pages and messengers are told of a link: a card with title and picture, a frame."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

from ..card_loop import LOOP_HEIGHT, LOOP_WIDTH
from ..poster import POSTER_HEIGHT, POSTER_WIDTH

# Without `allow` a frame may not start a headset: by default xr-spatial-tracking is for the top page alone.
FRAME_ALLOW = "xr-spatial-tracking; fullscreen; gyroscope; accelerometer; gamepad; autoplay"
FRAME_WIDTH, FRAME_HEIGHT = 960, 540

PRODUCT = "Immersive"
_PLACE_TO_WALK = "A place to walk in, in a browser or a headset."
_GENERATED = "An AI-generated place to walk in, in a browser or a headset."


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown for a link. `base` is the server's address, without a slash at the end."""

    base: str
    path: str  # of the page
    title: str = PRODUCT
    is_generated: bool = False
    poster: str | None = None  # path of the picture; None: there is none, or it is private
    loop: str | None = None  # path of the moving one, likewise
    oembed: str | None = None  # path of the oEmbed document

    def head(self) -> str:
        """Return the lines for the page's head."""
        described = _GENERATED if self.is_generated else _PLACE_TO_WALK
        tags = {
            "og:type": "website",
            "og:site_name": PRODUCT,
            "og:title": self.title,
            "og:description": described,
            "og:url": self.base + self.path,
        }
        if self.poster is not None:
            tags |= {
                "og:image": self.base + self.poster,
                "og:image:type": "image/jpeg",
                "og:image:width": str(POSTER_WIDTH),
                "og:image:height": str(POSTER_HEIGHT),
                "og:image:alt": self.title,
            }
        if self.loop is not None:
            tags |= {
                "og:video": self.base + self.loop,
                "og:video:type": "video/mp4",
                "og:video:width": str(LOOP_WIDTH),
                "og:video:height": str(LOOP_HEIGHT),
            }
        lines = [f'<meta property="{name}" content="{escape(value)}">' for name, value in tags.items()]
        kind = "summary" if self.poster is None else "summary_large_image"
        lines.append(f'<meta name="twitter:card" content="{kind}">')
        lines.append(f'<meta name="description" content="{escape(described)}">')
        if self.oembed is not None:
            address = escape(self.base + self.oembed)
            lines.append(
                f'<link rel="alternate" type="application/json+oembed" href="{address}"'
                f' title="{escape(self.title)}">'
            )
        return "\n    ".join(lines)

    def oembed_document(self) -> dict[str, Any]:
        """Return the oEmbed document of a link that opens without a secret. Source: oembed.com, 2.3.4."""
        document: dict[str, Any] = {
            "version": "1.0",
            "type": "rich",
            "title": self.title,
            "provider_name": PRODUCT,
            "provider_url": self.base,
            "html": iframe_html(self.base + self.path, self.title),
            "width": FRAME_WIDTH,
            "height": FRAME_HEIGHT,
        }
        if self.poster is not None:
            document |= {
                "thumbnail_url": self.base + self.poster,
                "thumbnail_width": POSTER_WIDTH,
                "thumbnail_height": POSTER_HEIGHT,
            }
        return document


def iframe_html(url: str, title: str = PRODUCT) -> str:
    """Return the element that shows a link in another page; headsets work in it."""
    return (
        f'<iframe src="{escape(url)}" title="{escape(title)}" width="{FRAME_WIDTH}" height="{FRAME_HEIGHT}" '
        f'allow="{FRAME_ALLOW}" allowfullscreen style="border:0"></iframe>'
    )


def with_head(html: str, head: str) -> str:
    """Return a page with more lines in its head; one without a head is left as it is."""
    return html.replace("</head>", f"  {head}\n  </head>", 1)


def link_id_of_url(url: str) -> str | None:
    """Return the id of the link that an address of our page holds, or None."""
    try:
        parts = urlsplit(url).path.strip("/").split("/")
    except ValueError:
        return None
    return parts[1] if len(parts) == 2 and parts[0] == "v" else None
