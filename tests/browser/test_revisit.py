"""A page loaded twice in a real Chromium, with sockets and without: everything comes, and comes once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.preflight import find_chromium
from immersive.server.run import start_in_thread
from immersive.share import Links
from reconstruction.frames import Provenance
from streaming.assemble import build_asset
from streaming.asset import SplatAsset
from streaming.messages import CHUNK_HEADER_BYTES
from tests.bench.raster import room
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, SplatAsset]]:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    home = tmp_path_factory.mktemp("home")
    cloud, _ = room(9000)
    asset = build_asset(cloud, title="Room", provenance=Provenance("test", is_generated=False))
    catalog = Catalog(home)
    link = Links(catalog).create(catalog.publish(asset).id)
    catalog.close()
    with start_in_thread(home) as info:
        yield info.link(link.path), asset


@pytest.mark.parametrize("has_sockets", [True, False], ids=["sockets", "requests"])
def test_a_reload_fetches_no_chunk_again(
    place: tuple[str, SplatAsset], tmp_path: Path, has_sockets: bool
) -> None:
    link, asset = place
    command = ["node", "viewer/scripts/revisit.mjs", link, str(tmp_path / "seen.json")]

    done = subprocess.run(
        command + ([] if has_sockets else ["--no-sockets"]),
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))
    first, second = seen["visits"]
    assert first["bytesReceived"] == asset.byte_length + CHUNK_HEADER_BYTES * len(asset.chunks)
    assert second["bytesReceived"] == 0
    assert first["chunksShown"] == second["chunksShown"] == first["chunksPlanned"]
    assert first["splatsAlive"] == second["splatsAlive"]
    assert (seen["sockets"] > 0) == has_sockets
    assert (seen["streams"] > 0) == (not has_sockets)
