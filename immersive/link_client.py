"""What a running server gives for a link, without a stream: tickets, and codes for headsets."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from reconstruction.errors import InvalidInputError

from .errors import ConnectionRefusedByServerError, SceneGrowingError

_HTTP_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """What the server said when the link was opened."""

    server_url: str
    scene: dict[str, Any]
    ticket: str
    bearer: str


@dataclass(frozen=True, slots=True)
class PairingCode:
    """Six characters that open a link on a headset, once."""

    code: str
    expires_in_s: int
    page: str  # where they are typed


def open_link(link_url: str, *, tls: ssl.SSLContext | None = None) -> OpenedLink:
    """Exchange a link for a ticket.

    Args:
        link_url: `http(s)://host:port/v/{id}#{secret}`.
        tls: How to check certificates; None: as the system does.

    Raises:
        InvalidInputError: It is no link.
        ConnectionRefusedByServerError: Nothing answers, or the server knows no such link, or it was revoked
            or has expired.
        SceneGrowingError: There is nothing of the scene yet.
    """
    server_url, link_id, secret = _parts(link_url)
    answer = _ask(f"{server_url}/api/links/{link_id}/open", secret, tls)
    if answer["scene"] is None:
        raise SceneGrowingError("the scene of this link is still being made")
    return OpenedLink(server_url, answer["scene"], answer["ticket"], answer["bearer"])


def pairing_code(link_url: str, *, tls: ssl.SSLContext | None = None) -> PairingCode:
    """Exchange a link for a code; arguments and errors as for `open_link`."""
    server_url, link_id, secret = _parts(link_url)
    answer = _ask(f"{server_url}/api/links/{link_id}/pair", secret, tls)
    return PairingCode(answer["code"], answer["expires_in_s"], f"{server_url}/pair")


def _parts(link_url: str) -> tuple[str, str, str]:
    parts = urlsplit(link_url)
    link_id = parts.path.removeprefix("/v/")
    if parts.scheme not in ("http", "https") or not link_id or link_id == parts.path or not parts.fragment:
        raise InvalidInputError(
            "link must look like http://host:port/v/id#secret", hint="Copy the whole link, with its # part."
        )
    return urlunsplit((parts.scheme, parts.netloc, "", "", "")), link_id, parts.fragment


def _ask(url: str, secret: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    request = urllib.request.Request(
        url, data=json.dumps({"secret": secret}).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_HTTP_DEADLINE_S, context=tls) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            problem = json.load(error)["error"]
        raise ConnectionRefusedByServerError(
            problem["message"], status=error.code, code=problem["code"], hint=problem["hint"]
        ) from error
    except urllib.error.URLError as error:
        server = urlsplit(url)
        raise ConnectionRefusedByServerError(
            f"nothing answers at {server.scheme}://{server.netloc}: {error.reason}",
            status=0,
            code="unreachable",
            hint="Links work while `immersive serve` runs.",
        ) from error
    return answer
