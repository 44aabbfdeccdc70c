"""Starting and stopping the server: where it may listen, with which certificate, and how it says goodbye."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

try:
    import resource
except ModuleNotFoundError:  # on Windows
    resource = None  # type: ignore[assignment]

from streaming.limits import MAX_CLIENT_MESSAGE_BYTES

from ..catalog import Catalog
from ..errors import ServerError
from ..lan_tls import LanCertificate, ensure_certificate, lan_address, names_in_certificate
from .app import build_app
from .http_protocol import AbortingWebSocketProtocol, DeadlineHttpProtocol
from .limits import MAX_CONNECTIONS, MAX_OPEN_FILES
from .owner import ensure_owner_token
from .services import PAGE_FOLDER, Services

# What sends through a line that loses packets: at 1 % BBR keeps most of it, CUBIC a third (see README).
CONGESTION = b"bbr"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_START_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server that is listening."""

    url: str  # what to put before a link's path, e.g. "http://127.0.0.1:8765"
    port: int
    is_secure: bool
    is_lan: bool  # whether other machines reach `url`
    fingerprint: str | None  # sha256 of a certificate made in place, to compare in the browser
    ca_path: Path | None
    owner_token: str | None  # only when it was made just now; it is not told again

    def link(self, path: str) -> str:
        """Return the whole address of a link's path."""
        return self.url + path


def serve(
    home: Path,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    lan: bool = False,
    cert: Path | None = None,
    key: Path | None = None,
    insecure: bool = False,
    public_url: str | None = None,
    on_ready: Callable[[ServerInfo], None] | None = None,
) -> None:
    """Serve the scenes of `home` until interrupted.

    Args:
        home: The data folder.
        host: Address to listen on; beyond loopback only with `cert` and `key`, or `insecure`.
        port: 0 picks a free one.
        lan: Listen on the local network's address too, with a certificate made in place.
        cert: PEM file of your own certificate and chain.
        key: PEM file of its key.
        insecure: Allow plain HTTP beyond this machine; WebXR will not work there.
        public_url: `https://name[:port]` by which a proxy or tunnel on this machine shows the server. Its
            name is then ours too, links are told with it, and visitors counted by the address it forwards.
        on_ready: Called once, from this thread, when the server listens.

    Raises:
        ServerError: The port is taken, the address is not this machine's, or TLS is missing or broken.
    """
    prepared = _prepare(
        home, host, port, lan=lan, cert=cert, key=key, insecure=insecure, public_url=public_url
    )
    try:
        prepared.server.on_started = lambda: on_ready(prepared.info) if on_ready else None
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after a clean stop
            prepared.server.run(sockets=prepared.sockets)
    finally:
        prepared.close()


@contextmanager
def start_in_thread(
    home: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    lan: bool = False,
    cert: Path | None = None,
    key: Path | None = None,
    insecure: bool = False,
    public_url: str | None = None,
    page_folder: Path = PAGE_FOLDER,
) -> Iterator[ServerInfo]:
    """Serve in a thread of this process while the context is open; arguments as for `serve`.

    Raises:
        ServerError: As for `serve`.
    """
    prepared = _prepare(
        home,
        host,
        port,
        lan=lan,
        cert=cert,
        key=key,
        insecure=insecure,
        public_url=public_url,
        page_folder=page_folder,
    )
    started = threading.Event()
    prepared.server.on_started = started.set
    thread = threading.Thread(
        target=prepared.server.run, kwargs={"sockets": prepared.sockets}, name="immersive-server", daemon=True
    )
    thread.start()
    try:
        if not started.wait(_START_DEADLINE_S):
            raise ServerError(f"the server did not start within {_START_DEADLINE_S:g} s")
        yield prepared.info
    finally:
        prepared.server.should_exit = True
        thread.join()
        prepared.close()


