"""A real PostgreSQL, S3 server and Redis, each a process started for the tests on this machine alone."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_S3 = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def postgres_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs, where Debian puts them, or None."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda path: int(path.parts[-2]), default=None)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a database server in a folder of its own, reached by a socket file; gives the folder."""
    programs = postgres_programs()
    assert programs is not None
    # It refuses to run as root; Debian makes a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="immersive-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        options = {"user": user, "stdout": subprocess.DEVNULL, "cwd": folder}
        setup = [programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "immersive", "-N"]
        subprocess.run([*setup, "--no-instructions", "-E", "UTF8", "--locale=C"], check=True, **options)
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-c", "fsync=off"]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL, **options)
        try:
            ready = [programs / "pg_isready", "-q", "-h", folder]
            _wait(lambda: subprocess.run(ready, check=False).returncode == 0, server)
            yield str(folder)
        finally:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for whoever is connected
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """Run an S3 server; gives the variables that lead to it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: _answers(url), server)
        yield {**_S3, "AWS_ENDPOINT_URL": url}
    finally:
        server.terminate()
        server.wait()


@contextmanager
def redis(port: int) -> Iterator[str]:
    """Run a Redis that keeps nothing; gives its address."""
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir())
    try:
        _wait(lambda: _listens(port), server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_stores(folder: str, bucket: dict[str, str]) -> dict[str, str]:
    """Make an empty database and an empty bucket; return the variables that name them."""
    import psycopg

    name = f"t{secrets.token_hex(6)}"
    base = f"postgresql://immersive@/{{}}?host={folder}"
    with psycopg.connect(base.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    httpx.put(f"{bucket['AWS_ENDPOINT_URL']}/{name}", trust_env=False).raise_for_status()
    return {**bucket, "IMMERSIVE_DATABASE": base.format(name), "IMMERSIVE_BUCKET": f"s3://{name}"}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(condition: object, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.1)
