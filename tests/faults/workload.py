"""What is done to a store while it is interrupted, and how one sees afterwards that nothing was lost.

Run as a program it works on one folder until it is killed or done, and says on standard output, a JSON
object a line, what was acknowledged. `missing` is the judge.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from immersive.catalog import Catalog
from immersive.growing import Growing
from immersive.jobs.queue import Jobs
from immersive.share import Links
from tests.streaming.opaque_asset import opaque_asset

Ack = dict[str, Any]


def tell(**ack: Any) -> None:
    """Acknowledge: from here on it must survive."""
    os.write(1, (json.dumps(ack) + "\n").encode())


def work(home: Path, seed: int, steps: int) -> None:
    """Publish, grow, link, queue and delete, in an order that `seed` decides."""
    chance = random.Random(seed)
    catalog = Catalog(home)
    catalog.sweep()
    jobs, links = Jobs(catalog), Links(catalog)
    for step in range(steps):
        record = catalog.publish(opaque_asset(seed=seed * 10_000 + step))
        tell(scene=record.id, version=record.version)
        act = chance.random()
        if act < 0.2:
            tell(link=links.create(record.id).id)
        elif act < 0.4:
            job = jobs.submit({"prompt": "a hut", "seed": seed * 10_000 + step})
            tell(job=job.id)
        elif act < 0.5:
            tell(going=record.id)
            catalog.delete(record.id)
            tell(gone=record.id)
        elif act < 0.6:
            catalog.publish(opaque_asset(seed=seed * 10_000 + step))  # there already
        elif act < 0.8:
            grow(catalog, links, seed * 10_000 + step)
    catalog.close()


def grow(catalog: Catalog, links: Links, seed: int) -> None:
    """Let a scene grow: its link is there first, then a draft, then the whole."""
    growing = Growing.begin(catalog, recipe_digest=f"recipe {seed}", title="A hut", prompt="a hut")
    tell(link=links.create(growing.scene_id).id)
    growing.show_splats(opaque_asset(seed=seed + 5_000))
    record = growing.finish(opaque_asset(seed=seed + 6_000), backend="procedural", recipe_digest=f"{seed}")
    tell(scene=record.id, version=record.version)


def missing(home: Path, acks: Iterable[Ack]) -> list[str]:
    """Open a store as after a crash and return what of the acknowledged is not there, one sentence each."""
    found: list[str] = []
    acks = list(acks)
    going = {ack["going"] for ack in acks if "going" in ack}
    gone = {ack["gone"] for ack in acks if "gone" in ack}
    catalog = Catalog(home)
    try:
        catalog.sweep()
        here = {record.id: record for record in catalog.list()}
        jobs = {job.id for job in Jobs(catalog).list(most=1_000_000)}
        links = {row["id"] for row in catalog.database.read("SELECT id FROM link")}
        for ack in acks:
            if "scene" in ack and ack["scene"] not in here and ack["scene"] not in going:
                found.append(f"scene {ack['scene']} is lost")
            if "job" in ack and ack["job"] not in jobs:
                found.append(f"job {ack['job']} is lost")
            if "link" in ack and ack["link"] not in links:
                found.append(f"link {ack['link']} is lost")
        found += [f"scene {scene} came back" for scene in gone & set(here)]
        rows = catalog.database.read("SELECT id FROM scene WHERE byte_length > 0")  # drafts, too
        shown = [catalog.get(row["id"]) for row in rows]
        for record in shown:
            try:
                if catalog.asset(record.id).manifest.splat_count != record.splat_count:
                    found.append(f"scene {record.id} holds another pack")
            except (OSError, ValueError) as error:
                found.append(f"scene {record.id} has a bad pack: {error}")
        if catalog.database.read("PRAGMA integrity_check")[0][0] != "ok":
            found.append("the database is damaged")
        packs = {path.name for path in (home / "scenes").glob("??/*")}
        if packs != {record.version for record in shown}:
            found.append("packs and scenes differ after sweeping")
    finally:
        catalog.close()
    return found


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