class _Server(uvicorn.Server):
    """uvicorn, with a word to its viewers before it goes."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services
        self.on_started: Callable[[], object] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._services.viewers.drain()
        await super().shutdown(sockets)


@dataclass(slots=True)
class _Prepared:
    server: _Server
    sockets: list[socket.socket]
    info: ServerInfo
    catalog: Catalog

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()
        self.catalog.close()


def _prepare(
    home: Path,
    host: str,
    port: int,
    *,
    lan: bool,
    cert: Path | None,
    key: Path | None,
    insecure: bool,
    public_url: str | None = None,
    page_folder: Path = PAGE_FOLDER,
) -> _Prepared:
    if (cert is None) != (key is None):
        raise ServerError("a certificate and its key come together", hint="Give both --cert and --key.")
    public_name = None if public_url is None else _name_of(public_url)
    address = lan_address() if lan else host
    is_public = not is_loopback(address)
    if is_public and cert is None and not lan and not insecure:
        raise ServerError(
            f"plain HTTP is refused beyond this machine, got host {host!r}",
            hint="Use --lan, or --cert and --key, or --insecure behind a proxy that adds TLS.",
        )
    made: LanCertificate | None = None
    if lan and cert is None:
        names = dict.fromkeys([address, *_own_names(), *LOOPBACK_NAMES])
        made = ensure_certificate(home, list(names))
        cert, key = made.certificate_path, made.key_path
    allowed: frozenset[str] | None = None
    if not (insecure and is_public):
        allowed = frozenset([address, *LOOPBACK_NAMES])
        if cert is not None:
            _check_pair(cert, key)
            allowed |= names_in_certificate(cert)
    if allowed is not None and public_name is not None:
        allowed |= {public_name}
    # The loopback address as well: a headset on a cable reaches it through `adb reverse`.
    addresses = dict.fromkeys([address, "127.0.0.1"] if lan else [address])
    sockets = _listen(list(addresses), port)
    try:
        port = sockets[0].getsockname()[1]
        catalog = Catalog(home)
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    allow_files(MAX_OPEN_FILES)
    public_url = None if public_url is None else public_url.rstrip("/")
    try:
        services = Services.build(
            catalog,
            allowed,
            page_folder=page_folder,
            public_url=public_url,
            redis_url=os.environ.get("IMMERSIVE_REDIS"),
        )
    except BaseException:
        catalog.close()
        for listener in sockets:
            listener.close()
        raise
    config = uvicorn_config(build_app(services), cert=cert, key=key, is_proxied=public_url is not None)
    shown = f"[{address}]" if ":" in address else address
    info = ServerInfo(
        url=public_url or f"{'https' if cert else 'http'}://{shown}:{port}",
        port=port,
        is_secure=cert is not None,
        is_lan=is_public,
        fingerprint=made.fingerprint if made else None,
        ca_path=made.ca_path if made else None,
        owner_token=ensure_owner_token(home),
    )
    return _Prepared(_Server(config, services), sockets, info, catalog)


def allow_files(most: int) -> None:
    """Have this process open so many files, as far as it may: the usual 1024 are too few for connections."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then fewer connections are accepted at once
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def uvicorn_config(
    app: Any,
    *,
    max_message_bytes: int = MAX_CLIENT_MESSAGE_BYTES,
    cert: Path | None = None,
    key: Path | None = None,
    is_proxied: bool = False,
) -> uvicorn.Config:
    """Return how we have uvicorn serve an ASGI application."""
    return uvicorn.Config(
        app,
        http=DeadlineHttpProtocol,
        ws=AbortingWebSocketProtocol,
        ws_max_size=max_message_bytes,
        # Splats do not compress again: 50 to 200 times the CPU for nothing.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        # At "info" uvicorn logs the addresses of sockets, which hold tickets.
        log_level=logging.WARNING,
        access_log=False,
        # Only with a proxy do these headers come from one; from this machine, where it has to run.
        proxy_headers=is_proxied,
        forwarded_allow_ips="127.0.0.1",
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=3,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )


def _name_of(public_url: str) -> str:
    """Return the host name of the address that a proxy shows us by."""
    try:
        parts = urlsplit(public_url)
        is_plain = parts.scheme in ("https", "http") and parts.path in ("", "/")
        name = parts.hostname if is_plain and not (parts.query or parts.fragment or parts.username) else None
    except ValueError:
        name = None
    if not name:
        raise ServerError(
            f"the public address must look like https://scenes.example.org, got {public_url[:80]!r}",
            hint="Scheme and name, no path.",
        )
    return name


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_names() -> list[str]:
    name = socket.gethostname().lower()
    # Names with other characters cannot stand in a certificate, and no browser would find them.
    is_plain = name.replace("-", "").replace(".", "").isascii() and 0 < len(name) <= 63
    return [name, f"{name}.local"] if is_plain and "_" not in name else []


def _check_pair(cert: Path, key: Path | None) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ServerError(
            f"certificate {cert.name!r} and its key cannot be used: {error}",
            hint="Give two PEM files that belong together.",
        ) from error


def _listen(addresses: list[str], port: int) -> list[socket.socket]:
    """Open all listening sockets on one port, or none."""
    listeners: list[socket.socket] = []
    try:
        for address in addresses:
            listeners.append(_listener(address, port))
            port = listeners[0].getsockname()[1]
    except OSError as error:
        for listener in listeners:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} is taken by another program",
                hint="Stop that one, or choose another with --port; 0 picks a free one.",
            ) from error
        if error.errno == errno.EACCES:
            raise ServerError(f"port {port} needs more rights", hint="Choose one above 1023.") from error
        raise ServerError(
            f"address {address!r} cannot be listened on: {error.strerror}",
            hint="Give an address of this machine with --host.",
        ) from error
    return listeners


def _listener(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError, AttributeError):  # not every kernel has it, and only Linux has the choice
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION)
        listener.bind(where)
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener
