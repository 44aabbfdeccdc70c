"""Jobs: made once, whoever dies; leases, retries, cancelling, limits, costs, and what a repetition costs."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.errors import QueueFullError, UnknownJobError
from immersive.jobs import queue
from immersive.jobs.job import Job, digest_of, request_of, spec_of
from immersive.jobs.processes import Processes
from immersive.jobs.queue import BACKOFF_S, LEASE_S, MOST_ATTEMPTS, Jobs
from immersive.jobs.supervisor import Supervisor, supervised
from immersive.jobs.worker import LeasedReporter, limit_process
from immersive.request import CreateRequest
from reconstruction.errors import InvalidInputError
from tests.immersive.older_catalog import older_catalog
from tests.streaming.opaque_asset import opaque_asset

ROOT = Path(__file__).resolve().parents[2]
WORKER = (sys.executable, "-m", "tests.immersive.job_worker")


class Clock:
    """Seconds since 1970, as far as a test wants."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "home", now=clock)
    yield made
    made.close()


@pytest.fixture
def jobs(catalog: Catalog) -> Jobs:
    return Jobs(catalog)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def toy_jobs(home: Path) -> AbstractContextManager[None]:
    """Stand in for `supervised`, with workers that make toy scenes."""
    return supervised(home, executor=Processes(home, command=WORKER))


def run_all(home: Path) -> None:
    Supervisor(home, executor=Processes(home, command=WORKER)).run(until_empty=True)


def states(jobs: Jobs, job: Job) -> list[str]:
    return [event.facts["state"] for event in jobs.events(job.id) if event.kind == "state"]


def test_jobs_are_taken_in_their_order_and_no_more_at_once_than_allowed(jobs: Jobs, clock: Clock) -> None:
    first = jobs.submit({"prompt": "a hut"})
    clock.at += 1
    second = jobs.submit({"prompt": "a lake"})

    taken = jobs.take("one", at_once=1)
    assert taken is not None and taken.id == first.id and taken.attempt == 1
    assert jobs.take("two", at_once=1) is None  # another process's supervisor, the same limit
    other = jobs.take("two", at_once=2)
    assert other is not None and other.id == second.id


def test_what_is_being_made_or_was_made_is_not_made_again(jobs: Jobs, catalog: Catalog) -> None:
    spec = {"prompt": "a hut", "seed": 3}
    first = jobs.submit(spec)
    assert jobs.submit(dict(reversed(spec.items()))).id == first.id
    jobs.take("w")
    assert jobs.submit(spec).id == first.id
    scene = catalog.publish(opaque_asset())
    assert jobs.finish(first.id, "w", scene.id)

    again = jobs.submit(spec)

    assert again.id != first.id and (again.state, again.scene_id, again.is_reused) == ("done", scene.id, True)
    assert [(row["cpu_seconds"], row["outcome"]) for row in jobs.ledger(again.id)] == [(0.0, "done")]
    assert jobs.submit({"prompt": "a hut", "seed": 4}).state == "queued"
    catalog.delete(scene.id)
    assert jobs.submit(spec).state == "queued"  # its scene is gone, so it is made again


def test_settings_that_change_what_is_made_change_the_digest_and_files_have_none() -> None:
    spec = {"prompt": "a hut"}
    plain = digest_of(spec, {})
    assert plain == digest_of(spec, {"IMMERSIVE_HOME": "x", "PATH": "y"})
    assert plain != digest_of(spec, {"IMMERSIVE_LLM_URL": "http://127.0.0.1"})
    assert digest_of({"video": "walk.mp4"}, {}) is None


def test_a_request_comes_back_from_its_spec(tmp_path: Path) -> None:
    request = CreateRequest(images=tmp_path, seed=9, quality="high", budget_s=30, licence="CC0")
    assert request_of(spec_of(request)) == request
    assert spec_of(CreateRequest(prompt="a hut")) == {"prompt": "a hut"}
    with pytest.raises(InvalidInputError, match="knows no"):
        request_of({"prompt": "a hut", "shoe_size": 43})


