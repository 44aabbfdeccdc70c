"""The server starts, stops and shows its page, on a real socket."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from immersive.errors import ServerError
from immersive.server.run import start_in_thread
from tests.immersive.served_site import ROOT, Site


def test_the_page_is_one_file_under_a_strict_policy(site: Site) -> None:
    for path in ("/", "/v/anything"):
        answer = httpx.get(site.info.url + path)
        assert answer.status_code == 200
        assert answer.text.startswith("<!doctype html><head><title>Immersive</title>")
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'self'"
        assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
        assert policy["worker-src"] == "'self' blob:"
        assert policy["frame-ancestors"] == "'none'"
        assert f"ws://127.0.0.1:{site.info.port}" in policy["connect-src"].split()
        assert "xr-spatial-tracking=(self)" in answer.headers["permissions-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_files_of_the_page_are_served_and_nothing_beside_them(site: Site) -> None:
    script = httpx.get(site.info.url + "/assets/index-abc.js")
    assert script.status_code == 200
    assert "immutable" in script.headers["cache-control"]
    assert httpx.get(site.info.url + "/icon.svg").headers["content-type"].startswith("image/svg")
    for path in ("/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/..%2fsecret.txt"):
        connection = socket.create_connection(("127.0.0.1", site.info.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda c=connection: c.recv(4096), b""))
        connection.close()
        assert b"not for anyone" not in answer
        assert answer.split(b" ")[1] == b"404"


def test_scripts_travel_compressed_to_who_can_read_that(site: Site, page_folder: Path) -> None:
    text = "export const colours = [" + "0.25, " * 5000 + "];"
    (page_folder / "assets" / "large-def.js").write_text(text)
    address = site.info.url + "/assets/large-def.js"
    for _ in range(2):
        squeezed = httpx.get(address, headers={"Accept-Encoding": "gzip"})
        plain = httpx.get(address, headers={"Accept-Encoding": "identity"})
        part = httpx.get(address, headers={"Accept-Encoding": "gzip", "Range": "bytes=7-11"})
        assert squeezed.text == plain.text == text
        assert squeezed.headers["content-encoding"] == "gzip"
        assert int(squeezed.headers["content-length"]) < len(text) / 20
        assert squeezed.headers["content-type"] == plain.headers["content-type"]
        assert "content-encoding" not in plain.headers
        assert (part.status_code, part.text) == (206, "const")
        assert all("immutable" in a.headers["cache-control"] for a in (squeezed, plain))


def test_a_page_that_is_not_built_says_how_to(tmp_path: Path) -> None:
    with start_in_thread(tmp_path / "home", page_folder=tmp_path / "none") as info:
        answer = httpx.get(info.url + "/")
        assert httpx.get(info.url + "/healthz").json() == {"status": "ok"}
    assert answer.status_code == 503
    assert "make setup" in answer.text


def test_the_api_describes_itself_without_anyone_elses_page(site: Site) -> None:
    paths = httpx.get(site.info.url + "/api/openapi.json").json()["paths"]
    assert "/api/links/{link_id}/open" in paths
    assert httpx.get(site.info.url + "/docs").status_code == 404


def test_a_taken_port_is_said_in_one_line(site: Site, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=f"port {site.info.port} is taken") as caught,
        start_in_thread(tmp_path / "other", port=site.info.port),
    ):
        pass
    assert "--port" in str(caught.value.hint)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "plain HTTP is refused"),
        ({"host": "203.0.113.7", "insecure": True}, "cannot be listened on"),
        ({"cert": Path("cert.pem")}, "come together"),
        ({"cert": Path("none.pem"), "key": Path("none.key")}, "cannot be used"),
    ],
)
def test_a_server_that_would_not_be_safe_does_not_start(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ServerError, match=message), start_in_thread(tmp_path, **options):  # type: ignore[arg-type]
        pass


_SERVE = """
import sys
from pathlib import Path
from immersive.server.run import serve
serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("ending_signal", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_interrupted(tmp_path: Path, ending_signal: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert httpx.get(url + "/healthz").status_code == 200
    process.send_signal(ending_signal)
    rest = process.stdout.read()
    process.stdout.close()
    if ending_signal == signal.SIGINT:
        assert (process.wait(10), rest) == (0, "stopped\n")
    else:
        assert process.wait(10) in (0, -signal.SIGTERM)
