"""Jobs from outside: the owner's REST routes on a real socket, and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from immersive.catalog import Catalog
from immersive.jobs.queue import Jobs
from immersive.server import app
from immersive.server.run import start_in_thread
from tests.conftest import SmallScene, run_cli
from tests.immersive.test_jobs import toy_jobs, wait_for
from tests.streaming.opaque_asset import opaque_asset


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(app, "supervised", toy_jobs)
    with start_in_thread(tmp_path / "home") as info:
        headers = {"Authorization": f"Bearer {info.owner_token}"}
        with httpx.Client(base_url=info.url, headers=headers, timeout=60.0) as made:
            yield made


def watch(client: httpx.Client, path: str, last: int | None = None) -> list[tuple[int, str, dict]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with client.stream("GET", path, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(response.iter_text()).split("\n\n")
    found = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "id" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_a_server_makes_what_is_posted_and_tells_until_it_is_done(client: httpx.Client) -> None:
    answer = client.post("/api/jobs", json={"prompt": "fine", "seed": 4})
    assert answer.status_code == 202
    told = answer.json()
    events = watch(client, told["events"])

    assert [facts["state"] for _, kind, facts in events if kind == "state"] == ["queued", "running", "done"]
    middle = events[1][0]
    kept = [event for event in events[2:] if event[1] != "progress"]  # how far it was, nobody asks later
    assert watch(client, told["events"], last=middle) == kept and len(kept) == 2
    assert watch(client, told["events"], last=events[-1][0]) == []
    path = f"/api/jobs/{told['job']['id']}"
    wait_for(lambda: client.get(path).json()["ledger"])  # once the process is gone
    job = client.get(path).json()
    assert job["job"]["state"] == "done" and "worker" not in job["job"]
    assert job["ledger"][0]["cpu_seconds"] > 0
    scene = client.get(f"/api/scenes/{job['job']['scene_id']}").json()["scene"]
    assert scene["byte_length"] == len(opaque_asset(seed=4).pack)
    again = client.post("/api/jobs", json={"seed": 4, "prompt": "fine"}).json()["job"]
    assert (again["state"], again["is_reused"], again["scene_id"]) == ("done", True, scene["id"])
    assert len(client.get("/api/jobs").json()["jobs"]) == 2


def test_a_posted_job_is_cancelled(client: httpx.Client) -> None:
    told = client.post("/api/jobs", json={"prompt": "hang"}).json()
    path = f"/api/jobs/{told['job']['id']}"
    wait_for(lambda: client.get(path).json()["job"]["progress"])
    assert client.post(path + "/cancel").status_code == 200
    assert watch(client, told["events"])[-1][2]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": "x", "images": "/etc"}, "images"),  # no path of the server's disk
        ({"prompt": "x", "size": "vast"}, "size"),
        ({"prompt": "x", "budget": "soon"}, "budget"),
        ({"prompt": "x", "splats": 10**9}, "splats"),
        ({}, "prompt"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_it_is_stored(
    client: httpx.Client, body: dict, said: str
) -> None:
    answer = client.post("/api/jobs", json=body)
    assert answer.status_code == 422 and said in answer.json()["error"]["message"]
    assert client.get("/api/jobs").json() == {"jobs": []}


def test_nobody_else_sees_or_starts_jobs(client: httpx.Client) -> None:
    job = client.post("/api/jobs", json={"prompt": "fine"}).json()["job"]["id"]
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        for method, path in (
            ("GET", "/api/jobs"),
            ("POST", "/api/jobs"),
            ("GET", f"/api/jobs/{job}"),
            ("GET", f"/api/jobs/{job}/events"),
            ("POST", f"/api/jobs/{job}/cancel"),
        ):
            body = {"prompt": "fine"} if path == "/api/jobs" and method == "POST" else None
            assert client.request(method, path, headers=headers, json=body).status_code == 401, path
    assert client.get("/api/jobs/000000000000").status_code == 404
    assert client.get("/api/jobs/000000000000/events").status_code == 404


def test_a_full_queue_is_told(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immersive.jobs.queue.MOST_WAITING", 0)
    answer = client.post("/api/jobs", json={"prompt": "fine"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")


def test_a_whole_job_from_the_command_line_finds_the_scene_that_is_there(small_scene: SmallScene) -> None:
    options = ("--budget", "10s", "--splats", "12000", "--json", "--detach")
    made = run_cli("create", "--images", str(small_scene.folder), *options, home=small_scene.home)
    job = json.loads(made.stdout)
    assert job["state"] == "queued"

    done = run_cli("jobs", "run", "--until-empty", home=small_scene.home)
    assert done.returncode == 0, done.stderr

    shown = json.loads(run_cli("jobs", "show", job["id"], "--json", home=small_scene.home).stdout)
    assert (shown["state"], shown["error"], shown["scene_id"]) == ("done", None, small_scene.report["id"])
    assert shown["ledger"][0]["cpu_seconds"] > 0.5  # it imported and hashed, and fitted nothing
    listed = run_cli("jobs", "list", home=small_scene.home).stdout
    assert job["id"] in listed and "done" in listed


def test_the_command_line_queues_cancels_and_says_what_is_wrong(tmp_path: Path) -> None:
    assert "No jobs yet" in run_cli("jobs", "list", home=tmp_path).stderr
    made = run_cli("create", "a hut by a lake", "--detach", home=tmp_path)
    job = made.stdout.strip()
    assert "while `immersive serve`" in made.stderr
    assert "queued" in run_cli("jobs", "show", job, home=tmp_path).stdout
    assert "cancelled" in run_cli("jobs", "cancel", job, home=tmp_path).stderr
    unknown = run_cli("jobs", "show", "nope", home=tmp_path)
    assert unknown.returncode == 1 and "does not exist" in unknown.stderr
    assert run_cli("create", "a hut", "--detach", "--serve", home=tmp_path).returncode == 1
    catalog = Catalog(tmp_path)
    assert [found.id for found in Jobs(catalog).list()] == [job]
    catalog.close()