def test_a_lost_lease_is_taken_again_and_its_late_worker_changes_nothing(jobs: Jobs, clock: Clock) -> None:
    job = jobs.submit({"prompt": "a hut"})
    jobs.take("old")
    clock.at += LEASE_S - 1
    assert jobs.renew(job.id, "old")
    clock.at += LEASE_S - 1
    assert jobs.take("new") is None
    clock.at += 2
    assert jobs.take("new") is None  # taken back, and waiting
    clock.at += BACKOFF_S
    taken = jobs.take("new")
    assert taken is not None and taken.attempt == 2

    before = jobs.get(job.id), jobs.events(job.id)
    assert not jobs.renew(job.id, "old")
    assert not jobs.finish(job.id, "old", "0" * 12)
    assert not jobs.fail(job.id, "old", {"code": "x"}, forget=True)
    assert not jobs.give_back(job.id, "old", is_fault=True)
    jobs.report(job.id, "old", "progress", {"share": 0.9})
    assert (jobs.get(job.id), jobs.events(job.id)) == before
    assert states(jobs, job) == ["queued", "running", "queued", "running"]


def test_each_attempt_waits_twice_as_long_and_there_is_a_last(jobs: Jobs, clock: Clock) -> None:
    job = jobs.submit({"prompt": "a hut"})
    waits = []
    for attempt in range(MOST_ATTEMPTS):
        taken = jobs.take(f"w{attempt}")
        assert taken is not None
        assert jobs.give_back(job.id, f"w{attempt}", is_fault=True)
        waits.append(jobs.get(job.id).not_before - clock.at)
        clock.at += 1_000
    assert waits[: MOST_ATTEMPTS - 1] == [BACKOFF_S * 2**n for n in range(MOST_ATTEMPTS - 1)]
    ended = jobs.get(job.id)
    assert ended.state == "failed" and ended.error is not None and ended.error["code"] == "job_lost"


def test_a_stopped_server_costs_a_job_no_attempt(jobs: Jobs) -> None:
    job = jobs.submit({"prompt": "a hut"})
    for _ in range(MOST_ATTEMPTS + 2):
        assert jobs.take("w") is not None
        assert jobs.give_back(job.id, "w", is_fault=False)
    assert jobs.get(job.id).attempt == 0


def test_the_queue_has_an_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    for seed in range(3):
        jobs.submit({"prompt": "a hut", "seed": seed})
    with pytest.raises(QueueFullError, match="3 jobs wait"):
        jobs.submit({"prompt": "a lake"})
    assert jobs.submit({"prompt": "a hut", "seed": 1}).state == "queued"  # it waits already
    jobs.cancel(jobs.list()[0].id)
    jobs.submit({"prompt": "a lake"})


def test_old_jobs_are_forgotten_and_their_costs_are_not(
    jobs: Jobs, catalog: Catalog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "KEPT_JOBS", 2)
    scene = catalog.publish(opaque_asset())
    first = jobs.submit({"prompt": "a hut"})
    jobs.take("w")
    jobs.finish(first.id, "w", scene.id)
    made = []
    for _ in range(3):
        clock.at += 1
        made.append(jobs.submit({"prompt": "a hut"}).id)

    assert [job.id for job in jobs.list()] == [made[2], made[1]]
    assert [row["job_id"] for row in jobs.ledger()] == made
    with pytest.raises(UnknownJobError):
        jobs.get(first.id)


def test_a_waiting_job_is_cancelled_at_once_and_a_finished_one_stays(jobs: Jobs, catalog: Catalog) -> None:
    waiting = jobs.submit({"prompt": "a hut"})
    assert jobs.cancel(waiting.id).state == "cancelled"
    assert jobs.take("w") is None
    other = jobs.submit({"prompt": "a lake"})
    jobs.take("w")
    jobs.finish(other.id, "w", catalog.publish(opaque_asset()).id)
    assert jobs.cancel(other.id).state == "done"
    with pytest.raises(UnknownJobError):
        jobs.cancel("nothing")


def test_a_cancelled_job_whose_worker_vanished_ends_cancelled(jobs: Jobs, clock: Clock) -> None:
    job = jobs.submit({"prompt": "a hut"})
    jobs.take("w")
    assert jobs.cancel(job.id).state == "running"
    assert not jobs.renew(job.id, "w")
    clock.at += LEASE_S + 1
    assert jobs.take("x") is None
    assert jobs.get(job.id).state == "cancelled"


def test_progress_tells_what_is_left_from_the_last_job_of_its_kind(jobs: Jobs, catalog: Catalog) -> None:
    def reporter(spec: dict[str, object], ticks: Iterator[float]) -> tuple[Job, LeasedReporter]:
        jobs.submit(spec)
        job = jobs.take("w")
        assert job is not None
        return job, LeasedReporter(jobs, job, clock=lambda: next(ticks))

    job, told = reporter({"prompt": "a hut"}, iter([0.0, 0.0, 10.0, 10.0, 11.0, 41.0]))
    for stage in ("render", "fit"):
        told.begin(stage, stage.title())
        told.update(0.0) if stage == "render" else told.update(0.5)
        told.end(7.0)
    jobs.finish(job.id, "w", catalog.publish(opaque_asset()).id)
    assert jobs.stage_seconds({"prompt": "another"}) == {"render": 10.0, "fit": 31.0}
    assert jobs.stage_seconds({"prompt": "another", "quality": "high"}) == {}

    job, told = reporter({"prompt": "a lake"}, iter([100.0, 100.0, 102.0, 102.5]))
    told.begin("render", "Rendering")
    told.update(0.0)
    assert jobs.get(job.id).progress["seconds_left"] == 41.0
    told.update(0.25, "view 3")  # two seconds for a quarter: six more, then fitting
    progress = jobs.get(job.id).progress
    assert (progress["stage_seconds_left"], progress["seconds_left"]) == (6.0, 37.0)
    told.update(0.26)  # within the same second: not stored
    assert len([e for e in jobs.events(job.id) if e.kind == "progress"]) == 2
    assert jobs.get(job.id).progress == progress


