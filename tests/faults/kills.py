"""`python -m tests.faults.kills`: kill -9 at random while publishing, then look whether anything is lost.

Publishers are forked, so that a kill costs milliseconds; servers with jobs are started as users start them,
and the time until the next one answers is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median

import httpx

from immersive.catalog import Catalog
from immersive.errors import QueueFullError
from immersive.jobs.queue import Jobs
from tests.streaming.opaque_asset import opaque_asset

from .workload import Ack, missing, work

ROOT = Path(__file__).resolve().parents[2]
READY_S = 3.0


def killed_publisher(home: Path, seed: int, after_s: float) -> list[Ack]:
    """Work on `home` in a process that is killed after `after_s`; return what it acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(writer, 1)
            work(home, seed, 1_000_000)
        except BaseException:  # noqa: BLE001 - a fork must not return into its parent's frames
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().decode().split("\n")
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the publisher failed by itself"
    return [json.loads(line) for line in lines[:-1]]  # the last may be half a line


def kill_publishers(home: Path, kills: int, chance: random.Random, every: int = 50) -> list[str]:
    """Kill so many publishers and return what was lost; looks every so many kills, and at the end."""
    acks: list[Ack] = []
    found: list[str] = []
    told = 0
    started = time.monotonic()
    work(home, 1_000_000, 5)
    most_s = 0.6 * (time.monotonic() - started)  # three publications, however slow this disk is
    for number in range(kills):
        fresh = killed_publisher(home, number, chance.uniform(0.0, most_s))
        told += sum("scene" in ack for ack in fresh)
        acks += fresh
        if number % every == every - 1 or number == kills - 1:
            found += missing(home, acks)
            print(f"  {number + 1} kills, {told} scenes acknowledged, {len(found)} losses", flush=True)
            _forget_some(home, acks)
    return found


def _forget_some(home: Path, acks: list[Ack]) -> None:
    """Delete most scenes, so that looking stays cheap, and cancel the jobs, so that more may wait."""
    catalog = Catalog(home)
    for record in catalog.list()[20:]:
        catalog.delete(record.id)
    for job in Jobs(catalog).list(most=1_000_000):
        Jobs(catalog).cancel(job.id)
    kept = {record.id for record in catalog.list()}
    kept |= {row["id"] for row in catalog.database.read("SELECT id FROM link")}
    acks[:] = [ack for ack in acks if ack.get("scene", ack.get("link")) in kept]
    catalog.close()


_SERVE = """
import sys
from pathlib import Path
from immersive.jobs.processes import Processes
from immersive.jobs.supervisor import supervised
from immersive.server import app, run
from tests.immersive import job_worker
job_worker.shorten()
command = (sys.executable, "-m", "tests.immersive.job_worker")
app.supervised = lambda home: supervised(home, at_once=2, executor=Processes(home, command=command))
run.serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, flush=True))
"""


class Server:
    """A real server with its jobs, on a free port."""

    def __init__(self, home: Path) -> None:
        started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert re.match(r"http://127", line), line
        assert httpx.get(line.strip() + "/healthz", trust_env=False).json() == {"status": "ok"}
        self.ready_s = time.monotonic() - started
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        self.ready_cpu_s = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def kill_servers(
    home: Path, kills: int, chance: random.Random
) -> tuple[list[str], list[tuple[float, float]], int]:
    """Kill servers and workers while jobs run.

    Returns:
        Losses; seconds and CPU-seconds to readiness of each server; and how many workers were killed.
    """
    from tests.immersive.job_worker import shorten

    shorten()
    catalog = Catalog(home)
    jobs = Jobs(catalog)
    asked: dict[str, int] = {}
    ready: list[tuple[float, float]] = []
    workers = 0
    for number in range(kills):
        server = Server(home)
        ready.append((server.ready_s, server.ready_cpu_s))
        for nth in range(3):
            seed = 1_000_000 + 10 * number + nth
            prompt = chance.choice(("fine", "burn", "die 1"))
            try:
                asked[jobs.submit({"prompt": prompt, "seed": seed}).id] = seed
            except QueueFullError:
                break
        time.sleep(chance.uniform(0.0, 1.5))
        for job in jobs.list():
            if job.state == "running" and chance.random() < 0.5:
                workers += _kill_worker(job.id)
        time.sleep(chance.uniform(0.0, 0.5))
        server.kill()
        print(f"  {number + 1} servers killed, ready after {server.ready_s:.2f} s", flush=True)
    server = Server(home)
    try:
        _wait(lambda: all(jobs.get(job_id).is_final for job_id in asked), 300.0)
    finally:
        server.kill()
    found = []
    for job_id, seed in asked.items():
        job = jobs.get(job_id)
        if job.state != "done" or job.scene_id is None:
            found.append(f"job {job_id} ended as {job.state}: {job.error}")
        elif catalog.asset(job.scene_id).pack != opaque_asset(seed=seed).pack:
            found.append(f"job {job_id} made another scene")
    scenes = [record.id for record in catalog.list()]
    if len(scenes) != len(asked):
        found.append(f"{len(asked)} jobs made {len(scenes)} scenes")
    catalog.close()
    return [*found, *missing(home, [{"job": job_id} for job_id in asked])], ready, workers


def _kill_worker(job_id: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if job_id.encode() in words and b"tests.immersive.job_worker" in words:
            os.kill(int(folder.name), signal.SIGKILL)
            return 1
    return 0


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "jobs did not end"
        time.sleep(0.2)


def main() -> int:
    """Kill, look, print; exit status 1 if anything was lost or a server was late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=1_000)
    parser.add_argument("--servers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    found: list[str] = []
    is_late = False
    with tempfile.TemporaryDirectory(prefix="immersive-kills-") as name:
        if options.publishers:
            found += kill_publishers(Path(name) / "publishing", options.publishers, chance)
        if options.servers:
            lost, ready, workers = kill_servers(Path(name) / "serving", options.servers, chance)
            found += lost
            seconds, cpu = zip(*ready, strict=True)
            # On a machine that does other things the clock says little; CPU time is ours alone.
            is_late = min(max(seconds), max(cpu)) > READY_S
            print(f"{options.servers} servers and {workers} workers killed; ready again after")
            print(f"{median(seconds):.2f} s (median), {max(seconds):.2f} s (worst),")
            print(f"{median(cpu):.2f} CPU-s (median), {max(cpu):.2f} CPU-s (worst)")
    print(f"{len(found)} losses")
    for sentence in found[:20]:
        print(" ", sentence)
    return 1 if found or is_late else 0


if __name__ == "__main__":
    sys.exit(main())
