"""Autobahn's cases of RFC 6455 against our WebSocket: `make autobahn`, or python -m tests.bench.autobahn.

The suite is Python 2.7; it is installed into build/ with that interpreter's own pip. An echo stands behind
exactly the connection classes and settings of the server, but for room for the messages of case 9. Twice:
through ASGI, and for binary messages by the way around it that viewers use.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from immersive.server import http_protocol
from immersive.server.http_protocol import DIRECT
from immersive.server.run import uvicorn_config
from tests.bench.rows import Row, at_most, publish

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "build" / "autobahn"
_PACKAGES = (
    "autobahntestsuite==0.8.2",
    "autobahn==0.10.9",
    "Twisted==15.5.0",
    "txaio==2.1.0",
    "zope.interface==4.7.2",
)
_RUN = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
_MOST_BYTES = 32 * 2**20  # case 9 goes to 16 MiB
_ALL = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
_BINARY = ["1.2.*", "2.*", "9.2.*", "9.4.*", "9.6.*", "9.8.*"]  # what has no text in it
# websockets closes with 1002 where nothing at all was expected; it fails this against its own server, too.
_UPSTREAM = {"7.1.5"}


def main() -> int:
    """Run the cases, print the table; exit status 1 where one failed that does not fail upstream."""
    python = _python2()
    if python is None:
        print("skipped: there is no Python 2.7 here, in which Autobahn's suite is written")
        return 0
    _install(python)
    rows = []
    for name, cases, is_direct in (("ASGI", _ALL, False), ("direct", _BINARY, True)):
        with _echoing(is_direct=is_direct) as port:
            found = _cases(python, name, port, cases)
        counted = Counter(found.values())
        failed = sorted(case for case, behavior in found.items() if behavior not in _GOOD)
        rows += [Row(f"{name}: {behavior}", count, "cases") for behavior, count in sorted(counted.items())]
        rows.append(Row(f"{name}: failed upstream as well ({', '.join(_UPSTREAM & set(failed))})",
                        len(_UPSTREAM & set(failed)), "cases"))  # fmt: skip
        ours = [case for case in failed if case not in _UPSTREAM]
        rows.append(
            at_most(f"{name}: failed by us alone ({', '.join(ours) or 'none'})", len(ours), "cases", 0)
        )
    publish("autobahn", rows)
    return 1 if any(row.met is False for row in rows) else 0


_GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")


def _python2() -> str | None:
    """Return an interpreter of Python 2.7, from the path or a version manager."""
    found = shutil.which("python2.7")
    managed = sorted((Path.home() / ".pyenv" / "versions").glob("2.7*/bin/python2.7"))
    return str(managed[-1]) if managed else found


def _install(python: str) -> None:
    if not (_FOLDER / "autobahntestsuite").exists():
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--target", str(_FOLDER), *_PACKAGES], check=True)


@contextmanager
def _echoing(*, is_direct: bool) -> Iterator[int]:
    """Run the echo in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "tests.bench.autobahn", str(listener.fileno()), str(int(is_direct))]
        with (_FOLDER / "echo.log").open("w") as log:
            process = subprocess.Popen(command, cwd=_ROOT, pass_fds=[listener.fileno()], stderr=log)
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait()


def _cases(python: str, name: str, port: int, cases: list[str]) -> dict[str, str]:
    """Return what each case found."""
    reports = _FOLDER / f"reports-{name}"
    shutil.rmtree(reports, ignore_errors=True)
    spec = {
        "outdir": str(reports),
        "servers": [{"agent": "immersive", "url": f"ws://127.0.0.1:{port}"}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = _FOLDER / f"{name}.json"
    path.write_text(json.dumps(spec), "utf-8")
    command = [python, "-c", _RUN, str(_FOLDER), "-m", "fuzzingclient", "-s", str(path)]
    with (_FOLDER / f"{name}.log").open("w") as log:
        # Its own packages only: those of this interpreter are of another Python.
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        subprocess.run(command, check=True, stdout=log, stderr=log, env=clean, cwd=_FOLDER)
    found = json.loads((reports / "index.json").read_text("utf-8"))["immersive"]
    return {case: result["behavior"] for case, result in found.items()}


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


async def _direct_echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await _echo(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    heard: asyncio.Queue[bytes | None] = asyncio.Queue()
    connection = scope["extensions"][DIRECT]
    connection.listen(heard.put_nowait)
    leaving = asyncio.ensure_future(receive())
    while True:
        hearing = asyncio.ensure_future(heard.get())
        await asyncio.wait([hearing, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            hearing.cancel()
            return
        data = hearing.result() or b""
        middle = len(data) // 2  # in two pieces, as a chunk is
        try:
            await connection.send_messages([(data[:middle], data[middle:])])
        except Exception:  # noqa: BLE001 - the other side left, as most cases end
            return


def _serve(descriptor: int, *, is_direct: bool) -> None:
    # Case 9 sends 4 MB in pieces of 64 bytes.
    http_protocol.MAX_FRAGMENTS = http_protocol.FRAMES_PER_SECOND = http_protocol.FRAME_BURST = 10**9
    config = uvicorn_config(_direct_echo if is_direct else _echo, max_message_bytes=_MOST_BYTES)
    with socket.socket(fileno=descriptor) as listener:
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _serve(int(sys.argv[1]), is_direct=sys.argv[2] == "1")
    else:
        sys.exit(main())
