"""Two servers over one PostgreSQL and one bucket: what one is told, the other knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.jobs.queue import Jobs
from immersive.server import app
from immersive.server.run import ServerInfo, start_in_thread
from immersive.share import Links
from streaming.messages import LINK_REVOKED, SUBPROTOCOL
from tests.immersive import cluster
from tests.immersive.test_jobs import toy_jobs, wait_for
from tests.streaming.opaque_asset import opaque_asset

pytestmark = pytest.mark.skipif(
    cluster.postgres_programs() is None, reason="needs PostgreSQL (apt-get install postgresql)"
)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ServerInfo, ServerInfo]]:
    monkeypatch.setattr(app, "supervised", toy_jobs)
    with cluster.postgres() as folder, cluster.s3() as bucket:
        for name, value in cluster.fresh_stores(folder, bucket).items():
            monkeypatch.setenv(name, value)
        with start_in_thread(tmp_path / "one") as one, start_in_thread(tmp_path / "two") as two:
            yield one, two


def test_what_one_server_is_told_the_other_knows(pair: tuple[ServerInfo, ServerInfo], tmp_path: Path) -> None:
    one, two = pair
    catalog = Catalog(tmp_path / "three")
    link = Links(catalog).create(catalog.publish(opaque_asset()).id)
    opened = [open_link(server.link(link.path)) for server in pair]
    assert opened[0].ticket != opened[1].ticket
    address = f"ws://127.0.0.1:{two.port}/ws?ticket={opened[1].ticket}&credit=1000000"
    owner = {"Authorization": f"Bearer {one.owner_token}"}
    with open_socket(
        address, subprotocols=[SUBPROTOCOL], compression=None, max_size=None, proxy=None
    ) as socket:
        gone = httpx.delete(f"{one.url}/api/links/{link.id}", headers=owner, trust_env=False)
        assert gone.status_code == 200
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                socket.recv(timeout=20)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == LINK_REVOKED

    # Jobs asked of either are made once, by whichever comes first.
    jobs = Jobs(catalog)
    asked = []
    for seed in range(4):
        server = pair[seed % 2]
        answer = httpx.post(
            f"{server.url}/api/jobs",
            json={"prompt": "fine", "seed": seed},
            headers={"Authorization": f"Bearer {server.owner_token}"},
            trust_env=False,
        )
        asked.append(answer.json()["job"]["id"])
    wait_for(lambda: all(jobs.get(job_id).is_final for job_id in asked), 60.0)
    scenes = [jobs.get(job_id).scene_id for job_id in asked]
    assert all(scenes) and len(set(scenes)) == 4
    for seed, scene in enumerate(scenes):
        assert catalog.asset(str(scene)).pack == opaque_asset(seed=seed).pack
    catalog.close()
