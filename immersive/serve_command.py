"""`immersive serve`, and how a link is shown: address, QR code where a phone can use it, headset help."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from reconstruction.errors import InvalidInputError

from .catalog import Catalog
from .home import home_folder
from .share import Links

if TYPE_CHECKING:
    from .server.run import ServerInfo

DEFAULT_BASE = "http://127.0.0.1:8765"

_ERR = Console(stderr=True, highlight=False, emoji=False)


def serve_scenes(
    *,
    host: str,
    port: int,
    lan: bool,
    cert: Path | None,
    key: Path | None,
    insecure: bool,
    public_url: str | None,
    sample: bool,
) -> None:
    """Serve until interrupted. The sample is served from a data folder of its own and leaves no trace."""
    from .server.run import serve

    if not sample:
        home = home_folder()

        def tell(info: ServerInfo) -> None:
            _ERR.print(f"Serving {len(Catalog(home).list())} scenes at {info.url}")
            _tell_certificate(info)
            tell_owner_token(info)
            _ERR.print("Make a link with: immersive share SCENE. Stop with Ctrl-C.")

        serve(
            home,
            host,
            port,
            lan=lan,
            cert=cert,
            key=key,
            insecure=insecure,
            public_url=public_url,
            on_ready=tell,
        )
        return
    with tempfile.TemporaryDirectory(prefix="immersive-sample-") as folder:
        catalog = Catalog(Path(folder))
        from streaming.pack import read_asset

        record = catalog.publish(read_asset(sample_folder()), backend="procedural")
        link = Links(catalog).create(record.id)
        catalog.close()
        serve(
            Path(folder),
            host,
            port,
            lan=lan,
            cert=cert,
            key=key,
            insecure=insecure,
            public_url=public_url,
            on_ready=lambda info: show_link(info.link(link.path), info),
        )


def sample_folder() -> Path:
    """Return where the packed sample scene is, in a checkout or an installation.

    Raises:
        InvalidInputError: It is not there.
    """
    package = Path(__file__).parent
    for folder in (package / "_sample", package.parent / "samples" / "scene"):
        if (folder / "manifest.json").exists():
            return folder
    raise InvalidInputError(
        "the sample scene is not installed", hint="Create a scene: immersive create PROMPT."
    )


def show_link(url: str, info: ServerInfo | None) -> None:
    """Print a link on standard output, and on standard error what can be done with it.

    Args:
        url: The whole link.
        info: The server that is running. None: nothing serves the link yet.
    """
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    if info is None:
        _ERR.print("The link opens while a server runs: immersive serve")
    elif info.is_lan:
        _ERR.print(_qr_code(url), end="", soft_wrap=True)
        _ERR.print("Scan it with a phone, or open the link in a headset's browser on this network.")
        _tell_certificate(info)
    else:
        _ERR.print(
            "The link opens on this machine only. For a phone or headset: add --lan (it makes a certificate "
            "and shows a QR code)."
        )
        _ERR.print(
            f"A headset on a USB cable needs neither: adb reverse tcp:{info.port} tcp:{info.port}, then open "
            "the link in its browser."
        )


def _qr_code(text: str) -> str:
    import segno

    canvas = StringIO()
    segno.make(text, error="m", micro=False).terminal(out=canvas, compact=True, border=2)
    return canvas.getvalue()


def _tell_certificate(info: ServerInfo) -> None:
    if info.fingerprint:
        _ERR.print(
            "The certificate was made on this machine, so browsers warn once: choose Advanced, then proceed. "
            "Its SHA-256 fingerprint:"
        )
        _ERR.print(info.fingerprint, soft_wrap=True)


def tell_owner_token(info: ServerInfo) -> None:
    """Print the key to the owner's REST API in the one run that makes it; only its hash is kept."""
    if info.owner_token:
        _ERR.print(f"Owner token for the REST API, told only this once: {info.owner_token}", soft_wrap=True)


def wait_for_interrupt() -> None:
    """Block until Ctrl-C or a request to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _ERR.print("Serving. Stop with Ctrl-C.")
    while not stop.wait(1.0):
        pass
