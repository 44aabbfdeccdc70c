"""Commands on links: share, links, revoke, publish."""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .catalog import Catalog
from .home import home_folder
from .link_client import pairing_code
from .link_terms import Scope, Visibility
from .request import seconds_from
from .share import Links, ShareLink

_OUT = Console(highlight=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, emoji=False)
_SHOWN_OPENS = 10  # the newest, of each link; --json has all


def share_scene(
    scene: str,
    *,
    scope: Scope,
    visibility: Visibility,
    expires: str | None,
    max_opens: int | None,
    password: str | None,
    embed_origins: Sequence[str],
    port: int,
    as_json: bool,
) -> None:
    """Make a link and print it; it works while a server runs on `port`. Password "-": read from input."""
    if password == "-":
        password = sys.stdin.readline().rstrip("\n")
    catalog = Catalog(home_folder())
    link = Links(catalog).create(
        scene,
        scope=scope,
        visibility=visibility,
        expires_in_s=None if expires is None else seconds_from("expires", expires),
        max_opens=max_opens,
        password=password,
        embed_origins=embed_origins,
    )
    if visibility != "private":
        from .card_loop import ensure_loop
        from .poster import ensure_poster  # scenes from before posters were drawn have none

        record = catalog.get(link.scene_id)
        ensure_poster(catalog, record)
        if Links(catalog).shown_as(link) != "private":
            ensure_loop(catalog, record)
    base = f"http://127.0.0.1:{port}"
    if as_json:
        sys.stdout.write(json.dumps({"link": base + link.path, **link.as_dict()}) + "\n")
        return
    _OUT.print(base + link.path, soft_wrap=True)
    if embed_origins:
        from .server.page_card import iframe_html

        _ERR.print("To embed it:", markup=False)
        _ERR.print(iframe_html(base + link.path), markup=False, soft_wrap=True)
    _ERR.print("It opens while `immersive serve` runs. Take it back with: immersive revoke " + link.id)


def list_links(scene: str, *, as_json: bool) -> None:
    """Print the links of a scene with who opened them, newest first."""
    links = Links(Catalog(home_folder()))
    found = links.list(scene)
    opens = {link.id: links.opens(link.id) for link in found}
    if as_json:
        plain = [link.as_dict() | {"opens": [o.as_dict() for o in opens[link.id]]} for link in found]
        sys.stdout.write(json.dumps(plain) + "\n")
        return
    if not found:
        _ERR.print(f"No links yet. Make one: immersive share {scene}", markup=False)
        return
    table = Table("link", "scope", "visibility", "opens", "state", "made", box=None, pad_edge=False)
    for link in found:
        most = "" if link.max_opens is None else f" of {link.max_opens}"
        table.add_row(
            link.id,
            link.scope,
            link.visibility,
            f"{link.open_count}{most}",
            _state(link),
            _time(link.created_at),
        )
        for entry in opens[link.id][:_SHOWN_OPENS]:
            who = f"{entry.agent}, network {entry.address_hash[:6]}"
            table.add_row(f"  [dim]{_time(entry.at)}[/]", f"[dim]{entry.result}[/]", f"[dim]{who}[/]")
    _OUT.print(table)


def _state(link: ShareLink) -> str:
    parts = []
    if link.revoked_at is not None:
        parts.append("revoked")
    elif link.expires_at is not None:
        parts.append(f"{'expired' if link.expires_at <= time.time() else 'until'} {_time(link.expires_at)}")
    if link.max_opens is not None and link.open_count >= link.max_opens:
        parts.append("used up")
    if link.has_password:
        parts.append("password")
    return ", ".join(parts) or "open"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def publish_scene(scene: str, folder: Path, *, url: str | None) -> None:
    """Write a scene as a folder for any web host."""
    from .static_site import publish_static

    size = publish_static(Catalog(home_folder()), scene, folder, url=url)
    _ERR.print(f"wrote {folder} ({size / 1e6:.1f} MB): copy it to any web host", markup=False)
    _ERR.print("Whoever finds it there sees the scene; links, passwords and revoking need `immersive serve`.")


def revoke_link(link: str) -> None:
    """Revoke a link given whole or by its id."""
    revoked = Links(Catalog(home_folder())).revoke(link_id_of(link))
    _ERR.print(f"link {revoked.id} is revoked", markup=False)


def pair_link(link: str, *, as_json: bool) -> None:
    """Print a code for a headset, and where it is typed. A server with a certificate of ours is trusted."""
    authority = home_folder() / "tls" / "ca.pem"
    tls = ssl.create_default_context()
    if authority.is_file():
        tls.load_verify_locations(authority)
    found = pairing_code(link, tls=tls)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return
    _OUT.print(found.code)
    _ERR.print(
        f"In the headset open {found.page} and type it, within {found.expires_in_s // 60} minutes, once.",
        markup=False,
        soft_wrap=True,
    )


def link_id_of(link: str) -> str:
    """Return the id in a whole link, or the id itself."""
    return link.split("#")[0].rstrip("/").split("/")[-1]