def kernel_counts_writes(folder: Path) -> bool:
    """Whether bytes that are flushed to this folder's disk are charged to who wrote them (not on tmpfs)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_oublock
    with (folder / "probe").open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        os.fsync(file.fileno())
    return resource.getrusage(resource.RUSAGE_SELF).ru_oublock > before


def test_a_job_becomes_a_scene_and_says_what_it_took(jobs: Jobs, catalog: Catalog) -> None:
    job = jobs.submit({"prompt": "burn", "seed": 5})
    catalog.now = time.time
    run_all(catalog.home)

    done = jobs.get(job.id)
    assert done.state == "done" and done.scene_id is not None
    assert catalog.asset(done.scene_id) == opaque_asset(seed=5)
    assert states(jobs, job) == ["queued", "running", "done"]
    stages = [event.facts for event in jobs.events(job.id) if event.kind == "stage"]
    assert [(stage["stage"], stage["is_reused"]) for stage in stages] == [("paint", False)]
    (row,) = jobs.ledger(job.id)
    assert row["outcome"] == "done" and 0.4 <= row["cpu_seconds"] <= row["wall_seconds"] * os.cpu_count()
    assert row["peak_memory_bytes"] > 10 << 20
    if kernel_counts_writes(catalog.home):
        assert row["bytes_written"] >= len(opaque_asset(seed=5).pack)
    assert not list((catalog.home / "jobs").iterdir())  # its log said nothing anyone needs


def test_a_worker_that_is_killed_is_tried_again_and_keeps_what_was_done(
    jobs: Jobs, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BACKOFF_S", 0.1)
    twice, always = jobs.submit({"prompt": "die 1"}), jobs.submit({"prompt": "die 99", "seed": 1})
    bystander = jobs.submit({"prompt": "fine", "seed": 2})
    run_all(catalog.home)

    assert jobs.get(twice.id).state == "done" and jobs.get(twice.id).attempt == 2
    assert [row["outcome"] for row in jobs.ledger(twice.id)] == ["lost", "done"]
    assert (jobs.get(always.id).state, jobs.get(always.id).attempt) == ("failed", MOST_ATTEMPTS)
    assert jobs.get(bystander.id).state == "done"
    painted = (catalog.home / "painted").read_text().split()
    assert sorted(painted) == sorted([twice.id, always.id, bystander.id])  # once each, for six attempts


def test_failures_are_explained_and_not_repeated(
    jobs: Jobs, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BACKOFF_S", 0.1)
    names = ("wrong", "refuse", "spin", "hog", "bug")
    submitted = {name: jobs.submit({"prompt": f"{name} secret words"}) for name in names}
    run_all(catalog.home)

    found = {name: jobs.get(job.id) for name, job in submitted.items()}
    codes = {name: job.error["code"] for name, job in found.items() if job.error}
    assert codes == {
        "wrong": "invalid_input",
        "refuse": "refused",
        "spin": "too_long",
        "hog": "too_large",
        "bug": "job_lost",
    }
    assert [job.attempt for job in found.values()] == [1, 1, 1, 1, MOST_ATTEMPTS]
    assert found["refuse"].spec == {} and found["wrong"].spec == {"prompt": "wrong secret words"}
    log = catalog.home / "jobs" / f"{submitted['bug'].id}.log"
    assert "ZeroDivisionError" in log.read_text() and log.stat().st_mode & 0o77 == 0


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def hanging(home: Path) -> list[int]:
    wait_for(lambda: (home / "pids").exists() and len((home / "pids").read_text().split()) == 2)
    return [int(pid) for pid in (home / "pids").read_text().split()]


def test_cancelling_kills_the_worker_and_what_it_started(jobs: Jobs, catalog: Catalog) -> None:
    job = jobs.submit({"prompt": "hang"})
    with toy_jobs(catalog.home):
        pids = hanging(catalog.home)
        assert all(map(is_alive, pids))
        jobs.cancel(job.id)
        wait_for(lambda: jobs.get(job.id).state == "cancelled")
        wait_for(lambda: not any(map(is_alive, pids)))
    assert [row["outcome"] for row in jobs.ledger(job.id)] == ["cancelled"]
    assert [event.kind for event in jobs.events(job.id) if event.kind == "progress"] == []


def test_a_supervisor_that_ends_gives_its_job_back(jobs: Jobs, catalog: Catalog) -> None:
    job = jobs.submit({"prompt": "hang"})
    with toy_jobs(catalog.home):
        pids = hanging(catalog.home)
    assert not any(map(is_alive, pids))
    assert (jobs.get(job.id).state, jobs.get(job.id).attempt) == ("queued", 0)
    assert [row["outcome"] for row in jobs.ledger(job.id)] == ["released"]


def test_a_worker_ends_with_a_supervisor_that_is_killed(jobs: Jobs, catalog: Catalog) -> None:
    job = jobs.submit({"prompt": "hang"})
    code = (
        "import sys; from pathlib import Path; from immersive.jobs.supervisor import Supervisor\n"
        "from immersive.jobs.processes import Processes\n"
        "home = Path(sys.argv[1]); Supervisor(home, executor=Processes(home, command=sys.argv[2:])).run()"
    )
    command = [sys.executable, "-c", code, str(catalog.home), *WORKER]
    supervisor = subprocess.Popen(command, cwd=ROOT)
    try:
        worker, child = hanging(catalog.home)
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
        wait_for(lambda: not is_alive(worker))
        assert jobs.get(job.id).state == "running"  # until its lease is over
    finally:
        supervisor.kill()
        os.kill(child, signal.SIGKILL)


def test_a_worker_limits_itself() -> None:
    code = (
        "import os, resource; from immersive.jobs.worker import limit_process\n"
        "limit_process(os.getppid(), 4321)\n"
        "kinds = (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_CORE)\n"
        "print([resource.getrlimit(kind)[0] for kind in kinds], os.nice(0))\n"
        "limit_process(os.getppid() + 1, 4321)"
    )
    before = os.nice(0)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert done.stdout.strip() == f"[4321, {memory}, 0] {min(before + 10, 19)}", done.stderr
    assert done.returncode == 1  # an orphan ends
    assert limit_process.__doc__


def test_an_older_catalog_learns_about_jobs(tmp_path: Path) -> None:
    older_catalog(tmp_path, 2)
    catalog = Catalog(tmp_path)
    assert Jobs(catalog).submit({"prompt": "a hut"}).state == "queued"
    catalog.close()
