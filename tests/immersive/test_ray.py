"""Jobs on a cluster: two machines as Ray sees them, on this one; and what is said where there is none."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immersive.catalog import Catalog
from immersive.errors import ServerError
from immersive.jobs.queue import Jobs
from immersive.jobs.ray_tasks import RayTasks
from immersive.jobs.supervisor import Supervisor
from reconstruction.errors import MissingBackendError
from tests.conftest import ROOT
from tests.immersive.test_jobs import WORKER, is_alive, wait_for


def test_without_ray_or_a_cluster_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingBackendError, match="ray") as missing:
        RayTasks(tmp_path, "auto")
    assert "immersive[ray]" in str(missing.value.hint)


def test_an_address_where_nothing_answers_is_explained_at_once(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray (pip install 'immersive[ray]')")
    with pytest.raises(ServerError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        RayTasks(tmp_path, "127.0.0.1:1")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("ray", reason="needs Ray (pip install 'immersive[ray]')")
    from ray.cluster_utils import Cluster

    # Workers start where Ray likes; they find the tests by this.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IMMERSIVE_TEST_SHORT", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_machine_that_dies_costs_one_attempt_and_a_cancelled_job_its_processes(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("queue", "supervisor"):  # shorter than it takes until a worker begins over there
        monkeypatch.setattr(f"immersive.jobs.{module}.LEASE_S", 3.0)
    monkeypatch.setattr("immersive.jobs.queue.BACKOFF_S", 0.1)
    first = cluster.add_node(num_cpus=1)
    catalog = Catalog(tmp_path / "home")
    jobs = Jobs(catalog)
    executor = RayTasks(catalog.home, cluster.address, command=WORKER)
    supervisor = Supervisor(catalog.home, at_once=2, executor=executor)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        # The first attempt hangs on the first machine; the second one, elsewhere, does not.
        job = jobs.submit({"prompt": "hang_once"})
        pids = catalog.home / "pids"
        wait_for(lambda: pids.exists() and pids.read_text(), 120)
        pid = int(pids.read_text())
        assert jobs.get(job.id).state == "running" and is_alive(pid) and pid != os.getpid()
        cluster.remove_node(first, allow_graceful=False)
        wait_for(lambda: not is_alive(pid), 60)
        cluster.add_node(num_cpus=1)
        wait_for(lambda: jobs.get(job.id).state == "done", 120)
        wait_for(lambda: len(jobs.ledger(job.id)) == 2)  # when the process over there has ended
        assert [row["outcome"] for row in jobs.ledger(job.id)] == ["lost", "done"]
        assert jobs.ledger(job.id)[1]["cpu_seconds"] > 0.1  # of the process over there
        assert (catalog.home / "painted").read_text().split() == [job.id]  # kept from the first attempt

        pids.unlink()
        hanging = jobs.submit({"prompt": "hang"})
        wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2, 120)
        both = [int(pid) for pid in pids.read_text().split()]
        jobs.cancel(hanging.id)
        wait_for(lambda: jobs.get(hanging.id).state == "cancelled", 60)
        wait_for(lambda: not any(map(is_alive, both)), 30)
        wait_for(lambda: jobs.ledger(hanging.id))
        assert [row["outcome"] for row in jobs.ledger(hanging.id)] == ["cancelled"]
    finally:
        supervisor.stop()
        thread.join()
        executor.close()
        catalog.close()
